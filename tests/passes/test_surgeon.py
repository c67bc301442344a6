"""Passes on graphsurgeon's view: what they touch is written back, and nothing else changes by a byte."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_graphsurgeon as gs
import pytest
from onnx import helper, numpy_helper
from onnx_graphsurgeon.logger import G_LOGGER
from running import to_bytes
from suite import samples

from onnxtext.core.blobs import Blobs, attach, detach
from onnxtext_passes.base import Context
from onnxtext_passes.networks import networkx_view
from onnxtext_passes.surgeon import SurgeonPass


@dataclass(frozen=True)
class By(SurgeonPass):
    """Do to every graph what a function does to it."""

    name = "by"
    keeps = "equivalent"

    do: Callable[[Any], object] = lambda graph: None

    def rewire(self, graph: Any, context: Context) -> int:
        return 1 if self.do(graph) else 0


@dataclass(frozen=True)
class ByOuter(By):
    """Do it to the model's graph alone."""

    name = "by-outer"
    inner = False


def operate(model: onnx.ModelProto, do: Callable[[Any], object], kind: type[By] = By) -> onnx.ModelProto:
    """Return a model as a function of graphs makes it, by way of a model whose large data is set aside."""
    skeleton, blobs = detach(to_bytes(model))
    rewritten = onnx.ModelProto.FromString(skeleton)
    kind(do=do).run(rewritten, Context(blobs))
    return onnx.ModelProto.FromString(b"".join(attach(to_bytes(rewritten), blobs)))


def whole(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


# ---- nothing is touched


def look(graph: Any) -> None:
    graph.tensors()


def read(graph: Any) -> None:
    """Read all data there is."""
    for tensor in graph.tensors().values():
        if isinstance(tensor, gs.Constant):
            assert tensor.values.shape == tuple(tensor.shape)
    for node in graph.nodes:
        for value in node.attrs.values():
            if isinstance(value, gs.Constant):
                assert value.values is not None


@pytest.mark.parametrize("do", [look, read])
def test_a_look_changes_nothing(do: Callable[[Any], None]):
    for sample in samples():
        wire = to_bytes(sample.model)
        skeleton, blobs = detach(wire)
        model = onnx.ModelProto.FromString(skeleton)
        By(do=do).run(model, Context(blobs))
        assert to_bytes(model) == skeleton, sample.name


# ---- one thing is touched


def rich() -> onnx.ModelProto:
    """Return a model with everything that graphsurgeon's own export drops."""
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 21, "d": 1]> g (float[2] x, bool c) => (float[2] y) {'
        " a = Neg(x) b = Add(a, w) e = Relu(b) u = d.f(e) "
        "y = If(c) <then_branch = t () => (o) { p = Neg(u) o = Abs(p) }, else_branch = f () => (o) { o = Add(u, w) }> }"
        '<domain: "d", opset_import: ["": 21]> f (x) => (z) { h = Neg(x) z = Abs(h) }'
    )
    graph = model.graph
    graph.initializer.append(numpy_helper.from_array(np.array([1, 2], np.float32), "w"))
    graph.initializer.append(numpy_helper.from_array(np.arange(1000, dtype=np.float32), "unused"))
    graph.initializer[0].doc_string = "a weight"
    graph.doc_string, model.doc_string, model.producer_name = "of the graph", "of the model", "by hand"
    values = numpy_helper.from_array(np.array([1], np.float32), "sparse")
    graph.sparse_initializer.add(values=values, indices=numpy_helper.from_array(np.array([1], np.int64), "i"), dims=[2])
    annotation = graph.quantization_annotation.add(tensor_name="a")
    annotation.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="unused")
    model.training_info.add().algorithm.name = "training"
    for owner in (model, graph, *graph.node, model.functions[0], graph.initializer[0], graph.input[0]):
        owner.metadata_props.add(key="who", value=type(owner).__name__)
    for name in "abeu":
        graph.value_info.append(helper.make_tensor_value_info(name, 1, [2], f"the value {name}"))
    graph.node[0].doc_string = "the first"
    graph.node[0].ClearField("domain")
    graph.node[1].name = ""
    return model


