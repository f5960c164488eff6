"""Whatever is typed, the answer is a run or one error of at most six lines; never a traceback."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cn import UserError
from cn.cli.help import complete
from cn.nodes.node import CN
from cn.nodes.traversal import walk

KEYS = [
    "run", "model", "teacher", "optim", "callbacks", "model/head", "model.head", "teacher/head", "teacher.head.dim",
    "callbacks.checkpoint", "callbacks/checkpoint", "callbacks/new", "callbacks.checkpoint.every", "model.dim", "seed",
    "steps", "warmup", "name", "clip", "mode", "precision", "out", "betas", "betas.0", "betas.7", "tasks", "tasks.0",
    "opts", "opts.a", "opts.b", "opts.a.b", "flag", "either", "anything", "anything.a", "nope", "model.nope", "hydra",
    "hydra.x", "_target_", "__class__", "a/b/c", "", ".", "/", "model.", "é", "0", "model@teacher", "defaults",
]  # fmt: skip
VALUES = [
    "1", "-1", "1.5", "1e400", "nan", "null", "true", "", "''", "x", "vit", "mlp", "vit/small", "cls_token", "stop",
    "checkpoint", "[checkpoint,stop]", "[]", "{}", "[[]]", "[null]", "{a:1}", "{a:{b:[1,{}]}}", "{1:2}", "default",
    "bare", "cifar/vit", "../x", "__init__", "adamw", "eval", "bf16", "1,2", "range(3)", "glob(*)", "choice(1,2)",
    "${seed}", "${model}", "${nope}", "${steps}", "${a", "${oc.env:HOME}", "${oc.env:NOWHERE}", "'${seed}'", "\\", '"',
    "'", "[", "]", "{a:", "a b", "a\nb", "a=b", "é", "\0", "9" * 5000, "[" * 50, "x" * 3000, "int('3')", "0x1f",
    "(a)", "a=b=c", "~/x", "#x", "a;b", "'${a'", "'${a:'", "${a b}", "'${a}}${'", "[a,#]", "{a}", "it's", "a,", "010",
    "{_member_:0,_value_:1}", "{_member_:9,_value_:1}", "{_class_:x}", "???", "${hydra:job.name}", "\u202e", "\ud800",
]  # fmt: skip
ANTLR = ("no viable alternative", "mismatched input", "token recognition", "extraneous input", "LexerNoViable")
VERBS = ["", "", "", "", "+", "++", "~", "~~", "-", " "]
words = st.lists(
    st.builds(lambda verb, key, value: f"{verb}{key}={value}", st.sampled_from(VERBS), st.sampled_from(KEYS),
              st.sampled_from(VALUES))
    | st.builds(lambda verb, key: f"{verb}{key}", st.sampled_from(VERBS), st.sampled_from(KEYS))
    | st.builds(lambda key, value: f"{key}={value}", st.sampled_from(KEYS), st.text(max_size=20))
    | st.text(max_size=20),
    max_size=5,
)  # fmt: skip


@pytest.mark.slow
def test_every_list_of_words_is_a_run_or_one_error(run: Any) -> None:
    @given(words)
    @settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def compose(words: list[str]) -> None:
        message = ""
        try:
            node = run(*words)
            assert all(isinstance(each, CN) and each._frozen for _, each in walk(node))
        except UserError as error:
            message = str(error)
        assert len(message) < 2500
        assert len(message.split("\n")) <= 6
        assert " at 0x" not in message
        assert not any(word in message for word in ANTLR)
        for line in message.split("\n  write: ")[1:]:
            assert shlex.split(line.split("\n")[0])
        message.encode()

    compose()


@pytest.mark.slow
def test_every_line_is_completed_without_an_error(tree: Any) -> None:
    from runs import Run

    @given(words)
    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def completed(words: list[str]) -> None:
        assert all(isinstance(word, str) for word in complete(Run, words))

    completed()
