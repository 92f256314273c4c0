"""A `muse serve` that dies, or gets an error, at its n-th file-system call: what ssh runs there.

``python -m tests.remotes.faulty_serve AT ERRNO NOTE serve --stdio PATH``: 0 for no fault, ERRNO 0
for death. How many calls it made is written to NOTE.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from muse.cli.main import main
from muse.remotes import intake
from tests.crash.harness import Fault

if __name__ == "__main__":
    at, error, note = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    # Small parts, so that a small repository arrives in several.
    intake._MIN_PART_BYTES = 500  # type: ignore[misc]  # that is the point
    fault = Fault(at, error=error or None)
    real_open, real_write = os.open, os.write
    fault.install()
    code = main(sys.argv[4:])
    fd = real_open(Path(note), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    real_write(fd, str(fault.count).encode())
    os._exit(code)
