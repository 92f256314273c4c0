"""Exporting to git: what arrives is what git itself would have, and `git fsck --strict` agrees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muse.core.commits import Commit, Signature, format_commit
from muse.core.errors import (
    CorruptObjectError,
    RemoteError,
    UnsafePathError,
)
from muse.core.repo import Repository, open_repo
from muse.core.trees import TreeEntry, format_tree
from muse.core.types import MODE_FILE, MODE_TREE, ObjectId, RawId, from_raw, to_raw
from muse.ops.git_bridge.export import GitExportResult, git_export
from muse.ops.git_bridge.import_ import git_import
from tests.ops.git_bridge_fixtures import (
    FORMATS,
    Made,
    clean_env,
    git_ids,
    git_refs,
    git_text,
    histories,
    load,
    long_history,
    make_git,
    make_muse,
    muse_refs,
    run_git,
    sound,
    stream_of,
    write_object,
)

WHO = Signature("Ada", "ada@example.com", 1_700_000_000, "+0100")


def send(
    repo: Repository,
    path: Path,
    *,
    object_format: str | None = None,
    bare: bool = True,
    force: bool = False,
    strict: bool = True,
) -> GitExportResult:
    """Export with the test's environment."""
    return git_export(
        repo,
        path,
        env=clean_env(),
        object_format=object_format,
        bare=bare,
        force=force,
        strict=strict,
    )


def bring(repo: Repository, path: Path) -> None:
    """Import with the test's environment."""
    assert git_import(repo, path, env=clean_env()).ok


def commit_on(
    repo: Repository, branch: str, files: dict[bytes, bytes], message: str = "ours"
) -> ObjectId:
    """Put a commit with these files, and no others, on top of a branch."""
    name = f"refs/heads/{branch}"
    old = repo.refs.read(name)
    with repo.transaction("test", who=WHO) as tx:
        entries = [
            TreeEntry(MODE_FILE, path, tx.write_object("blob", data))
            for path, data in files.items()
        ]
        tree = tx.write_object("tree", format_tree(entries))
        parents = (to_raw(old),) if old else ()
        made = Commit(tree, parents, WHO, WHO, message.encode() + b"\n")
        new = from_raw(tx.write_object("commit", format_commit(made)))
        tx.set_ref(name, new, old=old, log="test")
    return new


def states(result: GitExportResult) -> dict[str, str]:
    """Return what became of each ref."""
    return {ref.name: ref.state.value for ref in result.refs}


def fsck(path: Path) -> None:
    """Let git judge a repository; any complaint fails."""
    said = run_git("fsck", "--strict", "--no-dangling", cwd=path)
    assert said == b""