def node(graph: Any, op: str) -> Any:
    return next((n for n in graph.nodes if n.op == op), None)


def test_an_operator_that_becomes_another():
    def do(graph: Any) -> bool:
        found = node(graph, "Relu")
        if found is not None:
            found.op = "Sigmoid"
        return found is not None

    expected = whole(rich())
    expected.graph.node[2].op_type = "Sigmoid"
    assert operate(rich(), do) == expected


def test_nodes_within_branches_and_functions():
    def do(graph: Any) -> int:
        found = [n for n in graph.nodes if n.op == "Abs"]
        for n in found:
            n.op = "Exp"
        return len(found)

    expected = whole(rich())
    expected.functions[0].node[1].op_type = "Exp"
    expected.graph.node[4].attribute[0].g.node[1].op_type = "Exp"
    assert operate(rich(), do) == expected
    assert operate(rich(), do, ByOuter) == rich()


def test_a_node_that_is_taken_out():
    def do(graph: Any) -> bool:
        found = node(graph, "Relu")
        if found is None:
            return False
        for user in list(found.outputs[0].outputs):
            user.inputs[0] = found.inputs[0]
        graph.nodes.remove(found)
        return True

    expected = whole(rich())
    del expected.graph.node[2]
    expected.graph.node[2].input[0] = "b"
    del expected.graph.value_info[2]
    assert operate(rich(), do) == expected


def test_a_node_that_is_put_in():
    def do(graph: Any) -> bool:
        found = node(graph, "Relu")
        if found is None:
            return False
        bias = gs.Constant("bias", np.array([3, 4], np.float32))
        made = gs.Variable("made", np.float32, [2])
        graph.nodes.insert(3, gs.Node("Odd", "new", {"k": 1.5}, [found.outputs[0], bias], [made], domain="more"))
        graph.nodes[4].inputs[0] = made
        return True

    expected = whole(rich())
    new = helper.make_node("Odd", ["e", "bias"], ["made"], "new", domain="more", k=1.5)
    nodes = [*expected.graph.node[:3], new, *expected.graph.node[3:]]
    nodes[4].input[0] = "made"
    expected.graph.ClearField("node")
    expected.graph.node.extend(nodes)
    expected.graph.initializer.append(numpy_helper.from_array(np.array([3, 4], np.float32), "bias"))
    expected.graph.value_info.append(helper.make_tensor_value_info("made", 1, [2]))
    expected.opset_import.append(helper.make_opsetid("more", 1))
    assert operate(rich(), do) == expected


def test_a_value_that_is_renamed_is_renamed_everywhere():
    def do(graph: Any) -> bool:
        if graph.name != "g":
            return False
        for tensor in (graph.tensors()[name] for name in ("a", "u", "w", "x", "y")):
            tensor.name = f"new {tensor.name}"
        return True

    expected = whole(rich())
    graph = expected.graph
    graph.node[0].input[0], graph.node[0].output[0], graph.node[1].input[:] = "new x", "new a", ["new a", "new w"]
    graph.node[3].output[0], graph.node[4].output[0] = "new u", "new y"
    graph.node[4].attribute[0].g.node[0].input[0] = "new u"
    graph.node[4].attribute[1].g.node[0].input[:] = ["new u", "new w"]
    graph.input[0].name, graph.output[0].name, graph.initializer[0].name = "new x", "new y", "new w"
    graph.value_info[0].name, graph.value_info[3].name = "new a", "new u"
    graph.quantization_annotation[0].tensor_name = "new a"
    assert operate(rich(), do) == expected


@pytest.mark.parametrize("how", ["in place", "another array", "another type"])
def test_data_that_changes(how: str):
    def do(graph: Any) -> bool:
        if graph.name != "g":
            return False
        w = graph.tensors()["w"]
        if how == "in place":
            w.values[0] = 7
        else:
            w.values = np.array([7, 2], np.float64 if how == "another type" else np.float32)
        return True

    expected = whole(rich())
    tensor = numpy_helper.from_array(np.array([7, 2], np.float64 if how == "another type" else np.float32), "w")
    tensor.doc_string = "a weight"
    tensor.metadata_props.extend(rich().graph.initializer[0].metadata_props)
    expected.graph.initializer[0].CopyFrom(tensor)
    assert operate(rich(), do) == expected


