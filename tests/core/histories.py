"""Random histories, built in Muse and in git at once: the object format is the same."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hypothesis import strategies as st

from muse.core.ancestry import CommitGraph
from muse.core.commits import Commit, Signature, format_commit
from muse.core.object_store import ObjectStore
from muse.core.trees import update_tree
from muse.core.types import MODE_FILE, ObjectType, RawId, frame_header
from tests.conftest import Run

START_S = 1_700_000_000


class History:
    """A Muse object store and a git repository that hold the same objects.

    Args:
        folder: An empty folder for both.
        git: The fixture that runs git.
    """

    def __init__(self, folder: Path, git: Run) -> None:
        self.root = folder / "muse"
        self.git_dir = folder / "git"
        self._git = git
        (self.root / ".muse" / "objects" / "sha256").mkdir(parents=True)
        git("init", "-q", "--bare", "--object-format=sha256", str(self.git_dir), cwd=folder)
        self.store = ObjectStore(self.root)
        self.commits: list[RawId] = []

    @property
    def graph(self) -> CommitGraph:
        """A graph that has read nothing yet."""
        return CommitGraph(self.store)

    def write(self, kind: ObjectType, payload: bytes) -> RawId:
        """Store one object on both sides."""
        frame = frame_header(kind, len(payload)) + payload
        digits = hashlib.sha256(frame).hexdigest()
        path = self.git_dir / "objects" / digits[:2] / digits[2:]
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(zlib.compress(frame, 1))
        return self.store.write(kind, payload)

    def tree(self, files: Mapping[bytes, bytes]) -> RawId:
        """Store a tree of these files."""
        changes = {
            path: (MODE_FILE, self.write("blob", data)) for path, data in sorted(files.items())
        }
        update = update_tree(self.store, None, changes)
        for _, payload in update.new:
            self.write("tree", payload)
        return update.root

    def commit(
        self,
        parents: Iterable[RawId],
        *,
        time_s: int = START_S,
        files: Mapping[bytes, bytes] | None = None,
        message: str = "",
        author: str = "Ada",
    ) -> RawId:
        """Store a commit; its message is its number unless given."""
        number = len(self.commits)
        raw = self.write(
            "commit",
            format_commit(
                Commit(
                    self.tree(files or {}),
                    tuple(parents),
                    Signature(author, f"{author.lower()}@example.com", time_s),
                    Signature("Ada", "ada@example.com", time_s),
                    (message or f"commit {number}\n").encode(),
                )
            ),
        )
        self.commits.append(raw)
        return raw

    def ref(self, name: str, raw: RawId) -> None:
        """Set a ref on both sides."""
        for base, text in (
            (self.git_dir, f"{raw.hex()}\n"),
            (self.root / ".muse", f"sha256:{raw.hex()}\n"),
        ):
            path = base / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def ask_git(self, *arguments: str, check: bool = True) -> str:
        """Run git here and return what it printed."""
        return self._git(*arguments, cwd=self.git_dir, check=check).stdout.decode()

    def ask_git_ids(self, *arguments: str) -> list[RawId]:
        """Run git here and return the ids that it printed, one a line."""
        return [RawId(bytes.fromhex(line)) for line in self.ask_git(*arguments).split()]


Plan = Sequence[tuple[tuple[int, ...], int, tuple[int, ...]]]


@st.composite
def plans(
    draw: st.DrawFn, *, max_commits: int = 14, skew: bool = False, max_parents: int = 3
) -> list[tuple[tuple[int, ...], int, tuple[int, ...]]]:
    """Draw a history: for each commit its parents, its date, and the state of three files."""
    size = draw(st.integers(1, max_commits))
    plan: list[tuple[tuple[int, ...], int, tuple[int, ...]]] = []
    for number in range(size):
        count = draw(st.sampled_from((0, 1, 1, 1, 1, 2, 2, max_parents))) if number else 0
        low = max(0, number - 5)
        parents = tuple(
            draw(
                st.lists(
                    st.integers(low, max(low, number - 1)),
                    min_size=min(count, number - low),
                    max_size=min(count, number - low),
                    unique=True,
                )
            )
        )
        newest = max((plan[parent][1] for parent in parents), default=0)
        step = draw(st.integers(-3 if skew else 0, 3))
        base = plan[parents[0]][2] if parents else (0, 0, 0)
        files = draw(
            st.sampled_from(
                [
                    base,
                    (base[0] + 1, *base[1:]),
                    (base[0], base[1] + 1, base[2]),
                    (*base[:2], (base[2] + 1) % 3),
                    plan[parents[-1]][2] if parents else base,
                ]
            )
        )
        plan.append((parents, newest + step, files))
    return plan


def build(history: History, plan: Plan) -> list[RawId]:
    """Store a drawn history on both sides; return its commits, oldest first."""
    made: list[RawId] = []
    for number, (parents, date, state) in enumerate(plan):
        names = (b"top.txt", b"dir/sub/deep.txt", b"dir/other.py")
        files = {name: b"%d\n" % value for name, value in zip(names, state, strict=True) if value}
        made.append(
            history.commit(
                [made[parent] for parent in parents],
                time_s=START_S + date,
                files=files,
                message=f"number {number}\n\nbody {number % 3}\n",
                author=("Ada", "Bob")[number % 2],
            )
        )
    return made
