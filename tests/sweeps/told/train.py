"""Counts as a run of `Told` says, and fails where it is told to."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

from cn import Diverged, Job, RunError, main
from runs import Run
from runs._launch import launch


def train(run: Run, job: Job) -> float:
    from cn.run_folder.branches import carry, leave
    from cn.run_folder.folder import create
    from runs._processes.stop import Stop
    from runs._request import asked

    source, resumed, _ = asked(run, job)
    folder = source if resumed else create(run, job)
    last = folder / "last.pt"
    if job.past is not None and not resumed:
        carry(job.past.folder, folder, ["last.pt", "metrics.jsonl"])
    step = int(last.read_text()) if last.exists() else 0
    print("begins after step", step, "sees", os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
    gpu, node = os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("SLURMD_NODENAME")
    with (folder / "begun").open("a+") as file:
        file.seek(0)
        pids = [json.loads(line).get("pid") for line in file]
        alive = [pid for pid in pids if pid and os.path.exists(f"/proc/{pid}")]
        note = {"step": step, "pid": os.getpid(), "gpu": gpu, "node": node, "time": time.time(), "alive": alive}
        print(json.dumps(note), file=file)
    stop = Stop()
    with stop, (folder / "metrics.jsonl").open("a") as metrics:
        stop.looping = True
        while step < run.steps:
            if run.act and step == run.at:
                act(run.act)
            while run.act == "hold" and step == run.at and os.path.exists("outputs/hold") and not stop.asked:
                time.sleep(0.02)
            time.sleep(run.pause)
            step += 1
            print(json.dumps({"step": step, "validation/accuracy": step / run.steps}), file=metrics, flush=True)
            last.with_suffix(".part").write_text(str(step))
            last.with_suffix(".part").replace(last)
            if step in job.branches:
                leave(folder, step, ["last.pt", "metrics.jsonl"])
            if stop.asked:
                error = RunError(f"stopped by {stop.asked} after step {step}")
                error.status = stop.status
                raise error
    value = run.value
    summary = {"state": "finished", "best/validation/accuracy": value, "step": step, "steps": run.steps}
    (folder / "summary.part").write_text(json.dumps(summary))
    (folder / "summary.part").replace(folder / "summary.json")
    with (folder / "begun").open("a") as file:
        print(json.dumps({"ended": time.time()}), file=file)
    return value


def act(how: str) -> None:
    print("is about to", how, flush=True)
    if how == "raise":
        raise ZeroDivisionError("no number is divided by 0")
    if how == "diverge":
        raise Diverged("the loss is nan in the steps up to 1")
    if how == "exit":
        sys.exit(3)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "heedless":
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    taken = b"x" * (1500 * 2**20) if how == "memory" else b""
    while how == "fill":
        print("fills the disk " * 200, flush=True)
    while how == "stubborn" and os.path.exists("outputs/hold"):
        time.sleep(0.02)
    if taken or how in ("hang", "heedless"):
        time.sleep(3600)


if __name__ == "__main__":
    main(train, folder=False, launcher=launch)
