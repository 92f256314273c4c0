"""The other side of a wire says anything: one clear error, nothing is lost or believed."""

from __future__ import annotations

import os
import struct
import subprocess
import threading
import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from unicodedata import category

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muse.core import codec
from muse.core.commits import Signature
from muse.core.errors import (
    BadTransferError,
    ConflictError,
    ConnectionLostError,
    LockedError,
    MuseError,
    NoRepositoryThereError,
    ObjectNotFoundError,
    RefChangedError,
    RemoteError,
    UnsafeNameError,
    UsageError,
)
from muse.core.refs import HEADS
from muse.core.repo import Repository
from muse.core.types import ObjectId, RawId, raw_object_id, to_raw
from muse.remotes import wire
from muse.remotes.path import PathRemote
from muse.remotes.protocol import ASK_BATCH, CHUNK_BYTES, ObjectRecord, Offer, Remote
from muse.remotes.records import iter_records
from muse.remotes.serve import Server
from muse.remotes.transfer import bring_offered
from muse.remotes.wire import WireRemote
from muse.remotes.wire_errors import decode_error, encode_error
from muse.remotes.wire_frames import MAX_FRAME, Channel, FrameParser, WireError, encode_frame
from muse.remotes.wire_protocol import EAGER_BYTES, OURS, Versions
from muse.remotes.wire_records import Squeezer
from tests.remotes.repositories import add_commit, files_of, make_repo, reachable
from tests.remotes.wires import SERVE, Wires

OID = ObjectId("sha256:" + "1" * 64)
HELLO = ["hello", OURS.last, *OURS]
LISTING = ["listing", HEADS + "main", None, "v"]


class Canned:
    """A carrier whose other side has said everything in advance.

    Args:
        messages: What it says: messages, or bytes as they are.
    """

    def __init__(self, messages: Iterable[Sequence[object] | bytes]) -> None:
        said = b"".join(m if isinstance(m, bytes) else encode_frame(list(m)) for m in messages)
        self._reader, writer = os.pipe()
        self._devnull = os.open(os.devnull, os.O_WRONLY)
        self.channel = Channel(self._reader, self._devnull)
        self.closed: list[bool] = []
        self._feeder = threading.Thread(target=_feed, args=(writer, said), daemon=True)
        self._feeder.start()

    def explain(self, error: MuseError) -> MuseError:
        """Return it as it is."""
        return error

    def close(self, *, at_once: bool) -> None:
        """Close the pipe, once."""
        if not self.closed:
            os.close(self._reader)
            os.close(self._devnull)
        self.closed.append(at_once)
        self._feeder.join()


def _feed(writer: int, said: bytes) -> None:
    try:
        while said:
            said = said[os.write(writer, said) :]
    except BrokenPipeError:
        pass
    finally:
        os.close(writer)


def hear(*messages: Sequence[object] | bytes) -> WireRemote:
    """Return a client whose server says this."""
    return WireRemote(Canned(messages), url="ssh://there/x")


def refs(remote: Remote) -> None:
    """Ask for refs."""
    remote.list_refs()


def present(remote: Remote) -> None:
    """Ask what is there."""
    remote.find_present([RawId(b"1" * 32)])


def offer(remote: Remote) -> None:
    """Ask what it would send."""
    remote.offer([OID], [])


def receive(remote: Remote) -> None:
    """Send nothing."""
    remote.receive([], count=0)


def move(remote: Remote) -> None:
    """Move nothing."""
    remote.update_refs([], version="")


ASK: dict[str, Callable[[Remote], None]] = {
    ask.__name__: ask for ask in (refs, present, offer, receive, move)
}


def body(name: str, data: bytes) -> list[object]:
    """Return a message with a squeezed body."""
    return [name, len(data), Squeezer().squeeze(data)]


def bodies(name: str, size: int, count: int) -> list[list[object]]:
    """Return messages whose bodies follow one another."""
    squeezer = Squeezer()
    return [[name, size, squeezer.squeeze(b"x" * size)] for _ in range(count)]


def batch(records: object) -> list[object]:
    """Return a message that carries records."""
    return body("objects", codec.pack(records))


