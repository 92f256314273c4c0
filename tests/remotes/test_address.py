"""Addresses: told apart by form, and shown without secrets."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muse.core.errors import MuseError, RemoteError, UsageError
from muse.remotes.address import find_folder, parse_address, show_url


@pytest.mark.parametrize(
    ("url", "scheme", "path"),
    [
        ("/srv/a", "path", "/srv/a"),
        ("../a b", "path", "../a b"),
        ("./a:b", "path", "./a:b"),
        ("file:///srv/a%20b", "path", "/srv/a b"),
        ("FILE://localhost/srv/a", "path", "/srv/a"),
        ("ssh://host/x", "ssh", ""),
        ("user@host:x", "ssh", ""),
        ("s3://bucket/x", "s3", ""),
    ],
)
def test_forms(url: str, scheme: str, path: str) -> None:
    """Each form means one medium; a colon before any slash is another machine."""
    address = parse_address(url)
    assert (address.scheme, address.path) == (scheme, path)


@pytest.mark.parametrize("url", ["", " ", "a\nb", "a\0", "file://", "file://host/x", "file:///%00"])
def test_what_is_no_address(url: str) -> None:
    """Refused with a hint."""
    with pytest.raises(UsageError) as caught:
        parse_address(url)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:secret@host/x", "https://host/x"),
        ("https://secret@host/x?token=secret#secret", "https://host/x"),
        ("https://me:se@cret@host/x", "https://host/x"),
        ("ssh://me:secret@host/x", "ssh://me@host/x"),
        ("me@host:x", "me@host:x"),
        ("/srv/a?b", "/srv/a?b"),
    ],
)
def test_secrets_are_not_shown(url: str, shown: str) -> None:
    """Neither password nor token nor query survives."""
    assert show_url(url) == shown


@settings(max_examples=150, deadline=None)
@given(url=st.text(max_size=60))
def test_any_text_is_an_address_or_an_error(url: str) -> None:
    """Whatever is typed: an address, or one of our errors; and no control character is shown."""
    assert all(unicodedata.category(char) != "Cc" for char in show_url(url))
    try:
        find_folder(parse_address(url), base=Path("/base"))
    except MuseError as error:
        assert isinstance(error, (UsageError, RemoteError))
        assert error.hint
