"""Hydra's options on the command line, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests import warm
from tests.cn.hydra_compat.tree import ROOT, TREE, plant


def command(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    return warm.config().run(["train.py", *words], cwd=folder, env=variables)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plant(tmp_path, TREE)
    return tmp_path


def written(folder: Path) -> list[str]:
    """The files that a command left."""
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return sorted(files - set(TREE))


@pytest.mark.slow
def test_hydra_run_dir_decides_the_folder_and_no_yaml_is_written(folder: Path) -> None:
    done = command(folder, "hydra.run.dir=out/x", "model=vit")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Default 1 {folder}/out/x model=vit\n"
    assert written(folder) == ["out/x/train.log"]


@pytest.mark.slow
@pytest.mark.parametrize("flag", ["--help", "--cfg=job"])
def test_hydras_options_change_nothing_in_what_is_shown_of_the_run(folder: Path, flag: str) -> None:
    alone = command(folder, flag, "model=vit")
    beside = command(folder, flag, "--config-dir=.", "hydra.run.dir=out/x", "model=vit")
    assert (beside.returncode, beside.stdout, beside.stderr) == (0, alone.stdout, "")
    assert written(folder) == []


@pytest.mark.slow
def test_the_folder_may_be_named_after_choices_values_and_overrides(folder: Path) -> None:
    name = "${hydra:runtime.choices.model}-${model.dim}-${warmup}-${hydra:runtime.choices.callbacks}"
    done = command(folder, f"hydra.run.dir={name}/${{hydra.job.override_dirname}}", "model=vit", "callbacks=[stop]")
    assert (done.returncode, done.stderr) == (0, "")
    assert written(folder) == ["vit-192-5-['stop']/callbacks=[stop],model=vit/train.log"]


@pytest.mark.slow
def test_yaml_is_written_where_it_is_asked_for(folder: Path) -> None:
    assert command(folder, "hydra.run.dir=out", "hydra.output_subdir=.hydra").returncode == 0
    assert written(folder) == [
        "out/.hydra/config.yaml",
        "out/.hydra/hydra.yaml",
        "out/.hydra/overrides.yaml",
        "out/train.log",
    ]


@pytest.mark.slow
def test_every_form_of_override_works_beside_hydras_own(folder: Path) -> None:
    words = ["run=preset", "teacher=null", "~callbacks.mine", "+callbacks/more=stop", "warmup=3", "steps=1e3"]
    words += ["seed=${model.dim}", "model.pattern='a, ${model.dim}'"]
    done = command(folder, "hydra.run.dir=out", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Preset 96 {folder}/out {' '.join(words)}\n"


@pytest.mark.slow
def test_an_interpolation_is_of_each_run_of_a_sweep(folder: Path) -> None:
    done = command(folder, "-m", "hydra.sweep.dir=s", "model=vit", "model.dim=1,2", "seed=${model.dim}")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Default 2 {folder}/s/1 model=vit model.dim=2 seed=${{model.dim}}\n" in done.stdout


@pytest.mark.slow
def test_a_launcher_runs_every_combination_and_no_yaml_is_written(folder: Path) -> None:
    done = command(
        folder, "-m", "hydra/launcher=basic", "hydra.sweep.dir=s", "seed=1,2", "model=glob(m*)", "callbacks=null"
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = [line for line in done.stdout.splitlines() if "HYDRA" not in line]
    assert said == [
        f"Default 1 {folder}/s/0 seed=1 model=mlp callbacks=null",
        f"Default 2 {folder}/s/1 seed=2 model=mlp callbacks=null",
        "",
        "no.  seed  result",
        "---  ----  ------",
        "0    1     1.0000",
        "1    2     2.0000",
    ]
    assert written(folder) == ["s/0/train.log", "s/1/train.log"]


@pytest.mark.slow
def test_batches_are_no_larger_than_asked(folder: Path) -> None:
    done = command(folder, "-m", "hydra.sweeper.max_batch_size=2", "hydra.sweep.dir=s", "seed=range(3)")
    assert done.stdout.count("[HYDRA] Launching 2 jobs locally") == 1
    assert done.stdout.count("[HYDRA] Launching 1 jobs locally") == 1
    assert written(folder) == ["s/0/train.log", "s/1/train.log", "s/2/train.log"]


@pytest.mark.slow
def test_a_run_that_fails_does_not_stop_the_others(folder: Path) -> None:
    done = command(folder, "-m", "hydra.sweep.dir=s", "steps=13,100")
    assert done.returncode == 1
    assert done.stdout.endswith(
        "no.  steps  result\n---  -----  ----------------------------\n"
        "0    13     failed: 13 steps are too few\n1    100    1.0000\n"
    )
    assert done.stderr == "Error executing job with overrides: ['steps=13']\n1 of 2 runs failed\n"


@pytest.mark.slow
def test_a_run_that_fails_says_what_it_says_without_hydra(folder: Path) -> None:
    done = command(folder, "hydra.run.dir=out", "steps=13")
    assert done.returncode == 1
    assert done.stderr == "Error executing job with overrides: ['steps=13']\n13 steps are too few\n  see: the log\n"


@pytest.mark.slow
@pytest.mark.parametrize("words", [["hydra.run.dir=out", "steps=14"], ["-m", "hydra.sweep.dir=out", "steps=14,15"]])
def test_a_bug_in_the_program_keeps_its_traceback(folder: Path, words: list[str]) -> None:
    done = command(folder, *words)
    assert done.returncode == 1
    assert "Traceback (most recent call last):" in done.stderr
    assert done.stderr.endswith("ValueError: a bug\n")


WRONG = {  # `…` stands for words of Hydra's that are not the same in all its versions
    "hydra.run.dir=out model=vt": (
        "model=vt: no model is called 'vt'\n"
        "  options are the subclasses of Model (models/__init__.py:3)\n"
        "  nearest: vit"
    ),
    "hydra.run.dir=out seed=x": "seed=x: seed is int, not 'x'\n  defined in runs/__init__.py:12",
    "-m hydra.sweep.dir=out seed=1,x": "seed=x: seed is int, not 'x'\n  defined in runs/__init__.py:12",
    "hydra.run.dir=out seed=1,2": (
        "seed=1,2 stands for several runs, and one was asked for\n"
        "  for one run each: python train.py -m hydra.run.dir=out seed=1,2\n"
        "  for one list: 'seed=[1,2]'"
    ),
    "hydra.run.dir": ("'hydra.run.dir' cannot be read as NAME=VALUE\n  write: hydra.run.dir=VALUE"),
    "hydra/launcher=basik": (
        "In 'hydra/config': Could not find 'hydra/launcher/basik'\n  nearest: basic\n  see: python train.py --cfg hydra"
    ),
    "-m hydra/sweeper=optuna seed=1,2": (
        "In 'hydra/config': Could not find 'hydra/sweeper/optuna'\n"
        "  it comes with a plugin: pip install hydra-optuna-sweeper\n  see: python train.py --cfg hydra"
    ),
    "hydra/launcher=submitit_slurm": (
        "In 'hydra/config': Could not find 'hydra/launcher/submitit_slurm'\n"
        "  it comes with a plugin: pip install hydra-submitit-launcher\n  see: python train.py --cfg hydra"
    ),
    "-m hydra.sweep.dir=[out seed=1,2": (
        "'hydra.sweep.dir=[out' cannot be read as NAME=VALUE\n  '[' is not closed\n  write: 'hydra.sweep.dir=[out]'"
    ),
    "--cfg hydra hydra.run.dir=a=b": (
        "'hydra.run.dir=a=b' cannot be read as NAME=VALUE\n"
        "  its letter 16, '=', must be quoted\n  write: 'hydra.run.dir=\"a=b\"'"
    ),
    "--info all hydra.run.dir=#": (
        "'hydra.run.dir=#' cannot be read as NAME=VALUE\n"
        "  its letter 15, '#', must be quoted\n  write: 'hydra.run.dir=\"#\"'"
    ),
    "hydra.run.dir='${a..}'": "a ${...} cannot be read\n  see: python train.py --cfg hydra",
    "hydra/launcher=null": (
        "Config group override must be a string or a list. Got NoneType\n  see: python train.py --cfg hydra"
    ),
    "hydra.run.dirr=out": (
        "Could not override 'hydra.run.dirr'.\n"
        "  To append to your config use +hydra.run.dirr=out\n"
        "  Key 'dirr' not in 'RunDir'…\n"
        "  see: python train.py --cfg hydra"
    ),
    "hydra.run.dir=${nothing}": ("hydra.run.dir: there is no nothing\n  see: python train.py --cfg hydra"),
    "hydra.run.dir=${oc.env:NOWHERE}": (
        "hydra.run.dir: the environment has no NOWHERE\n"
        "  to have a value without it: '${oc.env:NOWHERE,VALUE}'\n  see: python train.py --cfg hydra"
    ),
    "-m hydra.launcher._target_=nowhere.Launcher seed=1,2": (
        "RuntimeError: …'nowhere.Launcher'…\n  see: python train.py --cfg hydra"
    ),
    "-m hydra.job.name=a,b": (
        "Sweeping over Hydra's configuration is not supported : 'hydra.job.name=a,b'\n"
        "  see: python train.py --cfg hydra"
    ),
    "--info defaults run=preset teacher=null": (
        "Config group override must be a string or a list. Got NoneType\n"
        "  what --info shows is how plain Hydra composes, and its grammar is smaller\n"
        "  see: python train.py --cfg hydra"
    ),
    "--info plugin": "--info plugin is not known\n  nearest: plugins",
    "--info plugins --cfg hydra": "--cfg and --info do not go together; keep one of them",
    "--config-name mine": (
        "--config-name mine: a run is a class, chosen by its name\n"
        "  choose from: default, nested/deep, other, preset\n  see: python train.py --help"
    ),
    "--config-path site": (
        "--config-path site: runs are classes, and are read from no folder of YAML files\n"
        "  to make classes of them: python -m cn import site --into NEW\n"
        "  for Hydra's own settings: --config-dir site"
    ),
    "--config-dir nowhere": "--config-dir nowhere is not a folder",
    "--experimental-rerun nowhere": "--experimental-rerun nowhere: there is no such file",
    "--cfg hydra -p hydra.nothing": "--package hydra.nothing: there is nothing at hydra.nothing",
}


@pytest.mark.slow
@pytest.mark.parametrize("words", WRONG)
def test_a_mistake_gets_one_clear_text_and_leaves_nothing(folder: Path, words: str) -> None:
    done = command(folder, *words.split())
    pattern = ".*".join(map(re.escape, WRONG[words].split("…")))
    assert re.fullmatch(pattern + "\n", done.stderr), done.stderr
    assert done.returncode == 2
    assert [name for name in written(folder) if not name.startswith("outputs/")] == []


@pytest.mark.slow
def test_a_tilde_in_hydras_folder_is_the_home_folder(folder: Path) -> None:
    home = folder / "home"
    home.mkdir()
    done = command(folder, "hydra.run.dir='~/one'", HOME=str(home))
    assert (done.returncode, done.stderr) == (0, "")
    assert (home / "one").is_dir()
    assert not (folder / "~").exists()


@pytest.mark.slow
def test_hydras_traceback_is_there_for_who_asks(folder: Path) -> None:
    done = command(folder, "hydra/launcher=nope", HYDRA_FULL_ERROR="1")
    assert done.returncode == 1
    assert "hydra.errors.MissingConfigException: In 'hydra/config': Could not find 'hydra/launcher/nope'" in done.stderr


SHOWN = {
    "--info plugins": "BasicLauncher",
    "--info searchpath": "structured://",
    "--info defaults run=preset": "| model/_/preset ",
    "--info defaults-tree": "run: default:",
    "--info config model=vit": "dim: 192",
    "--info": "Installed Hydra Plugins",
    "--hydra-help": "== Flags ==",
    "--cfg hydra": "hydra:\n  run:\n    dir: outputs/",
    "--cfg all model=vit": "colour: RED",
    "--cfg hydra -p hydra.run hydra.run.dir=x": "# @package hydra.run\ndir: x\n",
    "--cfg hydra --resolve -p hydra.job.override_dirname seed=3": "seed=3\n",
    "--cfg job hydra.run.dir=x seed=3": "    seed=3,",
    "--help hydra.run.dir=x": "python train.py [NAME=VALUE ...]",
}


@pytest.mark.slow
@pytest.mark.parametrize("words", SHOWN)
def test_what_hydra_shows(folder: Path, words: str) -> None:
    done = command(folder, *words.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert SHOWN[words] in done.stdout
    assert written(folder) == []


@pytest.mark.slow
def test_a_folder_of_hydras_own_files_may_be_added(folder: Path) -> None:
    (folder / "site" / "hydra" / "launcher").mkdir(parents=True)
    (folder / "site/hydra/launcher/ours.yaml").write_text(
        "_target_: hydra._internal.core_plugins.basic_launcher.BasicLauncher\n"
    )
    done = command(folder, "--config-dir", "site", "-m", "hydra/launcher=ours", "hydra.sweep.dir=s", "seed=1,2")
    assert (done.returncode, done.stderr) == (0, "")
    assert "s/1/train.log" in written(folder)


PLUGIN = """
    import pickle
    from hydra._internal.core_plugins.basic_launcher import BasicLauncher, BasicLauncherConf
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.config_store import ConfigStore
    class Away(BasicLauncher):
        def launch(self, job_overrides, initial_job_idx):
            self.__dict__.update(pickle.loads(pickle.dumps(self.__dict__)))
            return super().launch(job_overrides, initial_job_idx)
    class Backwards(BasicSweeper):
        def sweep(self, arguments):
            self.max_batch_size, self.overrides = None, None
            for seed in (2, 1):
                words = [f"seed={seed}" if each.startswith("seed=") else each for each in arguments]
                self.validate_batch_is_legal([words])
                print("returned", self.launcher.launch([words], initial_job_idx=seed)[0].return_value)
    store = ConfigStore.instance().store
    store("away", {"_target_": "hydra_plugins.ours.Away"}, group="hydra/launcher")
    store("backwards", {"_target_": "hydra_plugins.ours.Backwards", "max_batch_size": None}, group="hydra/sweeper")
