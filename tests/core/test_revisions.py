"""Names mean what they mean to git, and a name that means nothing says what might be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from muse.core.commits import Signature, Tag, format_tag
from muse.core.config import Config
from muse.core.errors import (
    AmbiguousIdError,
    NotFoundError,
    PathNotFoundError,
    RevisionNotFoundError,
)
from muse.core.reflog import ReflogEntry, encode_entry
from muse.core.refs import RefStore
from muse.core.revisions import Revisions
from muse.core.types import RawId, from_raw, raw_object_id
from tests.conftest import Run
from tests.core.histories import START_S, History

WHO = Signature("Ada", "ada@example.com", START_S)


@pytest.fixture
def history(tmp_path: Path, git: Run) -> History:
    """Five commits with a merge, a topic branch, tags, a remote branch and reflogs."""
    made = History(tmp_path, git)
    files = {b"a.txt": b"a", b"dir/b.txt": b"b", b"dir/sub/c.txt": b"c"}
    root = made.commit([], files=files)
    left = made.commit([root], time_s=START_S + 1, files=files)
    right = made.commit([root], time_s=START_S + 2, files={**files, b"a.txt": b"A"})
    merge = made.commit([left, right], time_s=START_S + 3, files=files)
    tip = made.commit([merge], time_s=START_S + 4, files=files)
    made.ref("refs/heads/main", tip)
    made.ref("refs/heads/topic/x", right)
    made.ref("refs/heads/cafe", left)
    made.ref("refs/remotes/origin/main", merge)
    made.ref("refs/remotes/origin/HEAD", merge)
    made.ref("refs/tags/light", left)
    tag = made.write("tag", format_tag(Tag(merge, "commit", "v1", WHO, b"one\n")))
    made.ref("refs/tags/v1", tag)
    made.ref("refs/tags/nested", made.write("tag", format_tag(Tag(tag, "tag", "n", WHO, b"n\n"))))
    made.ref("refs/tags/topic", root)
    for name, text in (("git", "ref: refs/heads/main\n"), ("muse/.muse", "ref: refs/heads/main\n")):
        (tmp_path / name / "HEAD").write_text(text)
    moves = [(None, root), (root, left), (left, merge), (merge, tip)]
    log = b"".join(
        encode_entry(
            ReflogEntry(from_raw(old) if old else None, from_raw(new), WHO, f"commit: {number}")
        )
        + b"\n"
        for number, (old, new) in enumerate(moves)
    )
    switches = [(tip, right, "main", "topic/x"), (right, tip, "topic/x", "main")]
    head_log = log + b"".join(
        encode_entry(
            ReflogEntry(from_raw(a), from_raw(b), WHO, f"checkout: moving from {x} to {y}")
        )
        + b"\n"
        for a, b, x, y in switches
    )
    for base in (made.git_dir, made.root / ".muse"):
        (base / "logs/refs/heads").mkdir(parents=True)
        (base / "logs/refs/heads/main").write_bytes(log)
        (base / "logs/HEAD").write_bytes(head_log)
    made.ask_git("config", "branch.main.remote", "origin")
    made.ask_git("config", "branch.main.merge", "refs/heads/main")
    made.ask_git("config", "remote.origin.url", "x")
    made.ask_git("config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
    config = '[branch.main]\nremote = "origin"\nmerge = "refs/heads/main"\n'
    (made.root / ".muse/config.toml").write_text(config)
    return made


@pytest.fixture
def revisions(history: History) -> Revisions:
    """The finder of that history."""
    config = Config(history.root / ".muse/config.toml")
    return Revisions(history.store, RefStore(history.root), config=config)


NAMES = """
HEAD @ main heads/main refs/heads/main origin origin/main remotes/origin/main topic/x topic
refs/tags/topic v1 tags/v1 nested light cafe HEAD~ HEAD~1 HEAD~2 HEAD~3 HEAD^ HEAD^1 HEAD~^2
HEAD~1^2~1 HEAD^0 HEAD~0 HEAD^^ HEAD^^2^ @~ @^ v1^{} nested^{} nested^{commit} v1^{tree} v1^{tag}
HEAD^{tree} HEAD^{commit} HEAD^{object} v1~1 v1^2 HEAD:a.txt HEAD:dir HEAD:dir/sub/c.txt HEAD:
main~1^2:a.txt v1:dir/b.txt v1^{tree}:dir @{0} @{1} @{3} @{4} main@{0} main@{2} HEAD@{0} HEAD@{1}
HEAD@{2} @{-1} @{-2} @{-1}~1 @{u} @{upstream} main@{u} main@{upstream} main@{1}^ HEAD@{1}:a.txt
nosuch HEAD~9 HEAD^3 HEAD^2 main:nosuch main:dir/nosuch main@{77} topic/x@{u} @{-9} HEAD^{blob}
HEAD:a.txt^{tree} HEAD^{nonsense} topic/x@{5} .. a..b/../c HEAD~x
"""


@pytest.mark.parametrize("name", NAMES.split())
def test_a_name_means_what_it_means_to_git(
    history: History, revisions: Revisions, name: str
) -> None:
    """Every form of the grammar gives git's object, or an error where git has one."""
    wanted = history.ask_git("rev-parse", "--verify", "--quiet", name, check=False).strip()
    if wanted:
        assert revisions.find(name).hex() == wanted
    else:
        with pytest.raises(NotFoundError):
            revisions.find(name)


