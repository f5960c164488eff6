"""A folder of nodes that hides a module of Python's is told in one line, whatever is imported first."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cn.conftest import python, start

pytestmark = pytest.mark.slow

PART = python("from cn import CN", "class Part(CN):", "    size: int = 1")
RUN = "from cn import CN\nfrom {folder} import Part\nclass Run(CN):\n    part: Part = Part()\n"
TRAIN = """
{first}
from cn import Job, main
from runs import Run

def train(run: Run, job: Job) -> None:
    print(run)

if __name__ == "__main__":
    main(train)
"""


def project(node_tree: Any, folder: str, first: str = "") -> Any:
    return node_tree(
        {
            f"{folder}/__init__.py": PART,
            f"{folder}/small.py": f"from {folder} import Part\nclass Small(Part): ...\n",
            "runs/__init__.py": RUN.format(folder=folder),
            "runs/default.py": "from runs import Run\nclass Default(Run): ...\n",
            "train.py": TRAIN.format(first=first),
        }
    )


@pytest.mark.parametrize("first", ["", "import logging.handlers", "import random, tempfile", "from runs import Run"])
@pytest.mark.parametrize("folder", ["queue", "types", "random", "re", "json", "typing", "code", "hydra", "yaml"])
def test_a_folder_that_hides_a_module_is_named_in_one_line(node_tree: Any, folder: str, first: str) -> None:
    if folder in ("re", "json", "typing", "random") and first.startswith("import"):
        first = ""  # which import such a module before `cn` is reached
    root = project(node_tree, folder, first)
    whose = "Hydra" if folder in ("hydra", "yaml") else "Python"
    told = f"{folder}/ holds nodes, and {folder} is a module of {whose}'s own: rename the folder\n"
    done = start(root, "train.py")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", told)
    done = start(root, "train.py", "--help")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", told)


def test_it_is_found_from_wherever_the_program_is_started(node_tree: Any) -> None:
    root = project(node_tree, "queue")
    told = "queue is a module of Python's own: rename the folder\n"
    (root / "deep").mkdir()
    for words in (["-c", "import cn"], ["-c", "import runs.default"], ["-m", "runs.default"]):
        done = start(root, *words)
        assert (done.returncode, done.stderr) == (2, f"queue/ holds nodes, and {told}"), words
    done = start(root / "deep", "../train.py")
    assert (done.returncode, done.stderr) == (2, f"../queue/ holds nodes, and {told}")


def test_a_contract_in_a_file_of_its_own_counts(node_tree: Any) -> None:
    root = node_tree({"queue/base.py": PART, "train.py": "from cn import CN\nfrom queue.base import Part\n"})
    done = start(root, "train.py")
    assert done.stderr == "queue/ holds nodes, and queue is a module of Python's own: rename the folder\n"


def test_what_hides_nothing_is_left_alone(node_tree: Any) -> None:
    root = node_tree(
        {
            "parts/__init__.py": PART,
            "parts/queue/__init__.py": "from cn import CN\nclass Inner(CN): ...\n",
            "runs/__init__.py": RUN.format(folder="parts"),
            "runs/default.py": "from runs import Run\nclass Default(Run): ...\n",
            "train.py": TRAIN.format(first=""),
            "code/look.py": "from cn import load\n",
            "profile/__init__.py": "# from cn import CN\n",
            "site/notes.txt": "from cn import CN\n",
            "queues/__init__.py": PART,
        }
    )
    done = start(root, "train.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Default(part=Part(size=1))\n"
