"""Push of everything and of one commit, and clone, through an S3 server on this machine.

git goes to a folder beside it, which is for scale only: it has no such remote. The server is one
written in Python, which answers in milliseconds and takes most of the time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from shutil import rmtree

from benchmarks.measure import Side, run_once
from benchmarks.rows import Row
from benchmarks.rows_push import commit_before, removed_before
from benchmarks.workshop import GIT, GIT_INIT, MUSE, Workshop
from tests.remotes.s3_server import BUCKET, environment, run_server


def rows(workshop: Workshop) -> Iterator[Row]:
    """To and from a bucket; git to and from a bare repository."""
    with run_server() as address:
        os.environ.update(environment(address))
        for files in workshop.sizes:
            pair = workshop.pair(files)
            base = workshop.folder(f"store-{files}")
            url = f"s3://{BUCKET}/{files}"
            run_once([*GIT_INIT, "--bare", str(base / "git")], cwd=base)
            for tool, folder in pair.sides:
                place = url if tool == MUSE else str(base / "git")
                run_once([tool, "remote", "add", f"store-{files}", place], cwd=folder)
            to = ["-u", f"store-{files}", "main"]
            yield workshop.versus(
                "push of everything to S3", files,
                Side([MUSE, "push", *to], pair.ours), Side([GIT, "push", "-q", *to], pair.theirs),
                runs=1, warmup=0, counted=False, other="git to a folder",
            )  # fmt: skip
            ours, theirs = (
                commit_before(tool, folder, change)
                for (tool, folder), change in zip(pair.sides, pair.next_change(), strict=True)
            )
            yield workshop.versus(
                "push of one commit to S3", files,
                Side([MUSE, "push"], pair.ours, ours),
                Side([GIT, "push", "-q"], pair.theirs, theirs),
                counted=False, other="git to a folder",
            )  # fmt: skip
            yield workshop.versus(
                "clone from S3", files,
                Side([MUSE, "clone", url, "c-muse"], base, removed_before(base / "c-muse")),
                Side(
                    [GIT, "clone", "-q", "--no-local", str(base / "git"), "c-git"],
                    base, removed_before(base / "c-git"),
                ),
                runs=workshop.runs_for(files), warmup=0, counted=False, other="git from a folder",
            )  # fmt: skip
            rmtree(base)