@pytest.mark.parametrize(
    "texts",
    [
        ["main..topic/x"],
        ["topic/x..main"],
        ["topic/x..."],
        ["..topic/x"],
        ["light...topic/x"],
        ["main", "^light"],
        ["HEAD~1^@"],
        ["HEAD~1^!"],
        ["v1..", "topic/x"],
    ],
)
def test_a_range_is_gits(history: History, revisions: Revisions, texts: list[str]) -> None:
    """Ranges start and end where git's do."""
    lines = history.ask_git("rev-parse", *texts).split()
    wanted = {line for line in lines if not line.startswith("^")}
    found = revisions.find_range(texts)
    peeled = {revisions.find_commit(line).hex() for line in wanted}
    assert {raw.hex() for raw in found.include} == peeled
    assert {raw.hex() for raw in found.exclude} == {
        revisions.find_commit(line[1:]).hex() for line in lines if line.startswith("^")
    }


class TestIds:
    def test_full_and_shortened_with_and_without_prefix(
        self, history: History, revisions: Revisions
    ) -> None:
        """An id may be cut, in capitals, and with or without ``sha256:``, also in a range."""
        raw = history.commits[2]
        for text in (raw.hex(), f"sha256:{raw.hex()}", raw.hex()[:9], f"sha256:{raw.hex()[:7]}"):
            assert revisions.find(text) == raw
            assert revisions.find(text.replace(raw.hex()[:7], raw.hex()[:7].upper())) == raw
            assert revisions.find(text + "~1") == history.commits[0]
            assert revisions.find_tree(text + ":dir") == revisions.find_tree("topic/x:dir")
        short = f"sha256:{raw.hex()[:8]}"
        assert revisions.find_range(f"{short}..{short}").exclude == (raw,)

    def test_an_ambiguous_id_names_its_candidates(
        self, history: History, revisions: Revisions
    ) -> None:
        """A shortened id that fits several objects is refused, unless only one is a commit."""
        prefix, first, second = _collision(history)
        with pytest.raises(AmbiguousIdError) as caught:
            revisions.find(prefix)
        assert set(caught.value.candidates) == {from_raw(first), from_raw(second)}
        assert "more digits" in caught.value.hint

    def test_commits_win_where_a_commit_is_meant(
        self, history: History, revisions: Revisions
    ) -> None:
        """A blob that shares the first digits does not matter to ``log``."""
        digits = history.commits[0].hex()[:4]
        number = 0
        while raw_object_id("blob", b"%d" % number).hex()[:4] != digits:
            number += 1
        history.write("blob", b"%d" % number)
        assert revisions.find_commit(digits) == history.commits[0]
        with pytest.raises(AmbiguousIdError):
            revisions.find(digits)

    def test_a_ref_wins_over_a_shortened_id(self, history: History, revisions: Revisions) -> None:
        """A branch whose name could be an id is the branch."""
        assert revisions.find("cafe") == history.commits[1]


def _collision(history: History) -> tuple[str, RawId, RawId]:
    seen: dict[str, RawId] = {}
    number = 0
    while True:
        raw = history.write("blob", b"collide %d" % number)
        other = seen.setdefault(raw.hex()[:4], raw)
        if other != raw:
            return raw.hex()[:4], raw, other
        number += 1


class TestErrors:
    def test_a_misspelt_branch_gets_a_suggestion(self, revisions: Revisions) -> None:
        """The hint offers names that look alike."""
        with pytest.raises(RevisionNotFoundError) as caught:
            revisions.find("topik/x~1")
        assert "topic/x" in caught.value.hint
        assert caught.value.exit_code == 4

    def test_control_characters_are_visible(self, revisions: Revisions) -> None:
        """What was typed is shown without letting it reach the terminal raw."""
        with pytest.raises(RevisionNotFoundError) as caught:
            revisions.find("x\x1b[2J")
        assert "\x1b" not in caught.value.message

    def test_an_unborn_head_says_so(self, tmp_path: Path, git: Run) -> None:
        """Before the first commit the error says how to make one."""
        history = History(tmp_path, git)
        finder = Revisions(history.store, RefStore(history.root))
        with pytest.raises(RevisionNotFoundError, match="no commit yet"):
            finder.find_commit("HEAD")

    def test_a_blob_is_no_commit(self, revisions: Revisions) -> None:
        """An object of the wrong type is refused with both types named."""
        with pytest.raises(RevisionNotFoundError, match="is a blob, not a commit"):
            revisions.find_commit("HEAD:a.txt")
        with pytest.raises(PathNotFoundError, match="gone"):
            revisions.find("HEAD:gone")

    def test_full_names(self, revisions: Revisions) -> None:
        """A name gives its ref, or nothing when it is no ref."""
        assert revisions.full_name("topic/x") == "refs/heads/topic/x"
        assert revisions.full_name("origin/main") == "refs/remotes/origin/main"
        assert revisions.full_name("origin") == "refs/remotes/origin/HEAD"
        assert revisions.full_name("v1") == "refs/tags/v1"
        assert revisions.full_name("HEAD~1") is None