class TestClient:
    """What a client makes of a server that is broken, too old, or hostile."""

    @pytest.mark.parametrize(
        "said",
        [
            b"Welcome to this machine!\n",
            b"\x00\x00\x00\x02hi",
            b"\x00\x00\x00\x01\xc1",
            struct.pack(">I", MAX_FRAME + 1) + b"x",
            b"\xff" * 64,
            encode_frame(["hello"]),
            encode_frame(["hello", 99, 99, 99, "muse"]),
            encode_frame(["hello", "1", 1, 1, "muse"]),
            encode_frame(["x" * 17]),
            encode_frame([b"hello", 1]),
            encode_frame([1, 2]),
        ],
    )
    @pytest.mark.parametrize("ask", ASK)
    def test_no_greeting_of_ours(self, said: bytes, ask: str) -> None:
        """G11: an error with a hint, and the connection ends at once."""
        carrier = Canned([said])
        with pytest.raises(RemoteError) as caught:
            ASK[ask](WireRemote(carrier, url="ssh://there/x"))
        assert "ssh://there/x" in caught.value.message
        assert caught.value.hint
        assert carrier.closed == [True]

    def test_a_banner_is_shown_without_control_characters(self) -> None:
        """G17: what a start-up file printed helps to find it, and cannot paint the terminal."""
        with pytest.raises(RemoteError) as caught:
            hear(b"\x1b[31mLast login\x07 today").list_refs()
        assert "Last login" in caught.value.message
        assert "\x1b" not in caught.value.message

    @pytest.mark.parametrize(("first", "where"), [(2, "here"), (0, "there")])
    def test_versions_without_overlap(self, first: int, where: str) -> None:
        """Both versions are named, and the side to be brought up to date."""
        said = ["hello", None, first, first, "muse 9.9\x1b"]
        with pytest.raises(RemoteError, match=r"muse 9\.9") as caught:
            hear(said).list_refs()
        assert caught.value.hint == f"Install a newer Muse {where}."
        assert "\x1b" not in caught.value.message

    @pytest.mark.parametrize("ask", ASK)
    def test_the_end_in_the_middle(self, ask: str) -> None:
        """An answer that is cut anywhere is a lost connection."""
        whole = encode_frame([*HELLO]) + encode_frame(["refs", []]) + encode_frame(LISTING)
        for end in range(len(encode_frame([*HELLO]))):
            with pytest.raises(ConnectionLostError):
                ASK[ask](hear(whole[:end]))

    @pytest.mark.parametrize(
        ("ask", "answer"),
        [
            ("refs", [["moved"]]),
            ("refs", [["listing"]]),
            ("refs", [["listing", 1, None, "v"]]),
            ("refs", [["listing", "h" * 2000, None, "v"]]),
            ("refs", [["refs", [["refs/heads/a", b"short", None]]], LISTING]),
            ("refs", [["refs", [["r" * 2000, b"1" * 32, None]]], LISTING]),
            ("refs", [["refs", [[b"refs/heads/a", b"1" * 32, None]]], LISTING]),
            ("refs", [["refs", [[]]], LISTING]),
            ("refs", [["refs", [1]], LISTING]),
            ("refs", [["refs", {"a": 1}], LISTING]),
            ("refs", [["refs", [["a", b"1" * 32, None]] * 513], LISTING]),
            ("refs", [["shallow", b"1" * 33], LISTING]),
            ("present", [["present", b""]]),
            ("present", [["present", b"11"]]),
            ("present", [["present", "1"]]),
            ("present", [["present"]]),
            ("offer", [["ids", b"1" * 31], ["offered", 1, 0, False]]),
            ("offer", [["ids", b"1" * 32], ["offered", 1, 2, False]]),
            ("offer", [["offered", 1, 0, 1]]),
            ("offer", [["offered", -1, 0, False]]),
            ("offer", [["offered", 1, True, False]]),
            ("offer", [["offered", 1, 0, True], ["large", b"1" * 32, "blob", 1]]),
            ("offer", [["offered", 1, 0, True], ["piece", b"1"]]),
            ("receive", [["received", -1, 0]]),
            ("receive", [["received", 1.5, 0]]),
            ("receive", [["received", 1, 1 << 63]]),
            ("receive", [["moved"]]),
            ("move", [["received", 0, 0]]),
            ("move", [["error"]]),
            ("move", [["error", "remote", "text"]]),
            ("move", [["error", "remote", [1]]]),
            ("move", [["error", "remote", ["x" * 5000]]]),
            ("move", [["error", 7, ["x"]]]),
        ],
    )
    def test_answers_of_the_wrong_form(self, ask: str, answer: list[list[object]]) -> None:
        """G11: types, lengths and order are checked before anything is done with them."""
        carrier = Canned([[*HELLO], *answer])
        with pytest.raises(RemoteError, match="does not speak as a Muse does"):
            ASK[ask](WireRemote(carrier, url="ssh://there/x"))
        assert carrier.closed == [True]

    def test_a_refusal_with_more_answers_on_their_way(self) -> None:
        """Whose they are would be a guess, so that the connection ends with the error."""
        refused = encode_error(RemoteError("The disk there failed."))
        carrier = Canned([[*HELLO], refused, ["present", b"\0"], LISTING])
        remote = WireRemote(carrier, url="ssh://there/x")
        ids = [RawId(b"%032d" % number) for number in range(2 * ASK_BATCH)]
        with pytest.raises(RemoteError, match="disk there failed"):
            remote.find_present(ids)
        assert carrier.closed == [True]
        with pytest.raises(RemoteError, match="closed"):
            remote.list_refs()

    def test_lists_without_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Counts are bounded as they arrive, whatever total is announced."""
        for name in ("MAX_REFS", "MAX_SHALLOW", "MAX_OFFER"):
            monkeypatch.setattr(wire, name, 100)
        page: list[object] = ["refs", [["refs/heads/a", b"1" * 32, None]] * 60]
        ids: list[object] = ["ids", b"1" * 32 * 60]
        ends: list[object] = ["shallow", b"1" * 32 * 60]
        for ask, endless in (("refs", page), ("refs", ends), ("offer", ids), ("offer", ends)):
            with pytest.raises(RemoteError, match="without end"):
                ASK[ask](hear([*HELLO], *[endless] * 2))

    def test_more_beside_an_offer_than_was_asked_for(self) -> None:
        """What comes along without being asked for is bounded."""
        blob = [b"1" * 32, "blob", EAGER_BYTES // 4, b"x"]
        said: list[list[object]] = [["offered", 1, 0, True], batch([blob] * 5), ["end"]]
        with pytest.raises(RemoteError, match="more beside an offer"):
            hear([*HELLO], *said).offer([OID], [])

    @pytest.mark.parametrize(
        ("said", "reason"),
        [
            ([batch([[b"1" * 32, "blob", 3, b"abc"]])], "do not hash"),
            ([batch([[b"1" * 32, "blub", 3, b"abc"]])], "its type"),
            ([batch([[b"1" * 32, "blob", -3, b"abc"]])], "its size"),
            ([batch([[b"1" * 32, "blob", 4, b"abc"]])], "not the 4 announced"),
            ([batch([[b"1" * 32, "tree", 1 << 59, b"abc"]])], "too large"),
            ([["large", b"1" * 32, "blob", 2 << 20], body("piece", b"x"), ["done"]], "shorter"),
            (
                [["large", b"1" * 32, "blob", (1 << 20) + 1], *bodies("piece", CHUNK_BYTES, 2)],
                "longer",
            ),
        ],
    )
    def test_objects_that_lie(self, tmp_path: Path, said: list[list[object]], reason: str) -> None:
        """G4, G11: the object is named, nothing is stored."""
        here = make_repo(tmp_path / "here")
        remote = hear([*HELLO], ["ids", b"1" * 32], ["offered", 1, 1, False], *said, ["end"])
        offered = remote.offer([OID], [])
        with pytest.raises(BadTransferError, match=reason) as caught:
            bring_offered(here, remote, offered)
        assert caught.value.oid == "sha256:" + "31" * 32
        assert not here.objects.packs()
        assert list(here.objects.iter_loose()) == []

    def test_more_objects_than_were_announced(self, tmp_path: Path) -> None:
        """G11: what was offered holds, in number and by name."""
        here = make_repo(tmp_path / "here")
        blobs = [b"%d" % number for number in range(5)]
        records = [[raw_object_id("blob", blob), "blob", len(blob), blob] for blob in blobs]
        remote = hear(
            [*HELLO], ["ids", b"1" * 32], ["offered", 1, 1, False], batch(records), ["end"]
        )
        with pytest.raises(RemoteError, match=r"announced|not asked for"):
            bring_offered(here, remote, remote.offer([OID], []))

    def test_records_of_the_wrong_form(self, tmp_path: Path) -> None:
        """Types and lengths again, where objects are expected."""
        raw = b"1" * 32
        for said in (
            batch([[raw, "blob", 3]]),
            batch([[b"1", "blob", 3, b"abc"]]),
            batch([[raw, "blob", 3, "abc"]]),
            batch([[raw, "blob", 3, b"x" * (CHUNK_BYTES + 1)]]),
            batch(3),
            body("objects", b"\xc1"),
            ["objects", 10, b"not squeezed"],
            ["objects", 11, Squeezer().squeeze(b"ten bytes.")],
            ["objects", MAX_FRAME + 1, b""],
            ["objects", 1 << 40, b""],
            ["objects", -1, b""],
            ["objects", 3],
            ["objects", []],
            ["listing"],
        ):
            remote = hear([*HELLO], ["ids", raw], ["offered", 1, 1, False], said, ["end"])
            with pytest.raises(RemoteError, match="does not speak"):
                list(remote.send(remote.offer([OID], [])))

    def test_a_bomb_expands_to_what_it_announced_at_most(self, tmp_path: Path) -> None:
        """A gigabyte of zeros in a few kilobytes costs what a frame may hold."""
        bomb = zstandard.ZstdCompressor().compress(bytes(1 << 30))
        assert len(bomb) < 1 << 17
        for size in (100, MAX_FRAME):
            said = ["objects", size, bomb]
            remote = hear([*HELLO], ["ids", b"1" * 32], ["offered", 1, 1, False], said, ["end"])
            offered = remote.offer([OID], [])
            tracemalloc.start()
            try:
                with pytest.raises(RemoteError, match="does not speak"):
                    list(remote.send(offered))
                assert tracemalloc.get_traced_memory()[1] < 16 << 20
            finally:
                tracemalloc.stop()

    def test_an_announced_gigabyte_costs_nothing(self) -> None:
        """A length is refused before memory is set aside for it."""
        remote = hear(struct.pack(">I", 1 << 30))
        tracemalloc.start()
        try:
            with pytest.raises(RemoteError):
                remote.list_refs()
            assert tracemalloc.get_traced_memory()[1] < 4 << 20
        finally:
            tracemalloc.stop()

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.binary(max_size=300), greeted=st.booleans(), ask=st.sampled_from(sorted(ASK)))
    def test_any_bytes(self, data: bytes, greeted: bool, ask: str) -> None:
        """Whatever comes is an answer or one of our errors."""
        remote = hear([*HELLO] if greeted else b"", data)
        with pytest.raises(MuseError):
            ASK[ask](remote)


class TestErrors:
    """An error arrives as what it was, and cannot control a terminal."""

    @pytest.mark.parametrize(
        "error",
        [
            RefChangedError("refs/heads/a", expected=OID, actual=""),
            BadTransferError(OID, source="there", reason="it is bad"),
            ObjectNotFoundError(OID, needed_by="a commit"),
            LockedError("Locked by somebody.", hint="Wait."),
            ConflictError("In the way.", hint="Move it."),
            UnsafeNameError("A bad name.", hint="Another."),
            NoRepositoryThereError("Nothing there.", found="nothing", hint="Make one."),
            RemoteError("It failed.", hint="Again."),
            UsageError("It was used wrongly.", hint="Use it well."),
        ],
    )
    def test_there_and_back(self, error: MuseError) -> None:
        """Class, message, hint and parts; a class that no caller tells apart is the general one."""
        message = codec.unpack(codec.pack(encode_error(error)))
        found = decode_error(message[1:], url="there")
        expected = RemoteError if isinstance(error, UsageError) else type(error)
        if isinstance(error, UnsafeNameError):
            expected = UnsafeNameError
        assert type(found) is expected
        assert (found.message, found.hint, str(found)) == (error.message, error.hint, str(error))
        for name in ("ref", "expected", "actual", "oid", "source", "reason", "found"):
            assert getattr(found, name, None) == getattr(error, name, None)

    @settings(max_examples=100, deadline=None)
    @given(kind=st.text(max_size=20), texts=st.lists(st.text(max_size=40), max_size=8))
    def test_control_characters_are_visible(self, kind: str, texts: list[str]) -> None:
        """G17: whatever a remote says is text."""
        error = decode_error([kind, texts], url="there")
        for text in (error.message, error.hint):
            assert all(category(char) != "Cc" or char == "\n" for char in text)


class TestServer:
    """What a server makes of a client: it answers, or ends; its repository stays as it was."""

    def test_standard_output_carries_frames_only(self, tmp_path: Path) -> None:
        """Every byte of it parses, whatever was asked; words go to standard error."""
        make_repo(tmp_path / "place")
        asked: list[list[object]] = [
            ["hello", *OURS, "x"],
            ["refs"],
            ["present", b"1" * 32],
            ["nonsense"],
        ]
        done = run_server(tmp_path / "place", b"".join(encode_frame(each) for each in asked))
        assert [message[0] for message in parse(done.stdout)] == [
            "hello", "listing", "present", "error",
        ]  # fmt: skip
        assert done.returncode == 5

    @pytest.mark.parametrize(
        "said",
        [b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100, b"\0\0\0\0", encode_frame(["refs"])],
    )
    def test_no_greeting(self, tmp_path: Path, said: bytes) -> None:
        """It ends by itself, and opens nothing."""
        done = run_server(tmp_path / "place", said)
        assert b"Traceback" not in done.stderr
        assert [message[0] for message in parse(done.stdout)] == (["error"] if said else [])

    def test_versions_without_overlap(self, tmp_path: Path) -> None:
        """The client is told what is spoken here, in either direction, and nothing is opened."""
        for first, last in ((OURS.last + 1, OURS.last + 3), (0, 0)):
            said = encode_frame(["hello", first, last, "muse 9.9", "x"])
            done = run_server(tmp_path / "nowhere", said)
            assert list(parse(done.stdout)) == [["hello", None, *OURS]]
            assert done.returncode == 0

    def test_a_newer_client_is_answered_in_the_common_version(self, tmp_path: Path) -> None:
        """Versions are a range: the newest that both speak is used."""
        make_repo(tmp_path / "place")
        said = encode_frame(["hello", OURS.first, OURS.last + 5, "muse 9.9", "x", "and more"])
        (answer, *_) = parse(run_server(tmp_path / "place", said).stdout)
        assert answer[:2] == ["hello", OURS.last]
        with Wires() as wires:
            newer = Versions(OURS.first, OURS.last + 5, "muse 9.9")
            assert wires.open(tmp_path / "place", versions=newer).list_refs().refs == ()

    @pytest.mark.parametrize(
        "said",
        [
            [["receive", -1, None]],
            [["receive", 1, None], ["objects", [1]]],
            [["receive", 1, None], batch([1])],
            [["receive", 1, None], ["refs"]],
            [["receive", 1, None], ["end"]],
            [["receive", 1, None], ["end", 1, None]],
            [["receive", 0, None], ["end", True, [1]]],
            [["receive", 0, None], ["end", True, 1]],
            [["receive", 0, ["a\n", "b", "+0000"]]],
            [["updates", [["refs/heads/x", None]]]],
            [["updates", [["refs/heads/x", b"1", None]]]],
            [["updates", [["refs/heads/x", None, b"1" * 32]] * 513]],
            [["updates", 3]],
            [["updates", [["r" * 5000, None, b"1" * 32]]]],
            [["move", 3, "push", None]],
            [["move", "", "push"]],
            [["move", "", "push" * 100, None]],
            [["present", b"1" * 31]],
            [["present", 5]],
            [["offer", -1, 0]],
            [["offer", None, -1]],
            [["offer", None, 0], ["wants", 1]],
            [["offer", None, 0], ["refs"]],
            [["send", 1], ["skip", b"1" * 5_000_000]],
            [["send", "1"]],
            [["hello", 1, 1, "x", "x"]],
        ],
    )
    def test_questions_of_the_wrong_form(self, tmp_path: Path, said: list[list[object]]) -> None:
        """G11: refused with a word, the repository is untouched, the server is gone."""
        place = make_repo(tmp_path / "place", bare=True)
        oid = add_commit(place, {b"a": b"1"})
        asked: list[list[object]] = [["hello", *OURS, "x"], *said, ["refs"]]
        frames = b"".join(encode_any(each) for each in asked)
        done = run_server(place.root, frames)
        names = [message[0] for message in parse(done.stdout)]
        assert names[0] == "hello"
        assert names[-1] == "error"
        assert b"Traceback" not in done.stderr
        assert place.refs.read(HEADS + "main") == oid
        reachable(place)

    def test_an_offer_that_was_not_made(self, tmp_path: Path) -> None:
        """An error, after which the conversation goes on."""
        make_repo(tmp_path / "place")
        with Wires() as wires:
            remote = wires.open(tmp_path / "place")
            remote.list_refs()
            with pytest.raises(RemoteError, match="not made"):
                list(remote.send(Offer([RawId(b"1" * 32)], wire._Place(77, None))))
            assert remote.list_refs().refs == ()

    def test_an_error_while_the_client_still_sends(self, tmp_path: Path) -> None:
        """No deadlock: with far more on the way than pipes hold, the refusal arrives."""
        place = make_repo(tmp_path / "place", bare=True)
        here = make_repo(tmp_path / "here")
        big = [here.objects.write("blob", os.urandom(CHUNK_BYTES // 2)) for _ in range(40)]
        bad = RawId(b"1" * 32)
        records = [ObjectRecord(bad, "blob", 3, b"abc"), *iter_records(here.objects, big)]
        with Wires() as wires:
            remote = wires.open(place.root)
            with pytest.raises(BadTransferError, match="do not hash"):
                remote.receive(records, count=len(records))
            # It stays in step: the next question is answered.
            assert remote.list_refs().refs == ()
            written = wires.carriers[0].channel.written_bytes
            assert written < 30 * CHUNK_BYTES // 2

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def test_any_questions(
        self, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """Messages that are nearly right, in any order: typed answers, and refs that are whole."""
        base = tmp_path_factory.mktemp("any")
        place = make_repo(base / "place", bare=True)
        oid = add_commit(place, files_of(3))
        raw = to_raw(oid)
        fields = st.one_of(
            st.none(), st.booleans(), st.integers(-1, 5), st.just(raw), st.binary(max_size=40),
            st.text(max_size=9), st.just([["refs/heads/x", None, raw]]), st.just(""),
        )  # fmt: skip
        names = [
            "refs", "present", "receive", "move", "offer", "send", "wants", "haves", "end",
            "objects", "piece", "large", "done", "skip", "updates",
        ]  # fmt: skip
        said = data.draw(
            st.lists(st.tuples(st.sampled_from(names), st.lists(fields, max_size=5)), max_size=8)
        )
        frames = [encode_frame(["hello", *OURS, "x"])]
        frames += [encode_frame([name, *rest]) for name, rest in said]
        noise = data.draw(st.binary(max_size=20))
        answer(place, b"".join(frames) + noise)
        for _, value in place.refs.iter():
            assert place.objects.has(to_raw(value))
        reachable(place)


def answer(place: Repository, said: bytes) -> None:
    """Serve in this process; the answers go nowhere."""
    reader, writer = os.pipe()
    devnull = os.open(os.devnull, os.O_WRONLY)
    try:
        os.write(writer, said)
        os.close(writer)

        def open_place(url: str, identity: Callable[[], Signature]) -> PathRemote:
            return PathRemote(place.root, url=url, identity=identity)

        Server(Channel(reader, devnull), open_place).run()
    except WireError:
        pass
    finally:
        os.close(reader)
        os.close(devnull)


def run_server(root: Path, said: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run a server on its own until it has read everything and ended."""
    return subprocess.run(
        [*SERVE, str(root)], input=said, capture_output=True, check=False, timeout=60
    )


