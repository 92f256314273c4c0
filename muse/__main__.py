"""``python -m muse``: the same as the command `muse`."""

from __future__ import annotations

import sys

from muse.cli.main import main

sys.exit(main())