def test_an_initializer_that_nothing_uses_any_more_goes():
    """One that nothing used from the start stays: that is not what the pass did."""

    def do(graph: Any) -> bool:
        changed = False
        for found in graph.nodes:
            if found.op == "Add":
                found.op, changed = "Neg", True
                del found.inputs[1]
        return changed

    made = operate(rich(), do)
    assert [t.name for t in made.graph.initializer] == ["unused"]
    assert made.graph.sparse_initializer == rich().graph.sparse_initializer
    assert made.graph.node[1].metadata_props == rich().graph.node[1].metadata_props


def test_inputs_outputs_and_types():
    def do(graph: Any) -> bool:
        if graph.name != "g":
            return False
        graph.inputs.append(gs.Variable("z", np.int64, ["N", 3]))
        graph.inputs[0].shape = [5]
        graph.outputs.insert(0, graph.tensors()["e"])
        graph.tensors()["b"].dtype = np.dtype("float16")
        return True

    expected = whole(rich())
    expected.graph.input.append(helper.make_tensor_value_info("z", 7, ["N", 3]))
    expected.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 5
    outputs = [helper.make_tensor_value_info("e", 1, [2]), *expected.graph.output]
    expected.graph.ClearField("output")
    expected.graph.output.extend(outputs)
    expected.graph.value_info[1].type.tensor_type.elem_type = 10
    assert operate(rich(), do) == expected


def test_attributes():
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 21]> g (float[2] x) => (y) '
        '{ y = Odd <a = 1, b = [1.5, -0.0], c = "s", d = float {1}, e: float = @r> (x) }'
    )
    model.graph.node[0].attribute[0].doc_string = "kept"
    model.graph.node[0].attribute.append(helper.make_attribute("t", helper.make_tensor_type_proto(1, [2])))

    def do(graph: Any) -> bool:
        attributes = graph.nodes[0].attrs
        assert attributes["b"] == [1.5, -0.0] and "t" not in attributes  # graphsurgeon does not show types
        attributes["a"], attributes["b"], attributes["new"] = 2, [1.5, 0.0], ["x"]
        del attributes["c"]
        return True

    expected = whole(model)
    attributes = expected.graph.node[0].attribute
    attributes[0].i, attributes[1].floats[1] = 2, 0.0
    del attributes[2]
    attributes.append(helper.make_attribute("new", ["x"]))
    assert operate(model, do) == expected


def test_a_constant_of_a_function_becomes_a_node():
    def do(graph: Any) -> bool:
        if not isinstance(graph, gs.Function):
            return False
        found = node(graph, "Abs")
        found.op = "Mul"
        found.inputs.append(gs.Constant("two", np.array([2], np.float32)))
        return True

    made = operate(rich(), do).functions[0]
    assert [n.op_type for n in made.node] == ["Constant", "Neg", "Mul"]
    assert list(made.node[2].input) == ["h", "two"] and made.metadata_props == rich().functions[0].metadata_props


def test_functions_that_come_and_go():
    def do(graph: Any) -> bool:
        if graph.name != "g":
            return False
        x, y = gs.Variable("x"), gs.Variable("y")
        graph.functions.append(gs.Function("extra", "d", [gs.Node("Neg", inputs=[x], outputs=[y])], [x], [y], opset=21))
        return True

    made = operate(rich(), do)
    assert [f.name for f in made.functions] == ["f", "extra"] and made.functions[0] == rich().functions[0]


def test_a_branch_that_moves_to_another_node():
    def do(graph: Any) -> bool:
        found = node(graph, "If")
        if found is None:
            return False
        found.op = "Odd"
        found.attrs["body"] = found.attrs.pop("else_branch")
        return True

    made = operate(rich(), do).graph.node[4]
    assert [a.name for a in made.attribute] == ["then_branch", "body"]
    assert made.attribute[1].g == rich().graph.node[4].attribute[1].g


