"""Where the repository stands: HEAD, its upstream, and what is damaged."""

from __future__ import annotations

from muse.core.ancestry import CommitGraph, ahead_behind
from muse.core.errors import MuseError
from muse.core.paths import show_text
from muse.core.types import ObjectId, to_raw
from muse.core.upstream import find_upstream
from muse_tui.backend.place import Place
from muse_tui.model import HeadView


def short(oid: ObjectId | str) -> str:
    """Return the first digits of an id, as lists show it."""
    return oid.removeprefix("sha256:")[:7]


def read_head(place: Place, *, home: str) -> HeadView:
    """Return where the repository stands; damage is part of the answer, not an error."""
    root = str(place.root)
    shown = "~" + root[len(home) :] if home and root.startswith(home + "/") else root
    try:
        head = place.repo.head()
    except MuseError as error:
        return HeadView(show_text(shown), damage=f"{error.message} {error.hint}")
    oid = head.commit or ""
    damage = ""
    if head.commit is not None:
        try:
            place.repo.commit(head.commit)
        except MuseError as error:
            damage = f"{error.message} {error.hint}"
    view = HeadView(
        show_text(shown),
        show_text(head.branch or ""),
        short(oid),
        oid,
        readonly=place.repo.readonly_reason,
        damage=show_text(damage),
    )
    if not head.branch:
        return view
    upstream = find_upstream(place.fresh_config(), head.branch)
    if upstream is None:
        return view
    view = view._replace(upstream=upstream.name)
    try:
        theirs = place.repo.refs.read(upstream.tracking)
        if theirs is None or head.commit is None:
            return view
        counts = ahead_behind(CommitGraph(place.repo.objects), to_raw(head.commit), to_raw(theirs))
    except MuseError:
        return view
    return view._replace(ahead=counts.ahead, behind=counts.behind)
