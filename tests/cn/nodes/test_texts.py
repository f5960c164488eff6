"""A text is what was typed, wherever it stands; a number is the number that was typed, or is refused."""

from __future__ import annotations

import itertools
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from cn import CN, Job, UserError, compose
from cn.cli.multirun import multirun
from cn.composing import grammar
from cn.composing.overrides import expand, parse
from cn.nodes.field_types import same
from cn.writing.command_line import words


class Version(Enum):
    true = 1
    null = 2


class Node(CN):
    text: str = ""
    maybe: str | None = ""
    texts: list[str] = []
    pair: tuple[str, int] = ("", 0)
    many: tuple[str, ...] = ()
    table: dict[str, str] = {}
    nested: dict[str, list[dict[str, str]]] = {}
    either: list[str | int] = []
    numbers: list[float] | list[str] = []
    choices: list[Literal["3.10", "null", "TRUE", 1]] = []
    versions: list[Version] = []
    keys: dict[Version, Literal["1e3"]] = {}
    ints: dict[int, int] = {}
    deep: dict[str, dict[int, int]] = {}
    paths: list[Path] = []
    path: Path = Path()
    where: Path | None = None
    either_path: int | Path = 0
    size: int = 0
    sizes: list[int] = []
    real: float = 0.0
    anything: Any = None


TYPED: dict[str, Any] = {
    "texts=[3.10,1e3,2024_01_05,010,+1,.5,1.,TRUE,False,NaN,-INF,a b]": [
        *("3.10", "1e3", "2024_01_05", "010", "+1", ".5", "1.", "TRUE", "False", "NaN", "-INF", "a b")
    ],
    "texts=[ 3.10 , 1e3 ]": ["3.10", "1e3"],
    r"texts=['3.10',\ 1.0,a\,b]": ["3.10", " 1.0", "a,b"],
    "texts=[str(1.0),int(3.0),float(3),bool(1)]": ["1.0", "3", "3.0", "true"],
    "texts=sort([3.10,1.0,2e0])": ["1.0", "2e0", "3.10"],
    "texts=sort([1.0,3.10],reverse=True)": ["3.10", "1.0"],
    "texts=str([1.0,TRUE,[]])": ...,
    "texts=str([1.0,TRUE])": ["1.0", "TRUE"],
    "texts=shuffle([1e3])": ["1e3"],
    "text=1e3": "1e3",
    "text= 3.10 ": "3.10",
    "text=str(3.10)": "3.10",
    "text=float(3)": "3.0",
    "maybe=Null": None,
    "many=[1_000,0x1f]": ("1_000", "0x1f"),
    "pair=[1.0,1e2]": ("1.0", 100),
    "table={a:3.10,1e3:1.0,010:x,True:FALSE}": {"a": "3.10", "1e3": "1.0", "010": "x", "True": "FALSE"},
    "+table.1_0=1_0": {"1_0": "1_0"},
    "nested={1.0:[{2.0:3.10}]}": {"1.0": [{"2.0": "3.10"}]},
    "either=[1.0,1,'1']": ["1.0", 1, "1"],
    "numbers=[1.0,2]": [1.0, 2.0],
    "numbers=[1.0,x]": ["1.0", "x"],
    "choices=[3.10,null,TRUE,1]": ["3.10", "null", "TRUE", 1],
    "choices=[3.1]": ...,
    "versions=[true,null]": [Version.true, Version.null],
    "versions=[True]": ...,
    "keys={true:1e3}": {Version.true: "1e3"},
    "ints={1e3:2.0}": {1000: 2},
    "paths=[3.10,1e3,2024_01_05]": [Path("3.10"), Path("1e3"), Path("2024_01_05")],
    "path=3.10": Path("3.10"),
    "either_path=3.10": Path("3.10"),
    "anything=[3.10,{1e3:2}]": ...,
    "anything=[3.10,{a:1_0},TRUE,null,1.]": [3.1, {"a": 10}, True, None, 1.0],
    "texts=[${size},3.10,'${size}.0']": ["0", "3.10", "0.0"],
    "table={a:${size},b:3.10,1.0:x}": {"a": "0", "b": "3.10", "1.0": "x"},
    "size=1e23": 10**23,
    "size=9007199254740993.0": 9007199254740993,
    "size=int(1e23)": 10**23,
    "size=int(2.9)": 2,
    "sizes=[1e23,9_007_199_254_740_993.00]": [10**23, 9007199254740993],
    "size=1e-400": ...,
    "size=1e400": ...,
    "real=" + "9" * 400: ...,
}


