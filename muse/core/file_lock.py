"""The lock on an open file that the system drops when its holder dies."""

from __future__ import annotations

import errno
import fcntl
from typing import Final

_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS})


def lock_file(fd: int, *, shared: bool = False) -> bool:
    """Try a flock without waiting.

    Returns:
        False when another open file holds it; True when it is ours, or when there are no locks
        here (the age gates are then the only protection).
    """
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _NO_LOCKS
    return True
