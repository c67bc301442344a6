"""Which repeats of a model become functions: a descent in which every step makes the text shorter.

The rules of a grammar overlap: a function for one changes what a function for another saves.  So, first, all rules are
turned into functions and back, from the largest to the smallest and from the smallest to the largest, by estimates
that follow from the rules above and below alone.  Then each function that is left is weighed in the text as it would
be, with all parameters and with what `each` says once, and the text without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import onnx

from onnxtext_passes.costs import Bags, Costs
from onnxtext_passes.repair import Grammar
from onnxtext_passes.repeats import Repeat, Tables
from onnxtext_passes.units import LOCAL_DOMAIN

_MAX_TURNS = 12  # of the descent by estimates
_MAX_SWEEPS = 4  # over the functions that are left


@dataclass(frozen=True, slots=True)
class Limits:
    """Which repeats may become functions."""

    min_nodes: int
    max_parameters: int
    nested: bool


class Choice:
    """Which rules of a grammar are functions."""

    def __init__(self, tables: Tables, grammar: Grammar, costs: Costs, limits: Limits) -> None:
        self.tables, self.grammar, self.costs, self.limits = tables, grammar, costs, limits
        self.first = grammar.terminals
        count = len(grammar.rules)
        self.sizes = [1] * self.first  # of every symbol, in units
        for a, b in grammar.rules:
            self.sizes.append(self.sizes[a] + self.sizes[b])
        self.repeats = self.find_repeats()
        self._means: dict[int, tuple[float, float]] = {}
        self._told: dict[int, tuple[float, float] | None] = {}
        self.kept = [True] * count
        self.saved = 0.0  # the characters by which the text is shorter
        self.choose()

    def find_repeats(self) -> list[Repeat]:
        """Return where each rule stands, also within others."""
        grammar, first = self.grammar, self.first
        places: list[list[np.ndarray]] = [[] for _ in grammar.rules]
        heads, symbols = np.array(grammar.heads), np.array(grammar.symbols)
        order = np.argsort(symbols, kind="stable")
        numbers, begins = np.unique(symbols[order], return_index=True)
        for number, found in zip(numbers.tolist(), np.split(heads[order], begins[1:]), strict=True):
            if number >= first:
                places[number - first].append(found)
        repeats: list[Repeat] = []
        for k in reversed(range(len(grammar.rules))):
            found = places[k][0] if len(places[k]) == 1 else np.sort(np.concatenate(places[k]))
            repeats.append(Repeat(self.tables, found, self.sizes[first + k]))
            a, b = grammar.rules[k]
            if a >= first:
                places[a - first].append(found)
            if b >= first:
                places[b - first].append(found + self.sizes[a])
        return repeats[::-1]

    def written(self, k: int) -> tuple[float, float]:
        """Return the characters of rule k where it is written out: where it stands, and in the body of a function."""
        found = self._means.get(k)
        if found is None:
            places, size = self.repeats[k].places, self.repeats[k].size
            graphs, bodies = (
                float((sums[places + size] - sums[places]).sum()) / len(places)
                for sums in (self.costs.in_graphs, self.costs.in_bodies)
            )
            found = self._means[k] = graphs, bodies
        return found

    def told(self, k: int) -> tuple[float, float] | None:
        """Return the characters of a call of rule k and of its function beyond its body; None where it can be none."""
        if k not in self._told:
            self._told[k] = self.tell(k)
        return self._told[k]

    def tell(self, k: int) -> tuple[float, float] | None:
        repeat, units, values = self.repeats[k], self.tables.units, self.costs.values
        letter = self.costs.measure.letter
        first = int(repeat.places[0])
        variants = units.variants[first : first + repeat.size]
        nodes = sum(not units.tails[tail].is_hole for variant in variants for tail in units.unit_tails[variant])
        if nodes < self.limits.min_nodes or not repeat.outputs or len(repeat.parameters) > self.limits.max_parameters:
            return None
        call = self.call_characters(k) - self.costs.measure.chained * int(repeat.chained.sum()) / len(repeat.places)
        for parameter in repeat.parameters:
            call += sum(n * (values[v] + 4 * letter) for v, n in parameter.counts.items()) / len(repeat.places)
        return call * (1 - int(repeat.again.sum()) / len(repeat.places)), self.head_characters(k)

    def call_characters(self, k: int) -> int:
        """Return the characters of a call that is no link of a chain, without attributes."""
        repeat, measure = self.repeats[k], self.costs.measure
        return measure.statement + measure.called + measure.operand * (len(repeat.inputs) + len(repeat.outputs) - 1)

    def head_characters(self, k: int) -> int:
        """Return the characters of a function around its body."""
        repeat, units, measure = self.repeats[k], self.tables.units, self.costs.measure
        first = int(repeat.places[0])
        tails = {tail for v in units.variants[first : first + repeat.size] for tail in units.unit_tails[v]}
        domains = {units.tails[tail].domain for tail in tails}
        length = measure.function + sum(measure.domain + measure.letter * len(domain) for domain in domains)
        length += measure.operand * (len(repeat.inputs) + len(repeat.outputs))
        return length + 3 * measure.letter * len(repeat.parameters)

    def choose(self) -> None:
        """Turn rules into functions and back until no turn makes the text shorter."""
        grammar = self.grammar
        units = self.tables.units
        bodies = np.array([isinstance(place.holder, onnx.FunctionProto) for place in units.places] or [False])
        ends = np.array([place.end for place in units.places])
        symbols, heads = np.array(grammar.symbols), np.array(grammar.heads)
        is_rule = symbols >= self.first
        self._top = np.zeros((len(self.sizes), 2))  # how often a rule stands in what is left: in graphs, in functions
        in_body = bodies[np.searchsorted(ends, heads[is_rule], side="left")]
        np.add.at(self._top, (symbols[is_rule], in_body.astype(int)), 1)
        sites = self._top[self.first :].tolist()
        for k in reversed(range(len(self.kept))):
            self.kept[k] = sum(sites[k]) > 1
            self.hand_down(k, sites)
        for turn in range(_MAX_TURNS):
            if not (self.turn_upwards() if turn % 2 else self.turn_downwards()) and turn:
                break
        self.weigh()

    def forbid(self, rules: Set[int]) -> None:
        """Choose anew, without functions for some rules."""
        self._told.update(dict.fromkeys(rules))
        self.kept = [True] * len(self.kept)
        self.choose()

    def hand_down(self, k: int, sites: list[list[float]]) -> None:
        """Count the places of the two parts of rule k."""
        if not self.kept[k]:
            graphs, bodies = sites[k]
        elif self.limits.nested:
            graphs, bodies = 0, 1
        else:
            return
        for part in self.grammar.rules[k]:
            if part >= self.first:
                sites[part - self.first][0] += graphs
                sites[part - self.first][1] += bodies

    def gain(self, k: int, gains: list[list[float]]) -> None:
        """Note what the functions within rule k save, in a graph and in a function."""
        found = gains[k] = [0.0, 0.0]
        for part in self.grammar.rules[k]:
            if part >= self.first:
                child = part - self.first
                told = self.told(child) if self.kept[child] else None
                if told is None:
                    self.kept[child] = False
                    found[0] += gains[child][0]
                    found[1] += gains[child][1]
                else:
                    graphs, bodies = self.written(child)
                    found[0] += graphs - told[0]
                    found[1] += bodies - told[0]

    def saves(self, k: int, sites: list[list[float]], gains: list[list[float]]) -> bool:
        """Tell whether the text is shorter with a function for rule k."""
        if sum(sites[k]) < 2:
            return False
        graphs, bodies = self.written(k)
        body = bodies - gains[k][1] if self.limits.nested else bodies
        graphs, bodies = graphs - gains[k][0], bodies - gains[k][1]
        call, function = 0, self.costs.measure.function  # at least; then what it really takes
        for _ in range(2):
            if sites[k][0] * (graphs - call) + sites[k][1] * (bodies - call) <= function + body:
                return False
            told = self.told(k)
            if told is None:
                return False
            call, function = told
        return True

    def turn_downwards(self) -> bool:
        """Decide each rule anew, those before the rules they are made of.  Returns whether any decision changed."""
        gains: list[list[float]] = [[0.0, 0.0] for _ in self.kept]
        for k in range(len(self.kept)):
            self.gain(k, gains)
        sites = self._top[self.first :].tolist()
        changed = False
        for k in reversed(range(len(self.kept))):
            keeps = self.saves(k, sites, gains)
            changed |= keeps != self.kept[k]
            self.kept[k] = keeps
            self.hand_down(k, sites)
        return changed

    def turn_upwards(self) -> bool:
        """Decide each rule anew, those before the rules made of them.  Returns whether any decision changed."""
        sites = self._top[self.first :].tolist()
        for k in reversed(range(len(self.kept))):
            self.hand_down(k, sites)
        gains: list[list[float]] = [[0.0, 0.0] for _ in self.kept]
        changed = False
        for k in range(len(self.kept)):
            self.gain(k, gains)
            keeps = self.saves(k, sites, gains)
            changed |= keeps != self.kept[k]
            self.kept[k] = keeps
        return changed

    # ---- the text as it would be

    def parts(self, symbol: int, unit: int, *, body: bool = False) -> Iterator[tuple[int, int]]:
        """Yield what a symbol that begins at a unit is made of: (rule, unit) for a call, (-1, unit) for a unit.

        `body`: of a function, not of a call of it.
        """
        todo = [(symbol, unit, body)]
        while todo:
            symbol, unit, opened = todo.pop()
            rule = symbol - self.first
            if rule < 0:
                yield -1, unit
            elif self.kept[rule] and not opened:
                yield rule, unit
            else:
                a, b = self.grammar.rules[rule]
                opened = body and not self.limits.nested
                todo += [(b, unit + self.sizes[a], opened), (a, unit, opened)]

    def body(self, k: int) -> list[tuple[int, int]]:
        """Return what the function of a rule is made of, at the first of its places."""
        return list(self.parts(self.first + k, int(self.repeats[k].places[0]), body=True))

    def weigh(self) -> None:
        """Write functions out again that make the text longer, and note by how much the others make it shorter."""
        sites: dict[int, list[int]] = {}
        for symbol, head in zip(self.grammar.symbols, self.grammar.heads, strict=True):
            if symbol >= self.first:
                for rule, unit in self.parts(symbol, head):
                    if rule >= 0:
                        sites.setdefault(rule, []).append(unit)
        self._sites = {rule: np.array(found) for rule, found in sites.items()}
        rules = [k for k, kept in enumerate(self.kept) if kept]
        self._bodies = {k: self.body(k) for k in rules}
        self._callers: dict[int, set[int]] = {}
        self._note_callers(self._bodies)
        self._functions = {k: self.function_characters(k) for k in rules}
        self._calls = {k: self.calls_characters(k, found) for k, found in self._sites.items()}
        for _ in range(_MAX_SWEEPS):
            spared = [k for k in rules if self.kept[k] and self.spare(k)]
            if not spared:
                break
        graphs = self.costs.in_graphs
        written = sum(
            float((graphs[at + self.sizes[self.first + k]] - graphs[at]).sum()) for k, at in self._sites.items()
        )
        self.saved = written - sum(self._functions.values()) - sum(self._calls.values())

    def _note_callers(self, bodies: dict[int, list[tuple[int, int]]]) -> None:
        for caller, body in bodies.items():
            for rule, _ in body:
                if rule >= 0:
                    self._callers.setdefault(rule, set()).add(caller)

    def spare(self, k: int) -> bool:
        """Write the function of rule k out where that makes the text no longer, and tell whether it was done."""
        callers = sorted(self._callers.get(k, ()))
        self.kept[k] = False
        bodies = {c: self.body(c) for c in callers}
        functions = {c: self.function_characters(c, bodies[c]) for c in callers}
        change = sum(functions[c] - self._functions[c] for c in callers) - self._functions[k]
        sites, calls = {}, {}
        at = self._sites.get(k)
        if at is not None:
            graphs, first = self.costs.in_graphs, int(self.repeats[k].places[0])
            change += float((graphs[at + self.repeats[k].size] - graphs[at]).sum()) - self._calls[k]
            inside: dict[int, list[np.ndarray]] = {}
            for rule, unit in self.parts(self.first + k, first):
                if rule >= 0:
                    moved = at + (unit - first)
                    change -= float((graphs[moved + self.repeats[rule].size] - graphs[moved]).sum())
                    inside.setdefault(rule, []).append(moved)
            for rule, found in inside.items():
                found = [*found, self._sites[rule]] if rule in self._sites else found
                sites[rule] = np.sort(np.concatenate(found))
                calls[rule] = self.calls_characters(rule, sites[rule])
                change += calls[rule] - self._calls.get(rule, 0)
        if change > 0:
            self.kept[k] = True
            return False
        for called in {rule for rule, _ in self._bodies[k] if rule >= 0}:
            self._callers[called].discard(k)
        self._note_callers(bodies)
        del self._bodies[k], self._functions[k]
        self._sites.pop(k, None)
        self._calls.pop(k, None)
        self._bodies |= bodies
        self._functions |= functions
        self._sites |= sites
        self._calls |= calls
        return True

    def function_characters(self, k: int, body: list[tuple[int, int]] | None = None) -> float:
        """Return the characters of the function of rule k."""
        repeat, units, costs, measure = self.repeats[k], self.tables.units, self.costs, self.costs.measure
        first = int(repeat.places[0])
        refers = {(first + unit, slot): n for n, p in enumerate(repeat.parameters) for unit, slot in p.slots}
        refer = {unit for unit, _ in refers}
        total: float = self.head_characters(k)
        bags: list[tuple[object, object, int]] = []
        calls = was_again = False
        for rule, unit in self._bodies[k] if body is None else body:
            if rule >= 0:
                called = self.repeats[rule]
                at = int(np.searchsorted(called.places, unit))
                is_again = bool(called.again[at]) and unit > first
                total += measure.repeat if is_again and not was_again else 0
                was_again, calls = is_again, True
                if not is_again:
                    total += self.call_characters(rule) - measure.chained * int(called.chained[at] and unit > first)
                    bags.append(self.call_bag(rule, unit, refers))
                continue
            was_again = False
            total += costs.plain[unit]
            if unit in costs.again:
                continue
            if unit not in refer:
                bags += costs.given[units.variants[unit]]
                continue
            number = 0
            for tail in units.unit_tails[units.variants[unit]]:
                known, length, key = units.tails[tail], costs.bags[tail], [tail]
                for value in known.values:
                    outer = refers.get((unit, number))
                    number += 1
                    if outer is not None and known.is_hole:
                        total += 2 * measure.letter - costs.values[value]
                    elif outer is not None:
                        length += costs.reference(units.values[value].kind) - costs.values[value]
                        key.append(outer)
                if not known.is_hole:
                    bags.append(((known.domain, known.operator), tuple(key), length))
        total += (measure.domain + measure.letter * len(LOCAL_DOMAIN)) * calls
        return total + Bags(bags, measure).characters()

    def call_bag(self, rule: int, unit: int, refers: dict[tuple[int, int], int]) -> tuple[object, object, int]:
        """Return the attributes of a call within a function, some from its parameters, as `Bags` takes them."""
        costs, units = self.costs, self.tables.units
        given: list[tuple[int | None, int | None]] = []
        lengths: list[int] = []
        for p in self.repeats[rule].parameters:
            offset, slot = p.slots[0]
            outer = refers.get((unit + offset, slot))
            value = self.tables.values[units.variants[unit + offset]][slot]
            if outer is not None:
                lengths.append(costs.reference(p.kind))
                given.append((outer, None))
            else:
                given.append((None, value))
                lengths.append(costs.values[value])
        return rule, tuple(given), costs.bag_of_call(lengths)

    def calls_characters(self, k: int, sites: np.ndarray) -> float:
        """Return the characters of the calls of rule k at `sites`, in graphs and functions that were there before."""
        repeat, costs, measure = self.repeats[k], self.costs, self.costs.measure
        at = np.searchsorted(repeat.places, sites)
        again = repeat.again[at]
        again[1:] &= sites[1:] == sites[:-1] + repeat.size
        again[0] = False
        total = measure.repeat * int((again[1:] & ~again[:-1]).sum())
        at = at[~again]
        total += self.call_characters(k) * len(at) - measure.chained * int(repeat.chained[at].sum())
        if not repeat.parameters:
            return total
        bags: list[tuple[object, object, int]] = []
        for row in zip(*(p.values[at].tolist() for p in repeat.parameters), strict=True):
            bags.append((k, row, costs.bag_of_call([costs.values[v] for v in row])))
        return total + Bags(bags, measure).characters()

    # ---- the ends of runs

    def better_cuts(self, gaps: Sequence[int]) -> set[int]:
        """Return the ends that the members of runs should have: where the fewest values go across.

        A run is places of one rule one behind the other.  Which node of a period is its first, the grammar leaves to
        the frequency of pairs.  Empty where the runs end there already.
        """
        top = self.grammar.symbols
        runs = {a - self.first for a, b in pairwise(top) if a == b}
        cuts: set[int] = set()
        for k, repeat in enumerate(self.repeats):
            if (self.kept[k] or k in runs) and repeat.size > 1:
                for first, count in _runs(repeat):
                    cuts.update(self.cuts_of_run(gaps, first, repeat.size, count))
        return cuts

    def cuts_of_run(self, gaps: Sequence[int], first: int, size: int, count: int) -> Sequence[int]:
        """Return the better ends for `count` members of a run from `first` on; none where they are good as they are."""
        units = self.tables.units
        symbols = units.symbols
        begin, end = first, first + size * count
        while begin > 0 and symbols[begin - 1] == symbols[begin - 1 + size] >= 0:
            begin -= 1
        while symbols[end] == symbols[end - size] >= 0:
            end += 1

        def quality(shift: int) -> tuple[int, int]:
            """Return what goes across at the ends of members, the least last, and how many whole members there are."""
            cuts = range(begin + shift, end + 1, size)
            inner = sorted(gaps[c] for c in cuts if first < c < first + size * count)
            return -inner[len(inner) // 2], len(cuts) - 1

        best = max(range(size), key=quality)
        if quality(best) <= quality((first - begin) % size):
            return ()
        return range(begin + best, end + 1, size)


def _runs(repeat: Repeat) -> Iterator[tuple[int, int]]:
    """Yield where each run of a repeat begins, and how many places it has."""
    places = repeat.places
    ends = np.flatnonzero(np.diff(places) != repeat.size) + 1
    for run in np.split(places, ends):
        if len(run) > 1:
            yield int(run[0]), len(run)
