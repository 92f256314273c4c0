"""Object stores that fail: each way gives one clear error, and the same command works later."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from muse.core.errors import MuseError, RefChangedError, RemoteError
from muse.ops.clone import clone
from muse.ops.fetch import fetch
from muse.ops.push import PushOptions, push
from muse.remotes.address import parse_address
from muse.remotes.bucket import open_bucket
from tests.remotes.proxied_store import Store, from_nth, nth, push_at_each_request
from tests.remotes.repositories import add_commit, files_of, reachable
from tests.remotes.s3_server import BUCKET, Act, Answer, Proxy
from tests.remotes.store_oracle import read_s3
from tests.remotes.store_races import StoreRaces, tip_of


@pytest.fixture
def store(tmp_path: Path, proxy: Proxy) -> Store:
    """One with a commit in it, not pushed yet."""
    prefix = f"f{tmp_path}"
    made = Store(
        tmp_path,
        proxy,
        url=f"s3://{BUCKET}/{prefix}",
        read_state=lambda: read_s3(proxy.upstream, BUCKET, prefix),
    )
    add_commit(made.repo, files_of(40))
    return made


class TestConditions:
    """A store that ignores conditions is refused before anything of value is in it."""

    def test_a_store_that_ignores_them(self, store: Store) -> None:
        """The headers are stripped on the way: the probe finds out, and nothing is overwritten."""
        store.proxy.reset(lambda _: "strip")
        with pytest.raises(RemoteError, match="does not honour conditional writes") as caught:
            store.push()
        assert caught.value.exit_code == 5
        assert "nothing was pushed" in caught.value.hint
        assert store.state().document is None
        assert store.state().packs == {}

    def test_a_store_that_ignores_only_one_kind(self, store: Store) -> None:
        """It may honour creation and ignore If-Match: that is found as well."""
        store.proxy.reset(lambda r: "strip" if r.conditional and r.number == 5 else "pass")
        with pytest.raises(RemoteError, match="If-Match"):
            store.push()
        assert store.state().document is None

    def test_a_store_that_does_not_know_them(self, store: Store) -> None:
        """501, as some servers answer."""
        store.proxy.reset(nth(0, Answer(501, "NotImplemented"), method="PUT"))
        with pytest.raises(RemoteError, match="does not know how"):
            store.push()

    def test_a_passed_probe_is_remembered_for_this_place_only(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Five requests once; again when another server answers for the same name."""
        store.push()
        probes = [r for r in store.proxy.requests if "/probe/" in r.path]
        assert len(probes) == 5
        add_commit(store.repo, {b"a": b"2"})
        store.proxy.reset()
        store.push()
        assert not [r for r in store.proxy.requests if "/probe/" in r.path]
        add_commit(store.repo, {b"a": b"3"})
        with Proxy(store.proxy.upstream).run() as other:
            monkeypatch.setenv("AWS_ENDPOINT_URL", other.address)
            store.push()
            assert [r for r in other.requests if "/probe/" in r.path]


class TestRequests:
    """What things cost in requests."""

    def test_a_small_push_costs_three(self, store: Store) -> None:
        """Read the document, write a pack, replace the document."""
        store.push()
        add_commit(store.repo, {b"a": b"2"})
        store.proxy.reset()
        store.push()
        assert [r.method for r in store.proxy.requests] == ["GET", "PUT", "PUT"]

    def test_a_fetch_of_nothing_costs_one(self, store: Store) -> None:
        """The document says that nothing moved."""
        store.push()
        store.proxy.reset()
        fetch(store.repo, remote="origin")
        assert len(store.proxy.requests) == 1

    def test_a_small_clone_costs_two(self, store: Store) -> None:
        """The document, and one request for each small pack."""
        store.push()
        store.proxy.reset()
        copy = store.clone("copy")
        assert [r.method for r in store.proxy.requests] == ["GET", "GET"]
        assert reachable(copy) == reachable(store.repo)

    def test_a_fetch_of_one_commit_costs_two(self, store: Store) -> None:
        """The document, and the one new pack."""
        store.push()
        copy = store.clone("copy")
        add_commit(store.repo, {b"a": b"2"})
        store.push()
        store.proxy.reset()
        fetch(copy, remote="origin")
        assert len(store.proxy.requests) == 2

    def test_nobody_lists(self, store: Store) -> None:
        """Neither push, fetch nor clone asks what there is."""
        store.push()
        store.clone("copy")
        fetch(store.repo, remote="origin")
        assert not [r for r in store.proxy.requests if "list-type" in r.path]


