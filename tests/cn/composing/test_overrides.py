"""The words of the command line are read with Hydra's own grammar, and mistakes in them told in our own words."""

from __future__ import annotations

import re
import subprocess

import pytest
from hydra.core.override_parser.overrides_parser import create_functions

from cn import UserError
from cn.composing.overrides import Assignment, expand, of_hydra, parse, read

READ = {
    "a=1": Assignment("a=1", "set", "a", ("a",), 1, "1", "1"),
    "a=": Assignment("a=", "set", "a", ("a",), "", "", ""),
    "a= 1 ": Assignment("a= 1 ", "set", "a", ("a",), 1, " 1 ", "1"),
    "+a.b=[1,x]": Assignment("+a.b=[1,x]", "add", "a.b", ("a", "b"), [1, "x"], "[1,x]", ["1", "x"]),
    "++a/b=x": Assignment("++a/b=x", "force", "a/b", ("a", "b"), "x", "x", "x"),
    "~a": Assignment("~a", "delete", "a", ("a",), None, None, None),
    "~a=x": Assignment("~a=x", "delete", "a", ("a",), "x", "x", "x"),
    "a='b, c'": Assignment("a='b, c'", "set", "a", ("a",), "b, c", "b, c", "b, c"),
    "a={b:{c:1}}": Assignment(
        "a={b:{c:1}}", "set", "a", ("a",), {"b": {"c": 1}}, "{b:{c:1}}", {"b": ("b", {"c": ("c", "1")})}
    ),
    "a=null": Assignment("a=null", "set", "a", ("a",), None, "null", "null"),
    r"a=b\=c": Assignment(r"a=b\=c", "set", "a", ("a",), "b=c", r"b\=c", "b=c"),
}
NO_NAME = "cannot be in a name"
UNREADABLE = {
    "seed": "'seed' cannot be read as NAME=VALUE\n  write: seed=VALUE",
    "model.depth": "'model.depth' cannot be read as NAME=VALUE\n  write: model.depth=VALUE",
    "": "'' cannot be read as NAME=VALUE\n  it is empty",
    "=": "'=' cannot be read as NAME=VALUE\n  it does not begin with a name",
    "=3": "'=3' cannot be read as NAME=VALUE\n  it does not begin with a name",
    "~": "'~' cannot be read as NAME=VALUE\n  it does not begin with a name",
    "+": "'+' cannot be read as NAME=VALUE\n  nothing follows '+'",
    "seed==3": "'seed==3' cannot be read as NAME=VALUE\n  its letter 6, '=', must be quoted\n  write: 'seed=\"=3\"'",
    "seed=3=4": "'seed=3=4' cannot be read as NAME=VALUE\n  its letter 7, '=', must be quoted\n  write: 'seed=\"3=4\"'",
    "s=#x": "'s=#x' cannot be read as NAME=VALUE\n  its letter 3, '#', must be quoted\n  write: 's=\"#x\"'",
    "s=~/x": "'s=~/x' cannot be read as NAME=VALUE\n  its letter 3, '~', must be quoted\n  write: 's=\"~/x\"'",
    "s=(a)": "'s=(a)' cannot be read as NAME=VALUE\n  its letter 3, '(', must be quoted\n  write: 's=\"(a)\"'",
    "s=a;b": "'s=a;b' cannot be read as NAME=VALUE\n  its letter 4, ';', must be quoted\n  write: 's=\"a;b\"'",
    "s=[~/x,b]": "'s=[~/x,b]' cannot be read as NAME=VALUE\n  its letter 4, '~', must be quoted\n"
    "  write: 's=[\"~/x\",b]'",
    "s=[~/x,b,'c',x;y]": "\"s=[~/x,b,'c',x;y]\" cannot be read as NAME=VALUE\n  its letter 4, '~', must be quoted\n"
    "  write: 's=[\"~/x\",b,'\"'\"'c'\"'\"',\"x;y\"]'",
    "s={a:{b:x#y}}": "'s={a:{b:x#y}}' cannot be read as NAME=VALUE\n  its letter 10, '#', must be quoted\n"
    "  write: 's={a:{b:\"x#y\"}}'",
    "seed =3": f"'seed =3' cannot be read as NAME=VALUE\n  its letter 5, ' ', {NO_NAME}\n  write: seed=3",
    "--seed=3": f"'--seed=3' cannot be read as NAME=VALUE\n  its letter 1, '-', {NO_NAME}\n  write: seed=3",
    "a.=3": f"'a.=3' cannot be read as NAME=VALUE\n  its letter 2, '.', {NO_NAME}",
    ".a=3": f"'.a=3' cannot be read as NAME=VALUE\n  its letter 1, '.', {NO_NAME}",
    "a..b=3": f"'a..b=3' cannot be read as NAME=VALUE\n  its letter 2, '.', {NO_NAME}",
    "/a=3": f"'/a=3' cannot be read as NAME=VALUE\n  its letter 1, '/', {NO_NAME}",
    "model.lr/x=[3": "'model.lr/x=[3' cannot be read as NAME=VALUE\n  '[' is not closed\n  write: 'model.lr/x=[3]'",
    "model.lr/x=3]": "'model.lr/x=3]' cannot be read as NAME=VALUE\n  its letter 13, ']', closes nothing\n"
    "  write: 'model.lr/x=\"3]\"'",
    "größe=3": f"'größe=3' cannot be read as NAME=VALUE\n  its letter 3, 'ö', {NO_NAME}",
    "name=ü": "'name=ü' cannot be read as NAME=VALUE\n  its letter 6, 'ü', must be quoted\n  write: 'name=\"ü\"'",
    "a=x\ny": "'a=x\\ny' cannot be read as NAME=VALUE\n  its letter 4, '\\n', must be quoted",
    "a=it's": '"a=it\'s" cannot be read as NAME=VALUE\n  its letter 5, "\'", is a quote that is not closed\n'
    "  write: 'a=\"it'\"'\"'s\"'",
    "a=[1": "'a=[1' cannot be read as NAME=VALUE\n  '[' is not closed\n  write: 'a=[1]'",
    "a=[{b:[c": "'a=[{b:[c' cannot be read as NAME=VALUE\n  '[' is not closed\n  write: 'a=[{b:[c]}]'",
    "a={b:": "'a={b:' cannot be read as NAME=VALUE\n  '{' is not closed\n  write: 'a=\"{b:\"'",
    "a={b}": "'a={b}' cannot be read as NAME=VALUE\n  its letter 5, '}', comes too early\n  write: 'a=\"{b}\"'",
    "a=[1]]": "'a=[1]]' cannot be read as NAME=VALUE\n  its letter 6, ']', closes nothing\n  write: 'a=[1]'",
    "a=[1, ]": "'a=[1, ]' cannot be read as NAME=VALUE\n  its letter 7, ']', comes too early\n  write: 'a=[1]'",
    "a=1,": "'a=1,' cannot be read as NAME=VALUE\n  nothing follows ','\n  write: a=1",
    "a=(1,2)": "'a=(1,2)' cannot be read as NAME=VALUE\n  its letter 3, '(', must be quoted\n  write: 'a=\"(1,2)\"'",
    "a=f(x)": "'a=f(x)' cannot be read as NAME=VALUE\n"
    f"  there is no function f, only {', '.join(sorted(create_functions().definitions))}\n"  # more in a later version
    "  write: 'a=\"f(x)\"'",
    "a=int(x)": "'a=int(x)' cannot be read as NAME=VALUE\n"
    "  int(...): invalid literal for int() with base 10: 'x'\n  write: 'a=\"int(x)\"'",
    "model.lr/x=int(x)": "'model.lr/x=int(x)' cannot be read as NAME=VALUE\n"
    "  int(...): invalid literal for int() with base 10: 'x'\n  write: 'model.lr/x=\"int(x)\"'",
    "a=sort(reverse=true,1)": "'a=sort(reverse=true,1)' cannot be read as NAME=VALUE\n"
    "  positional argument follows keyword argument\n  write: 'a=\"sort(reverse=true,1)\"'",
    "a=tag(1,2)": "'a=tag(1,2)' cannot be read as NAME=VALUE\n"
    "  tag(...): mismatch type argument args[0]: int is incompatible with Union[str, Sweep]\n"
    "  write: 'a=\"tag(1,2)\"'",
    "a={1:x,1.0:y}": "'a={1:x,1.0:y}' cannot be read as NAME=VALUE\n  the keys 1 and 1.0 are the same number\n"
    "  write: 'a=\"{1:x,1.0:y}\"'",
    "a={b:{c:1,d:2,c:3}}": "'a={b:{c:1,d:2,c:3}}' cannot be read as NAME=VALUE\n  the key c is given twice\n"
    "  write: 'a=\"{b:{c:1,d:2,c:3}}\"'",
    "a=" + "[" * 500 + "]" * 500: f"'a={'[' * 117} ... {']' * 59}' cannot be read as NAME=VALUE\n"
    "  it is nested too deep",
    "a=" + "9" * 5000: f"'a={'9' * 117} ... {'9' * 59}' cannot be read as NAME=VALUE\n"
    "  a number has at most 4300 digits",
    "model@teacher=vit": "model@teacher=vit: the attribute is the address, so no package is named\n"
    "  write: teacher=vit",
    "+model/head@model.head=cls_token": "+model/head@model.head=cls_token: the attribute is the address, "
    "so no package is named\n  write: +model/head=cls_token",
    "model@=vit": "model@=vit: the attribute is the address, so no package is named\n  write: model=vit",
    "seed=1,2": "seed=1,2 stands for several runs, and one was asked for\n"
    "  for one run each: python train.py -m seed=1,2\n  for one list: 'seed=[1,2]'",
    "seed=range(3)": "seed=range(3) stands for several runs, and one was asked for\n"
    "  for one run each: python train.py -m 'seed=range(3)'",
    "model=glob(v*)": "model=glob(v*) stands for several runs, and one was asked for\n"
    "  for one run each: python train.py -m 'model=glob(v*)'",
}