@pytest.mark.parametrize("word", TYPED)
def test_a_value_is_what_was_typed(word: str) -> None:
    name = word.partition("=")[0].lstrip("+").partition(".")[0]
    if TYPED[word] is ...:
        with pytest.raises(UserError, match=f": {name} is "):
            compose(Node, [word])
    else:
        found = compose(Node, [word])
        assert same(getattr(found, name), TYPED[word])
        assert compose(Node, words(found)) == found


def test_a_dict_keeps_the_texts_that_were_there() -> None:
    assert compose(Node(table={"1.0": "1.0"}), ["table={2.0:2.0}", "+table.x=3.10"]).table == {
        "1.0": "1.0",
        "2.0": "2.0",
        "x": "3.10",
    }


def test_a_text_of_the_environment_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERSION", "3.10")
    monkeypatch.setenv("VERSIONS", "[3.10,1e3]")
    found = compose(Node, ["text=${oc.env:VERSION}", "texts=${oc.env:VERSIONS}", "many=[${oc.env:VERSION},1e3]"])
    assert (found.text, found.texts, found.many) == ("3.10", ["3.10", "1e3"], ("3.10", "1e3"))


EXPANDED = {
    "text=3.10,1e3,TRUE,null": ["text=3.10", "text=1e3", "text=TRUE", "text=null"],
    "texts=[3.10],[1.0]": ["texts=[3.10]", "texts=[1.0]"],
    "texts=choice([TRUE,null],['1'])": ["texts=[TRUE,null]", "texts=['1']"],
    "text=choice('3','4.0')": ["text='3'", "text='4.0'"],
    "text=str(3.10,x)": ['text="3.10"', 'text="x"'],
    "table={a:1.0},{1e3:b}": ["table={a:1.0}", "table={1e3:b}"],
    "text=sort(3.10,1e0)": ["text=1e0", "text=3.10"],
    "text=tag(x,choice(3.10))": ["text=3.10"],
    "text=bool(1,0)": ["text=true", "text=false"],
    "size=int(1e23,2.5)": ["size=100000000000000000000000", "size=2"],
    "real=range(0,1,0.1)": [f"real=0.{digit}" for digit in range(10)],
    "size=range(3,0,-1)": ["size=3", "size=2", "size=1"],
    "text=a\\,b,${size}": ["text=a\\,b", "text=${size}"],
}


@pytest.mark.parametrize("word", EXPANDED)
def test_a_sweep_runs_what_was_typed(word: str) -> None:
    assert list(itertools.chain(*expand([word], lambda key: []))) == EXPANDED[word]


def test_the_values_of_a_shuffled_range_are_all_of_them() -> None:
    rows = expand(["real=shuffle(range(0,0.5,0.1))"], lambda key: [])
    assert sorted(row[0] for row in rows) == ["real=0.0", "real=0.1", "real=0.2", "real=0.3", "real=0.4"]


HOME = {
    "path='~/x'": ("path", "x"),
    "path='~'": ("path", "."),
    "where='~/x'": ("where", "x"),
    "either_path='~/x'": ("either_path", "x"),
}


