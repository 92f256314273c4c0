"""Draws the pictures in ``screenshots/`` from a real repository, the same ones every time.

``python -m tests.tui.pictures screenshots`` draws them anew; a test redraws them and compares what
stands where. Commits, ids and times are fixed; what differs between machines (a path, free disk
space, the time of day) is replaced by one value before the picture is taken.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from textual.pilot import Pilot

from muse.core.commits import Commit, Signature, format_commit
from muse.core.repo import open_repo
from muse.core.tree_diff import diff_trees
from muse.core.trees import update_tree
from muse.core.types import from_raw, to_raw
from muse.ops.add import add
from muse.ops.branch import create_branch
from muse.ops.commit import commit
from muse.ops.init import init
from muse.ops.push import push
from muse.ops.push_targets import PushOptions
from muse.ops.remote import add_remote
from muse.ops.restore import discard
from muse.ops.switch import switch
from muse.ops.tag import create_tag
from muse_tui import messages
from muse_tui.app import MuseApp
from muse_tui.backend import drafts
from muse_tui.model import Draft, HealthView, JobView, Live, WatchView
from muse_tui.screens.branches import BranchList

NOW_S = 1_767_268_800.0  # 2026-01-01 12:00 UTC
ADA = Signature("Ada Lovelace", "ada@example.com", 0, "+0000")
BEN = Signature("Ben Ode", "ben@example.com", 0, "+0000")

AUTH = '''"""Who may come in, and what is written down about it."""

from song import audit, users


class Session:
    """One visitor, from login to logout."""

    def __init__(self, pool):
        self.pool = pool
        self.user = None

    def login(self, user, password):
        """Let a user in."""
        with self.pool.connection() as db:
            found = users.find(db, user)
        return check(found, password)

    def logout(self):
        """Show the user out."""
        self.user = None
'''
AUTH_NEW = AUTH.replace(
    "        return check(found, password)\n",
    "        ok = check(found, password)\n        audit.record(user, ok)\n        return ok\n",
).replace('"""Let a user in."""', '"""Let a user in, and write it down."""')


class Picture(NamedTuple):
    """One picture.

    Attributes:
        name: Its file, without the ending.
        size: Columns and rows.
        keys: What is pressed first.
        theme: The theme.
        scene: Prepares the repository.
        act: Is told the application before the picture is taken.
    """

    name: str
    size: tuple[int, int] = (120, 40)
    keys: tuple[str, ...] = ()
    theme: str = "muse-dark"
    scene: Callable[[Path], None] | None = None
    act: Callable[[MuseApp], None] | None = None


def build(root: Path) -> None:
    """Build the repository that all pictures show."""
    init(root)
    files = {
        "song/auth.py": AUTH,
        "song/db/pool.py": "import queue\n\n\nclass Pool:\n    size = 4\n",
        "song/users.py": "def find(db, name):\n    return db.get(name)\n",
        "docs/guide.md": "# Guide\n\nSing.\n",
        "notes/old.txt": "an old thought\n",
    }
    for name, text in files.items():
        write(root, name, text)
    save(root, "Start", NOW_S - 9 * 86_400, ADA)
    tagged = save(root, "Add the guide", NOW_S - 8 * 86_400, BEN, {"docs/guide.md": "# Guide\n"})
    create_tag(open_repo(root, do_sweep=False), "v1.0", rev=tagged)
    create_branch(open_repo(root, do_sweep=False), "pool")
    switch(open_repo(root, do_sweep=False), "pool")
    pool = "import queue\n\n\nclass Pool:\n    size = 8\n"
    save(root, "pool: eight connections", NOW_S - 5 * 86_400, BEN, {"song/db/pool.py": pool})
    switch(open_repo(root, do_sweep=False), "main")
    save(root, "users: look up by name", NOW_S - 4 * 86_400, ADA, {"song/users.py": USERS})
    merge(root, "pool", "Merge branch 'pool'", NOW_S - 3 * 86_400)
    repo = open_repo(root, do_sweep=False)
    there = root.parent / "origin"
    init(there, bare=True)
    add_remote(repo, "origin", str(there))
    push(repo, remote="origin", options=PushOptions(set_upstream=True))
    save(root, "Add an audit trail", NOW_S - 3_700, ADA, {"song/audit.py": AUDIT})
    leak = pool + "    limit = 32\n"
    save(root, "Fix a leak in the pool", NOW_S - 130, BEN, {"song/db/pool.py": leak})


USERS = '"""Everybody who may sing."""\n\n\ndef find(db, name):\n    return db.by_name(name)\n'
AUDIT = '"""What happened, and when."""\n\n\ndef record(user, ok):\n    print(user, ok)\n'


def write(root: Path, name: str, text: str) -> None:
    """Write a file of the working tree."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def save(
    root: Path, message: str, time_s: float, who: Signature, files: dict[str, str] | None = None
) -> str:
    """Commit everything at a fixed time."""
    for name, text in (files or {}).items():
        write(root, name, text)
    repo = open_repo(root, do_sweep=False)
    add(repo, [b""])
    return commit(repo, message=message, committer=who._replace(time_s=int(time_s))).oid


