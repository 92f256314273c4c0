"""Colours: three themes, and the names that everything is drawn with.

A colour means one thing everywhere. *Accent* is where you are (the focused pane, the cursor) and
nothing else; green is what is stored or staged, red what is removed or damaged, amber what waits
for you, blue a name (branch, tag, commit). Each of them comes with a letter or a sign, so that
nothing is told by colour alone.
"""

from __future__ import annotations

import functools
from typing import Final

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import BUILTIN_THEMES, Theme

# name of the paint → colour of the text, colour behind it, bold / italic / underline
PAINTS: Final[dict[str, tuple[str, str, str]]] = {
    "text": ("text", "", ""),
    "strong": ("strong", "", "bold"),
    "dim": ("dim", "", ""),
    "faint": ("faint", "", ""),
    "accent": ("accent", "", ""),
    "accent-strong": ("accent", "", "bold"),
    "line": ("line", "", ""),
    "good": ("good", "", ""),
    "bad": ("bad", "", ""),
    "warn": ("warn", "", ""),
    "name": ("name", "", ""),
    "tag": ("tag", "", ""),
    "hit": ("warn", "", "bold underline"),
    "cursor": ("", "cursor", ""),
    "cursor-blurred": ("", "cursor-blurred", ""),
    "range": ("", "range", ""),
    "bar": ("text", "bar", ""),
    "key": ("accent", "", "bold"),
    "added": ("", "added", ""),
    "removed": ("", "removed", ""),
    "added-word": ("", "added-word", "bold"),
    "removed-word": ("", "removed-word", "bold"),
    "hunk": ("name", "bar", ""),
    "syntax-keyword": ("syntax-keyword", "", ""),
    "syntax-string": ("syntax-string", "", ""),
    "syntax-comment": ("syntax-comment", "", "italic"),
    "syntax-number": ("syntax-number", "", ""),
    "syntax-name": ("syntax-name", "", ""),
    "syntax-type": ("syntax-type", "", ""),
    "lane0": ("name", "", ""),
    "lane1": ("good", "", ""),
    "lane2": ("warn", "", ""),
    "lane3": ("tag", "", ""),
    "lane4": ("bad", "", ""),
}

# How much brighter or darker than the widget a background must be to say something by itself.
_STANDS_OUT: Final = 0.14


def _variables(**colors: str) -> dict[str, str]:
    return {f"p-{name.replace('_', '-')}": color for name, color in colors.items()}


_DARK = _variables(
    text="#c8cedb", strong="#eef1f7", dim="#8790a3", faint="#596176", line="#343b4d",
    accent="#b9a1ff", good="#8fd6a0", bad="#f28b93", warn="#e8c07a", name="#86b7f5",
    tag="#d79ae0", cursor="#2d2b47", cursor_blurred="#20242f", range="#332f52", bar="#181c26",
    added="#15281f", removed="#2f1a20", added_word="#23573a", removed_word="#6b2a35",
    syntax_keyword="#c79bf2", syntax_string="#a5cf8c", syntax_comment="#727b8f",
    syntax_number="#e3a877", syntax_name="#86b7f5", syntax_type="#e6cb83",
)  # fmt: skip

_LIGHT = _variables(
    text="#30343f", strong="#0f1218", dim="#666c7c", faint="#9298a6", line="#cfcbc0",
    accent="#6a3fc4", good="#1f7a3a", bad="#b4232f", warn="#8a5a00", name="#1f5fb0",
    tag="#8e35a0", cursor="#e6def8", cursor_blurred="#efece4", range="#d9cdf5", bar="#f1eee6",
    added="#e3f4e4", removed="#fbe6e6", added_word="#aee0b6", removed_word="#f4b6b8",
    syntax_keyword="#7a3fc0", syntax_string="#3b7a1f", syntax_comment="#8a8f9c",
    syntax_number="#a8541a", syntax_name="#1f5fb0", syntax_type="#84620a",
)  # fmt: skip

_ANSI = _variables(
    text="ansi_default", strong="ansi_default", dim="ansi_default", faint="ansi_bright_black",
    line="ansi_bright_black", accent="ansi_magenta", good="ansi_green", bad="ansi_red",
    warn="ansi_yellow", name="ansi_blue", tag="ansi_cyan", cursor="ansi_bright_black",
    cursor_blurred="ansi_default", range="ansi_bright_black", bar="ansi_default",
    added="ansi_default", removed="ansi_default", added_word="ansi_default",
    removed_word="ansi_default", syntax_keyword="ansi_magenta", syntax_string="ansi_default",
    syntax_comment="ansi_bright_black", syntax_number="ansi_default", syntax_name="ansi_blue",
    syntax_type="ansi_yellow",
)  # fmt: skip

