"""A plain word is read as Hydra's grammar reads it, and without Hydra; a word that is not plain is left to Hydra."""

# ruff: noqa: E501, SIM905  (words in one line are easier to look through)

from __future__ import annotations

import math
import random
import re
from typing import Any

import pytest
from hydra.core.override_parser.types import Quote, QuotedString
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cn.composing import grammar, overrides, plain_words
from cn.composing.plain_words import Word, read
from cn.errors import UserError

READ = {
    "a.b=3": Word("set", "a.b", 3, "3", "3"),
    "model=vit": Word("set", "model", "vit", "vit", "vit"),
    "model/head=vit/small": Word("set", "model/head", "vit/small", "vit/small", "vit/small"),
    "x=1e-3": Word("set", "x", 0.001, "1e-3", "1e-3"),
    "x=-1_000": Word("set", "x", -1000, "-1_000", "-1_000"),
    "x=TRUE": Word("set", "x", True, "TRUE", "TRUE"),
    "x=NuLL": Word("set", "x", None, "NuLL", "NuLL"),
    "x=-Inf": Word("set", "x", -math.inf, "-Inf", "-Inf"),
    "x=01": Word("set", "x", "01", "01", "01"),
    "x=1_": Word("set", "x", "1_", "1_", "1_"),
    "x=http://a:80": Word("set", "x", "http://a:80", "http://a:80", "http://a:80"),
    "x=": Word("set", "x", "", "", ""),
    "a.b/c=1": Word("set", "a.b/c", 1, "1", "1"),
    "1x1.2=1": Word("set", "1x1.2", 1, "1", "1"),
    "~a": Word("delete", "a", None, None, None),
    "~a=1": Word("delete", "a", 1, "1", "1"),
    "+a=b": Word("add", "a", "b", "b", "b"),
    "++a.0=b": Word("force", "a.0", "b", "b", "b"),
    "x='b, $c'": Word("set", "x", "b, $c", "b, $c", "b, $c"),
    "x=[]": Word("set", "x", [], [], "[]"),
    "x=[1, 'a b' ,[2.]]": Word("set", "x", [1, "a b", [2.0]], ["1", "a b", ["2."]], "[1, 'a b' ,[2.]]"),
    "x={a: 1,b:{}}": Word("set", "x", {"a": 1, "b": {}}, {"a": ("a", "1"), "b": ("b", {})}, "{a: 1,b:{}}"),
}
DECLINED = [
    "", "a", "=1", "a@b=1", "a=1,2", "a=${b}", "a=range(3)", r"a=b\=c", "a=b c", "a= 1", "a=1 ", "a=#", "a=[1", "a=[1,]",
    "a={b}", "a={b:1,b:2}", "a={1:x,True:y}", "a='b\\'c'", "a=:", "größe=1", "a=ü", "a.01=1", "a=" + "9" * 5000,
    "a=" + "[" * 100 + "]" * 100,
]  # fmt: skip


@pytest.mark.parametrize("word", READ)
def test_a_plain_word_is_read(word: str) -> None:
    assert repr(read(word)) == repr(READ[word])


@pytest.mark.parametrize("word", DECLINED)
def test_a_word_that_is_not_plain_is_declined(word: str) -> None:
    assert read(word) is None