@pytest.mark.parametrize("text", READ)
def test_a_word_is_read_as_hydra_reads_it(text: str) -> None:
    assert parse([text]) == [READ[text]]


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_word_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(UserError) as caught:
        parse([text])
    assert str(caught.value) == UNREADABLE[text]


@pytest.mark.slow
def test_every_word_that_is_offered_can_be_pasted_into_a_shell() -> None:
    offered = [
        match for text in UNREADABLE.values() for match in re.findall(r"write: (.*)", text) if "VALUE" not in match
    ]
    script = "".join(f"printf '%s\\0' {word}\n" for word in offered)
    done = subprocess.run(["bash", "-uc", script], capture_output=True, text=True, check=True)
    words = done.stdout.split("\0")[:-1]
    assert (len(words), done.stderr) == (len(offered), "")
    assert [str(each.value) for each in parse([f"a{i}.{word.lstrip('+')}" for i, word in enumerate(words)])]


TWICE = {
    "seed=1 seed=2": "seed is given twice: seed=1 and seed=2\n  keep one of them",
    "seed=1 seed=1": "seed is given twice: seed=1 and seed=1\n  keep one of them",
    "model.head=1 model/head=x": "model/head is given twice: model.head=1 and model/head=x\n  keep one of them",
    "a=1 ~a": "a is given twice: a=1 and ~a\n  keep one of them",
    "a=1 ++a=2": "a is given twice: a=1 and ++a=2\n  keep one of them",
    "+a.b=1 +a.b=2": "a.b is given twice: +a.b=1 and +a.b=2\n  keep one of them",
}


