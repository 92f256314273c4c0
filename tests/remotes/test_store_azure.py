"""Azure as a store, at its own emulator: what only a real server of that kind can show.

The conformance suite over it is in `test_store_remote`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from muse.core.errors import RemoteError, UsageError
from muse.ops.clone import clone
from muse.ops.gc_remote import gc_remote
from muse.ops.push import push
from muse.remotes.address import parse_address
from muse.remotes.bucket import Bucket, open_bucket
from muse.remotes.store_gc import DEFAULT_GRACE_S
from tests.remotes.azure_server import (
    CONTAINER,
    KEY,
    environment,
    needs_azurite,
    sign_grant,
)
from tests.remotes.proxied_store import Store, push_at_each_request
from tests.remotes.repositories import add_commit, files_of, reachable
from tests.remotes.s3_server import Act, Answer, Proxy
from tests.remotes.store_oracle import read_azure
from tests.remotes.store_races import StoreRaces

EMULATOR = "AZURE_STORAGE_USE_EMULATOR"


@pytest.fixture
def store(tmp_path: Path, azure: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """One with a commit in it, not pushed yet, and a proxy before the server."""
    upstream, _, account = azure.rpartition("/")
    prefix = f"f{tmp_path}"
    with Proxy(upstream).run() as proxy:
        for name, value in environment(f"{proxy.address}/{account}").items():
            monkeypatch.setenv(name, value)
        made = Store(
            tmp_path,
            proxy,
            url=f"az://{CONTAINER}/{prefix}",
            read_state=lambda: read_azure(f"{azure}/{CONTAINER}", prefix, sign_grant()),
        )
        add_commit(made.repo, files_of(40))
        yield made


def open_azure(url: str = f"az://{CONTAINER}/p") -> Bucket:
    """Open a place with what the environment says."""
    return open_bucket(parse_address(url), url, user_config=None)


@needs_azurite
class TestServer(StoreRaces):
    """A push, whatever happens to it, leaves a store there that the oracle finds whole."""

    def test_conditions_are_asked_for_and_honoured(self, store: Store) -> None:
        """The probe passes and leaves nothing; the document is replaced on a condition."""
        store.push()
        probes = [r.method for r in store.proxy.requests if "/probe/" in r.path]
        assert probes == ["PUT", "PUT", "PUT", "PUT", "GET"]
        writes = [r for r in store.proxy.requests if r.method == "PUT"]
        assert all(r.conditional for r in writes)
        assert list(open_azure(store.url).list("probe/")) == []
        assert store.state().check()

    def test_a_server_that_ignores_them(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The headers are stripped on the way, which a grant does not sign: nothing is pushed."""
        monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_KEY")
        monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", sign_grant())
        store.proxy.reset(lambda _: "strip")
        with pytest.raises(RemoteError, match="does not honour conditional writes"):
            store.push()
        assert store.state().document is None
        assert store.state().packs == {}

    @pytest.mark.parametrize("act", ["drop before", "drop after", "cut request", "cut answer"])
    def test_each_request_of_a_push_is_broken_once(self, store: Store, act: Act) -> None:
        """It is sent again, or looked up if it was heard."""
        assert push_at_each_request(store, act) > 3

    def test_one_of_many_writers_wins(self, store: Store) -> None:
        """Of eight who replace one version at the same time, seven hear that they did not."""
        buckets = [open_azure(store.url) for _ in range(8)]
        version = buckets[0].swap("contended", b"start", None)
        with ThreadPoolExecutor(len(buckets)) as pool:
            for turn in range(10):
                seen = version
                tries = [
                    pool.submit(bucket.swap, "contended", b"%d %d" % (turn, number), seen)
                    for number, bucket in enumerate(buckets)
                ]
                results = [each.result() for each in tries]
                (winner,) = (n for n, result in enumerate(results) if result is not None)
                found = buckets[0].get("contended", limit=100)
                version = results[winner]
                assert found is not None
                assert (found.data, found.version) == (b"%d %d" % (turn, winner), version)

    def test_a_large_pack_goes_in_blocks(self, store: Store) -> None:
        """Above 16 MiB a pack is put together there from blocks, and is whole."""
        add_commit(store.repo, {b"large": os.urandom(20 << 20)})
        store.push()
        assert [r for r in store.proxy.requests if "comp=blocklist" in r.path]
        assert store.state().check()
        assert reachable(store.clone("copy")) == reachable(store.repo)

    def test_a_collection_merges_packs(self, store: Store) -> None:
        """Many packs become one; what was replaced waits, and all refs stay whole (G7)."""
        for number in range(3):
            store.push()
            add_commit(store.repo, {b"a": b"%d" % number})
        store.push()
        assert len(store.state().listed) == 4
        gc_remote(store.repo, remote="origin", grace_s=DEFAULT_GRACE_S)
        state = store.state()
        assert len(state.listed) == 1
        assert state.check()
        assert reachable(store.clone("copy")) == reachable(store.repo)


