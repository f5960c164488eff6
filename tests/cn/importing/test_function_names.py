"""Functions in place of resolvers whose names a module uses otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from cn.importing.writing.function_names import function_name
from tests.cn.importing.trees import imported, old_runs

CONFIG = """
defaults: [m: a]
n: 1.5
a: ${if:${n},2,3}
d: ${int:${n}}
e: ${derive:x}
f: ${run:1}
g: ${eval:'len("${n}")'}
h: ${len:1}
i: ${os:1}
j: ${oc.env:HOME}
k: ${M:2}
l: ${datetime:2}
"""
FILES = {"config": CONFIG, "m/a": "x: ${n}", "m/b": "x: ${list:1,2}\ny: [1]"}


@pytest.mark.parametrize(
    ("resolver", "function"),
    [("my.own", "my_own"), ("not", "not_"), ("int", "int_"), ("select", "select_"), ("eval", "eval__"), ("now", "now")],
)
def test_a_function_hides_nothing_that_a_module_uses(resolver: str, function: str) -> None:
    assert function_name(resolver) == function
    assert function_name(resolver, {function}) == f"{function}_"


@pytest.mark.slow
def test_resolvers_of_such_names_are_called_and_their_stubs_say_what_they_were(tmp_path: Path) -> None:
    found = imported(tmp_path, FILES)
    text = found.text("resolvers.py")
    names = {"derive_": "derive", "if_": "if", "int_": "int", "len_": "len", "list_": "list", "os_": "os"}
    names |= {"run_": "run", "M_": "M", "datetime_": "datetime"}
    assert found.conversion.called == names
    for function, resolver in names.items():
        head = f"def {function}(*arguments: Any) -> Any:"
        assert f'{head}\n    """Write here what the resolver ${{{resolver}:...}} gave."""' in text
    assert found.unequal("", "m=b", "n=2.5") == []


@pytest.mark.slow
def test_an_old_run_calls_these_functions(tmp_path: Path) -> None:
    (old,) = old_runs(imported(tmp_path, FILES), [("config", ["n=2.5"])])
    assert (old.loaded, old.difference, old.told) == (True, "", [])