def test_an_initializer_that_is_an_input_too():
    model = rich()
    model.graph.input.insert(0, helper.make_tensor_value_info("w", 1, [2]))

    def do(graph: Any) -> bool:
        if graph.name == "g":
            assert [t.name for t in graph.inputs] == ["x", "c"]
            graph.tensors()["w"].name = "v"
        return graph.name == "g"

    made = operate(model, do)
    assert [i.name for i in made.graph.input] == ["v", "x", "c"] and made.graph.initializer[0].name == "v"


# ---- large data


def test_large_data_is_read_when_asked_for_and_not_before():
    data = np.frombuffer(random.Random(1).randbytes(4000), np.int32)
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 21]> g (int32[1000] x) => (int32[1000] y) { h = Add(x, w) y = Add(h, v) }'
    )
    model.graph.initializer.extend([numpy_helper.from_array(data, "w"), numpy_helper.from_array(data + 1, "v")])
    skeleton, blobs = detach(to_bytes(model))
    asked: list[int] = []

    class Watched(Blobs):
        def find(self, raw: bytes) -> bytes | memoryview:
            found = super().find(raw)
            if found is not raw:
                asked.append(len(found))
            return found

    def do(graph: Any) -> bool:
        asked.clear()
        w, v = graph.tensors()["w"], graph.tensors()["v"]
        assert tuple(w.shape) == (1000,) and w.dtype == np.int32 and asked == []
        assert np.array_equal(w.values, data) and len(asked) == 1
        v.values = w.values + 2
        return True

    rewritten = onnx.ModelProto.FromString(skeleton)
    context = Context(Watched())
    for held in blobs:
        context.blobs.add(held)
    By(do=do).run(rewritten, context)
    first, second = rewritten.graph.initializer
    assert first.raw_data == onnx.ModelProto.FromString(skeleton).graph.initializer[0].raw_data
    assert len(second.raw_data) < 100 and len(context.blobs) == 3
    assert bytes(list(context.blobs)[2]) == (data + 2).tobytes()


# ---- its log, and what it cannot read


def test_the_log_goes_to_standard_error(capsys: pytest.CaptureFixture[str]):
    def do(graph: Any) -> None:
        G_LOGGER.warning("look here")
        print("and here")

    operate(rich(), do)
    out, err = capsys.readouterr()
    assert out == "" and "look here" in err and "and here" in err


# ---- the view of networkx


def test_networkx_view_of_all_that_a_graph_has():
    view = networkx_view(rich().graph)
    assert {key: data["op"] for key, data in view.nodes(data=True)} == {
        0: "Neg", 1: "Add", 2: "Relu", 3: "f", 4: "If", "x": "input", "c": "input", "w": "initializer",
        "unused": "initializer", "sparse": "initializer", ("output", 0): "output",
    }  # fmt: skip
    edges = {(u, v, e["value"], e["result"], e["operand"]) for u, v, e in view.edges(data=True)}
    assert edges == {
        ("x", 0, "x", 0, 0), (0, 1, "a", 0, 0), ("w", 1, "w", 0, 1), (1, 2, "b", 0, 0), (2, 3, "e", 0, 0),
        ("c", 4, "c", 0, 0), (3, 4, "u", 0, None), ("w", 4, "w", 0, None), (4, ("output", 0), "y", 0, 0),
    }  # fmt: skip


def test_networkx_view_of_two_operands_and_a_function():
    function = onnx.parser.parse_function('<opset_import: ["": 21], domain: "d"> f (x) => (p, q) { p, q = Two(x, x) }')
    edges = [(u, v, e["result"], e["operand"]) for u, v, e in networkx_view(function).edges(data=True)]
    assert edges == [
        (0, ("output", 0), 0, 0), (0, ("output", 1), 1, 0), ("x", 0, 0, 0), ("x", 0, 0, 1),
    ]  # fmt: skip


def test_networkx_view_of_a_branch():
    branch = rich().graph.node[4].attribute[1].g
    assert dict(networkx_view(branch).nodes(data="op")) == {
        0: "Add",
        ("output", 0): "output",
        "u": "outer",
        "w": "outer",
    }
