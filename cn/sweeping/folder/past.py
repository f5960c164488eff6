"""The state from which a trial begins: that which another trial of the sweep had after a step."""

from __future__ import annotations

from cn.job import Past
from cn.run_folder.branches import branch
from cn.sweeping.folder.batches import Trial
from cn.sweeping.folder.store import Store


def state_before(store: Store, trial: Trial) -> Past | None:
    """Return where the state is from which a trial begins; None if it begins at step 0, or the state is not there.

    The other trial left it on its way, or ended in it.
    """
    if not trial.past:
        return None
    other = store.folder / trial.past
    kept = branch(other, trial.after)
    if kept.is_dir():
        return Past(kept, trial.after)
    return Past(other, trial.after) if store.is_finished_in(other) else None