class TestRoundTrip:
    @settings(max_examples=8, deadline=None)
    @given(history=histories, source_format=st.sampled_from(FORMATS))
    def test_any_history_comes_back_with_its_ids(
        self, history: list[Made], source_format: str, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """Export after import gives git's own ids again, in both formats, and nothing else."""
        base = tmp_path_factory.mktemp("trip")
        # NUL in a message is the one thing in these histories that git's fsck complains about.
        history = [replace(m, message=m.message.replace(b"\0", b"0")) for m in history]
        repos = {kind: make_git(base / kind, object_format=kind) for kind in FORMATS}
        for path in repos.values():
            load(path, stream_of(history))
        repo = make_muse(base / "m")
        bring(repo, repos[source_format])
        for kind, original in repos.items():
            result = send(repo, base / f"out-{kind}", object_format=kind)
            assert result.ok
            assert result.created
            assert git_refs(base / f"out-{kind}") == git_refs(original)
            assert git_ids(base / f"out-{kind}") == git_ids(original)
            assert sum(result.objects.values()) == len(git_ids(original))
            fsck(base / f"out-{kind}")
            again = send(open_repo(repo.root), base / f"out-{kind}")
            assert not any(again.objects.values())
            assert set(states(again).values()) == {"unchanged"}

    def test_signatures_are_valid_again_in_sha1_form(self, tmp_path: Path) -> None:
        """What git signed leaves byte for byte as it came."""
        source = make_git(tmp_path / "g")
        tree = write_object(source, "tree", b"")
        who = "Ada <ada@example.com> 1700000000 +0100"
        signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ\n -----END PGP SIGNATURE-----\n"
        text = f"tree {tree}\nauthor {who}\ncommitter {who}\n{signature}\nsigned\n"
        digits = write_object(source, "commit", text.encode())
        run_git("update-ref", "refs/heads/main", digits, cwd=source)
        repo = make_muse(tmp_path / "m")
        bring(repo, source)
        send(repo, tmp_path / "out", object_format="sha1")
        assert git_text("rev-parse", "main", cwd=tmp_path / "out") == digits

    @pytest.mark.parametrize("object_format", FORMATS)
    def test_work_done_here_goes_back_to_where_history_came_from(
        self, tmp_path: Path, object_format: str
    ) -> None:
        """Only the new objects are sent, git fast-forwards, and a later import knows them."""
        source = load(make_git(tmp_path / "g", object_format=object_format), long_history(30))
        repo = make_muse(tmp_path / "m")
        bring(repo, source)
        head = commit_on(repo, "main", {b"new": b"file\n"})
        commit_on(repo, "topic", {b"other": b"file\n"})
        result = send(repo, source)
        assert states(result)["refs/heads/main"] == "moved"
        assert states(result)["refs/heads/topic"] == "created"
        assert result.objects == {"blob": 1, "tree": 2, "commit": 2, "tag": 0}
        assert run_git("show", "main:new", cwd=source) == b"file\n"
        fsck(source)
        back = git_import(repo, source, env=clean_env())
        assert not any(back.objects.values())
        assert {ref.state.value for ref in back.refs} == {"unchanged"}
        assert repo.refs.read("refs/heads/main") == head
        # And git's own next commit comes here again.
        tree = git_text("rev-parse", "main^{tree}", cwd=source)
        tip = git_text("commit-tree", "-p", "main", "-m", "theirs", tree, cwd=source)
        run_git("update-ref", "refs/heads/main", tip, cwd=source)
        assert git_import(repo, source, env=clean_env()).objects["commit"] == 1
        assert sound(repo)

    @pytest.mark.parametrize("object_format", FORMATS)
    def test_a_large_file_is_streamed(self, tmp_path: Path, object_format: str) -> None:
        """A file above the bound of what is held arrives whole."""
        repo = make_muse(tmp_path / "m")
        content = b"0123456789abcdef" * (600 * 1024)
        commit_on(repo, "main", {b"big": content, b"small": b"x"})
        send(repo, tmp_path / "out", object_format=object_format)
        assert run_git("show", "main:big", cwd=tmp_path / "out") == content
        fsck(tmp_path / "out")


class TestRefs:
    def test_only_forward_unless_forced(self, tmp_path: Path) -> None:
        """What git has and we have not is never dropped without a word."""
        repo = make_muse(tmp_path / "m")
        first = commit_on(repo, "main", {b"a": b"1\n"})
        with repo.transaction("test") as tx:
            for name in ("refs/heads/behind", "refs/heads/split", "refs/tags/v"):
                tx.set_ref(name, first, old=None, log="test")
        commit_on(repo, "main", {b"a": b"2\n"})
        out = tmp_path / "out"
        send(repo, out)
        tree = git_text("rev-parse", "main^{tree}", cwd=out)
        theirs = git_text("commit-tree", "-p", "behind", "-m", "theirs", tree, cwd=out)
        run_git("update-ref", "refs/heads/split", theirs, cwd=out)
        run_git("update-ref", "refs/heads/behind", "main", cwd=out)
        run_git("update-ref", "refs/tags/v", "main", cwd=out)
        commit_on(repo, "split", {b"a": b"3\n"})
        result = send(repo, out)
        assert states(result) == {
            "refs/heads/behind": "ahead",
            "refs/heads/main": "unchanged",
            "refs/heads/split": "diverged",
            "refs/tags/v": "diverged",
        }
        assert "git-import" in next(r.reason for r in result.refs if r.name == "refs/heads/split")
        assert git_refs(out)["refs/heads/split"] == theirs
        forced = send(repo, out, force=True)
        assert states(forced)["refs/heads/split"] == "forced"
        assert git_refs(out)["refs/heads/split"] == muse_refs(repo)["refs/heads/split"]
        assert git_refs(out)["refs/heads/behind"] != muse_refs(repo)["refs/heads/behind"]

    def test_history_in_common_is_found_below_commits_that_are_not_here(
        self, tmp_path: Path
    ) -> None:
        """Git's own commits on top of ours do not make us send everything again."""
        source = load(make_git(tmp_path / "g", object_format="sha256"), long_history(50))
        repo = make_muse(tmp_path / "m")
        bring(repo, source)
        tree = git_text("rev-parse", "main^{tree}", cwd=source)
        tip = git_text("commit-tree", "-p", "main", "-m", "theirs", tree, cwd=source)
        run_git("update-ref", "refs/heads/main", tip, cwd=source)
        commit_on(repo, "topic", {b"a": b"1\n"})
        result = send(repo, source)
        assert states(result)["refs/heads/topic"] == "created"
        assert result.objects == {"blob": 1, "tree": 1, "commit": 1, "tag": 0}

    def test_a_lock_there_moves_nothing_and_is_named(self, tmp_path: Path) -> None:
        """What another git holds is waited for by a person, not by us; nothing is half done."""
        repo = make_muse(tmp_path / "m")
        commit_on(repo, "a", {b"a": b"1\n"})
        commit_on(repo, "z", {b"a": b"1\n"})
        out = make_git(tmp_path / "out", object_format="sha256")
        (out / "refs" / "heads").mkdir(exist_ok=True)
        (out / "refs" / "heads" / "z.lock").write_text("")
        with pytest.raises(RemoteError, match="lock") as error:
            send(repo, out)
        assert "git" in error.value.hint
        assert git_refs(out) == {}
        (out / "refs" / "heads" / "z.lock").unlink()
        assert send(repo, out).ok

    @pytest.mark.parametrize("object_format", FORMATS)
    def test_history_that_lost_its_submodules_does_not_go_back_over_it(
        self, tmp_path: Path, object_format: str
    ) -> None:
        """A branch whose commits are not those of git is refused, not rewritten there."""
        source = load(make_git(tmp_path / "g", object_format=object_format), long_history(3))
        size = 20 if object_format == "sha1" else 32
        stream = (
            b"commit refs/heads/main\ncommitter A <a@b> 9 +0000\ndata 0\nfrom refs/heads/main^0\n"
        )
        load(source, stream + b"M 160000 %b lib\n" % (b"11" * size))
        before = git_refs(source)
        repo = make_muse(tmp_path / "m")
        bring(repo, source)
        assert states(send(repo, source)) == {"refs/heads/main": "diverged"}
        commit_on(repo, "main", {b"a": b"1\n"})
        result = send(repo, source)
        assert states(result) == {"refs/heads/main": "diverged"}
        assert "submodules" in result.refs[0].reason
        assert git_refs(source) == before
        assert not any(result.objects.values())
        out = tmp_path / "out"
        assert send(repo, out, object_format=object_format).objects["commit"] == 5
        fsck(out)


class TestRefusals:
    @pytest.mark.parametrize("name", [b".GIT", b"git~1", b".g\xe2\x80\x8cit"])
    @pytest.mark.parametrize("strict", [True, False])
    def test_a_hostile_name_is_never_exported(
        self, tmp_path: Path, name: bytes, strict: bool
    ) -> None:
        """A tree that git would take for its own folder somewhere goes nowhere."""
        repo = make_muse(tmp_path / "m")
        commit_on(repo, "main", {name: b"[core]\n"})
        with pytest.raises(UnsafePathError):
            send(repo, tmp_path / "out", strict=strict)
        assert git_refs(tmp_path / "out") == {}
        assert (
            run_git("cat-file", "--batch-all-objects", "--batch-check", cwd=tmp_path / "out") == b""
        )

    def test_what_fsck_complains_about_needs_a_word(self, tmp_path: Path) -> None:
        """History with old faults is refused with git's own words, or sent with --no-strict."""
        source = make_git(tmp_path / "g")
        tree = write_object(source, "tree", b"")
        who = "Ada <ada@example.com> 01700000000 +0100"
        text = f"tree {tree}\nauthor {who}\ncommitter {who}\n\nzero padded\n"
        digits = write_object(source, "commit", text.encode())
        run_git("update-ref", "refs/heads/main", digits, cwd=source)
        repo = make_muse(tmp_path / "m")
        bring(repo, source)
        with pytest.raises(RemoteError, match="zeroPaddedDate") as error:
            send(repo, tmp_path / "out", object_format="sha1")
        assert "--no-strict" in error.value.hint
        assert send(repo, tmp_path / "out", strict=False).ok
        assert git_text("rev-parse", "main", cwd=tmp_path / "out") == digits

    @pytest.mark.parametrize("object_format", FORMATS)
    def test_damage_here_sends_nothing(self, tmp_path: Path, object_format: str) -> None:
        """A damaged object is an error here, and git keeps nothing of the pack."""
        repo = make_muse(tmp_path / "m")
        commit_on(repo, "main", {b"a": b"1\n", b"b": b"2\n"})
        tree = repo.head_commit()
        assert tree is not None
        blob = RawId(bytes.fromhex(muse_blob(repo, b"a")))
        file = Path(repo.objects.loose_path(blob))
        file.chmod(0o644)
        file.write_bytes(file.read_bytes()[:-1] + b"X")
        out = make_git(tmp_path / "out", object_format=object_format)
        with pytest.raises(CorruptObjectError):
            send(repo, out)
        assert git_refs(out) == {}
        assert run_git("cat-file", "--batch-all-objects", "--batch-check", cwd=out) == b""


def muse_blob(repo: Repository, name: bytes) -> str:
    """Return the hex id of a file of HEAD."""
    from muse.core.trees import find_in_tree

    entry = find_in_tree(repo.objects, repo.head_tree(), name)
    assert entry is not None
    assert entry.mode != MODE_TREE
    return entry.raw.hex()
