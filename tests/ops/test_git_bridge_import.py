"""Importing from git: the ids are those that git itself computes, whatever is in the history."""

from __future__ import annotations

import os
import shutil
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muse.core.commits import format_commit
from muse.core.errors import MuseError, RemoteError
from muse.core.repo import Repository, open_repo
from muse.core.trees import find_in_tree
from muse.core.types import from_raw, to_raw
from muse.ops.git_bridge.import_ import GitImportResult, git_import
from muse.ops.git_bridge.report import RefState
from muse.ops.git_bridge.sink import Sink
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
    muse_ids,
    muse_refs,
    run_git,
    sound,
    stream_of,
    write_object,
)


def bring(
    repo: Repository, path: Path, *, force: bool = False, shallow: bool = False
) -> GitImportResult:
    """Import with the test's environment."""
    return git_import(repo, path, env=clean_env(), force=force, allow_shallow=shallow)


def remarks(result: GitImportResult) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Return what was remarked: kind → (count, examples)."""
    return {remark.kind: (remark.count, remark.examples) for remark in result.remarks}


def states(result: GitImportResult) -> dict[str, str]:
    """Return what became of each ref."""
    return {ref.name: ref.state.value for ref in result.refs}


def person_lines(who: str = "Ada <ada@example.com> 1700000000 +0100") -> str:
    """Return an author and a committer line."""
    return f"author {who}\ncommitter {who}\n"


class TestIdsAreGits:
    @settings(max_examples=15, deadline=None)
    @given(history=histories)
    def test_any_history_has_the_ids_of_git(
        self, history: list[Made], tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """A SHA-1 repository becomes what git makes of the same history in SHA-256 format.

        And a SHA-256 repository becomes itself: every object, every ref, and nothing else.
        """
        base = tmp_path_factory.mktemp("ids")
        stream = stream_of(history)
        old = load(make_git(base / "old"), stream)
        new = load(make_git(base / "new", object_format="sha256"), stream)
        for number, source in enumerate((old, new)):
            repo = make_muse(base / f"m{number}")
            result = bring(repo, source)
            assert result.ok
            assert muse_refs(repo) == git_refs(new)
            assert muse_ids(repo) == git_ids(new)
            assert sum(result.objects.values()) == len(git_ids(source))
            # A message or a file may happen to look like one of these.
            assert set(remarks(result)) <= {"signature", "git-lfs pointer"}
            assert sound(repo)

    @settings(max_examples=8, deadline=None)
    @given(history=histories, cut=st.integers(1, 11), object_format=st.sampled_from(FORMATS))
    def test_in_two_runs_it_is_the_same(
        self,
        history: list[Made],
        cut: int,
        object_format: str,
        tmp_path_factory: pytest.TempPathFactory,
    ) -> None:
        """A part first, and all of it later, is all of it; the second run brings the rest."""
        base = tmp_path_factory.mktemp("two")
        new = load(make_git(base / "new", object_format="sha256"), stream_of(history))
        source = load(make_git(base / "g", object_format=object_format), stream_of(history[:cut]))
        repo = make_muse(base / "m")
        first = bring(repo, source)
        load(source, stream_of(history))
        second = bring(repo, source, force=True)
        assert muse_refs(repo) == git_refs(new)
        assert muse_ids(repo) >= git_ids(new)
        assert sum((*first.objects.values(), *second.objects.values())) == len(muse_ids(repo))
        third = bring(open_repo(repo.root), source)
        assert not any(third.objects.values())
        assert set(states(third).values()) == {"unchanged"}

    @pytest.mark.parametrize("object_format", FORMATS)
    def test_an_octopus_merge_keeps_all_its_parents(
        self, tmp_path: Path, object_format: str
    ) -> None:
        """A commit with five parents has five parents here."""
        source = make_git(tmp_path / "g", object_format=object_format)
        tree = write_object(source, "tree", b"")
        parents = [
            write_object(source, "commit", f"tree {tree}\n{person_lines()}\n{n}\n".encode())
            for n in range(5)
        ]
        lines = "".join(f"parent {parent}\n" for parent in parents)
        tip = write_object(
            source, "commit", f"tree {tree}\n{lines}{person_lines()}\nall\n".encode()
        )
        run_git("update-ref", "refs/heads/main", tip, cwd=source)
        repo = make_muse(tmp_path / "m")
        assert bring(repo, source).objects["commit"] == 6
        head = repo.refs.read("refs/heads/main")
        assert head is not None
        assert len(repo.commit(head).parents) == 5

    def test_ten_thousand_objects_in_small_packs_are_all_there(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However often a pack is closed and the map written, nothing is lost between them."""
        monkeypatch.setattr("muse.ops.git_bridge.sink.PACK_OBJECTS", 300)
        stream = long_history(400)
        source = load(make_git(tmp_path / "g"), stream)
        new = load(make_git(tmp_path / "n", object_format="sha256"), stream)
        repo = make_muse(tmp_path / "m")
        seen: list[tuple[int, int | None]] = []
        git_import(
            repo, source, env=clean_env(), progress=lambda done, total: seen.append((done, total))
        )
        assert muse_ids(repo) == git_ids(new)
        assert len(repo.objects.packs()) > 3
        total = len(git_ids(source))
        assert seen[0] == (0, total)
        assert seen[-1] == (total, total)
        assert seen == sorted(seen)