"""


@pytest.mark.slow
def test_a_launcher_of_a_plugin_may_send_jobs_elsewhere(folder: Path) -> None:
    plant(folder, {"hydra_plugins/ours.py": PLUGIN})
    done = command(folder, "-m", "hydra/launcher=away", "hydra.sweep.dir=s", "seed=1,2", "callbacks=null")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Default 2 {folder}/s/1 seed=2 callbacks=null\n" in done.stdout


@pytest.mark.slow
def test_a_sweeper_of_a_plugin_gets_the_words_as_they_are(folder: Path) -> None:
    plant(folder, {"hydra_plugins/ours.py": PLUGIN})
    words = ["-m", "hydra/sweeper=backwards", "hydra.sweep.dir=s", "seed=interval(1,2)", "teacher=null", "steps=5"]
    done = command(folder, *words)
    assert (done.returncode, done.stderr) == (0, "")
    said = [line for line in done.stdout.splitlines() if "HYDRA" not in line]
    assert said == [
        f"Default 2 {folder}/s/2 seed=2 teacher=null steps=5",
        "returned 2.0",
        f"Default 1 {folder}/s/1 seed=1 teacher=null steps=5",
        "returned 1.0",
    ]
    done = command(folder, *words, "stepps=5")
    assert done.stderr.startswith("stepps=5: Default has no field 'stepps'\n")
    assert done.returncode == 2


@pytest.mark.slow
def test_only_the_files_that_are_chosen_are_imported(folder: Path) -> None:
    plant(folder, {"models/broken.py": "raise OSError('no')"})
    done = command(folder, "hydra.run.dir=out", "model=vit")
    assert (done.returncode, done.stderr) == (0, "")


KEEP = """
    import pickle
    from pathlib import Path
    from hydra.experimental.callback import Callback
    class Keep(Callback):
        def on_job_start(self, config, **more):
            folder = Path(config.hydra.runtime.output_dir, config.hydra.output_subdir)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "config.pickle").write_bytes(pickle.dumps(config))
"""


@pytest.mark.slow
def test_a_job_that_hydra_pickled_can_be_run_again(folder: Path) -> None:
    plant(folder, {"keep.py": KEEP})  # which Hydra 1.3 has as one of its own, and 1.4 has not
    callback = "+hydra.callbacks.keep._target_=keep.Keep"
    assert command(folder, "hydra.run.dir=out", "hydra.output_subdir=info", callback, "seed=4").returncode == 0
    done = command(folder, "--experimental-rerun", "out/info/config.pickle")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Default 4 {folder}/out seed=4\n"
