"""The GAN: what is measured beside an independent calculation, and a run that is stopped, shared and looked at."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from data.digits import Digits
from models.mlp import Mlp
from runs import _train
from runs.gan import Gan
from runs.optim.adam import Adam
from runs.schedule.cosine import Cosine
from runs.task import gan as tasks
from runs.task._gan import noise_for

SMALL = Mlp(hidden_sizes=(16,))


def run(**more: object) -> Gan:
    task = tasks.Gan(discriminator=SMALL, discriminator_optim=Adam(lr=1e-3), discriminator_schedule=Cosine(), latent=4)
    parts = {"model": SMALL, "data": Digits(batch_size=128), "task": task, "epochs": 3, "log_every": 2}
    return Gan(**{**parts, "validate_every": 1, **more})


def test_the_distance_is_frechets(here):
    training = _train.build(run(), Path("run"), print)
    found = _train.evaluate(training, training.dataset.test)
    split = training.dataset.test
    images, _ = split.batch(torch.arange(len(split)))
    with torch.no_grad():
        made = training.module(noise_for(images, 4)).flatten(1).double().numpy()
    true = images.flatten(1).double().numpy()
    a, b = (np.cov(each, rowvar=False, bias=True) for each in (true, made))
    shared = np.sqrt(np.linalg.eigvals(a @ b).real.clip(0)).sum()  # the trace of the product's root
    wanted = np.square(true.mean(0) - made.mean(0)).sum() + np.trace(a + b) - 2 * shared
    assert found == {"frechet_distance": pytest.approx(wanted, rel=1e-4)}


def test_the_noise_is_normal_and_of_each_image_alone():
    images = torch.rand(3000, 1, 8, 8)
    noise = noise_for(images, 5)
    assert noise.shape == (3000, 5)
    assert noise.mean(0).abs().max() < 0.08
    assert (noise.T @ noise / 3000 - torch.eye(5)).abs().max() < 0.12
    assert torch.equal(noise[7:9], noise_for(images[7:9], 5))
    images[7, 0, 0, 0] += 1e-6
    assert (noise_for(images[7:8], 5) - noise[7]).abs().min() > 1e-3


def test_a_stopped_run_goes_on_to_the_same_bits(go, after_step, failed, differences):
    whole = go("whole", of=run())
    after_step(2 * 13, lambda: signal.raise_signal(signal.SIGINT))  # both networks' optimisers take one
    failed(lambda: go("run", of=run()))
    resumed = go(source="run")
    assert differences(whole.state(), resumed.state()) == []
    assert resumed.metrics == whole.metrics


@pytest.mark.parametrize("step", [1, 8, 26])
def test_a_killed_run_goes_on_to_the_same_bits(step, go, after_step, forked, die, differences):
    whole = go("whole", of=run(save_every=1))

    def killed() -> None:
        after_step(2 * step - 1, die)  # between the two halves of a step
        go("run", of=run(save_every=1))

    assert forked(killed) == -9
    resumed = go(source="run")
    assert differences(whole.state(), resumed.state()) == []


def test_two_processes_measure_what_one_does_and_train_one_network(here, ranks, go, together):
    def measure() -> None:
        from runs._processes.rendezvous import joined

        with joined(cuda=False) as own:
            training = _train.build(run(), Path("run"), print, own)
            Path(f"rank{own.rank}.json").write_text(json.dumps(_train.evaluate(training, training.dataset.test)))

    assert ranks(2, measure) == [0, 0]
    both = [json.loads(Path(f"rank{rank}.json").read_text()) for rank in (0, 1)]
    training = _train.build(run(), Path("run"), print)
    alone = _train.evaluate(training, training.dataset.test)
    assert both[0] == both[1] == {name: pytest.approx(value, rel=1e-5) for name, value in alone.items()}
    left = together(2, "both", of=run(epochs=1))
    assert left.summary["test/frechet_distance"] > 0


def test_it_shows_what_it_makes_and_comes_nearer_to_the_data(go):
    left = go("run", of=Gan(epochs=30))
    distances = [each["validation/frechet_distance"] for each in left.metrics if "validation/frechet_distance" in each]
    assert len(distances) == 3
    assert left.summary["test/frechet_distance"] < 80  # 110 untrained
    pictures = sorted((left.folder / "predictions").iterdir())
    assert [each.name for each in pictures] == ["000190.png", "000380.png", "000570.png"]
    with Image.open(pictures[-1]) as picture:
        assert picture.size[0] > 400
    assert [name for name in left.metrics[0] if "train/" in name] == ["train/loss", "train/discriminator_loss"]
