"""A pack that two processes check gets the report that it gets from one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# In a process of its own: that of the tests has threads, in whose midst nobody forks.
SCRIPT = """if True:
    import os, sys
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path
    from muse.core import scrub_half, scrub_pack
    from muse.core.pack import PackWriter
    from muse.core.pack_format import HEADER_SIZE, pack_path
    from muse.core.paths import pack_dir
    from muse.core.verify import verify_store
    from tests.core.repos import make_repo

    scrub_pack._LARGE = 0
    scrub_pack.count_cores = lambda: 2
    used = []
    take = scrub_half.HalfScrub.take
    def spy(self, offset, whole):
        found = take(self, offset, whole)
        used.append(found is not None)
        return found
    scrub_half.HalfScrub.take = spy

    root = Path(sys.argv[1])
    repo = make_repo(root)
    def write(payloads):
        pack = PackWriter(root)
        for payload in payloads:
            pack.add("blob", payload)
        return pack.finish()
    def compare(expected):
        used.clear()
        with ThreadPoolExecutor(1) as pool:
            halves = verify_store(root, pool=pool, list_unreachable=True)
        assert used == expected, (used, expected)
        alone = verify_store(root, list_unreachable=True)
        assert halves == alone, (halves, alone)
        return halves
"""
EVERYWHERE = """
    path = write(b"%d " % n * (n % 90) + bytes([n]) for n in range(200))
    assert compare([True]).is_whole
    good = path.read_bytes()
    os.chmod(path, 0o644)
    for at in [*range(0, len(good), len(good) // 60), len(good) - 1]:
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1:])
        # Where the first fault lies in the child's half, or where that begins, it does not count.
        used.clear()
        with ThreadPoolExecutor(1) as pool:
            halves = verify_store(root, pool=pool, list_unreachable=True)
        assert halves == verify_store(root, list_unreachable=True), at
        assert not halves.is_whole
    for size in range(0, len(good), len(good) // 20):
        path.write_bytes(good[:size])
        with ThreadPoolExecutor(1) as pool:
            halves = verify_store(root, pool=pool, list_unreachable=True)
        assert halves == verify_store(root, list_unreachable=True), size
"""
# A file that holds a pack: what looks like the beginning of a record in the middle is none.
INSIDE = """
    inner = write(b"%d " % n * 50 for n in range(100)).read_bytes()
    for path in pack_dir(root).iterdir():
        path.unlink()
    write([b"before", inner, b"behind"])
    assert compare([False]).is_whole
"""


@pytest.mark.parametrize("body", [EVERYWHERE, INSIDE])
def test_the_report_is_one(tmp_path: Path, body: str) -> None:
    """Whole, damaged at any place, cut anywhere, or with a pack inside of a file."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT + body, tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
