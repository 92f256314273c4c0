"""The conversation: who says what when, and which versions of it there are.

The client asks, the server answers in the same order; a client may ask several things before it
reads an answer, which is what saves round trips. An answer may always be ``error`` instead.

==============================================  =================================================
the client                                      the server
==============================================  =================================================
``hello first last program shown``              ``hello version first last program``
``refs``                                        ``refs [ref, …]`` ``shallow ids`` …,
                                                ``listing head out version``
``present ids``                                 ``present bits``
``updates [update, …]`` …,                      ``received objects bytes``, then ``moved``
``receive count who``, records,
``end whole [version log who]``
``updates [update, …]`` …,                      ``moved``
``move version log who``
``offer depth eager``,                          ``ids`` ``shallow`` …,
``wants`` ``haves`` ``shallow`` …, ``end``      ``offered number total eager``;
                                                with eager: records, ``end``
``send number``, ``skip bits`` …, ``end``       records, ``end``
==============================================  =================================================

Records stand in `wire_records`. Updates before ``receive`` save a push a round trip: they happen
if all records were taken. An eager offer saves a fetch one: what is small comes along at once.

``hello`` and ``error`` keep their form in every version; the rest is spoken once the version is
known, which for `refs` means: a later version may not change what the word alone asks for.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from muse import __version__
from muse.core.errors import RemoteError

# The versions of the conversation that this program speaks, first and last.
FIRST: Final = 1
LAST: Final = 1
PROGRAM: Final = f"muse {__version__}"
# An offer with more ids than this is not a repository's.
MAX_OFFER: Final = 1 << 25
# So many bits, eight to a byte, travel in one message.
BITS_PAGE: Final = 1 << 22
# What comes along with an offer without being asked for.
EAGER_BYTES: Final = 256 << 10
EAGER_OBJECTS: Final = 1024
# Offers that a server remembers; a fetch makes two.
KEPT_OFFERS: Final = 8


class Versions(NamedTuple):
    """What one side speaks.

    Args:
        first: The oldest version.
        last: The newest one.
        program: Its name and version, for people.
    """

    first: int
    last: int
    program: str


OURS: Final = Versions(FIRST, LAST, PROGRAM)


def common_version(theirs: Versions, ours: Versions = OURS) -> int | None:
    """Return the newest version that both sides speak; None when there is none."""
    best = min(theirs.last, ours.last)
    return best if best >= max(theirs.first, ours.first) else None


def version_error(url: str, *, theirs: Versions, ours: Versions = OURS) -> RemoteError:
    """Return what a client says when the other side is too old or too new."""
    newer = theirs.first > ours.last
    where = "here" if newer else "there"
    return RemoteError(
        f"{url} runs {theirs.program}, which speaks version {_span(theirs)} of the conversation; "
        f"{ours.program} here speaks {_span(ours)}.",
        hint=f"Install a newer Muse {where}.",
    )


def _span(versions: Versions) -> str:
    if versions.first == versions.last:
        return str(versions.first)
    return f"{versions.first} to {versions.last}"