def merge(root: Path, branch: str, message: str, time_s: float) -> None:
    """Commit the working tree of main as a merge of a branch into it."""
    repo = open_repo(root, do_sweep=False)
    head, other = repo.head().commit, repo.refs.read(f"refs/heads/{branch}")
    assert head is not None
    assert other is not None
    ours, theirs = repo.commit(head), repo.commit(other)
    base = repo.commit(theirs.parents[0])
    changes = {
        change.path: (change.new_mode, change.new)
        for change in diff_trees(repo.objects, base.tree, theirs.tree)
        if change.new is not None
    }
    update = update_tree(repo.objects, ours.tree, changes)
    who = ADA._replace(time_s=int(time_s))
    made = Commit(update.root, (to_raw(head), to_raw(other)), who, who, message.encode() + b"\n")
    with repo.transaction("merge") as tx:
        for raw, payload in update.new:
            tx.write_hashed(raw, "tree", payload)
        oid = from_raw(tx.write_object("commit", format_commit(made)))
        tx.set_ref("refs/heads/main", oid, old=head, log="merge")
    discard(open_repo(root, do_sweep=False), [b""], staged=True)


def working(root: Path) -> None:
    """Somebody is at work: changed, new and removed files, one of them staged."""
    write(root, "song/auth.py", AUTH_NEW)
    write(root, "song/db/pool.py", "import queue\n\n\nclass Pool:\n    size = 16\n    limit = 32\n")
    write(root, "notes/idea.md", "Sing it twice.\n")
    (root / "notes/old.txt").unlink()
    write(root, "song/audit.py", AUDIT + '\n\ndef replay():\n    """Tell it again."""\n')
    add(open_repo(root, do_sweep=False), [b"song/audit.py"])


def crashed(root: Path) -> None:
    """The interface died, with a draft; a writer left a temp."""
    working(root)
    drafts.save_draft(root, Draft("Write down who comes in\n\nSo that"))
    folder = root / ".muse" / "health" / "interface"
    folder.mkdir(parents=True, exist_ok=True)
    note = {"pid": 4711, "started_s": NOW_S - 5000, "state": "died", "died_s": NOW_S - 1200}
    (folder / "4711-1.json").write_text(json.dumps(note))
    (root / ".muse" / ".muse-tmp-4711").write_bytes(b"x" * 41_000)


def damaged(root: Path) -> None:
    """The commit that is checked out cannot be read any more."""
    working(root)
    head = open_repo(root, do_sweep=False).head().commit
    assert head is not None
    for path in (root / ".muse" / "journal").iterdir():
        path.unlink()
    digits = head.removeprefix("sha256:")
    path = root / ".muse" / "objects" / "sha256" / digits[:2] / digits[2:]
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(data[:-9] + b"?" + data[-8:])


def pushing(app: MuseApp) -> None:
    """A push is on its way."""
    started = time.time() - 8.0
    app.main.post_message(
        messages.JobChanged(
            JobView("x", "push", "origin/main", done=240, total=393, bytes_done=24_800_000,
                    started_s=started)
        )
    )  # fmt: skip


PICTURES = (
    Picture("working", scene=working, keys=("j", "j")),
    Picture("working-light", scene=working, keys=("j", "j"), theme="muse-light"),
    Picture("clean"),
    Picture("commit", scene=working, keys=("c", *"Write down who comes in".replace(" ", "_"))),
    Picture("pushing", scene=working, keys=("3",), act=pushing),
    Picture("after-crash", scene=crashed, keys=("j", "j", "4")),
    Picture("hunks", scene=working, keys=("j", "j", "enter", "vertical_line")),
    Picture("branches", keys=("b",)),
    Picture("discard", scene=working, keys=("j", "j", "d")),
    Picture("help", scene=working, keys=("question_mark",)),
    Picture("damaged", scene=damaged),
    Picture("medium", size=(100, 30), scene=working, keys=("j", "j")),
    Picture("narrow-80", size=(80, 24), scene=working),
    Picture("narrow-60", size=(60, 20), scene=working, keys=("j", "j", "enter")),
)


# Keys that open a box.
_OPENING = frozenset({"b", "c", "d", "question_mark"})


