"""Long strings that repeat, written once: `#0 = "…"` at the head of a text, and `#0` where they stand.

What two strings begin with alike is written once too (`#1+"rest"`): the stack traces that a torch export carries on
every node are the branches of one tree, and so are its names of scopes and classes.

>>> texts = ['"File a.py, line 1, in f/call g/x"', '"File a.py, line 1, in f/call g/y"', '"File b.py"']
>>> head, texts = intern({i: (t, 1) for i, t in enumerate(texts)})
>>> head
['#0 = "File a.py, line 1, in f/call g/"']
>>> texts[0], texts[2]
('#0+"x"', '"File b.py"')
"""

from __future__ import annotations

import re
from itertools import islice

INTERN_CHARACTERS = 24  # a string literal of at least this length is written once when it occurs twice

_SAVED_CHARACTERS = 24  # what a shared beginning must save at least
_BOUNDARY = re.compile(r"\\n|/|, ")  # where a shared beginning may end
_BOUNDARIES = 64  # of one string that are looked at
_PREFIX_CHARACTERS = 4096  # the longest beginning that is looked at
_REFERENCE = re.compile(r"#([0-9]+)").match

# What `each` says of nodes that say nothing is at most so long, or counts as repetition wherever it stands.
EACH_BYTES = 1000
REPEATED_BYTES = 1000  # what each node of a `repeat` counts for besides its own bytes: making it takes time


def allowance_bytes(text_characters: int) -> int:
    """Return how many bytes a text of this length may gain by what it writes once and puts in many places."""
    return 64_000_000 + 1_000 * text_characters


class Texts(dict[str, bytes]):
    """The interned strings of a text by their name, `#0`, and how many bytes more may be put where they stand.

    Without a limit, `#1 = #0+#0`, `#2 = #1+#1` and so on would fill any memory.
    """

    def __init__(self, text_characters: int) -> None:
        super().__init__()
        self.left_bytes = allowance_bytes(text_characters)

    def expand(self, name: str) -> bytes:
        """Return the string of a name.  Raises KeyError where there is none, ValueError where it is too much."""
        value = self[name]
        self.left_bytes -= len(value)
        if self.left_bytes < 0:
            raise ValueError("the interned strings of this text are too long where they stand; write fewer, or shorter")
        return value


def intern(literals: dict[int, tuple[str, int]]) -> tuple[list[str], dict[int, str]]:
    """Return the lines that define what repeats, and what stands for each literal.

    `literals`: number -> (string literal, how often it occurs), in the order in which they first occur.
    """
    head, shown = _interned(literals)
    written = sum(map(len, head)) + sum(len(shown[mark]) * uses for mark, (_, uses) in literals.items())
    if _growth_bytes(head, [(shown[mark], uses) for mark, (_, uses) in literals.items()]) > allowance_bytes(written):
        return [], {mark: literal for mark, (literal, _) in literals.items()}  # more than a parser would take
    return head, shown


def _growth_bytes(head: list[str], shown: list[tuple[str, int]]) -> int:
    """Return how many bytes the references to interned strings stand for, at most."""
    sizes: list[int] = []
    total = 0
    for text, uses in [*((line.partition(" = ")[2], 1) for line in head), *shown]:
        reference = _REFERENCE(text)
        known = sizes[int(reference[1])] if reference else 0
        total += known * uses
        if len(sizes) < len(head):
            sizes.append(known + len(text.encode()))
    return total


def _interned(literals: dict[int, tuple[str, int]]) -> tuple[list[str], dict[int, str]]:
    texts = {mark: literal[1:-1] for mark, (literal, _) in literals.items()}
    shorter: dict[str, str] = {}  # a text or a beginning -> the next shorter beginning of it, or nothing
    prefixes = _shared_prefixes(list(texts.values()), shorter)
    numbers: dict[str, int] = {}
    head: list[str] = []

    def expression(text: str, *, whole: bool) -> str:
        """Return the shortest way to write `text`; `whole`: it has no number of its own."""
        if not whole and text in numbers:
            return f"#{numbers[text]}"
        parent = shorter[text]
        while parent and parent not in prefixes:
            parent = shorter[parent]
        if not parent:
            return f'"{text}"'
        rest = text[len(parent) :]
        define(parent)
        return f'#{numbers[parent]}+"{rest}"' if rest else f"#{numbers[parent]}"

    def define(text: str) -> None:
        if text not in numbers:
            shown = expression(text, whole=True)
            numbers[text] = len(numbers)
            head.append(f"#{numbers[text]} = {shown}")

    shown = {}
    for mark, (_, uses) in literals.items():
        if uses > 1:
            define(texts[mark])
        shown[mark] = expression(texts[mark], whole=False)
    return head, shown


def _ends(text: str) -> list[int]:
    """Return where a beginning of `text` may end."""
    found = _BOUNDARY.finditer(text, 0, _PREFIX_CHARACTERS)
    return list(islice((end for match in found if (end := match.end()) >= INTERN_CHARACTERS), _BOUNDARIES))


def _shared_prefixes(texts: list[str], shorter: dict[str, str]) -> set[str]:
    """Return the beginnings that several of the distinct strings share and that are worth a number; fill `shorter`."""
    counts: dict[str, int] = {}
    for text in set(texts):
        before = ""
        for end in _ends(text):
            prefix = text[:end]
            counts[prefix] = counts.get(prefix, 0) + 1
            shorter[prefix] = before
            before = prefix
        if before != text:
            shorter[text] = before
    accepted: set[str] = set()
    shared = sorted((p for p, n in counts.items() if n > 1), key=lambda p: (-len(p), p))
    kept: list[str] = []
    covered: dict[str, int] = {}  # a beginning -> the count of the next longer one that is shared
    for prefix in shared:
        if covered.get(prefix) != counts[prefix]:
            kept.append(prefix)
        if before := shorter[prefix]:
            covered[before] = max(covered.get(before, 0), counts[prefix])
    for prefix in reversed(kept):
        parent = shorter[prefix]
        while parent and parent not in accepted:
            parent = shorter[parent]
        if (counts[prefix] - 1) * (len(prefix) - len(parent)) >= _SAVED_CHARACTERS:
            accepted.add(prefix)
    return accepted
