"""The report of an import: words that have changed, what was not converted, and what is equal, as Markdown."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from cn.importing.conversion import Conversion
from cn.importing.defaults_lists.packages import place_of
from cn.importing.proof.override_sets import patch_key, slots
from cn.importing.proof.proof import LEFT, Result
from cn.importing.proof.words import Words, read
from cn.importing.reading.yaml_files import File
from cn.importing.writing.resolvers import stubs

FILE = "IMPORT.md"
MOST = 200  # rows of a table
SEVERAL = 4  # places that are named in one row
SETTINGS = "settings of Hydra itself, which are no part of a run"
READS = {  # what to read in place of a setting of Hydra
    "runtime.output_dir": "the folder of a run is `job.folder`, in `train(run, job)`",
    "": "write in resolvers.py what `hydra()` gives for it",
}


def report(conversion: Conversion, results: list[Result], command: str) -> str:
    """Return the report. results: of the proof; empty if none was wanted."""
    rows = ["# Import", "", f"`{command}` wrote these files.", ""]
    rows += ["## Words", "", *table(("with Hydra", "here"), words(conversion)), ""]
    told = [*conversion.odd, *not_named(conversion), *hydra_settings(conversion)]
    if functions := stubs(conversion.functions):
        calls = ", ".join(f"`{name}()`" for name in functions)
        told.append(("resolvers.py", f"{calls}: write what your resolvers did"))
    if told:
        rows += ["## Not converted", "", *table(("place", "what"), together(told)), ""]
    if results:
        rows += ["## What is equal", "", *equal(results), ""]
    return "\n".join(rows).rstrip("\n") + "\n"


def together(told: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return a row for each text, with the places that it is about: all of a few, else the first and a count."""
    places: dict[str, list[str]] = {}
    for place, why in told:
        places.setdefault(why, []).append(f"`{place}`")
    return [
        (", ".join(each) if len(each) <= SEVERAL else f"{each[0]} and {len(each) - 1} more", why)
        for why, each in places.items()
    ]


def summary(results: list[Result]) -> list[str]:
    """Return the result of the proof in a few lines."""
    counts = Counter(each.verdict for each in results)
    good, counted = sum(each.good for each in results), sum(n for verdict, n in counts.items() if verdict not in LEFT)
    more = [f"; {counts[verdict]} more {what}" for verdict, what in LEFT.items() if counts[verdict]]
    return [f"{good} of {counted} override sets are equal{''.join(more)}", *speed(results)]