class TestTags:
    @pytest.mark.parametrize("object_format", FORMATS)
    def test_tags_of_everything_are_carried(self, tmp_path: Path, object_format: str) -> None:
        """Light, annotated, of a tag, of a tree, of a blob: the same objects under each name."""
        streams = long_history(3)
        repos = [
            load(make_git(tmp_path / name, object_format=kind), streams)
            for name, kind in (("g", object_format), ("oracle", "sha256"))
        ]
        for path in repos:
            run_git("tag", "light", "main", cwd=path)
            run_git("tag", "-m", "note", "note", "main", cwd=path)
            run_git("tag", "-m", "nested", "nested", "note", cwd=path)
            run_git("tag", "-m", "tree", "on-tree", "main^{tree}", cwd=path)
            run_git("tag", "tree", "main^{tree}", cwd=path)
            run_git(
                "tag", "blob", git_text("rev-parse", "main:src/part1/file1.txt", cwd=path), cwd=path
            )
        repo = make_muse(tmp_path / "m")
        result = bring(repo, repos[0])
        assert result.objects["tag"] == 3
        assert muse_refs(repo) == git_refs(repos[1])
        assert muse_ids(repo) == git_ids(repos[1])

    def test_another_tag_of_the_same_name_is_left_alone(self, tmp_path: Path) -> None:
        """A tag moves only with --force."""
        source = load(make_git(tmp_path / "g"), long_history(3))
        run_git("tag", "v", "main", cwd=source)
        repo = make_muse(tmp_path / "m")
        bring(repo, source)
        before = repo.refs.read("refs/tags/v")
        run_git("tag", "-f", "v", "main~1", cwd=source)
        result = bring(repo, source)
        assert not result.ok
        assert states(result)["refs/tags/v"] == "diverged"
        assert repo.refs.read("refs/tags/v") == before
        assert states(bring(repo, source, force=True))["refs/tags/v"] == "forced"
        assert repo.refs.read("refs/tags/v") != before


