"""Re-Pair: a sequence of symbols as a grammar, by replacing the most frequent pair of neighbours again and again.

The symbols are nodes, and a repeat has to be wired alike inside, wherever its operands come from.  So a pair is not two
symbols but two symbols and the edges between them: which results of the left one are which operands of the right one.

Neg Abs Neg Abs, where each Abs reads the Neg before it, and each Neg something else:

>>> rest = {"starts": [0, 1, 2, 3], "gaps": [0, 1, 1, 1], "last_uses": [1, 2, 3, 4]}
>>> grammar = find_repeats([0, 1, 0, 1], links=[(-1,), (0,), (1,), (2,)], **rest)
>>> grammar.rules, grammar.heads, grammar.symbols
([(0, 1)], [0, 2], [2, 2])

With the second Abs reading the first Neg there is no repeat:

>>> find_repeats([0, 1, 0, 1], links=[(-1,), (0,), (1,), (0,)], **rest).rules
[]

Source: Larsson and Moffat, "Offline Dictionary-Based Compression" (1999); O(E + N log N) for N symbols and E edges as
long as the symbols that have not met yet have few operands between them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

BARRIER = -1  # a symbol that joins no pair


@dataclass(frozen=True, slots=True)
class Grammar:
    """Rule k is the symbol `terminals` + k and stands for two symbols; what is left of the sequence is `symbols`."""

    terminals: int
    rules: list[tuple[int, int]]
    heads: list[int]  # where in the sequence each of the symbols left begins
    symbols: list[int]


def find_repeats(
    symbols: Sequence[int],
    *,
    starts: Sequence[int],
    links: Sequence[tuple[int, ...]],
    gaps: Sequence[int],
    last_uses: Sequence[int],
    again: Collection[int] = (),
    cuts: Collection[int] = (),
) -> Grammar:
    """Return the grammar of a sequence of symbols, each of which makes values and reads values made before it.

    `starts`: the number of the first value that each makes; `links`: the numbers of the values that it reads, negative
    for one made elsewhere; `gaps`: how many values are needed on both sides of the gap before it; `last_uses`: the last
    symbol that reads each value.  Of pairs equally frequent, the one across the widest gap comes first, so that the
    repeats that are left end where little goes across.  A value that is read behind a pair is another than one that is
    not.

    `cuts`: the gaps across which nothing is paired before all else is.  Two equal symbols that stand for pairs make no
    pair, nor do the symbols in `again` with those before them: a run of equal steps is a statement of its own.
    """
    work = _Work(symbols, starts, links, gaps, last_uses, again)
    if cuts:
        work.run(frozenset(cuts))
    work.run(frozenset())
    heads, i = [], 0
    while i < len(symbols):
        heads.append(i)
        i = work.after[i]
    return Grammar(work.terminals, work.rules, heads, [work.sym[i] for i in heads])


class _Work:
    """A sequence on its way to a grammar."""

    def __init__(
        self,
        symbols: Sequence[int],
        starts: Sequence[int],
        links: Sequence[tuple[int, ...]],
        gaps: Sequence[int],
        last_uses: Sequence[int],
        again: Collection[int],
    ) -> None:
        count = len(symbols)
        self.terminals = max(symbols, default=0) + 1
        self.starts, self.gaps, self.last_uses, self.again = starts, gaps, last_uses, frozenset(again)
        self.sym = list(symbols)
        self.ext = list(links)  # the values that the symbol beginning here reads from outside of it
        self.after = list(range(1, count + 1))
        self.before = list(range(-1, count - 1))
        self.rules: list[tuple[int, int]] = []

    def run(self, cuts: frozenset[int]) -> None:
        """Replace pairs as long as one stands at two places."""
        sym, ext, after, before, rules = self.sym, self.ext, self.after, self.before, self.rules
        last_uses, again = self.last_uses, self.again
        starts, gaps, count, terminals = self.starts, self.gaps, len(self.sym), self.terminals
        pair_at = [-1] * count  # the pair that begins here
        ids: dict[tuple, int] = {}
        uses: list[int] = []  # how often a pair stands in the sequence
        places: list[list[int]] = []  # where it stands or stood

        def meet(i: int, j: int) -> int:
            """Note the pair of the symbols at `i` and, behind it, at `j`, and return its number."""
            start, read, end = starts[i], ext[j], after[j]
            if len(read) == 1:
                v = read[0]
                key = (sym[i], sym[j], -1 if v < start else v - start if last_uses[v] < end else start - v - 2)
            else:
                key = (
                    sym[i],
                    sym[j],
                    *[-1 if v < start else v - start if last_uses[v] < end else start - v - 2 for v in read],
                )
            pair = ids.setdefault(key, len(uses))
            if pair == len(uses):
                uses.append(0)
                places.append([])
            uses[pair] += 1
            places[pair].append(i)
            pair_at[i] = pair
            return pair

        i = 0
        while (j := after[i] if i < count else count) < count:
            if (
                sym[i] >= 0
                and sym[j] >= 0
                and j not in cuts
                and (sym[i] != sym[j] or (sym[i] < terminals and j not in again))
            ):
                meet(i, j)
            i = j
        heap = [(-n, -gaps[after[places[pair][0]]], pair) for pair, n in enumerate(uses) if n > 1]
        heapify(heap)
        while heap:
            negative, gap, pair = heappop(heap)
            if uses[pair] != -negative:
                if uses[pair] > 1:
                    heappush(heap, (-uses[pair], gap, pair))
                continue
            new = terminals + len(rules)
            changed: dict[int, int] = {}  # the pairs that have become more frequent -> where one has its gap
            replaced, places[pair] = places[pair], []
            for i in replaced:
                if pair_at[i] != pair:
                    continue  # gone, or overlapping the one just replaced
                j = after[i]
                if len(rules) == new - terminals:
                    rules.append((sym[i], sym[j]))
                k, h = after[j], before[i]
                if pair_at[j] >= 0:
                    uses[pair_at[j]] -= 1
                    pair_at[j] = -1
                pair_at[i] = -1
                if ext[j]:
                    start = starts[i]
                    ext[i] = ext[i] + tuple([v for v in ext[j] if v < start])
                sym[i] = new
                after[i] = k
                if k < count:
                    before[k] = i
                    if sym[k] >= 0 and sym[k] != new and k not in cuts:
                        changed[meet(i, k)] = k
                if h >= 0:
                    if pair_at[h] >= 0:
                        uses[pair_at[h]] -= 1
                        pair_at[h] = -1
                    if sym[h] >= 0 and sym[h] != new and i not in cuts:
                        changed[meet(h, i)] = i
            uses[pair] = 0
            for other, at in changed.items():
                if uses[other] > 1:
                    heappush(heap, (-uses[other], -gaps[at], other))