def encode_any(message: Sequence[object]) -> bytes:
    """Return a message as it travels, however large."""
    body = codec.pack(message)
    return struct.pack(">I", len(body)) + body


def parse(data: bytes) -> list[list[object]]:
    """Return messages, all of the bytes."""
    parser = FrameParser()
    parser.feed(data)
    found = []
    while (message := parser.pop()) is not None:
        found.append(message)
    assert parser.pending == 0
    return found


class TestFrames:
    """Frames are the same however they arrive."""

    @settings(max_examples=100, deadline=None)
    @given(
        messages=st.lists(
            st.lists(st.integers(0, 9) | st.binary(max_size=50) | st.text(max_size=9), max_size=4),
            max_size=6,
        ),
        data=st.data(),
    )
    def test_any_cut_gives_the_same_messages(
        self, messages: list[list[object]], data: st.DataObject
    ) -> None:
        """A stream that is cut anywhere into reads parses the same."""
        named: list[list[object]] = [["name", *fields] for fields in messages]
        stream = b"".join(map(encode_frame, named))
        parser, found = FrameParser(), []
        while stream:
            size = data.draw(st.integers(1, len(stream)))
            parser.feed(stream[:size])
            stream = stream[size:]
            while (message := parser.pop()) is not None:
                found.append(message)
        assert found == named
        assert not parser.pending

    def test_a_message_that_nobody_would_take_is_not_sent(self) -> None:
        """Our own mistake is found here, not over there."""
        with pytest.raises(WireError):
            encode_frame(["name", bytes(MAX_FRAME)])
