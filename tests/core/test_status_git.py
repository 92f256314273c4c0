"""Status and stage against git: one working tree, two repositories, the same answers."""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, example, given, settings

from muse.core.repo import Repository
from muse.core.stage import read_stage, stage_tree
from tests.core.edits import (
    Edit,
    behind_link,
    edit_files,
    edit_stage,
    fresh_status,
    histories,
    make_repo,
    porcelain,
)


def git(root: Path, *arguments: bytes | str, check: bool = True) -> bytes:
    """Run git in a tree and return what it prints."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)
    if check and done.returncode:
        raise AssertionError(done.stderr)
    return done.stdout


def git_status(root: Path) -> set[tuple[str, bytes]]:
    """Return git's status."""
    lines = git(root, "status", "--porcelain=v1", "-z", "-uall", "--no-renames").split(b"\0")
    return {(line[:2].decode(), line[3:]) for line in lines if line}


def git_accepts(root: Path, edit: Edit) -> bool:
    """Do to git's index or HEAD what an edit says; tell whether git accepted it."""
    commands: dict[str, list[bytes | str]] = {
        "add": ["add", "--", edit.path or b"."],
        "update": ["add", "-u"],
        "reset": ["reset", "-q", "--", edit.path or b"."],
    }
    tracked = git(root, "ls-files", "-z").split(b"\0")
    index = root / ".git" / "index"
    before = index.read_bytes() if index.exists() else None
    done = subprocess.run(["git", *commands[edit.verb]], cwd=root, capture_output=True, check=False)
    if not done.returncode:
        return True
    if edit.path in tracked:
        # git stages a tracked file below an ignored folder, and complains all the same.
        return True
    if before is not None:
        # git stages what it can and then refuses; we do all or nothing.
        index.write_bytes(before)
    return False


def same_tree(repo: Repository) -> bool:
    """Tell whether the staged tree is the one that git's index holds."""
    staged = stage_tree(repo.objects, repo.head_tree(), read_stage(repo.root))
    return staged.root.hex().encode() == git(repo.root, "write-tree").strip()


class TestSameAsGit:
    """After any edits the two agree."""

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(history=histories)
    @example(
        history=[
            Edit("write", b"a", b"one\n"),
            Edit("add", b""),
            Edit("commit", b""),
            Edit("write", b"a/b", b"two\n"),
            Edit("add", b""),
        ]
    )
    @example(
        history=[
            Edit("write", b"b/a", b"one\n"),
            Edit("commit", b""),
            Edit("rename", b"b", b"a"),
            Edit("link", b"b", b"a"),
        ]
    )
    def test_status_and_tree_after_random_edits(self, history: list[Edit]) -> None:
        """`status` lists what git lists, and the staged tree is what `git write-tree` makes."""
        with TemporaryDirectory() as name:
            root = Path(name)
            repo = make_repo(root)
            git(root, "init", "-q", "--object-format=sha256")
            (root / ".git" / "info" / "exclude").write_text(".muse\n")
            for edit in history:
                if edit.verb == "commit":
                    self.commit(root, edit, repo)
                elif edit.verb in {"add", "update", "reset"}:
                    if not behind_link(root, edit.path):
                        accepted, did = git_accepts(root, edit), edit_stage(repo, edit)
                        # `git reset` takes any word for a pattern, and `git add` may pass over
                        # an ignored file without a word.
                        assert did or not accepted or same_tree(repo), edit
                        assert accepted or not did, edit
                elif edit.verb != "sneak":
                    # git compares times by the second, and so would miss a sneaked change.
                    edit_files(root, edit)
            assert porcelain(fresh_status(repo)) == git_status(root)
            assert same_tree(repo)

    @staticmethod
    def commit(root: Path, edit: Edit, repo: Repository) -> None:
        """Commit in both: what is staged, or everything when nothing is."""
        if not read_stage(root):
            git(root, "add", "-A")
        edit_stage(repo, edit)
        git(root, "commit", "-q", "--allow-empty", "-m", "m")
