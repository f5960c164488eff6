"""Vocabularies: what becomes of a text and back, what a file holds, and what is said of a file that holds none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Tokenizers

from cn import UserError
from data.tokenizer import Tokenizer
from data.tokenizer._vocabulary import SPECIAL, UNKNOWN, Vocabulary
from data.tokenizer.bpe import Bpe
from data.tokenizer.bytes import Bytes
from data.tokenizer.characters import Characters
from data.tokenizer.file import File
from data.tokenizer.wordpiece import Wordpiece

TEXT = "The cat sat on the mat; the hat sat on the cat.\nNo dog is as quick as the café's cat, 東京 says.\n" * 20
KINDS = {"bytes": Bytes(), "characters": Characters(), "bpe": Bpe(size=320), "wordpiece": Wordpiece(size=300)}
TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]))


@pytest.fixture(scope="module", params=KINDS, name="kind")
def _kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def vocabulary(kind: str) -> Vocabulary:
    return KINDS[kind].build([TEXT])


def test_the_first_five_numbers_are_special_tokens(vocabulary: Vocabulary) -> None:
    assert vocabulary.special == {name: number for number, name in enumerate(SPECIAL)}


def test_what_was_learnt_from_has_no_unknown_token(vocabulary: Vocabulary) -> None:
    (tokens,) = vocabulary.encode([TEXT])
    assert tokens.dtype == np.int64
    assert tokens.min() >= len(SPECIAL)
    assert tokens.max() < vocabulary.size


def test_tokens_give_the_text_back(kind: str, vocabulary: Vocabulary) -> None:
    (tokens,) = vocabulary.encode([TEXT])
    found = vocabulary.decode(tokens)
    if kind == "wordpiece":  # which keeps neither spaces nor capitals nor accents
        assert found.split()[:6] == ["the", "cat", "sat", "on", "the", "mat"]
        assert vocabulary.lengths is None
    else:
        assert found == TEXT
        assert vocabulary.lengths is not None
        assert vocabulary.lengths[tokens].sum() == len(TEXT.encode())


@pytest.mark.parametrize("kind", ["bytes", "bpe"], indirect=True)
@given(text=TEXTS)
def test_bytes_have_a_token_for_every_text(vocabulary: Vocabulary, text: str) -> None:
    (tokens,) = vocabulary.encode([text])
    assert vocabulary.decode(tokens) == text
    assert vocabulary.lengths is not None
    assert vocabulary.lengths[tokens].sum() == len(text.encode())


@given(known=st.text(min_size=1, alphabet="abcé東"), text=TEXTS)
def test_a_character_that_was_not_learnt_is_unknown(known: str, text: str) -> None:
    vocabulary = Characters().build([known])
    (tokens,) = vocabulary.encode([text])
    assert [each == vocabulary.special[UNKNOWN] for each in tokens] == [each not in known for each in text]
    assert vocabulary.decode(tokens) == "".join(each if each in known else "\ufffd" for each in text)


def test_a_saved_vocabulary_is_read_as_it_was(kind: str, vocabulary: Vocabulary, tmp_path: Path) -> None:
    vocabulary.save(tmp_path / "tokenizer.json")
    again = File(path=tmp_path / "tokenizer.json").build([])
    assert again.record() == vocabulary.record()
    assert (again.size, again.special) == (vocabulary.size, vocabulary.special)
    other = "the cat sat\non a dög 東"
    assert again.encode([other])[0].tolist() == vocabulary.encode([other])[0].tolist()


def test_berts_list_of_tokens_is_read(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("[PAD]\n[unused0]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\n##s\n")
    found = File(path=tmp_path / "vocab.txt").build([])
    assert found.encode(["The cats bark"])[0].tolist() == [6, 7, 8, 2]
    assert found.special == {"[PAD]": 0, "[UNK]": 2, "[CLS]": 3, "[SEP]": 4, "[MASK]": 5}
    cased = File(path=tmp_path / "vocab.txt", lowercase=False).build([])
    assert cased.encode(["The cats"])[0].tolist() == [2, 7, 8]


def test_a_vocabulary_without_a_mask_says_what_has_one(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("[UNK]\nthe\n")
    with pytest.raises(UserError) as caught:
        File(path=tmp_path / "vocab.txt").build([]).need("[MASK]")
    assert str(caught.value) == (
        "data.tokenizer: its 2 tokens lack [MASK], which this task needs\n"
        "  nearest: data/tokenizer=wordpiece, whose vocabulary is learnt from the text"
    )


FORMS = "\n  it must be a tokenizer.json, or BERT's vocab.txt with a token in each line"


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("absent.json", None, "which cannot be read: No such file or directory"),
        ("binary.txt", b"\xff\xfe\x00", "which is no text"),
        ("empty.json", b"", "which holds no vocabulary: Expecting value: line 1 column 1 (char 0)"),
        ("list.json", b"[1, 2]", "which holds no vocabulary: it holds no vocabulary"),
        ("other.json", b'{"kind": "words"}', "which holds no vocabulary: it holds no vocabulary"),
        ("none.json", b'{"kind": "characters", "characters": ""}', "which holds no vocabulary: it holds no vocabulary"),
        ("words.txt", b"the\ncat\n", "which holds no vocabulary: no line of it is [UNK]"),
        ("empty.txt", b"", "which holds no vocabulary: no line of it is [UNK]"),
    ],
)
def test_a_file_without_a_vocabulary_is_refused(name: str, content: bytes | None, what: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        File(path=path).build([])
    assert str(caught.value) == f"data.tokenizer.path is '{path}', {what}{FORMS}"


def test_a_damaged_tokenizer_json_is_refused_with_the_librarys_reason(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    record = Bpe(size=320).build([TEXT]).record()
    path.write_text(json.dumps({**record, "model": {"type": "BPE"}}))
    with pytest.raises(UserError, match="which holds no vocabulary: "):
        File(path=path).build([])


@pytest.mark.parametrize("kind", [Bpe, Wordpiece])
def test_a_vocabulary_has_room_for_every_byte(kind: type[Tokenizer]) -> None:
    with pytest.raises(UserError, match=r"\.size is int >= 300, not 299\n"):
        kind(size=299)  # type: ignore[call-arg]


def test_the_length_of_rows_in_a_file_of_the_library_is_left_out(tmp_path: Path) -> None:
    vocabulary = Wordpiece(size=300).build(["a b c"])
    library = Tokenizers.from_str(json.dumps(vocabulary.record()))
    library.enable_truncation(8)
    library.enable_padding(length=8)
    library.save(str(tmp_path / "tokenizer.json"))
    read = File(path=tmp_path / "tokenizer.json").build([])
    assert [len(each) for each in read.encode(["a b " * 1000, "a b"])] == [2000, 2]
    assert read.record() == vocabulary.record()


def test_a_line_of_a_vocabulary_may_be_another_character_that_ends_lines(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n\u2028\na\nb\n")
    read = File(path=tmp_path / "vocab.txt").build([])
    assert (read.size, list(read.encode(["a b"])[0])) == (8, [6, 7])


def test_a_vocabulary_with_a_token_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("[UNK]\na\nb\na\n")
    with pytest.raises(UserError, match="which holds no vocabulary: it has the token 'a' twice"):
        File(path=tmp_path / "vocab.txt").build([])


def test_the_name_of_a_special_token_in_a_text_is_plain_text(kind: str, vocabulary: Vocabulary) -> None:
    text = "say [MASK] and [SEP] now"
    (tokens,) = vocabulary.encode([text])
    named = {number for name, number in vocabulary.special.items() if name != UNKNOWN}
    assert not named & set(tokens.tolist())
    if kind in ("bytes", "bpe"):
        assert vocabulary.decode(tokens) == text
        assert int(vocabulary.lengths[tokens].sum()) == len(text)