def speed(results: list[Result]) -> list[str]:
    """Return how long Hydra and CN took for a set: the medians."""
    pairs = [each.seconds for each in results if each.verdict == "equal" and each.seconds[1]]
    if not pairs:
        return []
    hydra, ours = (sorted(column)[len(pairs) // 2] for column in zip(*pairs, strict=True))
    return [f"median of one composition: Hydra {hydra * 1000:.1f} ms, CN {ours * 1000:.1f} ms"]


def equal(results: list[Result]) -> Iterator[str]:
    """Yield the lines of the proof: the counts, and each set that is not equal with its cause."""
    for line in summary(results):
        yield f"{line[:1].upper()}{line[1:]}."
        yield ""
    counts: dict[str, Counter[str]] = {}
    for each in results:
        counts.setdefault(each.primary, Counter())[each.verdict] += 1
    verdicts = ("equal", "both refuse", "differs", "refused", *LEFT)
    yield from table(
        ("primary config", *verdicts),
        [(name, *(str(count[verdict]) for verdict in verdicts)) for name, count in counts.items()],
    )
    bad = [each for each in results if not each.good and each.verdict != "left out"]
    if bad:
        yield ""
        shown = [(f"`{each.primary} {' '.join(each.overrides)}`", each.cause, _code(each.place)) for each in bad]
        yield from table(("override set", "first difference and its cause", "YAML"), shown)


def words(conversion: Conversion) -> list[tuple[str, str]]:
    """Return the words of the command line that have changed."""
    found: dict[str, str] = {}
    same = [primary for primary, run in conversion.runs.items() if primary == run]
    if len(same) > 1:
        found["--config-name NAME"] = "run=NAME"
    for primary, run in conversion.runs.items():
        if primary not in same or len(same) == 1:
            found[f"--config-name {primary}"] = f"run={run}"
    for primary in conversion.primaries:
        for key, _ in slots(conversion.contents[primary].full, ()):
            now = "/".join(conversion.families.typed(place_of(key)[1].split(".")))
            if now != key:
                found[f"{key}=NAME"] = f"{now}=NAME"
    sign = "+" if any(map(conversion.defaults.groups, map(conversion.files.__getitem__, conversion.runs))) else ""
    for group in dict.fromkeys(group for group, _ in conversion.patches):
        key = patch_key(conversion, group)
        names = {option: name for (its, option), name in conversion.patches.items() if its == group}
        changed = {option: name for option, name in names.items() if name != f"{group}/{option}"}
        if len(changed) < len(names):
            found[f"{key}=NAME"] = f"{sign}patches={group}/NAME"
            found |= {
                f"{its}={option}": f"{its}={now}" for (its, option), now in conversion.options.items() if its == group
            }
        found |= {f"{key}={option}": f"{sign}patches={name}" for option, name in changed.items()}
    found |= dict(_defaults(conversion))
    for (group, option), name in conversion.options.items():
        if name != option:
            found[f"{group}={option}"] = f"{group}={name}"
    for family in conversion.families.nodes():
        for field in family.fields.values():
            if field.typed != field.key and not conversion.families.is_data(field):
                found[f"...{field.key}"] = f"...{field.name}"
    return [(f"`{old}`", f"`{new}`") for old, new in found.items()]


def _defaults(conversion: Conversion) -> Iterator[tuple[str, str]]:
    """Yield the words for the patches that primary configs choose: here all that apply are named."""
    names, defaults = Words(conversion), conversion.defaults
    for primary, run in conversion.runs.items():
        before, now = (f"--config-name {primary} ", f"run={run} ") if len(conversion.runs) > 1 else ("", "")
        groups, followed = defaults.groups(conversion.files[primary]), defaults.followed(conversion.files[primary])
        patches = [
            f"{group}={option}"
            for (group, option), file in defaults.patches.items()
            if group not in groups and {*conversion.reader.patch(file).replaced} & {*groups}
        ]
        for word in [*(f"{patch_key(conversion, group)}=NAME" for group in [*groups, *followed]), *patches]:
            applied = names.applied(primary, [read(word)])
            listed = ",".join(conversion.patches.get(key, "/".join(key)) for key in applied)
            choice = f"{word} " if word.partition("=")[0] in followed else ""
            yield f"{before}{word}", f"{now}{choice}patches=[{listed}]"


def not_named(conversion: Conversion) -> list[tuple[str, str]]:
    """Return the primary configs that the command did not name."""
    left = [file for file in conversion.files.values() if _is_left(conversion, file)]
    return [(file.shown, f"a primary config that was not named: `--primary {file.name}` converts it") for file in left]


def _is_left(conversion: Conversion, file: File) -> bool:
    return not file.group and not file.types and file.config not in conversion.contents


def hydra_settings(conversion: Conversion) -> list[tuple[str, str]]:
    """Return the settings of Hydra in the tree, which are no part of a run, and what reads them."""
    found: list[tuple[str, str]] = []
    for file in conversion.files.values():
        if _is_left(conversion, file):
            continue
        sweep = conversion.sweeps.get(file.config)
        what = f"{SETTINGS}; the sweeper's `params` are {sweep}" if sweep else SETTINGS
        if conversion.reader.is_hydra(file):
            found.append((file.shown, what))
            continue
        if ("hydra",) in file.lines:
            found.append((file.place(("hydra",)), what))
        for entry in file.entries:
            group = entry.group or str(entry.options)
            if group.removeprefix("/").startswith("hydra"):
                chosen = f"`{group}: {entry.options}` in the defaults chooses settings of Hydra itself"
                found.append((f"{file.shown}:{entry.line}", chosen))
        rows = file.path.read_text("utf-8").split("\n") if file.path.is_file() else []
        found += [
            (f"{file.shown}:{line}", f"`${{hydra:{name}}}` gives a word only; {READS.get(name, READS[''])}")
            for line, row in enumerate(rows, 1)
            for name in re.findall(r"\$\{hydra:([^}]*)\}", row.partition(" #")[0])
            if not row.strip().startswith("#") and name != "runtime.cwd" and not _of_hydra(file, line)
        ]
    return found


def _of_hydra(file: File, line: int) -> bool:
    """Return whether a line of a file is below its key `hydra`."""
    above = [(at, keys[0]) for keys, at in file.lines.items() if len(keys) == 1 and at <= line]
    return bool(above) and max(above)[1] == "hydra"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """Return a table of Markdown."""
    cells = [tuple(cell.replace("|", "\\|").replace("\n", " ") for cell in row) for row in rows[:MOST]]
    more = [f"... and {len(rows) - MOST} more."] if len(rows) > MOST else []
    lines = [f"| {' | '.join(row)} |" for row in [head, tuple("---" for _ in head), *cells]]
    return [*lines, *more]


def _code(text: str) -> str:
    return f"`{text}`" if text else ""
