"""Bring the working tree from one tree to another, and lose nothing that is stored nowhere.

A checkout is planned whole before the first file is touched. The plan looks at every file that
differs between the two trees and decides by content:

    what the working tree has          what happens
    what the new tree wants            nothing; it is adopted
    what the old tree has              replaced or removed
    nothing                            written
    anything else                      the whole checkout is refused, naming it

Changes to files that are the same in both trees are carried over untouched, staged ones too, as
in git. Unlike git, an ignored file is not fair game: it is stored nowhere either.

Removals come first, then writes, each file by its own temp and rename (`Placer`). After a kill
(see `checkout_record`) a file may also be as in the tree that was being checked out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from muse.core.checkout_plan import CheckoutPlan, LocalFiles, plan_checkout, unpack_key
from muse.core.file_content import StatKey
from muse.core.object_store import ObjectStore
from muse.core.placing import Placer
from muse.core.types import Progress, RawId

__all__ = ["CheckoutPlan", "LocalFiles", "apply_checkout", "plan_checkout"]

# Told of each file that is now as the tree wants it; the key is None when it is gone.
Placed = Callable[[bytes, StatKey | None, RawId | None], None]


def apply_checkout(
    root: Path,
    store: ObjectStore,
    plan: CheckoutPlan,
    *,
    placed: Placed,
    sync: bool = False,
    progress: Progress | None = None,
) -> None:
    """Do what was planned.

    Args:
        root: The working tree.
        store: Where content comes from.
        plan: From `plan_checkout`, a moment ago.
        placed: Told of each file that is now as wanted.
        sync: Make each file durable by itself; for few files.
        progress: Called with (files done, files in all).

    Raises:
        ConflictError: Somebody changed a file since the plan; it was left as it is.
        IoFailedError: The system refused; what was done so far stays.

    Durability:
        Killed at any point: each file is as it was or as it will be, whole.
    """
    total, done = plan.touches, 0
    with Placer(root, store, sync=sync) as placer:
        for folder in plan.folders:
            placer.remove_own_temps(folder)
        for path, packed in plan.removals:
            placer.remove(path, over=unpack_key(packed))
            placed(path, None, None)
            done += 1
            if progress is not None:
                progress(done, total)
        emptied = {path.rpartition(b"/")[0] for path, _ in plan.removals}
        for folder in sorted(emptied | plan.folders, reverse=True):
            placer.remove_empty_folders(folder)
        for folder in plan.hollow:
            placer.remove_hollow_folder(folder)
        for path, key, raw in plan.adopted:
            placed(path, key, raw)
        for path, mode, raw, over in plan.writes:
            placed(path, placer.write(path, mode, raw, over=unpack_key(over)), raw)
            done += 1
            if progress is not None:
                progress(done, total)
        placer.sync_folders()
