"""The commands of READ_THIS_FIRST.md and of docs/ run as they stand, each page in a copy of the repository of its own.

A page is one test, since its later commands need the files and runs of its earlier ones; no page needs another.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pages import ELSEWHERE, PAGES, README, ROOT, copy, differences, name, run, steps, wrong
from tests.sweeps.project import end_below


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if steps(page)], ids=name)
def test_the_commands_of_a_page_print_what_it_shows(page: Path, tmp_path: Path) -> None:
    repository, told = copy(tmp_path), list[str]()
    for step in steps(page):
        status, printed = run(step, repository)
        if (why := wrong(step, status, printed)) is not None:
            told.append("\n".join([f"{name(page)}:{step.line}: {why}", f"$ {step.text}", *printed]))
    end_below(tmp_path)  # trials that it has queued and does not wait for
    assert not told, "\n\n".join(told)


def test_the_two_commands_of_a_fresh_machine_are_single_lines() -> None:
    shown = re.findall(r"^```sh\n(.*?)^```$", README.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert [block for block in shown if block in ELSEWHERE] == ELSEWHERE


SHOWN = ["accuracy 0.9778 (best), at step 624", "trial 984f7219ef optim.lr=0.008 in 0.19s", "seconds  10.252  12.896"]


@pytest.mark.parametrize(
    ("printed", "told"),
    [
        (SHOWN, None),
        (["accuracy 1 (best), at step 1560", "trial b99225abb2 optim.lr=0.008 in 2s", "seconds 5 7.1"], None),
        (["accuracy 0.9611, at step 39", *SHOWN[1:]], None),
        (["accuracy 0.9444, at step 624", *SHOWN[1:]], "0.9778 is shown, 0.9444 is printed"),
        ([SHOWN[0], "trial 984f7219ef optim.lr=0.009 in 0.19s", SHOWN[2]], "other lines"),
        (SHOWN[:2], "other lines"),
    ],
    ids=["same", "other digits", "not best", "another accuracy", "another value", "a line less"],
)
def test_a_measured_number_is_close_to_the_one_shown(printed: list[str], told: str | None) -> None:
    assert differences(SHOWN, printed) == told


LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\(([^)\s]+)\)")
PATH = re.compile(r"`((?:cn|models|data|runs|sweeps|tests|docs)/[\w/.-]+)`")


def anchors(page: Path) -> set[str]:
    """What a link to a heading of a page is called, as GitHub makes it."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_of_a_page_leads_to_a_file_and_a_heading_of_it(page: Path) -> None:
    lost: list[str] = []
    for link in LINK.findall(page.read_text()):
        if link.startswith("https://"):
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (heading and heading not in anchors(target)):
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    written = set(re.findall(r"^(?:\$ )?cat > (\S+) <<", text, flags=re.MULTILINE))
    written |= {f"{folder}/" for path in written for folder in Path(path).parents}
    named = {path for path in PATH.findall(text) if "NAME" not in path}
    assert sorted(path for path in named - written if not (ROOT / path).exists()) == []


def test_every_page_of_docs_is_in_the_list_of_pages() -> None:
    listed = {link.partition("#")[0] for link in LINK.findall(README.read_text())}
    assert {name(page) for page in PAGES if page != README} - listed == set()
