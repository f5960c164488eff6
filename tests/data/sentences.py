"""Small files in the layout in which each task of GLUE is published."""

from __future__ import annotations

import random
from pathlib import Path

import data.glue

HEADERS = {  # of train.tsv, as published; None: there is none
    "CoLA": None,
    "SST-2": "sentence\tlabel",
    "MRPC": "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String",
    "STS-B": "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore",
    "QQP": "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate",
    "MNLI": "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse"
    "\tsentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label",
    "QNLI": "index\tquestion\tsentence\tlabel",
    "RTE": "index\tsentence1\tsentence2\tlabel",
    "WNLI": "index\tsentence1\tsentence2\tlabel",
}
FIVE = "label1\tlabel2\tlabel3\tlabel4\tlabel5\tgold_label"  # of MNLI's dev files
COLA = ("source", "label", "mark", "sentence")
WORDS = ("a", "cat", "dog", "sees", "runs", "quickly", "and", "the", "old", "house", '"well', "it's")


def write(root: Path, node: type[data.glue.Glue], *, train: int = 60, test: int = 21, seed: int = 0) -> Path:
    """The files of a task, with so many rows in each part; a label follows from whether a sentence has a dog in it."""
    layout = node().layout()
    folder = root / layout.folder
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(seed)
    for name, rows in (("train.tsv", train), (layout.test, test), *((each, test) for each in layout.others.values())):
        header = HEADERS[layout.folder]
        if layout.folder == "MNLI" and name != "train.tsv":
            assert header is not None
            header = header.replace("label1\tgold_label", FIVE)
        columns = COLA if header is None else header.removeprefix("\ufeff").split("\t")
        lines = [] if header is None else [header]
        for row in range(rows):
            texts = [" ".join(draw.choices(WORDS, k=draw.randint(1, 12))) for _ in layout.sentences]
            dogs = sum("dog" in each for each in texts)
            label = (
                list(layout.classes)[min(dogs, len(layout.classes) - 1)] if layout.classes else f"{dogs + row / 99:.3f}"
            )
            cells = dict.fromkeys(columns, str(row)) | dict(zip(layout.sentences, texts, strict=True))
            lines.append("\t".join((cells | {layout.label: label}).values()))
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root
