"""Programs that tell what Python did for them, as one line of JSON at the end of what they print."""

WATCH = '''\
"""Runs train.py of this folder with the words given: the modules it imported, and the files below it touched."""

import json
import os
import runpy
import sys

HERE = os.getcwd() + os.sep
touched = []


def note(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], (str, bytes)):
        path = os.path.abspath(os.fsdecode(arguments[0])) + os.sep
        if path.startswith(HERE):
            touched.append(f"{event} {path[len(HERE):]}")


sys.path[0] = HERE
sys.argv[0] = "train.py"
sys.addaudithook(note)
try:
    runpy.run_path("train.py", run_name="__main__")
except SystemExit:
    pass
print()
print(json.dumps({"modules": sorted(sys.modules), "touched": touched}))
'''

COMPOSE = '''\
"""Registers all nodes of this folder and composes: the calls that took, and the entries of the ConfigStore it built.

With the word `hydra`, Hydra itself composes.
"""

import gc
import json
import os
import sys

sys.path[0] = os.getcwd()

import hydra
from hydra.core.config_store import ConfigStore

import cn
from cn.discovery import discover
from cn.hydra_compat.options import prepare
from models import Model
from runs import Run

words = ["model=m0005", "model/head=largest", "model.width=96", "seed=3"]
registered = len(discover.options((Model,))[0])
calls = 0


def note(frame, event, argument):
    global calls
    calls += event in ("call", "c_call")


def built(folder, path=""):
    for name, entry in folder.items():
        if isinstance(entry, dict):
            yield from built(entry, f"{path}{name}/")
        elif entry.provider == "cn" and getattr(entry, "_node", None) is not None:
            yield path + name.removesuffix(".yaml")


if sys.argv[1:] == ["hydra"]:
    prepare(Run)
    with hydra.initialize(version_base="1.3", config_path=None):
        hydra.compose("config", words)
else:
    cn.compose(Run, words)  # what is worked out once is worked out here
    gc.disable()  # what it finalises would be counted
    sys.setprofile(note)
    cn.compose(Run, words)
    sys.setprofile(None)
print(json.dumps({"registered": registered, "calls": calls, "built": sorted(built(ConfigStore.instance().repo))}))
'''