STATUSES = [
    (400, "BadRequest", "did not understand"),
    (403, "AccessDenied", "access is denied"),
    (403, "ExpiredToken", "have expired"),
    (403, "InvalidAccessKeyId", "were not accepted"),
    (403, "RequestTimeTooSkewed", "clock is wrong"),
    (404, "NoSuchBucket", "no such bucket"),
    (429, "TooManyRequests", "fewer requests"),
    (500, "InternalError", "failed"),
    (503, "SlowDown", "overloaded"),
    (507, "InsufficientStorage", "it is full"),
]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have retries end soon: how often is not what these tests are about."""
    from muse.remotes import bucket_cloud

    monkeypatch.setitem(bucket_cloud.RETRY, "max_retries", 1)


@pytest.mark.usefixtures("impatient")
class TestStatuses:
    """Each status is one sentence with a hint, at whatever request it comes."""

    @pytest.mark.parametrize(("status", "code", "says"), STATUSES)
    @pytest.mark.parametrize("method", ["GET", "PUT"])
    def test_in_a_push(
        self, store: Store, *, method: str, status: int, code: str, says: str
    ) -> None:
        """Exit code 5, the store as it was, no secret of the server's answer; then it works."""
        store.push()
        before = store.state().document
        add_commit(store.repo, {b"a": b"2"})
        store.proxy.reset(nth(0, Answer(status, code), method=method))
        with pytest.raises(RemoteError, match=says) as caught:
            store.push()
        self._check_shown(caught.value)
        assert store.state().document == before
        store.proxy.reset()
        store.push()
        assert store.state().check()

    @pytest.mark.parametrize(("status", "code", "says"), STATUSES)
    def test_in_a_clone(self, store: Store, *, status: int, code: str, says: str) -> None:
        """The folder is left as it was, or can be resumed; then it works."""
        store.push()
        for number in (1, 2):
            store.proxy.reset(from_nth(number, Answer(status, code)))
            with pytest.raises(RemoteError) as caught:
                store.clone("copy")
            self._check_shown(caught.value)
        store.proxy.reset()
        assert reachable(store.clone("copy")) == reachable(store.repo)

    @staticmethod
    def _check_shown(error: MuseError) -> None:
        shown = error.message + error.hint
        assert error.exit_code == 5
        assert error.hint
        assert "SECRET" not in shown
        assert "127.0.0.1" not in shown
        assert shown.isprintable()

    @pytest.mark.parametrize("status", [409, 412])
    def test_a_conflict_is_a_race(self, store: Store, status: int) -> None:
        """S3 says 409 when two conditional writes meet: it is tried again."""
        store.push()
        add_commit(store.repo, {b"a": b"2"})
        code = "ConditionalRequestConflict"
        store.proxy.reset(nth(1, Answer(status, code), method="PUT", path="refs.json"))
        store.push()
        assert store.state().refs["refs/heads/main"] == store.repo.refs.read("refs/heads/main")

    def test_passing_failures_are_retried(self, store: Store) -> None:
        """One 500, one 429 and one dropped connection do not end a push."""
        store.push()
        add_commit(store.repo, {b"a": b"2"})
        acts: dict[int, Act | Answer] = {1: Answer(500), 3: "drop before", 5: Answer(503)}
        store.proxy.reset(lambda r: acts.get(r.number, "pass"))
        store.push()
        assert store.state().check()


