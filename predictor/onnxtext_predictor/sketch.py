"""A network in few words: the text that the predictor reads.

A sketch is a text in the language, of the live graph alone.  Where all paths run through one value the network is cut;
what lies between two cuts is a block, and a block of more than one step a function.  Widths are relative to what comes
in, so that a block is the same function at every width, and what follows itself is written once, with `repeat`.

>>> import onnx
>>> from onnxtext_predictor.live_graph import read
>>> model = onnx.parser.parse_model(
...     '<ir_version: 10, opset_import: ["": 17]> g (float[1,3,8,8] x) => (float[1,4,8,8] z) '
...     '<float[4,3,3,3] a = {}, float[4,4,3,3] b = {}, float[4,4,3,3] c = {}> { y = Conv<pads=[1,1,1,1]>(x, a) '
...     'p = Conv<pads=[1,1,1,1]>(y, b) q = Add(p, y) r = Conv<pads=[1,1,1,1]>(q, c) z = Add(q, r) }')
>>> print(sketch(read(model)))
onnxt 1
def @a (%x) -> (%0) {
 %0 = Conv(%x) {kernel=3} -> Add(%x)
}
graph (%x: f32[1,3,8,8]) -> (%y) {
 %y = Conv(%x) {width=4, kernel=3} -> repeat 2 @a
}
<BLANKLINE>

Sizes are rounded to a quarter of an octave, and operators that only rename or reshape are not there: a sketch is for
ranking networks, and no way to write them down.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import log2
from zlib import crc32

from onnxtext_predictor.live_graph import LiveGraph, Step

COMMUTATIVE = {"Add", "Mul", "Sum", "Max", "Min", "Mean"}
_LONGEST_PERIOD = 64  # steps or blocks that a repeated row may have

Symbol = tuple  # what stands in a row of blocks; equal symbols are equal blocks


def sketch(graph: LiveGraph) -> str:
    """Return the sketch of a live graph."""
    return _Writer(graph).write()


@cache
def _code(word: str) -> int:
    return crc32(word.encode())


def _quarter(ratio: float) -> int:
    """Return a ratio as quarters of an octave."""
    return round(4 * log2(ratio)) if ratio > 0 else 0


@cache
def _ratio(quarters: int) -> str:
    """Return a ratio as it is written: two digits are enough to tell quarters of an octave apart."""
    return f"{2 ** (quarters / 4):.2g}" if quarters < 13 else str(round(2 ** (quarters / 4)))


class _Writer:
    def __init__(self, graph: LiveGraph) -> None:
        self._graph = graph
        self._steps = graph.steps
        self._labels = [self._label(step) for step in self._steps]
        self._functions: dict[Symbol, str] = {}
        self._definitions: list[str] = []

    def _label(self, step: Step) -> str:
        """Return what a step is, without its operands: the operator, and attributes that matter."""
        if not step.operands:
            return step.operator
        bag = []
        source = self._steps[step.operands[0]]
        if step.parameters or step.macs:
            if step is self._steps[-1]:
                pass  # classes are the data's, not the network's
            elif source.operands:
                change = _quarter(step.channels / max(source.channels, 1))
                if change:
                    bag.append(f"scale={_ratio(change)}")
            else:
                bag.append(f"width={step.channels}")
        if step.kernel > 1:
            bag.append(f"kernel={step.kernel}")
        if step.stride > 1:
            bag.append(f"stride={step.stride}")
        if step.groups > 1:
            bag.append('groups="each"' if step.groups == source.channels else f"groups={step.groups}")
        return f"{step.operator} {{{', '.join(bag)}}}" if bag else step.operator

    def write(self) -> str:
        row = _fold(self._row())
        chain = " -> ".join(self._spell(symbol) for symbol in row[1:])
        inputs = [step for step in self._steps if not step.operands]
        names = ["%x" if not k else f"%x{k}" for k in range(len(inputs))]
        heads = ", ".join(
            f"{name}: f32[{','.join(map(str, step.shape))}]" for name, step in zip(names, inputs, strict=True)
        )
        if not row:  # nothing leads from an input to an output
            return "onnxt 1\ngraph () -> (%y) {\n %y = Constant\n}\n"
        head, brace, rest = self._spell(row[0]).partition(" {")
        start = f"{head}(%x){brace}{rest}"
        body = f"%y = {start} -> {chain}" if chain else f"%y = {start}"
        return "\n".join(["onnxt 1", *self._definitions, f"graph ({heads}) -> (%y) {{", f" {body}", "}", ""])

    # ---- blocks

    def _row(self) -> list[Symbol]:
        """Return the blocks of the network one after the other."""
        steps = self._steps
        last_use = [-1] * len(steps)
        for number, step in enumerate(steps):
            for operand in step.operands:
                last_use[operand] = number
        for number in self._graph.outputs:
            last_use[number] = len(steps)
        row: list[Symbol] = []
        reach, start, source = -1, 0, -1
        inputs = sum(not step.operands for step in steps)
        for number, step in enumerate(steps):
            if reach <= number and number >= inputs - 1 and (number == len(steps) - 1 or last_use[number] > number):
                if step.operands or inputs > 1:
                    row.append(self._block(start, number, source))
                start, source = number + 1, number
            reach = max(reach, last_use[number])
        if start < len(steps):  # several outputs, which no one value stands before
            row.append(self._block(start, len(steps) - 1, source))
        return row

    def _block(self, start: int, end: int, source: int) -> Symbol:
        """Return the block of the steps from `start` to `end`, into which `source` leads."""
        if start == end:
            return ("step", self._labels[end])
        order = self._order(start, end, source)
        place = {number: k for k, number in enumerate(order)}
        statements = []
        for number in order:
            operands = [place.get(k, -1) for k in self._steps[number].operands]
            if self._steps[number].operator in COMMUTATIVE:
                operands.sort(reverse=True)
            statements.append((self._labels[number], tuple(operands)))
        return ("block", tuple(statements))

    def _order(self, start: int, end: int, source: int) -> list[int]:
        """Return the steps of a block in an order that depends on its graph alone."""
        steps, labels = self._steps, self._labels
        below = {source: 1}
        for number in range(start, end + 1):
            codes = [below.get(k, 2) for k in steps[number].operands]
            if steps[number].operator in COMMUTATIVE:
                codes.sort()
            below[number] = hash((_code(labels[number]), *codes))
        users: dict[int, list[int]] = {}
        above: dict[int, int] = {}
        for number in range(end, start - 1, -1):
            codes = sorted(users.get(number, ()))
            above[number] = code = hash((below[number], *codes))
            commutes = steps[number].operator in COMMUTATIVE
            for place, k in enumerate(steps[number].operands):
                users.setdefault(k, []).append(hash((code, 0 if commutes else place)))
        order: list[int] = []
        done: set[int] = {source}
        roots = sorted((n for n in range(start, end + 1) if n not in users), key=lambda n: (-below[n], -above[n]))
        stack = [(root, False) for root in (roots or [end])]
        while stack:
            number, ready = stack.pop()
            if ready:
                order.append(number)
                continue
            if number in done or number < start:
                continue
            done.add(number)
            stack.append((number, True))
            operands = [k for k in dict.fromkeys(steps[number].operands) if k not in done and k >= start]
            if steps[number].operator in COMMUTATIVE:
                operands.sort(key=lambda k: (below[k], above.get(k, 0)))
            stack += [(k, False) for k in reversed(operands)]
        return order

    # ---- text

    def _spell(self, symbol: Symbol) -> str:
        kind = symbol[0]
        if kind == "step":
            return symbol[1]
        if kind == "repeat":
            return f"repeat {symbol[1]} {self._spell_one(symbol[2])}"
        return self._function(symbol)

    def _spell_one(self, row: tuple[Symbol, ...]) -> str:
        return self._spell(row[0]) if len(row) == 1 else self._function(("row", row))

    def _function(self, symbol: Symbol) -> str:
        """Return the name of the function that a block is, defined at its first use."""
        if symbol not in self._functions:
            if symbol[0] == "row":
                parts = [self._spell(part) for part in symbol[1]]
                head, brace, rest = parts[0].partition(" {")
                parts[0] = f"{head}(%x){brace}{rest}"
                lines = [f" %0 = {' -> '.join(parts)}"]
                result = "%0"
            else:
                lines, result = _statements(symbol[1])
            name = f"@{letters(len(self._functions))}"
            self._functions[symbol] = name
            self._definitions += [f"def {name} (%x) -> ({result}) {{", *lines, "}"]
        return self._functions[symbol]


def _statements(block: Sequence[tuple[str, tuple[int, ...]]]) -> tuple[list[str], str]:
    """Return the lines of a function's body, runs of steps as one statement, and what it returns."""
    uses = [0] * len(block)
    for _, operands in block:
        for k in operands:
            if k >= 0:
                uses[k] += 1
    names: dict[int, str] = {-1: "%x"}
    lines: list[str] = []
    run: list[str] = []
    for k, (label, operands) in enumerate(block):
        head, brace, rest = label.partition(" {")
        given = list(operands)
        if run:  # the step before feeds this one
            given.remove(k - 1)
        listed = f"({', '.join(names[n] for n in given)})" if given else ""
        run.append(f"{head}{listed}{brace}{rest}")
        follows = k + 1 < len(block) and uses[k] == 1 and k in block[k + 1][1]
        first = follows and (block[k + 1][1][0] == k or block[k + 1][0].partition(" ")[0] in COMMUTATIVE)
        if not first:
            names[k] = f"%{len(names) - 1}"
            lines.append(f" {names[k]} = {' -> '.join(run)}")
            run = []
    return lines, names[len(block) - 1]


def letters(number: int) -> str:
    """Return a, b, ... z, aa, ab, ..."""
    word = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        word = chr(97 + rest) + word
    return word


def _fold(row: list[Symbol]) -> list[Symbol]:
    """Return a row with what follows itself written once, short periods first, until nothing more repeats."""
    period = 1
    while period <= min(_LONGEST_PERIOD, len(row) // 2):
        folded = _fold_period(row, period)
        period = 1 if len(folded) < len(row) else period + 1
        row = folded
    return row


def _fold_period(row: list[Symbol], period: int) -> list[Symbol]:
    """Return a row with every run of a period from left to right as one symbol."""
    same = [0] * (len(row) + 1)  # how many symbols from a place on equal the one a period later
    for k in range(len(row) - period - 1, -1, -1):
        same[k] = same[k + 1] + 1 if row[k] == row[k + period] else 0
    result: list[Symbol] = []
    k = 0
    while k < len(row):
        times = 1 + same[k] // period
        if times == 1 or (period == 1 and times == 2 and row[k][0] == "step"):
            result.append(row[k])
            k += 1
        else:
            result.append(("repeat", times, tuple(row[k : k + period])))
            k += period * times
    return result