@needs_azurite
class TestAnswers:
    """What the server says in its own words is one sentence here."""

    @pytest.mark.parametrize("name", ["nobody", "Capitals", "xy"])
    def test_no_such_container(self, store: Store, tmp_path: Path, name: str) -> None:
        """Neither a clone nor a push takes it for an empty place."""
        url = f"az://{name}/p"
        with pytest.raises(RemoteError, match="there is no such container"):
            clone(url, tmp_path / "copy", cwd=tmp_path)
        with pytest.raises(RemoteError, match="there is no such container"):
            push(store.repo, remote=url, branches=("main",))

    def test_a_wrong_key(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is refused, and never shown."""
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "d3Jvbmc=")
        with pytest.raises(RemoteError, match="access is denied") as caught:
            store.push()
        assert "d3Jvbmc=" not in caught.value.message + caught.value.hint

    def test_a_grant_that_may_only_read(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A clone with it works, a push is denied, and the store is as it was."""
        store.push()
        before = store.state().document
        monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_KEY")
        monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", sign_grant(rights="r"))
        assert reachable(store.clone("copy")) == reachable(store.repo)
        add_commit(store.repo, {b"a": b"2"})
        with pytest.raises(RemoteError, match="access is denied"):
            store.push()
        assert store.state().document == before

    def test_the_variables_of_the_emulator(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two variables are enough, as for Azure's other clients; the account is the public one."""
        for name in environment(""):
            monkeypatch.delenv(name)
        monkeypatch.setenv(EMULATOR, "true")
        monkeypatch.setenv("AZURITE_BLOB_STORAGE_URL", store.proxy.address)
        store.push()
        assert store.state().check()


class TestAccounts:
    """A container's name is its account's, so the account is part of where a store is."""

    @pytest.fixture(autouse=True)
    def key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A key for whatever account; nothing is sent."""
        for name in (EMULATOR, "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ENDPOINT"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", KEY)

    def test_another_account_is_another_place(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing that is known of one is believed of the other, however it is named."""
        prints = set()
        for account in ("one", "two"):
            monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", account)
            prints.add(open_azure().fingerprint)
        config = tmp_path / "user.toml"
        config.write_text('[az]\naccount = "three"\n')
        url = f"az://{CONTAINER}/p"
        prints.add(open_bucket(parse_address(url), url, user_config=config).fingerprint)
        monkeypatch.setenv(EMULATOR, "1")
        prints.add(open_azure().fingerprint)
        assert len(prints) == 4

    def test_no_account_is_told(self) -> None:
        """With what to set."""
        with pytest.raises(UsageError, match="nothing names the storage account") as caught:
            open_azure()
        assert "AZURE_STORAGE_ACCOUNT_NAME" in caught.value.hint

    def test_no_emulator_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """``false`` is no: without TLS nothing is sent, except to this machine by its own name."""
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "one")
        with Proxy("", plan=lambda _: Answer(403)).run() as proxy:
            elsewhere = proxy.address.replace("127.0.0.1", "0.0.0.0")
            monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", f"{elsewhere}/one")
            monkeypatch.setenv(EMULATOR, "false")
            with pytest.raises(RemoteError, match="cannot be reached"):
                open_azure().get("refs.json", limit=10)
            assert proxy.requests == []
            monkeypatch.setenv("AZURE_ALLOW_HTTP", "true")
            with pytest.raises(RemoteError, match="access is denied"):
                open_azure().get("refs.json", limit=10)
            assert proxy.requests

    @pytest.mark.parametrize("url", ["", "localhost:10000"])
    def test_an_emulator_that_is_nowhere(self, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        """The variable is named; obstore itself would end the process."""
        monkeypatch.setenv(EMULATOR, "1")
        monkeypatch.setenv("AZURITE_BLOB_STORAGE_URL", url)
        with pytest.raises(UsageError, match="AZURITE_BLOB_STORAGE_URL is not"):
            open_azure()