@pytest.mark.parametrize("words", TWICE)
def test_an_override_given_twice_is_refused(words: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(words.split())
    assert str(caught.value) == TWICE[words]


def test_several_additions_to_one_dict_of_nodes_are_no_repetition() -> None:
    assert [each.value for each in parse(["+callbacks=a", "+callbacks=b"])] == ["a", "b"]


def test_a_word_with_a_line_break_is_shown_on_one_line() -> None:
    (each,) = parse(["a='x\ny'"])
    assert (each.text, each.value) == ("a='x\\ny'", "x\ny")


def test_a_text_is_read_as_its_value_or_as_itself() -> None:
    assert [read(text)[0] for text in ("3", "1e3", "null", "[a,1]", "a b", "'3'", "[", "1,2", "")] == [
        3,
        1000.0,
        None,
        ["a", 1],
        "a b",
        "3",
        "[",
        "1,2",
        "",
    ]


def test_what_is_hydras_begins_with_its_name() -> None:
    assert all(map(of_hydra, ["hydra.a=1", "+hydra.a=1", "~hydra/b", "hydra/a=b"]))
    assert not any(map(of_hydra, ["hydras.a=1", "a.hydra.b=1", "hydrate=1"]))


SWEEPS = {
    "a=1,2 b=x": [["a=1", "b=x"], ["a=2", "b=x"]],
    "a=1,2 b=x,y": [["a=1", "b=x"], ["a=1", "b=y"], ["a=2", "b=x"], ["a=2", "b=y"]],
    "a=range(3)": [["a=0"], ["a=1"], ["a=2"]],
    "a=range(1,2,0.5)": [["a=1.0"], ["a=1.5"]],
    "a=choice(x,y)": [["a=x"], ["a=y"]],
    "a=sort(3,1,2)": [["a=1"], ["a=2"], ["a=3"]],
    "a=[1,2],[3]": [["a=[1,2]"], ["a=[3]"]],
    "a={b:1},{b:2}": [["a={b:1}"], ["a={b:2}"]],
    "a='x, y',z": [["a='x, y'"], ["a=z"]],
    "+a=1,2": [["+a=1"], ["+a=2"]],
    "~a": [["~a"]],
    "m=glob(v*)": [["m=vit"], ["m=vit/small"]],
    "m=glob(*,exclude=v*)": [["m=mlp"]],
    "a=1": [["a=1"]],
    "": [[]],
}


@pytest.mark.parametrize("words", SWEEPS)
def test_a_sweep_stands_for_every_combination(words: str) -> None:
    words_ = words.split() if "'" not in words else [words]
    assert expand(words_, lambda key: ["mlp", "vit", "vit/small"]) == SWEEPS[words]
    for combination in SWEEPS[words]:
        parse(combination)


NO_SWEEPS = {
    "a=interval(0,1)": "a=interval(0,1): an interval has no list of values to run\n  write: 'a=range(0,1,STEP)'",
    "m=glob(x*)": "m=glob(x*) matches none of the options\n  choose from: mlp, vit",
    "a=range(0)": "a=range(0) has no values",
    "a=range(0,1,0)": "a=range(0,1,0): a range has a start, a stop, and a step that is not 0",
    "a=range(1000000000)": "a=range(1000000000) has more than 100000 values, "
    "and one command may stand for 100000 runs\n  write: a larger step, a=range(FIRST,END,STEP)",
    "a=shuffle(range(100001))": "a=shuffle(range(100001)) has more than 100000 values, "
    "and one command may stand for 100000 runs\n  write: a larger step, a=range(FIRST,END,STEP)",
    "a=range(0,1e999,1e-9)": "a=range(0,1e999,1e-9) has more than 100000 values, "
    "and one command may stand for 100000 runs\n  write: a larger step, a=range(FIRST,END,STEP)",
    "a=range(": "'a=range(' cannot be read as NAME=VALUE\n  '(' is not closed\n  write: 'a=\"range(\"'",
    "a": "'a' cannot be read as NAME=VALUE\n  write: a=VALUE",
}


def test_a_glob_of_what_has_no_options_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        expand(["seed=glob(*)"], lambda key: [])
    assert str(caught.value) == "seed=glob(*): glob chooses options, and seed has none\n  write: seed=VALUE,VALUE"


@pytest.mark.parametrize("word", NO_SWEEPS)
def test_a_sweep_over_nothing_is_refused(word: str) -> None:
    with pytest.raises(UserError) as caught:
        expand([word], lambda key: ["mlp", "vit"])
    assert str(caught.value) == NO_SWEEPS[word]


def test_the_combinations_of_a_command_have_a_limit() -> None:
    assert len(expand(["a=range(1000)", "b=1", "c=range(100)"], lambda key: [])) == 100_000
    with pytest.raises(UserError) as caught:
        expand(["a=range(1000)", "b=1", "c=range(100)", "d=1,2"], lambda key: [])
    assert str(caught.value) == (
        "a=range(1000) c=range(100) d=1,2: these are 200000 runs, and one command may stand for 100000\n"
        "  write: fewer values, or a class in sweeps/ with random(...), which draws some of them"
    )
