"""Real servers for the tests of object stores, and a proxy that can do harm before one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.remotes import azure_server, s3_server


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of a real S3 server that honours conditions."""
    with s3_server.run_server() as address:
        yield address


@pytest.fixture
def s3_env(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Its address in the environment, with credentials."""
    for name, value in s3_server.environment(s3).items():
        monkeypatch.setenv(name, value)
    return s3


@pytest.fixture
def proxy(s3: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[s3_server.Proxy]:
    """A proxy before it, whose address is the one in the environment."""
    with s3_server.Proxy(s3).run() as running:
        for name, value in s3_server.environment(running.address).items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture(scope="session")
def azure() -> Iterator[str]:
    """The address of an account at a real Azure server, where one is installed."""
    with azure_server.run_server() as address:
        yield address


@pytest.fixture
def azure_env(azure: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Its address in the environment, with credentials."""
    for name, value in azure_server.environment(azure).items():
        monkeypatch.setenv(name, value)
    return azure
