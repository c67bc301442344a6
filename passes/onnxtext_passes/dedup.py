"""dedup: repeated parts of a model become functions, each written once and called where it stood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx

from onnxtext.core.pause import collector_paused
from onnxtext_passes.base import Context, Pass
from onnxtext_passes.choice import Choice, Limits
from onnxtext_passes.costs import CHARACTERS, NODES, Costs, Measure
from onnxtext_passes.outline import Outline
from onnxtext_passes.repair import find_repeats
from onnxtext_passes.repeats import Tables
from onnxtext_passes.scopes import holders, replace_all, within
from onnxtext_passes.units import LOCAL_DOMAIN, Units, read_units

_MAX_ROUNDS = 16
_MAX_CUTS = 3  # how often the ends of repeats are moved
_IMPORT = len(', "onnxtext.local": 1')  # the characters that functions cost a model that had none
_DOMAIN = LOCAL_DOMAIN.decode()
MEASURES = {"chars": CHARACTERS, "nodes": NODES}


@dataclass(frozen=True)
class Dedup(Pass):
    """Turn repeated nodes into functions of the domain `onnxtext.local`, where that makes the text shorter.

    Nodes repeat where operators and wiring are the same; operands from outside become operands of the call, weights
    among them, and attributes that differ become parameters.  Inlining the functions gives the graph back, with other
    names for hidden values and their nodes.  Functions may call functions (`nested`); graphs within nodes and functions
    that were there before are searched too.  With `cost=nodes` a function is made wherever fewer nodes are left.

    Nodes with metadata or doc strings take part only where these are the same at every place.  The types that a model
    notes for values now inside a function are dropped; with `keep-types` only nodes with the same types take part, and
    the functions note them.

    Example: dedup{min-nodes=4,max-parameters=8}
    """

    name = "dedup"
    keeps = "exact"

    min_nodes: int = 2  # of a function, holes aside
    max_parameters: int = 16  # of a function
    nested: bool = True  # whether functions may call functions
    keep_types: bool = False
    cost: Literal["chars", "nodes"] = "chars"  # what has to become less: characters of the text, or nodes

    def run(self, model: onnx.ModelProto, context: Context) -> int:
        calls, version = 0, model.ir_version
        known = {f.name for f in model.functions}
        with collector_paused():
            for _ in range(_MAX_ROUNDS):
                made = self.round(model)
                if not made:
                    break
                calls += made
            else:
                context.notes.append(f"{self}: there may be more to find after {_MAX_ROUNDS} rounds")
        if calls:
            _sort_functions(model, known)
        if model.ir_version != version:
            context.notes.append(f"{self}: the IR version is now {model.ir_version}, not {version}, for the functions")
        return calls

    def round(self, model: onnx.ModelProto) -> int:
        """Make the functions that the model as it stands is worth, and return how many calls there are of them."""
        units = read_units(model, nested=self.nested, types=self.keep_types)
        if not units.places:
            return 0
        limits = Limits(self.min_nodes, self.max_parameters, self.nested)
        choice = _best_choice(units, limits, MEASURES[self.cost])
        while choice.saved > _IMPORT * MEASURES[self.cost].letter:
            outline = Outline(model, units, choice, types=self.keep_types)
            wrong = outline.wrong()
            if not wrong:
                return outline.apply()
            choice.forbid(wrong)
        return 0


def _sort_functions(model: onnx.ModelProto, known: set[str]) -> None:
    """Put functions before those that call them, as tools expect that read them in order, and number ours anew."""
    functions = list(model.functions)
    ours = {f.name: k for k, f in enumerate(functions) if f.domain == _DOMAIN}
    nodes = [[node for holder in within(f) for node in holder.node if node.domain == _DOMAIN] for f in functions]
    calls = [sorted({ours[n.op_type] for n in found if n.op_type in ours}) for found in nodes]
    order: dict[int, None] = {}
    seen: set[int] = set()
    for k in range(len(functions)):
        todo = [k]
        while todo:
            first = [called for called in reversed(calls[todo[-1]]) if called not in seen]
            seen.add(todo[-1])
            if first:
                todo += first
            else:
                order[todo.pop()] = None
    fresh = (name for n in range(1 << 30) if (name := f"f{n}") not in known)
    new = [functions[k].name for k in order if functions[k].domain == _DOMAIN and functions[k].name not in known]
    names = {name: next(fresh) for name in new}
    for holder in holders(model):
        for node in holder.node:
            if node.domain == _DOMAIN and node.op_type in names:
                node.op_type = names[node.op_type]
    for function in model.functions:
        if function.domain == _DOMAIN and function.name in names:
            function.name = names[function.name]
    replace_all(model.functions, [functions[k] for k in order])


def _best_choice(units: Units, limits: Limits, measure: Measure) -> Choice:
    """Return the choice of repeats that saves most: that of the grammar, or with better ends for the runs in it."""
    again = units.again()
    tables, costs, gaps = Tables(units), Costs(units, again, measure), _widths(units)
    cuts: set[int] = set()
    best: Choice | None = None
    for _ in range(1 + _MAX_CUTS):
        grammar = find_repeats(
            units.symbols,
            starts=units.starts,
            links=units.links,
            gaps=gaps,
            last_uses=units.last_uses,
            again=again,
            cuts=cuts,
        )
        choice = Choice(tables, grammar, costs, limits)
        if best is None or choice.saved > best.saved:
            best = choice
        more = choice.better_cuts(gaps)
        if more <= cuts:
            break
        cuts |= more
    assert best is not None
    return best


def _widths(units: Units) -> list[int]:
    """Return how many values are made before each unit and needed by it or behind it."""
    count = len(units.symbols)
    makers = np.repeat(np.arange(count), np.diff([*units.starts, len(units.names)]))
    last = np.array(units.last_uses, dtype=np.int64)
    ends = np.array([place.end for place in units.places] or [0])
    until = np.minimum(last, ends[np.searchsorted(ends, makers, side="right")] if len(makers) else last)
    used = until > makers
    change = np.zeros(count + 2, dtype=np.int64)
    np.add.at(change, makers[used] + 1, 1)
    np.add.at(change, until[used] + 1, -1)
    return np.cumsum(change)[:count].tolist()