def freeze(app: MuseApp) -> None:
    """Replace what differs between machines and moments by one value."""
    main = app.main
    main.history.now_s = lambda: NOW_S
    main.history.refresh()
    for branches in app.screen.query(BranchList):
        branches.now_s = lambda: NOW_S
        branches.refresh()
    app.clear_notifications()

    def moved(text: str) -> str:
        """Say of the repository what is the same on every machine."""
        return text.replace(str(app.root), "~/song")

    if main.watch_view.live is Live.LIVE:
        main.post_message(messages.WatchChanged(WatchView(Live.LIVE, 23.0, NOW_S)))
    else:
        watch = main.watch_view
        main.post_message(messages.WatchChanged(watch._replace(reason=moved(watch.reason))))
    damage = moved(main.head.damage)
    main.post_message(messages.HeadChanged(main.head._replace(place="~/song", damage=damage)))
    if main.history_view is not None and main.history_view.problem:
        problem = moved(main.history_view.problem)
        main.post_message(messages.HistoryChanged(main.history_view._replace(problem=problem)))
    if main.last_failure is not None:
        main.say(moved(main.last_failure.message), hint=main.last_failure.hint, level="bad")
    view: HealthView = main.health_list.health
    values = {
        "disk": "212 GB free",
        "shutdown": "11:40",
        "draft": "11:39",
        "objects": "verified 11:58",
    }
    facts = tuple(
        fact._replace(
            value=values.get(fact.key, "12:01" if fact.key.startswith("removed") else fact.value)
        )
        for fact in view.facts
        if fact.key != "journals"
    )
    shutdown = "clean" if view.shutdown == "first" else view.shutdown
    line = re.sub(r" at [^:]*:\d\d", " at 11:40", view.crash_line)
    main.post_message(
        messages.HealthChanged(view._replace(facts=facts, shutdown=shutdown, crash_line=line))
    )
    if line:
        main.say(line, hint="4 shows what was found", level="warn")


async def until(pilot: Pilot[int], condition: Callable[[], object]) -> None:
    """Wait for a condition, with a deadline."""
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        await pilot.pause(0.02)


@asynccontextmanager
async def posed(picture: Picture, root: Path) -> AsyncIterator[MuseApp]:
    """Open the interface and bring it to where the picture is taken."""
    if picture.scene is not None:
        picture.scene(root)
    app = MuseApp(root)
    async with app.run_test(size=picture.size) as pilot:
        main = app.main
        await until(pilot, lambda: main.watch_view.live in {Live.LIVE, Live.STOPPED})
        await until(pilot, lambda: main.head.place)
        await until(pilot, lambda: main.health_list.health.facts and main.history_view)
        rows = main.tree_list.rows
        await until(pilot, lambda: all(r.note or r.added is not None for r in rows.every()))
        await until(pilot, lambda: main.key_under_cursor() is None or main.diff.doc is not None)
        app.theme = picture.theme
        for key in picture.keys:
            await pilot.press("space" if key == "_" else key)
            if key in _OPENING:
                await until(pilot, lambda: app.screen is not main)
            await pilot.pause()
        wanted = main.wanted
        await until(pilot, lambda: main.diff.key == main.wanted or app.screen is not main)
        assert main.wanted == wanted
        app.engine._hear = lambda name, payload: None
        freeze(app)
        await pilot.pause()
        if picture.act is not None:
            picture.act(app)
        for area in app.screen.query("TextArea"):
            area.cursor_blink = False  # type: ignore[attr-defined]
        await pilot.pause()
        await pilot.pause(0.1)
        yield app


async def draw(picture: Picture, root: Path) -> str:
    """Return a picture as SVG."""
    async with posed(picture, root) as app:
        return app.export_screenshot(title="muse")


def words(svg: str) -> list[tuple[str, str, str]]:
    """Return what stands where in a picture: (x, y, text)."""
    found = re.findall(r'<text [^>]*x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>', svg)
    return [(x, y, text) for x, y, text in found if text.strip("\xa0 ")]


def draw_all(folder: Path, names: list[str]) -> None:
    """Draw all pictures into a folder; PNGs too, where ``chromium`` is there."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    for picture in PICTURES:
        if names and picture.name not in names:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            root = Path(scratch) / "song"
            build(root)
            svg = asyncio.run(draw(picture, root))
        path = folder / f"{picture.name}.svg"
        path.write_text(svg, encoding="utf-8")
        if shutil.which("chromium"):
            draw_png(svg, folder / f"{picture.name}.png")


def draw_png(svg: str, png: Path) -> None:
    """Draw a picture as a browser shows it: it keeps each text as wide as the picture says."""
    plain = re.sub(r"@font-face \{[^}]*\}", "", svg)
    width, height = map(float, re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)[0])
    style = "<style>body { margin: 0 } svg { width: 1200px; display: block }</style>"
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch) / "page.html"
        page.write_text(f"<!doctype html><meta charset=utf-8>{style}{plain}", encoding="utf-8")
        subprocess.run(
            [
                "chromium",
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                f"--user-data-dir={scratch}/profile",
                f"--window-size=1200,{round(1200 * height / width)}",
                f"--screenshot={png}",
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
        )


if __name__ == "__main__":
    draw_all(Path(sys.argv[1]), sys.argv[2:])