@pytest.mark.usefixtures("impatient")
class TestConnections:
    """Connections that break, lie or hang."""

    @pytest.mark.parametrize("act", ["drop before", "drop after", "cut request", "cut answer"])
    def test_each_request_of_a_push_once(self, store: Store, act: Act) -> None:
        """Broken once, at each request in turn: it is sent again, or looked up if it was heard."""
        assert push_at_each_request(store, act) > 3

    @pytest.mark.parametrize("act", ["drop before", "cut request", "cut answer"])
    def test_for_good(self, store: Store, act: Act) -> None:
        """Broken each time: one clear error, and the same push works later."""
        store.push()
        add_commit(store.repo, {b"a": b"2"})
        store.proxy.reset(nth(0, act, path="packs/") if act != "cut answer" else nth(0, act))
        with pytest.raises(RemoteError):
            store.push()
        store.proxy.reset()
        store.push()
        assert store.state().check()

    @pytest.mark.parametrize("act", ["garbage", "cut answer"])
    @pytest.mark.parametrize("number", [1, 2, 3])
    def test_a_clone_of_wrong_bytes(self, store: Store, act: Act, number: int) -> None:
        """Garbage instead of the document, an index or a pack is refused; then it works."""
        add_commit(store.repo, {b"big": bytes(range(256)) * 4096, **files_of(40)})
        store.push()
        store.proxy.reset(nth(number, act))
        try:
            copy = store.clone("copy")
        except RemoteError as error:
            assert error.hint
        else:
            assert act == "cut answer" or len(store.proxy.requests) < number
            assert reachable(copy) == reachable(store.repo)
        store.proxy.reset()
        assert reachable(store.clone("again")) == reachable(store.repo)

    def test_a_silent_server(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is given up on after a while, not waited for without end."""
        from muse.remotes import bucket_cloud

        monkeypatch.setattr(bucket_cloud, "READ_TIMEOUT", "300ms")
        store.proxy.reset(lambda _: "silence")
        with pytest.raises(RemoteError, match="cannot be reached"):
            store.push()

    def test_nobody_there(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """A refused connection is one error with a hint."""
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        with pytest.raises(RemoteError, match="cannot be reached"):
            store.push()


class TestRaces(StoreRaces):
    """Two clients at one document."""

    def test_a_lease_compares_with_what_was_seen(self, store: Store) -> None:
        """A forced push is refused when somebody else has pushed since."""
        store.push()
        other = store.clone("other")
        add_commit(other, {b"o": b"1"}, parents=(tip_of(store),))
        push(other, remote="origin", branches=("main",))
        add_commit(store.repo, {b"z": b"1"}, parents=())
        with pytest.raises(RefChangedError):
            push(
                store.repo,
                remote="origin",
                branches=("main",),
                options=PushOptions(force=True, leases={}),
            )
        assert store.state().check()


class TestAddresses:
    """What is no place in a bucket, and what must not be in an address."""

    @pytest.mark.parametrize(
        ("url", "says"),
        [
            ("s3://", "no place"),
            ("s3:///x", "no place"),
            ("s3://b/../c", "no place"),
            ("s3://b/c?token=s3cret", "no place"),
            ("s3://me:s3cret@b/c", "holds credentials"),
            ("store://relative", "no folder"),
            ("store:///a/../b", "no folder"),
        ],
    )
    def test_are_refused(self, url: str, says: str) -> None:
        """One sentence, without what may be a secret."""
        with pytest.raises(MuseError, match=says) as caught:
            open_bucket(parse_address(url), url, user_config=None)
        assert "s3cret" not in caught.value.message + caught.value.hint

    def test_plain_http_leaves_this_machine_only_when_allowed(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without TLS anybody on the way could read and change what passes."""
        # It leads here, but is not one of the names of this machine.
        elsewhere = store.proxy.address.replace("127.0.0.1", "0.0.0.0")
        monkeypatch.setenv("AWS_ENDPOINT_URL", elsewhere)
        with pytest.raises(RemoteError):
            store.push()
        assert store.proxy.requests == []
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
        store.push()
        assert store.state().check()

    def test_a_repository_cannot_choose_the_endpoint(self, store: Store, tmp_path: Path) -> None:
        """What came with a repository does not say where credentials go (G16)."""
        config = store.repo.muse / "config.toml"
        config.write_bytes(config.read_bytes() + b'\n[s3]\nendpoint = "http://127.0.0.1:9"\n')
        store.push()
        assert store.state().check()

    def test_the_user_can(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One's own settings may."""
        monkeypatch.delenv("AWS_ENDPOINT_URL")
        config = tmp_path / "user.toml"
        config.write_text(f'[s3]\nendpoint = "{store.proxy.address}"\n')
        bucket = open_bucket(parse_address(store.url), store.url, user_config=config)
        assert bucket.get("refs.json", limit=10) is None
        assert store.proxy.requests

    @pytest.mark.parametrize("endpoint", ["", "localhost:9000", "ftp://host", "http://"])
    def test_an_endpoint_that_is_none(
        self, store: Store, monkeypatch: pytest.MonkeyPatch, endpoint: str
    ) -> None:
        """The variable is named; obstore itself would end the process."""
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(MuseError, match="AWS_ENDPOINT_URL is not"):
            store.push()

    @pytest.mark.parametrize("scheme", ["gs", "az"])
    def test_other_clouds_fail_as_clearly(
        self, store: Store, monkeypatch: pytest.MonkeyPatch, scheme: str
    ) -> None:
        """They are opened through their own clients, and told of in the same words."""
        address = store.proxy.address
        key = base64.b64encode(b"not a secret").decode()
        for name, value in {
            "GOOGLE_BASE_URL": address,
            "GOOGLE_SKIP_SIGNATURE": "true",
            "AZURE_STORAGE_ACCOUNT_NAME": "account",
            "AZURE_STORAGE_ACCOUNT_KEY": key,
            "AZURE_STORAGE_ENDPOINT": address,
        }.items():
            monkeypatch.setenv(name, value)
        url = f"{scheme}://{BUCKET}/x"
        for status, says in ((403, "access is denied"), (404, "no Muse repository|not found")):
            store.proxy.reset(nth(0, Answer(status)))
            with pytest.raises(RemoteError, match=says) as caught:
                clone(url, store.tmp_path / "copy", cwd=store.tmp_path)
            assert store.proxy.requests
            assert "SECRET" not in caught.value.message + caught.value.hint

    def test_an_empty_place(self, store: Store, tmp_path: Path) -> None:
        """Cloning from it, or fetching, says that there is nothing and how it comes to be."""
        for deed in (lambda: store.clone("x"), lambda: fetch(store.repo, remote="origin")):
            with pytest.raises(RemoteError, match="There is no Muse repository") as caught:
                deed()
            assert "muse push" in caught.value.hint

    def test_what_is_not_a_document(self, store: Store) -> None:
        """Something else of that name is refused, and stays."""
        store.push()
        good = store.state().document
        store.proxy.reset(nth(0, "garbage", path="refs.json"))
        with pytest.raises(RemoteError, match="damaged"):
            store.push()
        assert store.state().document == good