MUSE_DARK: Final = Theme(
    name="muse-dark",
    primary="#b9a1ff", secondary="#86b7f5", accent="#b9a1ff", warning="#e8c07a",
    error="#f28b93", success="#8fd6a0", foreground="#c8cedb", background="#10131a",
    surface="#10131a", panel="#181c26", dark=True,
    variables={
        **_DARK,
        "scrollbar": "#343b4d", "scrollbar-hover": "#596176", "scrollbar-active": "#b9a1ff",
        "scrollbar-background": "#10131a", "scrollbar-background-hover": "#10131a",
        "scrollbar-background-active": "#10131a", "scrollbar-corner-color": "#10131a",
        "input-selection-background": "#b9a1ff 35%",
        "screen-selection-background": "#b9a1ff 35%",
    },
)  # fmt: skip

MUSE_LIGHT: Final = Theme(
    name="muse-light",
    primary="#6a3fc4", secondary="#1f5fb0", accent="#6a3fc4", warning="#8a5a00",
    error="#b4232f", success="#1f7a3a", foreground="#30343f", background="#fbfaf6",
    surface="#fbfaf6", panel="#f1eee6", dark=False,
    variables={
        **_LIGHT,
        "scrollbar": "#cfcbc0", "scrollbar-hover": "#9298a6", "scrollbar-active": "#6a3fc4",
        "scrollbar-background": "#fbfaf6", "scrollbar-background-hover": "#fbfaf6",
        "scrollbar-background-active": "#fbfaf6", "scrollbar-corner-color": "#fbfaf6",
        "input-selection-background": "#6a3fc4 25%",
        "screen-selection-background": "#6a3fc4 25%",
    },
)  # fmt: skip

MUSE_ANSI: Final = Theme(
    name="muse-ansi",
    ansi=True,
    primary="ansi_magenta", secondary="ansi_blue", accent="ansi_magenta",
    warning="ansi_yellow", error="ansi_red", success="ansi_green",
    foreground="ansi_default", background="ansi_default", surface="ansi_default",
    panel="ansi_default", boost="ansi_default", dark=True,
    variables={
        **BUILTIN_THEMES["ansi-dark"].variables,
        **_ANSI,
        "scrollbar": "ansi_bright_black", "scrollbar-hover": "ansi_bright_black",
        "scrollbar-active": "ansi_magenta", "scrollbar-background": "ansi_default",
        "scrollbar-background-hover": "ansi_default",
        "scrollbar-background-active": "ansi_default",
        "scrollbar-corner-color": "ansi_default",
        "border-blurred": "ansi_bright_black", "block-cursor-foreground": "ansi_black",
        "block-cursor-background": "ansi_white", "input-cursor-background": "ansi_white",
        "input-cursor-foreground": "ansi_black",
        "input-selection-background": "ansi_bright_black",
        "input-selection-foreground": "ansi_white",
        "screen-selection-background": "ansi_bright_black",
        "screen-selection-foreground": "ansi_white",
    },
)  # fmt: skip

THEMES: Final = (MUSE_DARK, MUSE_LIGHT, MUSE_ANSI)


def defaults(*, dark: bool) -> dict[str, str]:
    """Return our colours for a theme that is not ours."""
    return dict(_DARK if dark else _LIGHT)


@functools.cache
def paint_style(variables: tuple[tuple[str, str], ...], name: str) -> Style:
    """Return the style of a paint; it sets only what the paint says.

    Args:
        variables: The theme's colours, as `paint_variables` returns them.
        name: A name of `PAINTS`.
    """
    colors = dict(variables)
    text, behind, attributes = PAINTS[name]
    style = Style.parse(attributes) if attributes else Style()
    fore = Color.parse(colors[f"p-{text}"]).rich_color if text else None
    back = Color.parse(colors[f"p-{behind}"]).rich_color if behind else None
    return style + Style(color=fore, bgcolor=back)


def paint_variables(theme: Theme) -> tuple[tuple[str, str], ...]:
    """Return the colours that paints are made of, in a form that can be remembered."""
    own = {name: value for name, value in theme.variables.items() if name.startswith("p-")}
    return tuple(sorted({**defaults(dark=theme.dark), **own}.items()))


class Colourless(LineFilter):
    """What ``NO_COLOR`` asks for: not one colour is written, grey included.

    A background that stands out (a text's cursor, a selection, changed words) is shown reversed;
    quieter ones only underline what a sign says already.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments without colours."""
        return [
            Segment(text, None if style is None else _colourless(style, background), control)
            for text, style, control in segments
        ]


@functools.lru_cache(4096)
def _colourless(style: Style, background: Color) -> Style:
    plain = style.without_color
    if style.meta:
        plain += Style.from_meta(style.meta)  # what the mouse finds there
    if style.bgcolor is None or style.bgcolor.is_default:
        return plain
    behind = Color.from_rich_color(style.bgcolor, ansi=False)
    if abs(behind.brightness - background.brightness) > _STANDS_OUT and not style.reverse:
        plain += Style(reverse=True)
    return plain
