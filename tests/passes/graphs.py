"""Models that run, full of what passes look at: nodes that do nothing, or nearly nothing, repeats, captures, bodies.

Made by ordinary functions of a `random.Random`, so that hypothesis can draw and shrink them.  A choice lists what is
plain first: hypothesis shrinks towards that.

>>> onnx.checker.check_model(idle_model(Random(1)), full_check=True)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper

T = TypeVar("T")
ROWS, COLUMNS = 2, 3  # the shape of every value that is handed on
FLOAT, INT64, BOOL, HALF = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL, TensorProto.FLOAT16


def idle_model(random: Random) -> onnx.ModelProto:
    """Return a well-typed model with much that could go, and much that only looks so."""
    return _Maker(random).model()


class _Graph:
    """A graph in the making, with the values that its nodes may use."""

    def __init__(self, known: Sequence[str]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[TensorProto] = []
        self.values = list(known)


class _Maker:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.symbolic = self.pick([False, True])  # whether the number of rows has a name only
        self.shared = self.pick([False, False, True])  # whether branches have the same names, each for its own values
        self.named = self.pick(["", "number", "result", "both"])  # what names of nodes say
        self.prefix = self.pick(["v", "_", "_1_", "node "])
        self.count = 0
        self.functions: list[onnx.FunctionProto] = []

    def pick(self, items: Sequence[T]) -> T:
        return items[self.random.randrange(len(items))]

    def fresh(self) -> str:
        self.count += 1
        return f"{self.prefix}{self.count - 1}"

    def info(self, name: str, kind: int = FLOAT, dims: Sequence[int | str] | None = None) -> onnx.ValueInfoProto:
        own = ["N" if self.symbolic else ROWS, COLUMNS]
        return helper.make_tensor_value_info(name, kind, own if dims is None else dims)

    def node(self, graph: _Graph, operator: str, *inputs: str, results: int = 1, **attributes: object) -> str:
        """Append a node and return its first result."""
        outputs = [self.fresh() for _ in range(results)]
        node = helper.make_node(operator, inputs, outputs, **attributes)  # type: ignore[arg-type]
        if self.named:
            told = {"number": f"n{len(graph.nodes)}", "result": f"node_{outputs[0]}"}
            node.name = told.get(self.named) or self.pick(list(told.values()))
        graph.nodes.append(node)
        return outputs[0]

    def constant(self, graph: _Graph | None, kind: int, dims: Sequence[int], values: Sequence[float]) -> str:
        """Return a constant: an initializer, often one that is there already, or the result of a Constant."""
        if graph is not None and self.pick([True, True, False]):
            name = self.fresh()
            graph.tensors.append(helper.make_tensor(name, kind, dims, values))
            return name
        assert graph is not None
        return self.node(graph, "Constant", value=helper.make_tensor("", kind, dims, values))

    def ints(self, graph: _Graph, *values: int) -> str:
        return self.constant(graph, INT64, [len(values)], values)

    # ---- steps: each returns a value of the one shape

    def step(self, graph: _Graph, depth: int) -> str:
        x = graph.values[-1] if self.random.randrange(4) else self.pick(graph.values)
        kinds: list[Callable[[_Graph, str], str]] = [
            self.unary,
            self.binary,
            self.idle,
            self.idle,
            self.shaped,
            self.busy,
            self.weight,
            self.random_one,
        ]
        if self.functions:
            kinds.append(self.call)
        if depth < 2:
            kinds += [lambda g, v: self.branches(g, v, depth), lambda g, v: self.loop(g, v, depth)]
            if not self.symbolic:
                kinds.append(lambda g, v: self.scan(g, v, depth))
        return self.pick(kinds)(graph, x)

    def unary(self, graph: _Graph, x: str) -> str:
        return self.node(graph, self.pick(["Relu", "Neg", "Abs", "Sigmoid"]), x)

    def binary(self, graph: _Graph, x: str) -> str:
        return self.node(graph, self.pick(["Add", "Mul", "Max"]), x, self.pick(graph.values))

    def weight(self, graph: _Graph, x: str) -> str:
        values = [[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [0.0, -0.0, 0.0]]
        return self.node(graph, "Add", x, self.constant(graph, FLOAT, [COLUMNS], self.pick(values)))

    def random_one(self, graph: _Graph, x: str) -> str:
        self.node(graph, "RandomUniformLike", x, seed=1.0)  # nothing uses it
        return x

    def call(self, graph: _Graph, x: str) -> str:
        function = self.pick(self.functions)
        if function.attribute:
            return self.node(graph, function.name, x, domain="local", p=[0, 1])
        return self.node(graph, function.name, x, domain="local")

    def idle(self, graph: _Graph, x: str) -> str:
        """A node that hands on what it gets, or nearly."""
        kind = self.random.randrange(9)
        if kind == 0:
            return self.node(graph, "Identity", x)
        if kind == 1:
            return self.node(graph, self.pick(["Sum", "Max", "Min", "Mean"]), x)
        if kind == 2:
            return self.node(graph, "Concat", x, axis=self.pick([0, 1]))
        if kind == 3:
            return self.node(graph, "Transpose", x, perm=[0, 1])
        if kind == 4:
            return self.node(graph, "Cast", x, to=FLOAT)
        ratio = self.constant(graph, FLOAT, [], [0.5])
        if kind == 5:
            return self.node(graph, "Dropout", x, ratio)
        training = self.constant(graph, BOOL, [], [self.pick([False, True])])
        if kind == 6:
            return self.node(graph, "Dropout", x, ratio, training, seed=3)
        value = self.node(graph, "Dropout", x, ratio, self.constant(graph, BOOL, [], [False]), results=2)
        if kind == 7:
            return value
        return self.node(graph, "Where", graph.nodes[-1].output[1], value, x)

    def shaped(self, graph: _Graph, x: str) -> str:
        """A node whose sizes say that it does nothing, or nearly."""
        kind = self.random.randrange(7)
        if kind == 0:
            choices = [[0, COLUMNS], [0, -1], [-1, COLUMNS]] + ([] if self.symbolic else [[ROWS, COLUMNS], [ROWS, -1]])
            return self.node(graph, "Reshape", x, self.ints(graph, *self.pick(choices)))
        if kind == 1:
            choices = [[COLUMNS], [1], [1, 1]] + ([] if self.symbolic else [[ROWS, COLUMNS], [ROWS, 1]])
            return self.node(graph, "Expand", x, self.ints(graph, *self.pick(choices)))
        if kind == 2:
            return self.node(graph, "Pad", x, self.ints(graph, *self.pick([[0, 0, 0, 0], [0, 0, 0, 0]])))
        if kind == 3:
            end = self.pick([[COLUMNS], [9], [2**63 - 1]])
            return self.node(graph, "Slice", x, self.ints(graph, 0), self.ints(graph, *end), self.ints(graph, 1))
        if kind == 4:
            end = self.pick([[2**63 - 1], [2**31 - 1]])
            return self.node(graph, "Slice", x, self.ints(graph, self.pick([0, 0, -9])), self.ints(graph, *end))
        if kind == 5:
            return self.node(graph, "Squeeze", x) if not self.symbolic else x
        return self.node(graph, "Unsqueeze", x, self.ints(graph))

    def busy(self, graph: _Graph, x: str) -> str:
        """A few nodes like those above that do something, and undo it."""
        kind = self.random.randrange(6)
        if kind == 0:
            return self.node(graph, "Transpose", self.node(graph, "Transpose", x, perm=[1, 0]))
        if kind == 1:
            # Not to f64 and back: that onnxruntime drops by itself, and forgets the graphs within that use the value.
            return self.node(graph, "Cast", self.node(graph, "Cast", x, to=self.pick([HALF, FLOAT])), to=FLOAT)
        if kind == 2:
            wide = self.node(graph, "Pad", x, self.ints(graph, 0, 1, 0, 0))
            return self.node(graph, "Slice", wide, self.ints(graph, 1), self.ints(graph, 99), self.ints(graph, -1))
        if kind == 3:
            more = self.node(graph, "Unsqueeze", x, self.ints(graph, 0))
            return self.node(graph, "Squeeze", more, self.ints(graph, 0))
        if kind == 4:
            both = self.node(graph, "Concat", x, self.pick([x, self.pick(graph.values)]), axis=1)
            return self.node(graph, "Split", both, axis=1, num_outputs=2, results=2)
        turned = self.node(graph, "Slice", x, *(self.ints(graph, k) for k in (-1, -(2**63) + 1, 1, -1)))
        return self.node(graph, "Max", turned, x)

    # ---- graphs within nodes

    def body(self, known: Sequence[str], depth: int, results: int) -> tuple[_Graph, list[str]]:
        """Return a graph and values of it, of which the later ones may only look different from the first."""
        graph = _Graph(known)
        for _ in range(1 + self.random.randrange(3)):
            graph.values.append(self.step(graph, depth + 1))
        made = {name for node in graph.nodes for name in node.output}
        outputs = []
        for _ in range(results):
            value = self.pick(graph.values[-2:])
            if value not in made or value in outputs or self.pick([False, True]):
                value = self.node(graph, "Identity", value)
            outputs.append(value)
        return graph, outputs

    def branches(self, graph: _Graph, x: str, depth: int) -> str:
        condition = self.constant(graph, BOOL, [], [self.pick([True, False])])
        results = self.pick([1, 2])
        held = {}
        start = self.count
        counts = [start]
        for name in ("then_branch", "else_branch"):
            self.count = start if self.shared else self.count
            inner, outputs = self.body(graph.values, depth, results)
            counts.append(self.count)
            infos = [self.info(value) for value in outputs]
            held[name] = helper.make_graph(inner.nodes, name, [], infos, inner.tensors)
        self.count = max(counts)
        first = self.node(graph, "If", condition, results=results, **held)
        return self.node(graph, "Add", first, graph.nodes[-1].output[-1])

    def loop(self, graph: _Graph, x: str, depth: int) -> str:
        trips, go = self.constant(graph, INT64, [], [2]), self.constant(graph, BOOL, [], [True])
        number, goes_on, carried = self.fresh(), self.fresh(), self.fresh()
        inner, outputs = self.body([*graph.values, carried], depth, 2)
        goes = self.node(inner, "Identity", goes_on)
        body = helper.make_graph(
            inner.nodes,
            self.fresh(),
            [self.info(number, INT64, []), self.info(goes_on, BOOL, []), self.info(carried)],
            [self.info(goes, BOOL, []), *map(self.info, outputs)],
            inner.tensors,
        )
        first = self.node(graph, "Loop", trips, go, x, body=body, results=2)
        scanned = graph.nodes[-1].output[1]
        return self.node(graph, "Add", first, self.node(graph, "ReduceMax", scanned, self.ints(graph, 0), keepdims=0))

    def scan(self, graph: _Graph, x: str, depth: int) -> str:
        """Go over copies of a value, row by row of a batch in front."""
        batch = self.node(graph, "Unsqueeze", self.pick(graph.values), self.ints(graph, 0))
        batch = self.node(graph, "Concat", batch, batch, axis=0)
        carried, part = self.fresh(), self.fresh()
        inner, outputs = self.body([*graph.values, part, carried], depth, 2)
        infos = [self.info(carried), self.info(part)], [self.info(name) for name in outputs]
        body = helper.make_graph(inner.nodes, self.fresh(), *infos, inner.tensors)
        first = self.node(graph, "Scan", x, batch, body=body, num_scan_inputs=1, results=2)
        scanned = graph.nodes[-1].output[1]
        return self.node(graph, "Add", first, self.node(graph, "ReduceMax", scanned, self.ints(graph, 0), keepdims=0))

    # ---- the whole

    def function(self, name: str) -> onnx.FunctionProto:
        """Return a function, whose constants are all nodes, and which may take an attribute."""
        graph = _Graph(["x"])
        takes = self.pick([False, True])
        for _ in range(1 + self.random.randrange(4)):
            kinds = [self.unary, self.binary, self.idle, self.shaped, self.busy]
            before = len(graph.tensors)
            graph.values.append(self.pick(kinds)(graph, graph.values[-1]))
            for tensor in graph.tensors[before:]:
                graph.nodes.insert(0, helper.make_node("Constant", [], [tensor.name], value=tensor))
        if takes:
            node = helper.make_node("Transpose", [graph.values[-1]], [self.fresh()])
            node.attribute.append(onnx.AttributeProto(name="perm", type=onnx.AttributeProto.INTS, ref_attr_name="p"))
            graph.nodes.append(node)
            graph.values.append(node.output[0])
        if graph.values[-1] in ("x", graph.values[-2]):
            graph.values.append(self.node(graph, "Identity", graph.values[-1]))
        return helper.make_function(
            "local",
            name,
            ["x"],
            [graph.values[-1]],
            graph.nodes,
            [helper.make_opsetid("", 21), *([helper.make_opsetid("more", 1)] if self.pick([False, True]) else [])],
            ["p"] if takes else [],
        )

    def model(self) -> onnx.ModelProto:
        for k in range(self.pick([0, 0, 1, 2])):
            self.functions.append(self.function(f"f{k}"))
        graph = _Graph(["x", "z"])
        inputs = [self.info("x"), self.info("z")]
        if self.pick([False, True]):  # a default
            tensor = helper.make_tensor("default", FLOAT, [COLUMNS], [1.0, 2.0, 3.0])
            graph.tensors.append(tensor)
            inputs.append(self.info("default", FLOAT, [COLUMNS]))
            graph.values.append(self.node(graph, "Add", "x", "default"))
        for _ in range(1 + self.random.randrange(8)):
            graph.values.append(self.step(graph, 0))
        made = {name for node in graph.nodes for name in node.output}
        outputs: list[str] = []
        for _ in range(self.pick([1, 1, 2, 3])):
            value = self.pick(graph.values[-3:]) if outputs else graph.values[-1]
            if value not in made or value in outputs or self.pick([False, True]):
                value = self.node(graph, "Identity", value)
            outputs.append(value)
        opsets = [helper.make_opsetid("", 21), helper.make_opsetid("local", 1), helper.make_opsetid("more", 1)]
        proto = helper.make_graph(graph.nodes, "g", inputs, [self.info(name) for name in outputs], graph.tensors)
        model = helper.make_model(proto, opset_imports=opsets, functions=self.functions, ir_version=10)
        return onnx.shape_inference.infer_shapes(model) if self.pick([False, True]) else model


def idle_models() -> st.SearchStrategy[onnx.ModelProto]:
    """Draw a model that runs."""
    return st.randoms(use_true_random=False).map(idle_model)