SCALARS = st.sampled_from(
    "0 1 -1 +7 01 1_0 1__0 1_ .5 1. 1.5 -1.e3 1e-3 1E+1_0 1e 1e999 .e1 0x1 inf -INF +nan NaN nano true False TRUE_ null NULL "
    "nulls a a-b a_b A1 -a +a a+b vit/small ./a ../b *.py a.b a:b :a a: a::b 12:30 1:2 http://x:80/y?z|w @a a@b 50% "
    "- + . / : $ $a ${a} ${oc.env:A,b} a${b} a=b = ~ ~a # ; & ! ü é ( ) f(x) range(3) choice(a,b) glob(*) int(1) tag(a,1) "
    "'' \"\" 'a' \"a\" 'a b' 'a''b' 'it\"s' \"it's\" 'a\\'b' 'a\\\\' 'a,b' '[1]' '${a}' '1' 'ü' a'b' ' \" \\, \\: \\\\ a\\ b".split(
        " "
    )
) | st.text("01._-+eEinfatrulsNT:/ab", max_size=8)
SPACES = st.sampled_from(["", "", "", " ", "\t", "  ", "\n", "\u00a0"])
ELEMENTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(st.tuples(SPACES, inner, SPACES).map("".join), max_size=4).map(lambda each: f"[{','.join(each)}]"),
        st.lists(st.tuples(SPACES, SCALARS, SPACES, st.just(":"), SPACES, inner, SPACES).map("".join), max_size=3).map(
            lambda each: f"{{{','.join(each)}}}"
        ),
        st.tuples(inner, SPACES, st.sampled_from([",", ":", "", "]", "}", "["]), inner).map("".join),
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(
    "a ab a-b _a $a a1 1 a.b a.0.c a.01 a..b a. .a a/b a/b/c a.b/c a/b.c /a a/ a@b a@ a:b@c a[0] ä".split()
)
SIGNS = st.sampled_from(["", "", "+", "++", "+++", "~", "~+", "-", "--", " "])
FORMED = st.tuples(SIGNS, KEYS, st.sampled_from(["=", "=", "=", "= ", " =", "==", ""]), ELEMENTS, SPACES).map("".join)


@st.composite
def words(draw: st.DrawFn) -> str:
    """A word of the grammar, or one in which some letters were changed, left out or put in."""
    word = draw(FORMED)
    for _ in range(draw(st.integers(0, 3)) if draw(st.booleans()) else 0):
        at = draw(st.integers(0, len(word)))
        more = draw(st.sampled_from(list("=:,[]{}()'\"\\$~+-_.@/ \t\n0e1aNn#é")) | st.characters(max_codepoint=0x3FF))
        word = word[:at] + draw(st.sampled_from(["", more])) + word[at + draw(st.integers(0, 1)) :]
    return word


def asked(word: str) -> Any:
    """What Hydra's grammar makes of the word; None where it refuses it, or `cn` makes no assignment of it."""
    read_it = plain_words.read
    plain_words.read = lambda word: None
    try:
        return overrides._assignment.__wrapped__(word)  # pyright: ignore[reportPrivateUsage]
    except UserError:
        return None
    finally:
        plain_words.read = read_it


def held(word: str) -> bool:
    """Whether the word is read without Hydra; then it is as Hydra reads it, to the type and the last letter."""
    if read(word) is None:
        return False
    ours = overrides._assignment.__wrapped__(word)  # pyright: ignore[reportPrivateUsage]
    assert repr(ours) == repr(asked(word)), word
    return True


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(words())
@example("a=['','b']")
@example("a={a:b:c}")
@example("a=[: ]")
@example("a=1:")
def test_a_word_is_read_as_hydras_grammar_reads_it_or_declined(word: str) -> None:
    held(word)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=12) | st.binary(max_size=12).map(lambda each: "a=" + each.decode("latin-1")))
def test_any_letters_are_read_as_hydras_grammar_reads_them_or_declined(word: str) -> None:
    held(word)


def test_most_words_that_people_type_need_no_hydra() -> None:
    """So that a reader who declines everything does not pass for one that reads as Hydra does."""
    chosen = random.Random(0)
    values = [
        "3",
        "-2",
        "1e-3",
        "0.5",
        "true",
        "null",
        "vit",
        "vit/small",
        "out/a-b.txt",
        "[1,2]",
        "[a, b]",
        "{a:1}",
        "'a b'",
    ]
    typed = [f"{sign}{key}={value}" for sign in ("", "+", "++") for key in ("a", "a.b", "a/b") for value in values]
    assert all(map(held, [*typed, "~a", "~a.b"]))
    assert sum(held(f"a={chosen.choice(values)}:{chosen.choice(values)}") for _ in range(50)) > 10


@settings(max_examples=150, deadline=None)
@given(st.text("'\"\\ab${}", max_size=8) | st.text(max_size=8), st.sampled_from("'\""))
def test_a_text_is_put_in_quotes_as_hydra_does_it(text: str, mark: str) -> None:
    quote = Quote.single if mark == "'" else Quote.double
    assert plain_words.quoted(text, mark) == QuotedString(text, quote).with_quotes()
    assert plain_words.quoted(text)[0] == ("'" if '"' in text else '"')
    if not re.search(r"\$\{", text):
        value, _ = grammar.split(grammar.read(f"a={plain_words.quoted(text, mark)}").value())
        assert value == text
