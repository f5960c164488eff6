"""The commands that messages name: what the program was started as, and words as a shell takes them."""

import shlex

script = "train.py"
LONGEST = 200  # letters of a word that is repeated


def quoted(word: str) -> str:
    """A word as it is typed in a shell."""
    if "'" in word and not set(word) & set('"$`\\!'):
        return f'"{word}"'
    return shlex.quote(word)


def said(key: str, value: str) -> str:
    """`KEY=VALUE` as it is typed in a shell, with `...` for a value that is too long, or of letters unseen."""
    word = f"{key}={value}"
    return quoted(word) if len(word) <= LONGEST and word.isprintable() else f"{key}=..."
