"""A scan that begins while the program loads finds what a scan that begins later finds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from muse.core.paths import stat_cache_path
from muse.core.repo import open_repo
from muse.ops.add import add
from muse.ops.commit import commit
from tests.core.edits import ADA, make_repo

ROOT = Path(__file__).parents[2]
FILES, SHARE = 300, 64

# In a process of its own, as the command does it: a child is forked before anything is loaded.
SCRIPT = f"""if True:
    import os, sys
    from pathlib import Path
    import muse.core.row_scan
    from muse.core import early_scan
    early_scan.MANY_ROWS = 100
    muse.core.row_scan._SHARE_ROWS = {SHARE}
    muse.core.row_scan.count_cores = lambda: 2
    early_scan.begin(os.environ)
    began = len(early_scan._running)
    claimed = []
    claim = early_scan.claim
    early_scan.claim = lambda file_id: claimed.append(claim(file_id)) or claimed[-1]
    from muse.core.repo import open_repo
    from muse.ops.status import read_status
    between()
    found = read_status(open_repo(Path.cwd()), save=False).status
    early_scan.end()
    from tests.core.edits import fresh_status
    assert found == fresh_status(open_repo(Path.cwd())), found
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        print(began, bool(claimed[0]))
    else:
        raise AssertionError("a child is left")
    """


def run(code: str, folder: Path) -> str:
    """Run code in a process of its own, which forks; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert not done.returncode, done.stderr
    return done.stdout.strip()


def scan(root: Path, *, between: str = "pass") -> str:
    """Run the script in a repository; return whether a scan began, and whether it was used."""
    begin = f"def between():\n    {between}\n"
    script = begin + "\n".join(line[4:] for line in SCRIPT.splitlines()[1:])
    return run(script, root)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with many files, whose status is cached."""
    root = tmp_path_factory.mktemp("early")
    repo = make_repo(root)
    for number in range(FILES):
        path = root / f"d{number % 10}" / f"{number:04d}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{number}\n")
    add(repo, [b""])
    commit(repo, message="all", committer=ADA)
    save(root)
    return root


def save(root: Path) -> None:
    """Have everything in the cache."""
    from muse.ops.status import open_engine

    engine = open_engine(open_repo(root))
    engine.refresh_all()
    assert engine.save(only_if_useful=False)


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """Return a copy of it, whose files are all cached anew."""
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-a", made, copy], check=True)
    save(copy)
    return copy


def edit(root: Path) -> None:
    """Change one file, remove one, add one."""
    (root / "d1/0001").write_text("other\n")
    (root / "d2/0002").unlink()
    (root / "d3/new").write_text("new\n")


def replace_folder(root: Path) -> None:
    """Put a file in the place of a folder, and a link in the place of another."""
    (root / "d4").rename(root / "elsewhere")
    (root / "d4").write_text("a file")
    (root / "d5").rename(root / "d5.old")
    (root / "d5").symlink_to("d5.old")


def commit_more(root: Path) -> None:
    """Commit new files and a removal, which the cache has not heard of."""
    cached = stat_cache_path(root).read_bytes()
    repo = open_repo(root)
    for name in ("a", "d0/0000a", "z"):
        (root / name).write_text("more\n")
    (root / "d6/0006").unlink()
    add(repo, [b""])
    commit(repo, message="more", committer=ADA)
    stat_cache_path(root).write_bytes(cached)
    (root / "d0/0000a").write_text("more, changed\n")
    (root / "z").unlink()


@pytest.mark.parametrize("change", [lambda root: None, edit, replace_folder, commit_more])
def test_it_finds_what_there_is(root: Path, change: Callable[[Path], None]) -> None:
    """Whatever changed, in the files or in HEAD's tree, the status is the one without it."""
    change(root)
    assert scan(root) == "1 True"


@pytest.mark.parametrize("then", ["", "; commit(repo, message='m', committer=ADA)"])
def test_a_commit_in_between(root: Path, then: str) -> None:
    """A file that is changed and staged, or committed, while the program loads is the new one."""
    between = (
        "import time; from muse.ops.add import add; from muse.ops.commit import commit;"
        "from tests.core.edits import ADA; time.sleep(0.3); Path('d1/0001').write_text('x');"
        f"repo = open_repo(Path.cwd()); add(repo, [b'd1/0001']){then}"
    )
    # The commit brings its own cache, whose rows are others; so that the old one is used again:
    keep = "cache = Path('.muse/cache/stat_cache.msgpack'); os.link(cache, 'kept')"
    back = "os.replace('kept', cache)"
    assert scan(root, between=f"{keep}; {between}; {back}") == "1 True"


def test_the_cache_is_replaced_in_between(root: Path) -> None:
    """Rows of another file of the cache are others: the scan is dropped."""
    edit(root)
    name = ".muse/cache/stat_cache.msgpack"
    between = f"os.rename({name!r}, 'old'); Path({name!r}).write_bytes(Path('old').read_bytes())"
    assert scan(root, between=f"{between}; os.unlink('old')") == "1 False"


@pytest.mark.parametrize("keep", [0, 40, 70, 4000])
def test_a_cache_that_was_cut(root: Path, keep: int) -> None:
    """A child that cannot read it fails alone."""
    edit(root)
    path = stat_cache_path(root)
    path.write_bytes(path.read_bytes()[:keep])
    assert scan(root) in {"0 False", "1 False"}


def test_from_a_folder_below_and_from_elsewhere(root: Path) -> None:
    """It looks upwards for the repository, and finds none where there is none."""
    edit(root)
    code = (
        "import os; from muse.core import early_scan as e; e.MANY_ROWS = 1;"
        "import muse.core.row_scan as r; r.count_cores = lambda: 2;"
        "e.begin(os.environ); print(len(e._running)); e.end()"
    )
    for folder, expected in ((root / "d1", "1"), (root.parent, "0")):
        assert run(code, folder) == expected
