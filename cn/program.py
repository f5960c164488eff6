"""Commands in messages: the name of the program, and words quoted for the shell."""

import shlex

script = "train.py"
typed: tuple[str, ...] = ()  # the words after the program's name, where they ask for a run
LONGEST = 200  # letters; a longer word is not repeated in messages


def quoted(word: str) -> str:
    """Quote a word for the shell."""
    if "'" in word and not set(word) & set('"$`\\!'):
        return f'"{word}"'
    return shlex.quote(word)


def said(key: str, value: str) -> str:
    """Return `KEY=VALUE` quoted for the shell, with `...` in place of a value that is too long or not printable."""
    word = f"{key}={value}"
    return quoted(word) if len(word) <= LONGEST and word.isprintable() else f"{key}=..."