@pytest.mark.parametrize("word", HOME)
def test_a_tilde_that_is_typed_is_the_home_folder(word: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    field, below = HOME[word]
    assert getattr(compose(Node, [word]), field) == tmp_path / below
    assert compose(Node, ["paths=['~/a','b/~','./~']"]).paths == [tmp_path / "a", Path("b/~"), Path("~")]
    assert compose(Node, [word.replace(field, "text")]).text == word.split("'")[1]


def test_a_path_of_python_stays_and_is_written_as_such() -> None:
    node = Node(path=Path("~/x"), paths=[Path("~")])
    assert node.path == Path("~/x")
    assert compose(Node, words(node)) == node
    assert words(node) == ["paths=['./~']", "path='./~/x'"]


NO_HOME = {
    "path='~nobody_is/x'": "path is Path, where ~nobody_is must be a home folder that is there, not '~nobody_is/x'",
    "where='~nobody_is/x'": "where is Path | None, where ~nobody_is must be a home folder that is there, "
    "not '~nobody_is/x'",
    "paths=[a,'~nobody_is/x']": "paths is list[Path], where ~nobody_is must be a home folder that is there, "
    "not [a,'~nobody_is/x']",
    "either_path='~nobody_is'": "either_path is int | Path, where ~nobody_is must be a home folder that is there, "
    "not '~nobody_is'",
}


@pytest.mark.parametrize("word", NO_HOME)
def test_a_home_folder_that_is_not_there_is_refused(word: str) -> None:
    with pytest.raises(UserError) as caught:
        compose(Node, [word])
    assert str(caught.value).split("\n")[0] == f"{word}: {NO_HOME[word]}"


MEANT = {
    "sizes=[010]": "sizes=[010]: sizes is list[int], not [010]\n"
    "  010 is a text, since no number begins with 0\n  write: 'sizes=[10]'",
    "size=-007": "size=-007: size is int, not '-007'\n"
    "  -007 is a text, since no number begins with 0\n  write: size=-7",
    "size=0x1f": "size=0x1f: size is int, not '0x1f'\n  0x1f is a text, since numbers are decimal\n  write: size=31",
    "size='1'": "size='1': size is int, not '1'\n  what is in quotes is a text\n  write: size=1",
    "+ints.3='1'": "+ints.3='1': ints.3 is int, not '1'\n  what is in quotes is a text\n  write: +ints.3=1",
    "ints={010:1}": "ints={010:1}: ints is dict[int, int], not {010:1}\n"
    "  010 is a text, since no number begins with 0\n  write: 'ints={10:1}'",
    "ints={1:1,01:2}": "ints={1:1,01:2}: ints is dict[int, int], not {1:1,01:2}\n"
    "  01 is a text, since no number begins with 0",
    "deep={x:{1:1,0x1:2}}": "deep={x:{1:1,0x1:2}}: deep is dict[str, dict[int, int]], not {x:{1:1,0x1:2}}\n"
    "  0x1 is a text, since numbers are decimal",
    "where.x=1": "where.x=1: where is Path | None, which has nothing inside it",
    "size=1..3": "size=1..3: size is int, not '1..3'\n"
    "  for one run each: python train.py -m 'size=range(1,4)'",
    "size=1-3": "size=1-3: size is int, not '1-3'\n  for one run each: python train.py -m 'size=range(1,4)'",
    "size=3-1": "size=3-1: size is int, not '3-1'",
}  # fmt: skip


@pytest.mark.parametrize("word", MEANT)
def test_what_was_likely_meant_is_offered(word: str) -> None:
    with pytest.raises(UserError) as caught:
        compose(Node, [word])
    first, _, *others = str(caught.value).split("\n")
    assert "\n".join([first, *others]) == MEANT[word]


QUOTED = "must be quoted"
EARLY = "comes too early"
SWEPT = "stands for several runs, and one was asked for"
FITTING = {
    "path=~/a,~/b": f"its letter 6, '~', {QUOTED}\n  write: 'path=\"~/a,~/b\"'\n"
    '  for one run each: python train.py -m \'path="~/a","~/b"\'',
    "-m path=~/a,~/b": f"its letter 6, '~', {QUOTED}\n  write: 'path=\"~/a\",\"~/b\"'",
    "-m text=a,b=c": f"its letter 9, '=', {QUOTED}\n  write: 'text=a,\"b=c\"'",
    "-m text=é,b": f"its letter 6, 'é', {QUOTED}\n  write: 'text=\"é\",b'",
    '-m text=a b,"c,d",~': f"its letter 16, '~', {QUOTED}\n  write: 'text=a b,\"c,d\",\"~\"'",
    "-m texts=[~/a],[b]": f"its letter 8, '~', {QUOTED}\n  write: 'texts=[\"~/a\"],[b]'",
    "-m size=1,b=2": f"its letter 9, '=', {QUOTED}",
    "texts=~/a,b": f"its letter 7, '~', {QUOTED}\n  write: 'texts=[\"~/a\",b]'",
    'table={"a b":"c d"}': "its letter 8, '\"', quotes a key, which takes no quotes\n  write: 'table={a b:\"c d\"}'",
    "table={'a:b':c}": "its letter 8, \"'\", quotes a key, which takes no quotes\n  write: 'table={a\\:b:c}'",
    "table={1:a,1.0:b}": "the keys 1 and 1.0 are the same number",
    "ints={1:1,1:2}": "the key 1 is given twice",
    "texts=a]": "its letter 8, ']', closes nothing\n  write: 'texts=[a]'",
    "texts=[a,": "'[' is not closed\n  write: 'texts=[a]'",
    "size=\uff11": f"its letter 6, '\uff11', {QUOTED}\n  write: size=1",
    "text=\uff11": f"its letter 6, '\uff11', {QUOTED}\n  write: 'text=\"\uff11\"'",
    "texts={a}": f"its letter 9, '}}', {EARLY}\n  write: 'texts=[a]'",
    "text={a}": f"its letter 8, '}}', {EARLY}\n  write: 'text=\"{{a}}\"'",
    "text=${nope": "'${' is not closed",
    "text=${size": "'${' is not closed\n  write: 'text=${size}'",
    "size=1,2": f"{SWEPT}\n  for one run each: python train.py -m size=1,2",
    "texts=a,b": f"{SWEPT}\n  for one list: 'texts=[a,b]'",
    "pair=a,1": f"{SWEPT}\n  for one list: 'pair=[a,1]'",
    "either_path=a,1": f"{SWEPT}\n  for one run each: python train.py -m either_path=a,1",
    "versions=[true],[null]": f"{SWEPT}\n  for one run each: python train.py -m 'versions=[true],[null]'",
    "size=x,y": SWEPT,
}


@pytest.mark.parametrize("typed", FITTING)
def test_a_word_is_offered_only_where_it_fits_the_field(typed: str) -> None:
    word = typed.removeprefix("-m ")
    words = ["real=0.5", word, "sizes=[wrong]"]
    with pytest.raises(UserError) as caught:
        compose(Node, words) if word == typed else multirun(print, Node, None, words, Job(), None)
    why = FITTING[typed]
    assert str(caught.value) == (
        f"{word} {why}" if why.startswith(SWEPT) else f"{word!r} cannot be read as NAME=VALUE\n  {why}"
    )


def test_an_element_that_no_quotes_make_readable_is_put_in_quotes_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time would double its backslashes, and be read as a whole: a wait of minutes for one line of text."""
    read = grammar.read
    lengths: list[int] = []
    monkeypatch.setattr(grammar, "read", lambda word: lengths.append(len(word)) or read(word))
    with pytest.raises(UserError, match="quotes a key, which takes no quotes"):
        compose(Node, ['table={"a b":"c d"}'])
    assert max(lengths) < 40
    assert len(lengths) < 20


numeral = st.from_regex(r"[+-]?([1-9](_?[0-9]){0,30}|0)(\.[0-9]{0,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
plain = numeral | st.from_regex(r"(?i:true|false|nan|inf)|\.[0-9]{1,4}", fullmatch=True)
leaf = plain | st.from_regex(r"[a-z]([a-z0-9_/.+-]{0,5}[a-z])?", fullmatch=True) | st.just("null")
element = st.recursive(
    leaf | st.text("ab'\"\\,1 ", max_size=4).map(lambda text: "'" + text.replace("\\", "").replace("'", "\\'") + "'"),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | st.dictionaries(st.from_regex(r"[a-z]{1,3}", fullmatch=True), inner, max_size=3).map(
            lambda table: f"{{{','.join(f'{key}:{each}' for key, each in table.items())}}}"
        )
    ),
    max_leaves=6,
)


@pytest.mark.slow
@given(st.lists(plain, max_size=4), st.dictionaries(plain.filter(lambda text: "." not in text), plain, max_size=1))
def test_every_text_in_a_container_is_what_was_typed(texts: list[str], table: dict[str, str]) -> None:
    pairs = ",".join(f"{key}:{value}" for key, value in table.items())
    node = compose(Node, [f"texts=[{','.join(texts)}]", f"table={{{pairs}}}", f"nested={{a:[{{{pairs}}}]}}"])
    assert (node.texts, node.table, node.nested) == (texts, table, {"a": [table]})
    for word, text in zip(expand([f"text={','.join(['x', 'x', *texts])}"], lambda key: [])[2:], texts, strict=True):
        assert compose(Node, word).text == text


@given(numeral)
def test_every_whole_number_is_exact_or_refused(text: str) -> None:
    number = Decimal(text.replace("_", ""))
    whole = number == number.to_integral_value()
    for word, value in ((f"size={text}", lambda node: node.size), (f"sizes=[{text}]", lambda node: node.sizes[0])):
        try:
            assert value(compose(Node, [word])) == number
            assert whole
        except UserError:
            assert not whole or abs(number) > 10**300


@pytest.mark.slow
@given(element)
def test_every_value_is_the_one_that_hydra_reads(text: str) -> None:
    theirs = OverridesParser.create().parse_override(f"a={text}").value()
    assert same(parse([f"a={text}"])[0].value, theirs)
    ((word,), _) = expand([f"a={text},x"], lambda key: [])
    assert same(parse([word])[0].value, theirs)
