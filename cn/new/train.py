"""python train.py model=line data.noise=0.2      (--help shows what can be chosen and set)"""

from __future__ import annotations

from cn import Job, main
from runs import Run


def train(run: Run, job: Job) -> dict[str, float]:
    """What a run measures: the root of the mean squared error on the test points. Its folder is `job.folder`."""
    known, new = run.data.points(run.seed)
    predict = run.model.fit(known)
    error = (sum((predict(x) - y) ** 2 for x, y in new) / len(new)) ** 0.5
    print(f"{type(run.model).__name__} on {type(run.data).__name__}: test error {error:.4f}, in {job.folder}")
    return {"rmse": error}


if __name__ == "__main__":
    main(train)
