"""A program whose processes ask a search for points at once: `NAME WORKERS KILLS SECONDS`.

Each process ends the trials of its point at once. KILLS of the processes are killed at random moments, SECONDS apart at
the most, and a new one takes the place of each.
"""

ASKERS = '''\
"""Many processes ask for points at once, and end the trial of each at once; some are killed at random moments."""

import os, random, signal, sys, time

from cn.nodes.to_json import plain
from cn.sweeping.folder.batches import Batch
from cn.sweeping.folder.store import Report
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.job.ask import Asker
from cn.sweeping.planning.named import find

name, *numbers, longest = sys.argv[1:]
workers, kills = map(int, numbers)
named = find(name)
batch = Batch("0001-abcd", "", "", {}, os.getcwd(), None, None, None, (), goal=plain(named.goal),
              search=plain(named.sweep))


def begin(job):
    pid = os.fork()
    if pid == 0:
        asker = Asker(named.store, batch, job)
        while (number := asker.ask()) is not None:
            (point,) = [each for each in asker.points.every() if each.number == number]
            for trial in point.trials:
                named.store.at(trial).mkdir(parents=True, exist_ok=True)
                named.store.set_report(trial, Report(TrialStatus.DONE, batch.label, "", "", "", value=0.5))
        os._exit(0)
    return pid


alive = {begin(job) for job in range(workers)}
moments = random.Random(0)
for _ in range(kills):
    time.sleep(moments.uniform(0, float(longest)))
    pid = moments.choice(sorted(alive))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    alive = alive - {pid} | {begin(workers)}
for pid in alive:
    assert os.waitpid(pid, 0)[1] == 0
'''
