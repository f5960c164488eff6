"""python train.py model=vit data=cifar optim.lr=3e-4      (--help shows what can be chosen and set)"""

from cn import Job, main
from runs import Run
from runs._launch import launch


def train(run: Run, job: Job) -> float:
    """The score of the run: its test accuracy."""
    from runs._request import announce, asked

    request = asked(run, job)  # what makes no sense is refused here, before torch is imported
    announce(run)
    from runs._train import train

    return train(run, job, request)


if __name__ == "__main__":
    main(train, folder=False, launcher=launch)
