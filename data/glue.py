"""python train.py run=glue data=glue/cola data.root=DIR"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cn.immutable import Immutable
from data import Data, Share, check_source
from data.tokenizer import Tokenizer
from data.tokenizer.characters import Characters

if TYPE_CHECKING:
    from data import Dataset

ADDRESS = "https://dl.fbaipublicfiles.com/glue/data/"  # of the archives published by GLUE's authors
ENTAILMENT = {"entailment": "entailment", "not_entailment": "not_entailment"}


class Layout(Immutable):
    """The file format of a task: tab-separated columns without quotes."""

    folder: str  # name of the task's folder, in GLUE's folder and in the archive
    classes: Mapping[str, str]  # label in the file -> class name, in order of class number; empty: scores
    sentences: tuple[str, ...] = ("sentence1", "sentence2")  # columns of the one or two sentences
    label: str = "label"  # column of the label or score
    header: tuple[str, ...] | None = None  # column names, if the first line lacks them
    gaps: bool = False  # whether incomplete rows occur; they are skipped
    test: str = "dev.tsv"
    others: Mapping[str, str] = {}  # further test files, by name
    archive: tuple[str, str] | None = None  # name and md5; None: no known archive


class Glue(Data):
    """A task of GLUE (Wang et al. 2018, arXiv:1804.07461) from its published files: sentences or pairs of them.

    The published labels of GLUE's own test are secret, so the test part is what GLUE calls dev, and the validation is
    held out of its training rows.
    """

    batch_size: int = 32  # rows a step, of similar lengths
    root: Path | None = None  # folder of CoLA/train.tsv, ... or CoLA.zip; default: fetched once into this user's cache
    mirror: str | None = None  # http address of a folder with the same archives; default: where they were published
    tokenizer: Tokenizer = Characters()
    length: int = 128  # tokens of the longest sequence, [CLS] and [SEP] among them; the longer sentence is cut first
    validation: Share = 0.1  # fraction of the training rows that is held out

    _holds = ("tokens", "classes")
    _metrics = ("accuracy",)

    @abstractmethod
    def layout(self) -> Layout:
        """Return the file format of the task."""

    def check(self) -> None:
        check_source(self.root, self.mirror)
        pair = len(self.layout().sentences) == 2
        least, form = (5, "[CLS] a [SEP] b [SEP]") if pair else (3, "[CLS] a [SEP]")
        if self.length < least:
            raise ValueError(f"length is {self.length}, and must be at least {least} tokens: {form}")

    def build(self, *, seed: int) -> Dataset:
        from data._glue import find, load

        return load(
            find(self.layout(), root=self.root, address=self.mirror or ADDRESS),
            self.layout(),
            tokenizer=self.tokenizer,
            length=self.length,
            validation=self.validation,
            seed=seed,
        )


class Cola(Glue):
    """Whether a sentence is English: 8551 training rows, 1043 of the test (Warstadt et al. 2019, arXiv:1805.12471)."""

    _metrics = ("matthews", "accuracy")

    def layout(self) -> Layout:
        return Layout(
            folder="CoLA",
            header=("source", "label", "mark", "sentence"),
            sentences=("sentence",),
            classes={"0": "unacceptable", "1": "acceptable"},
            archive=("CoLA.zip", "b178a7c2f397b0433c39c7caf50a3543"),
        )


class Sst2(Glue):
    """Whether a phrase of a review praises: 67349 training rows, 872 of the test (Socher et al. 2013)."""

    def layout(self) -> Layout:
        return Layout(
            folder="SST-2",
            sentences=("sentence",),
            classes={"0": "negative", "1": "positive"},
            archive=("SST-2.zip", "9f81648d4199384278b86e315dac217c"),
        )


class Mrpc(Glue):
    """Whether two sentences say the same: 3668 training rows, 408 of the test (Dolan and Brockett 2005)."""

    _metrics = ("f1", "accuracy")

    def layout(self) -> Layout:
        return Layout(
            folder="MRPC",
            sentences=("#1 String", "#2 String"),
            label="Quality",
            classes={"0": "not_equivalent", "1": "equivalent"},
        )


class Stsb(Glue):
    """How alike two sentences are, from 0 to 5: 5749 training rows, 1500 of the test (Cer et al. 2017)."""

    _holds = ("tokens", "targets")
    _metrics = ("pearson", "spearman")

    def layout(self) -> Layout:
        archive = ("STS-B.zip", "d573676be38f1a075a5702b90ceab3de")
        return Layout(folder="STS-B", label="score", classes={}, archive=archive)


class Qqp(Glue):
    """Whether two questions ask the same: 363846 training rows, 40430 of the test (Iyer et al. 2017)."""

    _metrics = ("f1", "accuracy")

    def layout(self) -> Layout:
        return Layout(
            folder="QQP",
            sentences=("question1", "question2"),
            label="is_duplicate",
            classes={"0": "not_duplicate", "1": "duplicate"},
            gaps=True,
            archive=("QQP-clean.zip", "884bf26e39c783d757acc510a2a516ef"),
        )


class Mnli(Glue):
    """Whether the second sentence follows: 392702 training rows, 9815 of the test (Williams et al. 2018).

    The test is of the genres of the training; what is measured on 9832 rows of others is called mismatched.
    """

    def layout(self) -> Layout:
        return Layout(
            folder="MNLI",
            label="gold_label",
            classes={each: each for each in ("entailment", "neutral", "contradiction")},
            test="dev_matched.tsv",
            others={"mismatched": "dev_mismatched.tsv"},
            archive=("MNLI.zip", "e343b4bdf53f927436d0792203b9b9ff"),
        )


class Qnli(Glue):
    """Whether a sentence answers a question: 104743 training rows, 5463 of the test (Rajpurkar et al. 2016)."""

    def layout(self) -> Layout:
        archive = ("QNLIv2.zip", "b4efd6554440de1712e9b54e14760e82")
        return Layout(folder="QNLI", sentences=("question", "sentence"), classes=ENTAILMENT, archive=archive)


class Rte(Glue):
    """Whether the second sentence follows: 2490 training rows, 277 of the test (Bentivogli et al. 2009)."""

    def layout(self) -> Layout:
        archive = ("RTE.zip", "bef554d0cafd4ab6743488101c638539")
        return Layout(folder="RTE", classes=ENTAILMENT, archive=archive)


class Wnli(Glue):
    """Whether a pronoun is resolved rightly: 635 training rows, 71 of the test (Levesque et al. 2011)."""

    def layout(self) -> Layout:
        archive = ("WNLI.zip", "a1b4bd2861017d302d29e42139657a42")
        return Layout(folder="WNLI", classes={"0": "not_entailment", "1": "entailment"}, archive=archive)