class TestOddObjects:
    def make(self, path: Path, tree: bytes, extra: str = "", who: str | None = None) -> str:
        """Make main a commit of this tree."""
        digits = write_object(path, "tree", tree)
        people = person_lines() if who is None else who
        payload = f"tree {digits}\n{people}{extra}\nmessage\n".encode("utf-8", "surrogateescape")
        commit = write_object(path, "commit", payload)
        run_git("update-ref", "refs/heads/main", commit, cwd=path)
        return commit

    def test_a_signed_commit_keeps_its_header_and_is_counted(self, tmp_path: Path) -> None:
        """The signature is carried byte for byte, as are unknown headers and odd encodings."""
        source = make_git(tmp_path / "g")
        extra = (
            "encoding ISO-8859-1\ngpgsig -----BEGIN X-----\n \n abc\n -----END X-----\nodd \udcff\n"
        )
        self.make(source, b"", extra)
        repo = make_muse(tmp_path / "m")
        result = bring(repo, source)
        head = repo.refs.read("refs/heads/main")
        assert head is not None
        payload = repo.objects.read_object(head)[1]
        assert extra.encode("utf-8", "surrogateescape") in payload
        assert remarks(result) == {"signature": (1, ())}

    @pytest.mark.parametrize("object_format", FORMATS)
    def test_submodules_and_unsafe_names_are_reported_with_their_paths(
        self, tmp_path: Path, object_format: str
    ) -> None:
        """They are left out, the files around them are not, and each path is named."""
        source = make_git(tmp_path / "g", object_format=object_format)
        size = 20 if object_format == "sha1" else 32
        blob = bytes.fromhex(write_object(source, "blob", b"file\n"))
        inner = b"100644 file\0" + blob + b"160000 lib\0" + b"\x11" * size
        digits = bytes.fromhex(write_object(source, "tree", inner))
        outer = b"40000 .muse\0" + digits + b"100664 odd\0" + blob + b"40000 third\0" + digits
        self.make(source, outer)
        repo = make_muse(tmp_path / "m")
        result = bring(repo, source)
        told = remarks(result)
        assert told["submodule"] == (1, ("third/lib",)) or told["submodule"][1] == (".muse/lib",)
        assert told["unsafe name"] == (1, (".muse",))
        assert told["file mode normalised"] == (1, ("odd",))
        assert not result.same_ids
        assert sound(repo)
        again = bring(repo, source)
        assert not any(again.objects.values())
        assert states(again) == {"refs/heads/main": "unchanged"}

    def test_history_above_a_submodule_stays_complete_and_repeatable(self, tmp_path: Path) -> None:
        """What stands above an altered tree gets new ids, and a later run goes on from there."""
        source = load(make_git(tmp_path / "g", object_format="sha256"), long_history(3))
        fixed = long_history(2, first=3)
        for number in range(2):
            stream = b"commit refs/heads/main\ncommitter A <a@b> %d +0000\ndata 0\n" % number
            stream += b"from refs/heads/main^0\nM 160000 %b lib\n" % (b"1%d" % number * 32)
            load(source, stream)
            run_git("tag", "-a", "-m", "x", f"x{number}", "main", cwd=source)
        repo = make_muse(tmp_path / "m")
        assert bring(repo, source).objects["commit"] == 5
        load(source, fixed)
        assert bring(open_repo(repo.root), source).objects["commit"] == 2
        assert sound(repo)

    def test_people_that_cannot_be_parsed_are_repaired(self, tmp_path: Path) -> None:
        """A commit without a readable author can be listed here, and is counted."""
        source = make_git(tmp_path / "g")
        self.make(source, b"", who="author Ada\ncommitter Ada <ada@example.com> 5 +0000\n")
        repo = make_muse(tmp_path / "m")
        result = bring(repo, source)
        assert remarks(result) == {"unreadable author line": (1, ())}
        commit = repo.head_commit()
        assert commit is not None
        assert (commit.author.name, commit.author.time_s) == ("Ada", 0)

    def test_lfs_pointers_are_counted(self, tmp_path: Path) -> None:
        """They are files like any other, and what they point at is not here."""
        source = make_git(tmp_path / "g")
        pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"
        blob = bytes.fromhex(write_object(source, "blob", pointer))
        self.make(source, b"100644 big.bin\0" + blob)
        assert remarks(bring(make_muse(tmp_path / "m"), source)) == {"git-lfs pointer": (1, ())}

    @pytest.mark.parametrize("object_format", FORMATS)
    def test_a_large_file_is_streamed(self, tmp_path: Path, object_format: str) -> None:
        """A file above the bound of what is held arrives whole, beside small ones."""
        source = make_git(tmp_path / "g", object_format=object_format)
        content = b"0123456789abcdef" * (600 * 1024)
        big = bytes.fromhex(write_object(source, "blob", content))
        small = bytes.fromhex(write_object(source, "blob", b"small"))
        self.make(source, b"100644 big\0" + big + b"100644 small\0" + small)
        repo = make_muse(tmp_path / "m")
        bring(repo, source)
        for name, expected in ((b"big", content), (b"small", b"small")):
            entry = find_in_tree(repo.objects, repo.head_tree(), name)
            assert entry is not None
            assert repo.objects.read(entry.raw)[1] == expected


