"""Object stores as remotes: the conformance suite over a folder, S3 and Azure (real servers)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from muse.core.repo import Repository
from muse.remotes.media import open_remote, use_local
from muse.remotes.protocol import Remote
from tests.remotes import azure_server, s3_server
from tests.remotes.conformance import OpenPlace, RemoteConformance, here
from tests.remotes.repositories import make_repo
from tests.remotes.store_oracle import read_azure, read_folder, read_s3
from tests.remotes.store_places import StorePlace, SyncedRemote, open_store

__all__ = ["here"]


class _Stores(RemoteConformance):
    """What both kinds share: a client with the state of one repository, as a person has."""

    @pytest.fixture(params=["sender", "stranger"])
    def open_place(
        self,
        place: StorePlace,
        url: str,
        here: Repository,
        tmp_path: Path,
        request: pytest.FixtureRequest,
    ) -> Iterator[OpenPlace]:
        """Open it for the repository that sends, and for one that has nothing of its own.

        The first reads here whatever it can; the second has to read all of it there.
        """
        local = here if request.param == "sender" else make_repo(tmp_path / "stranger")

        def open_it() -> Remote:
            remote = open_remote(url, base=Path("/"))
            use_local(remote, local, create=True)
            opened.append(remote)
            return cast("Remote", SyncedRemote(remote, place))

        opened: list[Remote] = []
        yield open_it
        for remote in opened:
            remote.close()


class TestFolderStore(_Stores):
    """A folder that is used like a bucket does what every medium does."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        """Where it is."""
        return f"store://{tmp_path}/store"

    @pytest.fixture
    def place(self, tmp_path: Path, url: str) -> StorePlace:
        """A fresh one."""
        return StorePlace(
            tmp_path / "place",
            lambda: open_store(url),
            lambda: read_folder(tmp_path / "store"),
        )


class TestS3Store(_Stores):
    """A bucket of a server that honours conditions does what every medium does."""

    @pytest.fixture
    def url(self, tmp_path: Path, s3_env: str) -> str:
        """A prefix of its own for each test."""
        return f"s3://{s3_server.BUCKET}/t{tmp_path}"

    @pytest.fixture
    def place(self, tmp_path: Path, url: str, s3_env: str) -> StorePlace:
        """A fresh one."""
        return StorePlace(
            tmp_path / "place",
            lambda: open_store(url),
            lambda: read_s3(s3_env, s3_server.BUCKET, f"t{tmp_path}"),
        )


@azure_server.needs_azurite
class TestAzureStore(_Stores):
    """A container of Azure's own emulator does what every medium does."""

    @pytest.fixture
    def url(self, tmp_path: Path, azure_env: str) -> str:
        """A prefix of its own for each test."""
        return f"az://{azure_server.CONTAINER}/t{tmp_path}"

    @pytest.fixture
    def place(self, tmp_path: Path, url: str, azure_env: str) -> StorePlace:
        """A fresh one."""
        container = f"{azure_env}/{azure_server.CONTAINER}"
        return StorePlace(
            tmp_path / "place",
            lambda: open_store(url),
            lambda: read_azure(container, f"t{tmp_path}", azure_server.sign_grant()),
        )
