"""fill: real weights in place of typed holes, so that a stripped network runs, can be trained and timed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import onnx

from onnxtext.core.weights import filler
from onnxtext_grammar.dtypes import dtype_name
from onnxtext_passes.base import Context, Pass
from onnxtext_passes.holes import DOMAIN, is_hole
from onnxtext_passes.scopes import Holder, graph_attributes, replace_all

Key = tuple[str, str, str]  # domain, name and overload of a function


@dataclass(frozen=True, slots=True)
class Wanted:
    """A weight that a function needs: its element type, and its shape or the attribute that says it."""

    dtype: int
    shape: tuple[int, ...] | str


@dataclass(frozen=True)
class Fill(Pass):
    """Put initializers in place of typed holes; a function gets its weights as further operands, one for each use.

    Random floats are scaled by the fan-in; everything else, and everything with `how=zeros`, is zeros.

    Example: `Conv(%x, f32[16,3,3,3])` becomes `Conv(%x, %_0)` with an initializer `%_0`.
    """

    name = "fill"
    keeps = "lossy"

    how: Literal["zeros", "random"] = "zeros"
    seed: int = 0

    def run(self, model: onnx.ModelProto, context: Context) -> int:
        filling = _Filling(model, context, filler(self.how if self.how == "zeros" else f"random:{self.seed}"))
        for function in model.functions:
            filling.function(function)
        made = filling.graph(model.graph)
        for holder in [model, *model.functions]:
            _drop_import(holder, made)
        return made


class _Filling:
    def __init__(self, model: onnx.ModelProto, context: Context, data: object) -> None:
        self.context = context
        self.data = data
        self.functions: dict[Key, onnx.FunctionProto] = {(f.domain, f.name, f.overload): f for f in model.functions}
        self.wanted: dict[Key, list[Wanted]] = {}
        self.arity: dict[Key, int] = {key: len(f.input) for key, f in self.functions.items()}

    def function(self, function: onnx.FunctionProto) -> list[Wanted]:
        """Give a function operands for its holes and for those of the functions it calls, and return what they are."""
        key = (function.domain, function.name, function.overload)
        if key in self.wanted:
            return self.wanted[key]
        self.wanted[key] = []  # a function that calls itself, which onnx forbids, needs nothing more
        found: list[tuple[str, Wanted]] = []
        self._replace(function, found)
        function.input.extend(name for name, _ in found)
        self.wanted[key] = [wanted for _, wanted in found]
        return self.wanted[key]

    def graph(self, graph: onnx.GraphProto) -> int:
        """Put initializers in place of the holes of a graph and return how many."""
        found: list[tuple[str, Wanted]] = []
        made = 0
        for node in graph.node:
            for inner in graph_attributes(node):
                made += self.graph(inner)
        self._replace(graph, found, inside=False)
        for name, wanted in found:
            assert not isinstance(wanted.shape, str), "outside of functions there are no attributes to refer to"
            data = self.data(name, dtype_name(wanted.dtype), list(wanted.shape))  # type: ignore[operator]
            graph.initializer.add(
                name=name, data_type=wanted.dtype, dims=wanted.shape, raw_data=self.context.blobs.keep(data)
            )
        return made + len(found)

    def _replace(self, holder: Holder, found: list[tuple[str, Wanted]], *, inside: bool = True) -> None:
        """Take the holes out of `holder`, hand further operands to the calls in it, and note what is needed."""
        kept = []
        for node in holder.node:
            if is_hole(node):
                found.append((node.output[0], _wanted(node)))
                continue
            kept.append(node)
            if inside:
                for graph in graph_attributes(node):
                    self._replace(graph, found)
            called = self.functions.get((node.domain, node.op_type, node.overload))
            if called is not None:
                self._call(node, called, found)
        if len(kept) != len(holder.node):
            replace_all(holder.node, kept)

    def _call(self, node: onnx.NodeProto, called: onnx.FunctionProto, found: list[tuple[str, Wanted]]) -> None:
        key = (called.domain, called.name, called.overload)
        needs = self.function(called)
        if not needs:
            return
        node.input.extend([""] * (self.arity[key] - len(node.input)))
        given = {a.name: a for a in [*called.attribute_proto, *node.attribute]}
        for i, wanted in enumerate(needs):
            if isinstance(wanted.shape, str):
                attribute = given[wanted.shape]
                shape = attribute.ref_attr_name or tuple(attribute.ints)
                wanted = replace(wanted, shape=shape)
            name = f"{next(filter(None, node.output), 'call')}_w{i}"
            node.input.append(name)
            found.append((name, wanted))


def _wanted(node: onnx.NodeProto) -> Wanted:
    attributes = {a.name: a for a in node.attribute}
    shape = attributes["shape"]
    return Wanted(attributes["dtype"].i, shape.ref_attr_name or tuple(shape.ints))


def _drop_import(holder: onnx.ModelProto | onnx.FunctionProto, made: int) -> None:
    """Drop the import of the holes' domain, which nothing needs any more."""
    if made:
        replace_all(holder.opset_import, [o for o in holder.opset_import if o.domain != DOMAIN])