class TestWhatStandsBeside:
    def test_other_refs_hooks_and_grafts_are_named(self, tmp_path: Path) -> None:
        """Notes, stashes, remote branches, replacements, hooks: counted, and not carried."""
        source = load(make_git(tmp_path / "g"), long_history(4))
        for name in ("refs/notes/commits", "refs/remotes/o/main", "refs/stash", "refs/pull/1/head"):
            run_git("update-ref", name, "main", cwd=source)
        tree = git_text("rev-parse", "main^{tree}", cwd=source)
        away = git_text("commit-tree", "-m", "away", tree, cwd=source)
        run_git("update-ref", "refs/remotes/o/away", away, cwd=source)
        run_git("replace", "main", "main~1", cwd=source)
        (source / "info").mkdir(exist_ok=True)
        (source / "info" / "grafts").write_text(git_text("rev-parse", "main", cwd=source) + "\n")
        (source / "hooks").mkdir(exist_ok=True)
        hook = source / "hooks" / "post-checkout"
        hook.write_text("#!/bin/sh\n")
        hook.chmod(0o755)
        oracle = load(make_git(tmp_path / "n", object_format="sha256"), long_history(4))
        repo = make_muse(tmp_path / "m")
        told = remarks(bring(repo, source))
        assert muse_refs(repo) == git_refs(oracle)
        assert {kind: count for kind, (count, _) in told.items()} == {
            "refs/notes": 1,
            "refs/pull": 1,
            "refs/remotes": 1,
            "refs/replace": 1,
            "refs/stash": 1,
            "hook": 1,
            "grafts": 1,
        }
        # A remote branch whose commits came anyway is no loss.
        assert told["refs/remotes"][1] == ("refs/remotes/o/away",)
        assert told["hook"][1] == ("post-checkout",)

    def test_a_ref_whose_name_we_cannot_hold_is_named(self, tmp_path: Path) -> None:
        """The other branches are carried."""
        source = load(make_git(tmp_path / "g"), long_history(2))
        run_git("update-ref", "refs/heads/-odd", "main", cwd=source)
        run_git("update-ref", b"refs/heads/\xff", "main", cwd=source)
        repo = make_muse(tmp_path / "m")
        told = remarks(bring(repo, source))
        bad = {name for name in ("refs/heads/-odd",) if name not in muse_refs(repo)}
        assert told.get("ref name", (0, ()))[0] == len(bad)
        assert os.fsdecode(b"refs/heads/\xff") in muse_refs(repo)

    def test_a_shallow_repository_is_refused_or_taken_as_it_is(self, tmp_path: Path) -> None:
        """Cut history is no accident: it needs a word, and is whole here afterwards."""
        full = load(make_git(tmp_path / "full"), long_history(9))
        url = full.as_uri()
        run_git("clone", "-q", "--bare", "--depth=3", url, str(tmp_path / "g"), cwd=tmp_path)
        repo = make_muse(tmp_path / "m")
        with pytest.raises(RemoteError, match="shallow") as error:
            bring(repo, tmp_path / "g")
        assert "--unshallow" in error.value.hint
        result = bring(repo, tmp_path / "g", shallow=True)
        assert result.objects["commit"] == 3
        assert remarks(result)["cut commit"] == (1, ())
        assert sound(repo)
        assert states(bring(repo, tmp_path / "g", shallow=True)) == {"refs/heads/main": "unchanged"}
        assert states(bring(repo, full)) == {"refs/heads/main": "diverged"}

    def test_a_partial_clone_is_an_error_and_fetches_nothing(self, tmp_path: Path) -> None:
        """Missing files are named, and git does not go to fetch them."""
        full = load(make_git(tmp_path / "full"), long_history(9))
        run_git("config", "uploadpack.allowFilter", "true", cwd=full)
        arguments = ["clone", "-q", "--bare", "--filter=blob:none", full.as_uri(), "g"]
        run_git(*arguments, cwd=tmp_path)
        repo = make_muse(tmp_path / "m")
        with pytest.raises(RemoteError):
            bring(repo, tmp_path / "g")
        assert muse_refs(repo) == {}


