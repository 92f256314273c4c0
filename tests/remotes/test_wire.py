"""The wire: the conformance suite against a `muse serve` in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from weakref import WeakKeyDictionary

import pytest

from muse.core.errors import LockedError, RefChangedError
from muse.core.lock import WriteLock
from muse.core.reflog import read_reflog
from muse.core.refs import TAGS
from muse.core.repo import Repository, open_repo
from muse.core.types import RawId, to_raw
from muse.ops.clone import clone
from muse.ops.fetch import fetch
from muse.ops.push import push
from muse.ops.remote import add_remote
from muse.remotes.protocol import ASK_BATCH, RefUpdate
from muse.remotes.records import iter_records
from muse.remotes.transfer import bring_offered
from muse.remotes.wire_fields import pack_update
from muse.remotes.wire_frames import Channel, Message
from tests.remotes.conformance import MAIN, OpenPlace, RemoteConformance, here, send_all, tip
from tests.remotes.fake_ssh import fake_ssh
from tests.remotes.repositories import ADA, add_commit, files_of, make_repo, reachable
from tests.remotes.wires import SERVE, Wires

__all__ = ["here"]


@pytest.fixture
def place(tmp_path: Path) -> Repository:
    """A bare repository on the other side."""
    return make_repo(tmp_path / "place", bare=True)


@pytest.fixture
def wires() -> Iterator[Wires]:
    """Opens remotes, and closes them in the end."""
    with Wires() as wires:
        yield wires


@pytest.fixture
def open_place(place: Repository, wires: Wires) -> OpenPlace:
    """Open it through a pair of pipes."""
    return lambda: wires.open(place.root)


class TestWireRemote(RemoteConformance):
    """A stream of bytes does what every medium does."""


class Waits:
    """Counts how often the client waits for an answer to what it has just written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        real = Channel.receive
        # By the channel itself: a new one may well stand where an old one stood in memory.
        heard: WeakKeyDictionary[Channel, int] = WeakKeyDictionary()

        def receive(channel: Channel) -> Message:
            channel.flush()
            if heard.get(channel) != channel.written_bytes:
                heard[channel] = channel.written_bytes
                self.count += 1
            return real(channel)

        monkeypatch.setattr(Channel, "receive", receive)

    def take(self) -> int:
        """Return the count, and begin anew."""
        count, self.count = self.count, 0
        return count


class TestWaits:
    """Latency is what a wire costs: a wait is one trip there and back."""

    def test_small_transfers(
        self, tmp_path: Path, place: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One commit is pushed or fetched in two waits, a clone of little takes two, news one."""
        monkeypatch.setenv("MUSE_SSH", fake_ssh())
        waits = Waits(monkeypatch)
        url = f"there:{place.root}"
        ada = make_repo(tmp_path / "ada")
        add_remote(ada, "origin", url)
        add_commit(ada, files_of(40))
        push(ada, remote="origin", branches=["main"])
        assert waits.take() == 2
        push(ada, remote="origin", branches=["main"])
        assert waits.take() == 1
        clone(url, tmp_path / "bob", cwd=tmp_path)
        assert waits.take() == 2
        oid = add_commit(ada, {b"a": b"1"})
        push(ada, remote="origin", branches=["main"])
        assert waits.take() == 2
        bob = open_repo(tmp_path / "bob")
        assert fetch(bob).refs[0].new == oid
        assert waits.take() == 2
        assert fetch(bob).up_to_date
        assert waits.take() == 1

    def test_questions_do_not_wait_for_one_another(
        self, open_place: OpenPlace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Fifty thousand ids are asked about in one go, give or take."""
        remote = open_place()
        remote.list_refs()
        waits = Waits(monkeypatch)
        ids = [RawId(b"%032d" % number) for number in range(12 * ASK_BATCH + 1)]
        assert remote.find_present(ids) == set()
        assert waits.take() == 1


class TestOnTheOtherSide:
    """What an everyday command over there would do, a wire does."""

    def test_the_log_there_has_our_name_and_its_clock(
        self, here: Repository, place: Repository, wires: Wires
    ) -> None:
        """A client's clock, which may be years off, does not make a reflog expire."""
        who = ADA._replace(name="Grace", time_s=1)
        remote = wires.open(place.root, identity=lambda: who)
        send_all(here, remote, tip(here))
        remote.update_refs([RefUpdate(MAIN, None, tip(here))], version="")
        (entry,) = read_reflog(place.root, MAIN)
        assert (entry.who.name, entry.who.email) == (who.name, who.email)
        assert entry.who.time_s > 1_700_000_000

    def test_a_lock_that_somebody_holds(
        self, here: Repository, place: Repository, open_place: OpenPlace
    ) -> None:
        """The error arrives as what it is, and says where and who."""
        remote = open_place()
        send_all(here, remote, tip(here))
        with (
            WriteLock(place.root, command="a long merge"),
            pytest.raises(LockedError, match=r"wire: .*a long merge"),
        ):
            remote.update_refs([RefUpdate(MAIN, None, tip(here))], version="")
        remote.update_refs([RefUpdate(MAIN, None, tip(here))], version="")
        assert reachable(place) == reachable(here)

    def test_many_refs_move_together(self, here: Repository, open_place: OpenPlace) -> None:
        """More than one message holds, in one transaction."""
        remote = open_place()
        send_all(here, remote, tip(here))
        updates = [RefUpdate(f"{TAGS}v{number}", None, tip(here)) for number in range(1200)]
        with pytest.raises(RefChangedError):
            wrong = RefUpdate(MAIN, tip(here), None)
            remote.update_refs([*updates, wrong], version="")
        assert remote.list_refs().refs == ()
        remote.update_refs(updates, version="")
        assert len(remote.list_refs().refs) == 1200

    def test_a_commit_without_files(self, tmp_path: Path, place: Repository, wires: Wires) -> None:
        """The empty tree is known to everybody, so that nobody need store it."""
        oid = add_commit(place, {})
        bob = make_repo(tmp_path / "bob")
        remote = wires.open(place.root)
        remote.list_refs()
        offer = remote.offer([oid], [])
        bring_offered(bob, remote, offer)
        assert bob.objects.has(to_raw(oid))

    def test_a_server_ends_though_it_waits(
        self, here: Repository, place: Repository, wires: Wires
    ) -> None:
        """A server that waits for the lock when its client goes away does not outlive it."""
        hasty = (
            "import sys; from muse.remotes import serve; serve.GRACE_S = 0.05; "
            "from muse.cli.main import main; sys.exit(main(sys.argv[1:]))"
        )
        remote = wires.open(place.root, command=[sys.executable, "-c", hasty, *SERVE[3:]])
        send_all(here, remote, tip(here))
        with WriteLock(place.root, command="a long merge"):
            channel = wires.carriers[0].channel
            channel.send("updates", [pack_update(RefUpdate(MAIN, None, tip(here)))])
            channel.send("move", "", "push", None)
            channel.flush()
            remote.close()
            # By itself: it was neither told to end, nor did its wait of ten seconds.
            assert wires.carriers[0].exit_code == 5
        assert place.refs.read(MAIN) is None

    def test_what_was_not_compressed_is_compressed_on_the_way(
        self, here: Repository, place: Repository, wires: Wires
    ) -> None:
        """The way is narrower than the disk."""
        text = here.objects.write("blob", b"the same again and again\n" * 20_000)
        remote = wires.open(place.root)
        remote.receive(iter_records(here.objects, [text]), count=1)
        assert place.objects.is_whole(text)
        assert wires.carriers[0].channel.written_bytes < 10_000
