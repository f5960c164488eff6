"""GLUE: its published files, the sequences that they become, and what is said of a file that is not as published."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import data.glue
from cn import UserError
from data.glue import Cola, Glue, Mnli, Mrpc, Qqp, Rte, Stsb
from data.tokenizer import Tokenizer
from data.tokenizer.bpe import Bpe
from data.tokenizer.bytes import Bytes
from tests.data.sentences import write

NODES = [cls for cls in vars(data.glue).values() if isinstance(cls, type) and issubclass(cls, Glue) and cls is not Glue]
BYTES = Bytes().build([])


def built(node: type[Glue], root: Path, *, seed: int = 1, **how: Any) -> Any:
    return node(root=root, **{"tokenizer": Bytes(), "validation": 0.2, **how}).build(seed=seed)


def texts(split: Any) -> list[str]:
    return [BYTES.decode(split.tokens[a:b].tolist()) for a, b in zip(split.starts, split.starts[1:], strict=False)]


@pytest.mark.parametrize("node", NODES)
def test_a_task_is_read_as_it_is_published(node: type[Glue], tmp_path: Path) -> None:
    found = built(node, write(tmp_path, node))
    layout = node().layout()
    assert [len(each) for each in (found.train, found.validation, found.test)] == [48, 12, 21]
    assert [*found.others] == [*layout.others]
    assert (found.classes, found.inputs, found.noun) == (tuple(layout.classes.values()), (128,), "rows")
    batch = found.train.batch(torch.arange(5))
    assert {name: each.shape[0] for name, each in batch.items()} == dict.fromkeys(batch, 5)
    assert bool(batch["kinds"].any()) is (len(layout.sentences) == 2)
    assert {len(layout.sentences)} == {row.count(3) for row in batch["tokens"].tolist()}
    dogs = [text.count("dog") > 0 for text in texts(found.train)]
    if layout.classes:
        assert [label > 0 for label in found.train.labels.tolist()] == dogs
    else:
        assert (found.targets, found.train.labels.dtype) == (("score",), torch.float32)


def test_the_test_part_is_the_published_dev_file_in_its_order(tmp_path: Path) -> None:
    found = built(Cola, write(tmp_path, Cola))
    lines = (tmp_path / "CoLA/dev.tsv").read_text().splitlines()
    assert texts(found.test) == [each.split("\t")[3] for each in lines]
    assert found.test.labels.tolist() == [int(each.split("\t")[1]) for each in lines]


def test_what_is_held_out_follows_from_the_seed_with_classes_in_proportion(tmp_path: Path) -> None:
    write(tmp_path, Rte, train=200)
    first, again, other = (built(Rte, tmp_path, seed=seed) for seed in (1, 1, 2))
    assert texts(first.validation) == texts(again.validation) != texts(other.validation)
    shares = [float(each.labels.double().mean()) for each in (first.train, first.validation)]
    assert shares[0] == pytest.approx(shares[1], abs=0.03)
    assert sorted(texts(first.train) + texts(first.validation)) == sorted(texts(other.train) + texts(other.validation))


def test_scores_have_mean_0_and_deviation_1_in_the_training_part(tmp_path: Path) -> None:
    found = built(Stsb, write(tmp_path, Stsb))
    scores = found.train.labels.double()
    assert (float(scores.mean()), float(scores.std(correction=0))) == pytest.approx((0, 1), abs=1e-6)
    raw = [float(each.split("\t")[-1]) for each in (tmp_path / "STS-B/dev.tsv").read_text().splitlines()[1:]]
    unit = found.test.labels.double() * found.unit
    assert (unit - unit[0]).tolist() == pytest.approx([each - raw[0] for each in raw], abs=1e-5)


def test_the_vocabulary_is_learnt_from_the_training_part(tmp_path: Path) -> None:
    seen: list[str] = []

    class Noting(Tokenizer):
        def build(self, texts: Any) -> Any:
            seen.extend(texts)
            return Bytes().build([])

    found = built(Cola, write(tmp_path, Cola), tokenizer=Noting())
    assert seen == texts(found.train)


def one(tmp_path: Path, *pairs: tuple[str, str], **how: Any) -> Any:
    """RTE whose test part has these pairs."""
    write(tmp_path, Rte)
    lines = ["index\tsentence1\tsentence2\tlabel", *(f"0\t{a}\t{b}\tentailment" for a, b in pairs)]
    (tmp_path / "RTE/dev.tsv").write_text("\n".join(lines))
    return built(Rte, tmp_path, **how).test


@pytest.mark.parametrize(
    ("lengths", "length", "kept"),
    [
        ((3, 4), 10, (3, 4)),
        ((10, 2), 10, (5, 2)),
        ((2, 10), 10, (2, 5)),
        ((10, 10), 10, (4, 3)),
        ((4, 9), 10, (4, 3)),
        ((3, 9), 10, (3, 4)),
        ((9, 9), 5, (1, 1)),
    ],
)
def test_the_longer_of_two_sentences_is_cut_first(lengths: Any, length: int, kept: Any, tmp_path: Path) -> None:
    split = one(tmp_path, ("a" * lengths[0], "b" * lengths[1]), length=length)
    a, b = (BYTES.encode([letter])[0][0] for letter in "ab")
    assert split.tokens.tolist() == [2, *[a] * kept[0], 3, *[b] * kept[1], 3]


def test_a_batch_is_padded_to_its_longest_sequence(tmp_path: Path) -> None:
    batch = one(tmp_path, ("ab", "c"), ("abcd", "ef")).batch(torch.tensor([1, 0]))
    a = int(BYTES.encode(["a"])[0][0])
    assert batch["tokens"].tolist() == [
        [2, a, a + 1, a + 2, a + 3, 3, a + 4, a + 5, 3],
        [2, a, a + 1, 3, a + 2, 3, 0, 0, 0],
    ]
    assert batch["kinds"].tolist() == [[0, 0, 0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 1, 0, 0, 0]]
    assert batch["visible"].tolist() == [[True] * 9, [True] * 6 + [False] * 3]
    assert batch["row"].tolist() == [1, 0]
    assert one(tmp_path, ("ab", "c"), ("abcd", "ef")).batch(torch.tensor([0]))["tokens"].shape == (1, 6)


def test_a_vocabulary_without_special_tokens_has_a_line_for_each_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = Bytes().build([])
    bare.special = {"[UNK]": 1}
    monkeypatch.setattr(Bytes, "build", lambda *_: bare)
    split = one(tmp_path, ("ab", "cd"))
    assert split.tokens.tolist() == BYTES.encode(["ab\ncd"])[0].tolist()
    assert split.batch(torch.tensor([0]))["kinds"].tolist() == [[0, 0, 0, 1, 1]]


def test_byte_pairs_are_tokens_of_sentences_too(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    found = built(Cola, write(tmp_path, Cola), tokenizer=Bpe(size=300))
    assert (
        found.vocabulary.decode(found.test.batch(torch.tensor([0]))["tokens"][0].tolist())
        == ((tmp_path / "CoLA/dev.tsv").read_text().split("\n")[0].split("\t")[3])
    )


def test_an_epoch_has_each_row_once_and_neighbours_of_similar_lengths(tmp_path: Path) -> None:
    split = built(Cola, write(tmp_path, Cola, train=1203)).train
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(3))
    found = split.arranged(order, 8)
    assert torch.equal(found.sort().values, torch.arange(len(split)))
    assert torch.equal(found, split.arranged(order.clone(), 8))
    assert not torch.equal(found, split.arranged(order.flip(0), 8))
    whole = len(split) // 8 * 8
    assert torch.equal(found[whole:], order[whole:])

    def padded(index: torch.Tensor) -> int:
        return int(torch.from_numpy(split.lengths)[index[:whole]].view(-1, 8).max(dim=1).values.sum())

    assert padded(found) < 0.7 * padded(order)
    longest = torch.from_numpy(split.lengths)[found[:whole]].view(-1, 8).max(dim=1).values.double()
    rising = np.corrcoef(longest.numpy(), np.arange(len(longest)))[0, 1]
    assert abs(rising) < 0.25  # batches of all lengths are mixed
    assert torch.equal(split.arranged(order[:5], 8), order[:5])


def test_pairs_of_questions_that_lack_one_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, Qqp, test=3)
    path = tmp_path / "QQP/dev.tsv"
    path.write_text(path.read_text() + "7\t1\t2\twhy so\n8\t1\t2\tnow\t\t0\n9\t1\t2\thow so\twhat now\t1\n")
    found = built(Qqp, tmp_path)
    assert len(found.test) == 4
    assert texts(found.test)[-1] == "how sowhat now"


def test_a_carriage_return_or_a_quote_or_an_odd_line_end_is_no_row(tmp_path: Path) -> None:
    write(tmp_path, Cola, test=1)
    (tmp_path / "CoLA/dev.tsv").write_bytes('gj04\t1\t\t"one \u2028 two\x85 three\r\ngj04\t0\t*\tfour\r\n'.encode())
    assert texts(built(Cola, tmp_path).test) == ['"one \u2028 two\x85 three', "four"]


def test_an_archive_is_fetched_once_and_read_as_it_is(
    tmp_path: Path, server: Any, cache: Path, md5: Callable[[bytes], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, Mnli)
    with zipfile.ZipFile(tmp_path / "MNLI.zip", "w") as archive:
        for path in (tmp_path / "MNLI").iterdir():
            archive.write(path, f"MNLI/{path.name}")
    server.files["MNLI.zip"] = (tmp_path / "MNLI.zip").read_bytes()
    layout = Mnli().layout()
    known = type(layout)(**{**vars(layout), "archive": ("MNLI.zip", md5(server.files["MNLI.zip"]))})
    monkeypatch.setattr(Mnli, "layout", lambda _: known)
    node = Mnli(mirror=server.address, tokenizer=Bytes(), validation=0.2)
    found = [node.build(seed=1) for _ in range(2)]
    assert server.requests == [("MNLI.zip", 0)]
    assert [each.name for each in (cache / "glue").iterdir() if each.suffix == ".zip"] == ["MNLI.zip"]
    assert texts(found[1].others["mismatched"]) == texts(built(Mnli, tmp_path).others["mismatched"])
    (tmp_path / "MNLI").rename(tmp_path / "elsewhere")
    assert texts(built(Mnli, tmp_path).train) == texts(found[0].train)  # the archive in a folder of one's own


def refused(node: type[Glue], root: Path | None, **how: Any) -> str:
    with pytest.raises(UserError) as caught:
        node(root=root, **how).build(seed=1)
    return str(caught.value)


PUT = "  put CoLA/train.tsv, CoLA/dev.tsv into a folder, as GLUE has them, and write: data.root=FOLDER"


def test_a_folder_that_is_not_glues_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "glue"
    lacks = f"data.root is '{root}', which lacks"
    assert refused(Cola, root) == f"data.root is '{root}', which is not a folder\n{PUT}"
    root.mkdir()
    assert refused(Cola, root) == f"{lacks} the folder CoLA\n  it is empty\n{PUT}"
    write(root, Rte)
    assert refused(Cola, root) == f"{lacks} the folder CoLA\n  it holds RTE\n{PUT}"
    write(root, Cola)
    assert refused(Cola, root / "CoLA") == (
        f"data.root is '{root / 'CoLA'}', which lacks the folder CoLA\n"
        f"  nearest: data.root='{root}'\n  it holds dev.tsv, train.tsv\n{PUT}"
    )
    assert refused(Cola, tmp_path).splitlines()[1] == f"  nearest: data.root='{root}'"
    (root / "CoLA/dev.tsv").unlink()
    assert refused(Cola, root) == f"{lacks} CoLA/dev.tsv\n{PUT}"


def test_files_that_cannot_be_fetched_are_asked_for(cache: Path, offline: None) -> None:
    assert refused(Mrpc, None) == (
        "data: MRPC is not fetched, since no archive of it with a known md5 is published\n"
        "  put MRPC/train.tsv, MRPC/dev.tsv into a folder, as GLUE has them, and write: data.root=FOLDER"
    )
    assert refused(Cola, None, mirror="http://127.0.0.1:9") == (
        "CoLA.zip could not be fetched from http://127.0.0.1:9: no connection\n"
        f"  put CoLA.zip into '{cache / 'glue'}', or into a folder named with data.root=FOLDER\n"
        "  or name a mirror with data.mirror=ADDRESS"
    )


RTE = "index\tsentence1\tsentence2\tlabel\n"


@pytest.mark.parametrize(
    ("node", "content", "what"),
    [
        (
            Rte,
            "index\tsentence1\tsentence_2\tlabel\n",
            "'{}', line 1 names no column sentence2, which the task needs\n"
            "  nearest: sentence_2, sentence1\n  it names: index, sentence1, sentence_2, label",
        ),
        (
            Rte,
            f"{RTE}0\ta\tb\tentailment\n1\ta\tb\n",
            "'{}', line 3 has 3 columns, and must have 4\n  they are: index, sentence1, sentence2, label",
        ),
        (Rte, f"{RTE}0\ta\t \tentailment\n", "'{}', line 2 has an empty sentence2"),
        (
            Rte,
            f"{RTE}0\ta\tb\tmaybe\n",
            "'{}', line 2: label is 'maybe', which is no label of the task\n  they are: entailment, not_entailment",
        ),
        (Rte, RTE, "'{}' holds no row"),
        (Rte, "", "'{}' holds no row"),
        (Cola, "", "'{}' holds no row"),
        (
            Cola,
            "gj04\t1\tA cat.\n",
            "'{}', line 1 has 3 columns, and must have 4\n  they are: source, label, mark, sentence",
        ),
        (Cola, "gj04\t1\t\tgr\xfcn\n", "'{}', line 1 is no text in UTF-8"),
        (
            Stsb,
            "sentence1\tsentence2\tscore\na\tb\t1.5\na\tb\thigh\n",
            "'{}', line 3: score is 'high', and must be a number",
        ),
        (Stsb, "sentence1\tsentence2\tscore\na\tb\tnan\n", "'{}', line 2: score is 'nan', and must be a number"),
    ],
)
def test_a_line_that_is_not_as_published_is_named(node: Any, content: str, what: str, tmp_path: Path) -> None:
    write(tmp_path, node)
    path = tmp_path / node().layout().folder / "train.tsv"
    path.write_bytes(content.encode("latin-1"))
    assert refused(node, tmp_path) == what.format(path)


def test_too_few_rows_to_hold_out_are_refused(tmp_path: Path) -> None:
    write(tmp_path, Cola, train=3)
    assert refused(Cola, tmp_path) == "3 rows are too few to hold out 0.1 of them: the parts would have 0, 3"


@pytest.mark.parametrize(
    ("node", "field", "value", "what"),
    [
        (Rte, "length", 4, "length is 4, and must be at least 5 tokens: [CLS] a [SEP] b [SEP]"),
        (Cola, "length", 2, "length is 2, and must be at least 3 tokens: [CLS] a [SEP]"),
        (Cola, "validation", 1.0, "Cola.validation is 0 < float < 1, not 1.0"),
        (
            Cola,
            "mirror",
            "ftp://x",
            "mirror is 'ftp://x', and must begin with http:// or https://; root takes a folder",
        ),
        (Cola, "batch_size", 0, "Cola.batch_size is int >= 1, not 0"),
    ],
)
def test_a_field_out_of_range_is_refused(node: type[Glue], field: str, value: Any, what: str) -> None:
    with pytest.raises((ValueError, UserError)) as caught:
        node(**{field: value}).check()
    assert str(caught.value).split("\n")[0] == what
