"""The words that a sketch is read as.

Words are the terminals of the language: operators, functions, values.  An attribute with its number is one word, and
where a value is defined it is another word than where it is used.  What the layout says anyway, commas, arrows and
braces, is no word.  Small numbers stand as they are; large ones as the nearest quarter of an octave.

>>> words("graph (%x: f32[1,3,32,32]) -> (%y) { %y = Conv(%x) {width=17, kernel=3} -> repeat 2 @a -> Relu }")
['graph', 'size=3', 'size=32', 'size=32', '%y=', 'Conv', '%x', 'width=16', 'kernel=3', 'repeat=2', '@a', 'Relu']
"""

from __future__ import annotations

import re
from functools import cache
from math import log2

SPECIAL = ("[PAD]", "[CLS]", "[UNK]", "[SEP]")  # the first words of every vocabulary
_EXACT = 12  # numbers up to which each is its own word

_WORD = re.compile(
    r"(?P<key>[a-z]+)=(?P<number>\"each\"|[0-9.]+)"
    r"|repeat (?P<times>[0-9]+)"
    r"|f32\[(?P<shape>[0-9,]*)\]"
    r"|(?P<defined>%[a-z0-9]+) ="
    r"|(?P<name>[%@][a-z0-9]+)(?P<typed>:)?"
    r"|(?P<plain>[A-Za-z_][A-Za-z0-9_.]*)"
    r"|-> \([^)]*\)"  # what a function returns: the last value that it defines
)


def words(text: str) -> list[str]:
    """Return the words of a sketch."""
    found: list[str] = []
    for match in _WORD.finditer(text):
        kind = match.lastgroup
        if kind == "plain":
            if match["plain"] != "onnxt":
                found.append(match["plain"])
        elif kind == "number":
            found.append(_sized(match["key"], match["number"]))
        elif kind == "defined":
            found.append(f"{match['defined']}=")
        elif kind == "name":
            found.append(match["name"])
        elif kind == "times":
            found.append(_sized("repeat", match["times"]))
        elif kind == "shape":
            found += [_sized("size", size) for size in match["shape"].split(",")[1:]]
    return found


@cache
def _sized(key: str, number: str) -> str:
    if number == '"each"':
        return f"{key}=each"
    size = float(number)
    if size.is_integer() and size <= _EXACT:
        return f"{key}={int(size)}"
    return f"{key}={_spelled(round(4 * log2(size)))}"


@cache
def _spelled(quarters: int) -> str:
    """Return a number of quarters of an octave as the number that it stands for, in as many digits as are needed."""
    size = 2 ** (quarters / 4)
    return f"{size:.2g}" if size < 10 else str(round(size))
