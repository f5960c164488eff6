"""python -m cn runs|sweeps|check|new|import    (commands of any project, beside the project's own program)"""

from __future__ import annotations

import sys

from cn import program
from cn.cli.exit_status import exit_status
from cn.errors import UserError, hint, short
from cn.screen import answering, say
from cn.table import fold

VERBS = ("runs", "sweeps", "check", "new", "import")
HELP = """\
python -m cn VERB ...

  runs [FOLDER ...]    the runs below outputs/, or below other folders, the newest last
  runs diff A B ...    what differs in their configurations, and what they came to
  sweeps               the sweeps of this project
  sweeps VERB NAME     plan, submit, status, logs, cancel, retry, results or best of a sweep
  check                whether everything composes, and with --against REV, what a commit changed
  new PROJECT          a small project in a new folder, which runs, sweeps and passes its own test
  import FOLDER        node classes for a folder of Hydra YAML files, and a proof of what they compose

  -h, --help: this page; python -m cn VERB -h: that of a verb"""


def main(words: list[str] | None = None) -> int:
    """Run a command and return the exit status: 2 for a user's mistake, 1 for a failure."""
    program.script = "-m cn"
    return exit_status(lambda: _main(sys.argv[1:] if words is None else words))


def _main(words: list[str]) -> int | None:
    verb, *rest = words or [""]
    if verb == "runs":
        from cn.cli.runs import runs

        runs(rest)
    elif verb == "sweeps":
        from cn.cli.sweeps import sweeps

        return sweeps(rest)
    elif verb == "check":
        from cn.cli.check import check

        return check(rest)
    elif verb == "new":
        from cn.cli.new import new

        new(rest)
    elif verb == "import":
        from cn.cli.importing import import_

        import_(rest)
    elif verb in ("", "-h", "--help"):
        with answering():
            say(fold(HELP))
    else:
        raise UserError(f"{short(verb)!r} is no verb", hint(verb, VERBS), "see: python -m cn -h")
    return None


if __name__ == "__main__":
    sys.exit(main())
