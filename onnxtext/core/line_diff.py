"""The unified diff of two texts, in time that grows with their length.

Lines that stand once in each text are matched first (patience diff, after Bram Cohen), then equal lines next to them.
difflib, which looks for the longest run of equal lines again and again, takes hours for a large text in which every
other line is changed.

>>> print(line_diff("a\\nb\\nc\\n", "a\\nB\\nc", "text"), end="")
--- text
+++ text
@@ -1,3 +1,3 @@
 a
-b
-c
+B
+c
\\ No newline at end of file
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Sequence
from difflib import Match, SequenceMatcher

_CONTEXT = 3  # unchanged lines around what is changed


def line_diff(old: str, new: str, source: str) -> str:
    """Return the unified diff from `old` to `new`, both of the file `source`; nothing where they are equal."""
    a, b = _lines(old), _lines(new)
    out = [f"--- {source}\n", f"+++ {source}\n"]
    for group in _Matcher(a, b).get_grouped_opcodes(_CONTEXT):
        (_, i, _, j, _), (_, _, i_end, _, j_end) = group[0], group[-1]
        out.append(f"@@ -{_range(i, i_end)} +{_range(j, j_end)} @@\n")
        for tag, i, i_end, j, j_end in group:
            if tag == "equal":
                out += [f" {line}" for line in a[i:i_end]]
            else:
                out += [f"-{line}" for line in a[i:i_end]] + [f"+{line}" for line in b[j:j_end]]
    return "".join(line if line[-1] == "\n" else f"{line}\n\\ No newline at end of file\n" for line in out[2:] and out)


def matching_blocks(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Match]:
    """Return runs of equal items, in order, the last of them empty: what difflib returns, in less time."""
    a, b = list(old), list(new)
    blocks: list[Match] = []
    i = j = 0
    for i_end, j_end in [*_anchors(a, b), (len(a), len(b))]:
        size = 0
        while i + size < i_end and j + size < j_end and a[i + size] == b[j + size]:
            size += 1
        blocks.append(Match(i, j, size))
        i, j, size = i + size, j + size, 0
        while i_end - size > i and j_end - size > j and a[i_end - size - 1] == b[j_end - size - 1]:
            size += 1
        blocks.append(Match(i_end - size, j_end - size, size))
        i, j = i_end, j_end
    merged: list[Match] = []
    for block in blocks:
        if not block.size:
            continue
        if merged and (merged[-1].a + merged[-1].size, merged[-1].b + merged[-1].size) == (block.a, block.b):
            block = Match(merged[-1].a, merged[-1].b, merged.pop().size + block.size)
        merged.append(block)
    return [*merged, Match(len(a), len(b), 0)]


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)  # str.splitlines would part at other characters too


def _range(start: int, end: int) -> str:
    """Return the lines of a hunk as POSIX has them: an empty one is named after the line before it."""
    count = end - start
    return f"{start + (count > 0)},{count}" if count != 1 else f"{start + 1}"


class _Matcher(SequenceMatcher[str]):
    """What difflib makes hunks of, with matches of our own."""

    def __init__(self, old: list[str], new: list[str]) -> None:
        super().__init__()
        self.old, self.new = old, new

    def get_matching_blocks(self) -> list[Match]:
        return matching_blocks(self.old, self.new)


def _anchors(a: list[Hashable], b: list[Hashable]) -> list[tuple[int, int]]:
    """Return the most places of lines that stand once in each text such that they come in one order in both."""
    in_a, in_b = Counter(a), Counter(b)
    place = {line: j for j, line in enumerate(b) if in_b[line] == 1}
    pairs = [(i, place[line]) for i, line in enumerate(a) if in_a[line] == 1 and line in place]
    ends: list[int] = []  # of increasing runs of each length, the smallest last place in b
    last: list[int] = []  # the pair that has it
    before: list[int] = []  # of each pair, the one before it in the longest run that it ends
    for k, (_, j) in enumerate(pairs):
        length = bisect_left(ends, j)
        before.append(last[length - 1] if length else -1)
        ends[length : length + 1] = [j]
        last[length : length + 1] = [k]
    found = []
    k = last[-1] if last else -1
    while k >= 0:
        found.append(pairs[k])
        k = before[k]
    return found[::-1]
