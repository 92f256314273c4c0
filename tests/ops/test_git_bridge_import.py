"""Importing from git: the ids are those that git itself computes, whatever is in the history."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muse.core.errors import RemoteError
from muse.core.repo import Repository, open_repo
from muse.core.trees import find_in_tree
from muse.ops.git_bridge.import_ import GitImportResult, git_import
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