class TestRefs:
    def test_branches_that_grew_move_and_others_are_told_apart(self, tmp_path: Path) -> None:
        """Forward, ahead, diverged, new: each branch is what it is."""
        source = load(make_git(tmp_path / "g"), long_history(6))
        for name in ("grows", "ours", "splits"):
            run_git("branch", name, "main~3", cwd=source)
        repo = make_muse(tmp_path / "m")
        bring(repo, source)
        main = repo.refs.read("refs/heads/main")
        old = repo.refs.read("refs/heads/ours")
        with repo.transaction("test") as tx:
            tx.set_ref("refs/heads/ours", main, old=old, log="test")
            tx.set_ref("refs/heads/splits", main, old=old, log="test")
        run_git("branch", "-f", "grows", "main", cwd=source)
        tree = git_text("rev-parse", "main^{tree}", cwd=source)
        other = git_text("commit-tree", "-p", "main~3", "-m", "other", tree, cwd=source)
        run_git("update-ref", "refs/heads/splits", other, cwd=source)
        run_git("branch", "new", other, cwd=source)
        result = bring(repo, source)
        assert states(result) == {
            "refs/heads/grows": "moved",
            "refs/heads/main": "unchanged",
            "refs/heads/new": "created",
            "refs/heads/ours": "ahead",
            "refs/heads/splits": "diverged",
        }
        assert not result.ok
        assert repo.refs.read("refs/heads/splits") == main
        forced = bring(repo, source, force=True)
        assert states(forced)["refs/heads/splits"] == "forced"
        assert repo.refs.read("refs/heads/splits") == repo.refs.read("refs/heads/new")

    def test_commits_made_here_are_not_walked_in_git(self, tmp_path: Path) -> None:
        """With our own work on top, the next run still finds where both sides meet."""
        source = load(make_git(tmp_path / "g"), long_history(6))
        repo = make_muse(tmp_path / "m")
        bring(repo, source)
        head = repo.head()
        commit = repo.head_commit()
        assert head.commit is not None
        assert commit is not None
        with repo.transaction("test") as tx:
            ours = replace(commit, parents=(to_raw(head.commit),), message=b"ours\n")
            raw = tx.write_object("commit", format_commit(ours))
            tx.set_ref("refs/heads/main", from_raw(raw), old=head.commit, log="test")
        run_git("branch", "more", "main", cwd=source)
        result = bring(repo, source)
        assert states(result) == {"refs/heads/main": "ahead", "refs/heads/more": "created"}
        assert not any(result.objects.values())

    def test_an_empty_repository_brings_nothing(self, tmp_path: Path) -> None:
        """No error, no ref, no object."""
        repo = make_muse(tmp_path / "m")
        result = bring(repo, make_git(tmp_path / "g"))
        assert result.ok
        assert (result.refs, result.branch, muse_ids(repo)) == ((), None, set())

    def test_head_is_what_git_has_checked_out(self, tmp_path: Path) -> None:
        """A branch of another name, or a commit that no branch names."""
        source = load(make_git(tmp_path / "g"), long_history(4))
        run_git("branch", "-m", "main", "trunk", cwd=source)
        run_git("symbolic-ref", "HEAD", "refs/heads/trunk", cwd=source)
        repo = make_muse(tmp_path / "m")
        assert bring(repo, source).branch == "trunk"
        assert repo.head().branch == "trunk"
        run_git("update-ref", "--no-deref", "HEAD", "trunk~1", cwd=source)
        other = make_muse(tmp_path / "m2")
        bring(other, source)
        assert other.head().detached
        tip = repo.head_commit()
        assert tip is not None
        assert other.head().commit == from_raw(tip.parents[0])

    def test_a_lost_map_is_made_again(self, tmp_path: Path) -> None:
        """Without the map, or with a part of it damaged, the same ids come out."""
        source = load(make_git(tmp_path / "g"), long_history(30))
        repo = make_muse(tmp_path / "m")
        bring(repo, source)
        before = muse_ids(repo)
        folder = repo.muse / "bridge"
        for file in folder.iterdir():
            file.chmod(0o644)
            file.write_bytes(file.read_bytes()[:-1])
        load(source, long_history(5, first=30))
        assert bring(open_repo(repo.root), source).ok
        shutil.rmtree(folder)
        load(source, long_history(5, first=35))
        result = bring(open_repo(repo.root), source)
        assert states(result)["refs/heads/main"] == "moved"
        oracle = make_git(tmp_path / "n", object_format="sha256")
        for first, count in ((0, 30), (30, 5), (35, 5)):
            load(oracle, long_history(count, first=first))
        assert muse_refs(repo)["refs/heads/main"] == git_refs(oracle)["refs/heads/main"]
        assert muse_ids(repo) >= before
        # Half of the map gone, while refs still say where both sides meet.
        for file in folder.glob("sha1-to-muse*"):
            file.unlink()
        load(source, long_history(2, first=40))
        assert bring(open_repo(repo.root), source).ok
        assert sound(repo)

    def test_objects_that_gc_took_are_brought_again(self, tmp_path: Path) -> None:
        """The map may name what is gone: it is looked up, never believed."""
        source = load(make_git(tmp_path / "g"), long_history(8))
        repo = make_muse(tmp_path / "m")
        before = bring(repo, source)
        ids = muse_ids(repo)
        with repo.transaction("test") as tx:
            tx.set_ref("refs/heads/main", None, old=repo.refs.read("refs/heads/main"), log="x")
        for file in (repo.muse / "objects" / "pack").iterdir():
            file.unlink()
        again = open_repo(repo.root)
        assert bring(again, source).objects == before.objects
        assert muse_ids(again) >= ids

    def test_what_a_gc_takes_while_it_runs_stops_the_refs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No branch ever names what is gone; the next run brings it."""
        source = load(make_git(tmp_path / "g"), long_history(5))
        repo = make_muse(tmp_path / "m")
        whole = Sink.is_complete

        def drop_first(objects: Sink) -> bool:
            for file in (repo.muse / "objects" / "pack").iterdir():
                file.unlink()
            return whole(objects)

        with monkeypatch.context() as patch:
            patch.setattr(Sink, "is_complete", drop_first)
            with pytest.raises(MuseError, match="dropped"):
                bring(repo, source)
        assert muse_refs(repo) == {}
        assert bring(open_repo(repo.root), source).ok
        assert sound(repo)


class TestErrors:
    def test_what_is_no_repository_is_named(self, tmp_path: Path) -> None:
        """A missing folder, a plain one, a file, and a plain one inside a repository."""
        repo = make_muse(tmp_path / "m")
        work = make_git(tmp_path / "work", bare=False)
        (work / "sub").mkdir()
        (tmp_path / "file").write_text("x")
        for path in (tmp_path / "none", tmp_path / "file", work / "sub"):
            with pytest.raises(RemoteError) as error:
                bring(repo, path)
            assert "git clone" in error.value.hint or "git repository" in error.value.hint

    def test_without_git_it_says_so(self, tmp_path: Path) -> None:
        """The error names git and is no traceback."""
        source = make_git(tmp_path / "g")
        with pytest.raises(MuseError, match="no 'git'"):
            git_import(make_muse(tmp_path / "m"), source, env={"PATH": str(tmp_path)})

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs chown")
    def test_a_repository_of_another_user_needs_the_users_word(self, tmp_path: Path) -> None:
        """Git's own refusal is passed on, with what to type."""
        source = load(make_git(tmp_path / "g"), long_history(2))
        os.chown(source, 12345, 12345)
        with pytest.raises(RemoteError, match="dubious ownership") as error:
            bring(make_muse(tmp_path / "m"), source)
        assert "safe.directory" in error.value.hint

    def test_the_environment_does_not_redirect_git(self, tmp_path: Path) -> None:
        """GIT_DIR and its like, set by a hook that calls us, are not followed."""
        source = load(make_git(tmp_path / "g"), long_history(2))
        other = make_git(tmp_path / "other")
        env = clean_env({"GIT_DIR": str(other), "GIT_WORK_TREE": "/", "GIT_INDEX_FILE": "/x"})
        repo = make_muse(tmp_path / "m")
        assert git_import(repo, source, env=env).objects["commit"] == 2

    @pytest.mark.parametrize("object_format", FORMATS)
    @pytest.mark.parametrize("kind", ["commit", "tree", "blob"])
    def test_a_damaged_object_there_moves_nothing_here(
        self, tmp_path: Path, object_format: str, kind: str
    ) -> None:
        """Bytes that are not what their name says are refused, and named."""
        source = load(make_git(tmp_path / "g", object_format=object_format), long_history(1))
        names = {"commit": "main", "tree": "main^{tree}", "blob": "main:src/part0/file0.txt"}
        digits = git_text("rev-parse", names[kind], cwd=source)
        payload = run_git("cat-file", kind, digits, cwd=source)
        forged = payload.replace(b"Ada", b"Eve").replace(b"src", b"crs") + (
            b"x" if kind == "blob" else b""
        )
        file = source / "objects" / digits[:2] / digits[2:]
        file.chmod(0o644)
        file.write_bytes(zlib.compress(b"%b %d\0" % (kind.encode(), len(forged)) + forged))
        repo = make_muse(tmp_path / "m")
        with pytest.raises(RemoteError, match=digits[:20]):
            bring(repo, source)
        assert muse_refs(repo) == {}

    def test_a_missing_object_there_moves_nothing_here(self, tmp_path: Path) -> None:
        """A hole in git's history is an error with git's own words."""
        source = load(make_git(tmp_path / "g"), long_history(3))
        digits = git_text("rev-parse", "main:src/part1/file1.txt", cwd=source)
        (source / "objects" / digits[:2] / digits[2:]).unlink()
        repo = make_muse(tmp_path / "m")
        with pytest.raises(RemoteError, match="missing"):
            bring(repo, source)
        assert muse_refs(repo) == {}
        write_object(source, "blob", b"line 0 of 1\n")
        assert bring(repo, source).ok

    def test_what_git_says_cannot_reach_the_terminal_raw(self, tmp_path: Path) -> None:
        """Control characters in its errors are made visible (G17)."""
        folder = tmp_path / "evil\x1b[2J"
        folder.mkdir()
        with pytest.raises(RemoteError) as error:
            bring(make_muse(tmp_path / "m"), folder)
        assert "\x1b" not in str(error.value) + error.value.hint


def test_every_state_has_a_word() -> None:
    """The states are told apart by their words, which scripts read."""
    assert len({state.value for state in RefState}) == len(RefState)
