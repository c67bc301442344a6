"""What dedup keeps, finds and leaves alone.

Inlining by onnx gives the graph back, onnxruntime computes the same bits, the checker and shape inference are content,
and a second run finds nothing: on stacks of layers, on models drawn at random, and on planted repeats with near misses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import Any
from unittest.mock import patch

import onnx
import onnx.inliner
import pytest
import stacks
from cases import made_up
from graphs import idle_models
from hypothesis import given
from hypothesis import strategies as st
from isomorphism import difference
from laws import examples
from onnx import TensorProto, helper
from strategies import running_models
from suite import outputs_equal

import onnxtext
from onnxtext.core.blobs import Blobs, attach
from onnxtext_passes.base import Context
from onnxtext_passes.costs import NODES
from onnxtext_passes.dedup import MEASURES, Dedup
from onnxtext_passes.holes import is_hole
from onnxtext_passes.manager import run_pipeline
from onnxtext_passes.scopes import holders
from onnxtext_passes.units import LOCAL_DOMAIN

LOCAL = LOCAL_DOMAIN.decode()


@contextmanager
def every_repeat() -> Iterator[None]:
    """Let `cost=nodes` make a function of every repeat, whatever it saves."""
    with patch.dict(MEASURES, {"nodes": replace(NODES, function=-1_000_000)}):
        yield


def assert_kept(model: onnx.ModelProto, pipeline: str, *, run: bool = True) -> onnx.ModelProto:
    """Return the model after the pipeline, a dedup, and assert that it is the same but for functions."""
    result = run_pipeline(model, pipeline)
    before = onnx.inliner.inline_local_functions(model).graph
    assert difference(before, onnx.inliner.inline_local_functions(result.model).graph) is None
    onnx.checker.check_model(result.model, full_check=True)
    onnx.shape_inference.infer_shapes(result.model, check_type=True, strict_mode=True)
    if run and result.steps[-1].rewrites:
        assert outputs_equal(made_up("drawn", model, sets=1), result.model)
    again = run_pipeline(result.model, pipeline)
    assert [step.rewrites for step in again.steps] == [0] * len(again.steps)
    return result.model


def statements(model: onnx.ModelProto) -> int:
    """Count the statements of the text: nodes but typed holes; a run that `repeat` writes once is one."""
    count = 0
    for holder in holders(model):
        last = onnx.NodeProto()
        for node in holder.node:
            if is_hole(node):
                continue
            same = (node.op_type, node.domain, node.attribute) == (last.op_type, last.domain, last.attribute)
            count += not (same and len(last.output) == 1 and list(node.input) == [*last.output, *last.input[1:]])
            last = node
    return count


def text_of(model: onnx.ModelProto) -> str:
    return onnxtext.encode(run_pipeline(model, "merge").model, weights="elide")


# ---- stacks of layers

# How many times fewer statements and characters there are at least, of the stripped model.
STACKS: dict[str, tuple[Callable[[], onnx.ModelProto], float, float]] = {
    "bert": (stacks.bert_like, 8.6, 5),
    "llama": (stacks.llama_like, 40, 40),
    "darts": (stacks.darts_like, 12, 10),
}


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize("pipeline", ["dedup", "dedup{cost=nodes}"])
def test_stack_of_layers(name: str, pipeline: str) -> None:
    make, fewer, shorter = STACKS[name]
    model = make()
    kept = assert_kept(model, pipeline, run=name != "llama")  # that takes onnxruntime ten seconds to load
    assert statements(kept) * fewer * 0.8 <= statements(model)  # weights are operands, so that no call repeats another
    assert len(text_of(kept)) < len(text_of(model))
    stripped = run_pipeline(model, "prune,strip").model
    small = assert_kept(stripped, pipeline, run=False)
    assert statements(small) * fewer <= statements(stripped)
    assert len(text_of(small)) * shorter <= len(text_of(stripped))


def test_stripped_layers_run_once_they_are_filled() -> None:
    blobs = Blobs()
    stripped = run_pipeline(stacks.bert_like(layers=3), "prune,strip").model
    plain, shorter = (run_pipeline(stripped, p, blobs=blobs).model for p in ("fill", "dedup{cost=nodes},merge,fill"))
    whole = [onnx.ModelProto.FromString(b"".join(attach(m.SerializeToString(), blobs))) for m in (plain, shorter)]
    assert outputs_equal(made_up("filled", whole[0]), whole[1])


@pytest.mark.acceptance
def test_a_tall_stack_within_two_seconds() -> None:
    model = stacks.tall_stack()
    assert len(model.graph.node) == 124_000
    started = time.process_time()
    result = run_pipeline(model, "dedup")
    assert min(result.steps[0].elapsed_s, time.process_time() - started) <= 2
    assert statements(result.model) < 300


# ---- models drawn at random

PIPELINES = ["dedup{cost=nodes}", "dedup", "dedup{keep-types,cost=nodes}", "dedup{nested=false,cost=nodes}"]


@given(model=idle_models(), pipeline=st.sampled_from(PIPELINES))
@examples(100)
def test_models_full_of_idle_nodes(model: onnx.ModelProto, pipeline: str) -> None:
    with every_repeat():
        assert_kept(model, pipeline)


@given(model=running_models(), pipeline=st.sampled_from(PIPELINES))
@examples(100)
def test_ordinary_models(model: onnx.ModelProto, pipeline: str) -> None:
    with every_repeat():
        assert_kept(model, pipeline)


# ---- planted repeats, and such that only nearly are


class Step:
    """A node of a block: `reads` are steps of the block by number, -1 for its input, -2 for a value of long ago."""

    def __init__(self, operator: str, reads: tuple[int, ...], **attributes: Any) -> None:
        self.operator, self.reads, self.attributes = operator, reads, attributes
        self.weight: list[int] | None = None  # the shape of an initializer that is its last operand
        self.constant: float | None = None  # a constant of its own that is
        self.nested: float | None = None  # the value that both branches of an If give, which is

    def changed(self, random: Random) -> Step:
        """Return a near miss: the same but for one thing."""
        other = Step(self.operator, self.reads, **self.attributes)
        other.weight, other.constant, other.nested = self.weight, self.constant, self.nested
        kinds = ["operator", "operand"]
        kinds += ["attribute"] * bool(self.attributes) + ["weight"] * bool(self.weight)
        kinds += ["constant"] * (self.constant is not None) + ["nested"] * (self.nested is not None)
        kind = random.choice(kinds)
        if kind == "operator":
            other.operator = {"Relu": "Abs", "Elu": "LeakyRelu", "Softmax": "LogSoftmax"}.get(self.operator, "Div")
        elif kind == "operand":
            other.reads = (-1 if self.reads[0] == -2 else -2, *self.reads[1:])
        elif kind == "attribute":
            other.attributes = {name: 0 if value == 1 else 0.25 for name, value in self.attributes.items()}
        elif kind == "weight":
            other.weight = [1] if self.weight == [3] else [3]
        elif kind == "constant":
            other.constant = 3.0
        else:
            other.nested = 3.0
        return other


def draw_step(random: Random, number: int) -> Step:
    def earlier() -> int:
        return random.choice([number - 1, number - 1, -1, random.randrange(-2, number) if number else -2])

    kind = random.randrange(8)
    if kind == 0:
        return Step("Relu", (earlier(),))
    if kind == 1:
        return Step("Elu", (earlier(),), alpha=0.5)
    if kind == 2:
        return Step("Softmax", (earlier(),), axis=1)
    if kind in (3, 4):
        return Step(random.choice(["Add", "Mul", "Sub", "Max"]), (earlier(), earlier()))
    step = Step(random.choice(["Add", "Mul"]), (earlier(),))
    if kind in (5, 6):
        step.weight = random.choice([[3], [2, 3], [1]])
    elif random.randrange(2):
        step.constant = random.choice([1.0, 2.0])
    else:
        step.nested = random.choice([1.0, 2.0])
    return step


def planted(random: Random) -> onnx.ModelProto:
    """Return a chain of copies of one block, some of them near misses, with other nodes between."""
    block = [draw_step(random, k) for k in range(random.randrange(2, 7))]
    b = builder()
    x, old = "x", "z"
    for _ in range(random.randrange(2, 7)):
        copy = list(block)
        if random.randrange(3) == 0:
            k = random.randrange(len(copy))
            copy[k] = copy[k].changed(random)
        if random.randrange(6) == 0:
            k = random.randrange(len(copy) - 1)
            copy[k : k + 2] = copy[k + 1 : k - 1 if k else None : -1]  # in the other order
        if random.randrange(6) == 0:
            del copy[random.randrange(len(copy))]
        x = add_block(b, copy, x, old)
        if random.randrange(4) == 0:
            old = x
        if random.randrange(4) == 0:
            x = b.add("Tanh", x)
    wide = [node.output[0] for node in b.nodes if node.op_type not in ("Constant", "If")]
    outputs = dict.fromkeys([x, *(random.choice(wide) for _ in range(random.randrange(3)))])
    return b.model(*map(value, outputs))


def builder() -> stacks.Builder:
    return stacks.Builder(value("x"), value("z"), helper.make_tensor_value_info("c", TensorProto.BOOL, []))


def value(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3])


def add_block(b: stacks.Builder, block: list[Step], x: str, old: str) -> str:
    made: list[str] = []
    for step in block:
        operands = [old if r == -2 else x if r == -1 or r >= len(made) else made[r] for r in step.reads]
        if step.weight:
            operands.append(b.weight(*step.weight))
        if step.constant is not None:
            operands.append(b.add("Constant", value_float=step.constant))
        if step.nested is not None:
            operands.append(b.add("If", "c", then_branch=branch(step.nested), else_branch=branch(-step.nested)))
        made.append(b.add(step.operator, *operands, **step.attributes))
    return made[-1]


def branch(number: float) -> onnx.GraphProto:
    node = helper.make_node("Constant", [], ["inside"], value_floats=[number] * 3)
    return helper.make_graph([node], "branch", [], [helper.make_tensor_value_info("inside", TensorProto.FLOAT, [3])])


@given(random=st.randoms(use_true_random=False), pipeline=st.sampled_from(PIPELINES))
@examples(150)
def test_planted_repeats_and_near_misses(random: Random, pipeline: str) -> None:
    model = planted(random)
    onnx.checker.check_model(model, full_check=True)
    with every_repeat():
        assert_kept(model, pipeline)


@given(random=st.randoms(use_true_random=False))
@examples(60)
def test_planted_repeats_are_found(random: Random) -> None:
    block = [draw_step(random, k) for k in range(5)]
    for k, step in enumerate(block):
        step.reads = (k - 1, *step.reads[1:])  # so that each is needed
    b, x = builder(), "x"
    for _ in range(5):
        x = b.add("Tanh", add_block(b, block, x, "z"))
    model = b.model(value(x))
    assert statements(run_pipeline(model, "dedup{cost=nodes}").model) * 2 <= len(model.graph.node)


@given(random=st.randoms(use_true_random=False))
@examples(60)
def test_names_make_no_difference(random: Random) -> None:
    model = planted(random)
    renamed = onnx.ModelProto()
    renamed.CopyFrom(model)
    kept = {v.name for v in (*model.graph.input, *model.graph.output)}
    made = [name for node in model.graph.node for name in node.output if name not in kept]
    names = {name: f"n{k}.{random.randrange(1 << 30)}" for k, name in enumerate(made)}
    for node in renamed.graph.node:
        node.name = f"node {random.randrange(1 << 30)}"
        for field in (node.input, node.output):
            field[:] = [names.get(name, name) for name in field]
    one, other = (run_pipeline(m, "dedup{cost=nodes}").model for m in (model, renamed))
    for node in one.graph.node:
        for field in (node.input, node.output):
            field[:] = [names.get(name, name) for name in field]
    for node in other.graph.node:
        node.ClearField("name")
    assert one == other


# ---- options


def test_options_print_and_parse() -> None:
    assert str(Dedup(min_nodes=3, nested=False)) == "dedup{min-nodes=3,nested=false}"


def test_min_nodes() -> None:
    model = stacks.bert_like(layers=4)
    made = run_pipeline(model, "dedup{cost=nodes,min-nodes=20}").model
    assert [len(function.node) >= 20 for function in made.functions] == [True]
    assert run_pipeline(model, "dedup{cost=nodes,min-nodes=1000}").model == model


@pytest.mark.parametrize("most", [0, 2])
def test_max_parameters(most: int) -> None:
    made = run_pipeline(stacks.darts_like(cells=6), f"dedup{{cost=nodes,max-parameters={most}}}").model
    assert made.functions and max(len(function.attribute) for function in made.functions) <= most


def test_without_nesting_no_function_calls_another() -> None:
    def calls(pipeline: str) -> int:
        made = run_pipeline(stacks.darts_like(cells=6), pipeline).model
        assert made.functions
        return sum(node.domain == LOCAL for function in made.functions for node in function.node)

    assert calls("dedup{cost=nodes,nested=false}") == 0 < calls("dedup{cost=nodes}")


def test_types_are_dropped_unless_they_are_to_be_kept() -> None:
    model = onnx.shape_inference.infer_shapes(stacks.bert_like(layers=4))
    typed = {info.name for info in model.graph.value_info}
    dropped = run_pipeline(model, "dedup").model
    made = {name for node in dropped.graph.node for name in node.output}
    assert {info.name for info in dropped.graph.value_info} == typed & made
    kept = run_pipeline(model, "dedup{keep-types}").model
    assert [len(function.value_info) for function in kept.functions] == [34]
    onnx.checker.check_model(kept, full_check=True)


def test_old_models_get_the_ir_version_that_has_functions() -> None:
    model = stacks.bert_like(layers=4)
    model.ir_version = 7
    result = run_pipeline(model, "dedup")
    assert result.model.ir_version == 8
    assert result.notes == ["dedup: the IR version is now 8, not 7, for the functions"]
    result = run_pipeline(stacks.bert_like(layers=1), "dedup")
    assert (result.model.ir_version, result.notes) == (10, [])


def test_functions_have_names_that_are_free() -> None:
    model = stacks.bert_like(layers=4)
    model.opset_import.add(domain="other", version=1)
    body = [helper.make_node("Relu", ["x"], ["y"])]
    model.functions.append(helper.make_function("other", "f0", ["x"], ["y"], body, list(model.opset_import)[:1]))
    names = [function.name for function in run_pipeline(model, "dedup{cost=nodes}").model.functions]
    assert names == [f"f{k}" for k in range(len(names))] and len(names) > 2


@pytest.mark.parametrize("name", STACKS)
def test_functions_stand_before_those_that_call_them(name: str) -> None:
    seen: set[str] = set()
    for function in run_pipeline(STACKS[name][0](), "dedup{cost=nodes}").model.functions:
        assert {node.op_type for node in function.node if node.domain == LOCAL} <= seen
        seen.add(function.name)
    assert len(seen) > 1


# ---- what a node says besides


def layers(change: Callable[[int, onnx.NodeProto], Any]) -> onnx.ModelProto:
    """Return four layers with something done to each node."""
    model = stacks.bert_like(layers=4)
    for k, node in enumerate(model.graph.node):
        change(k, node)
    return model


def test_metadata_that_differs_keeps_nodes_apart() -> None:
    model = layers(lambda k, node: node.metadata_props.add(key="number", value=str(k)))
    assert run_pipeline(model, "dedup{cost=nodes}").model == model


def test_doc_strings_that_are_the_same_stay() -> None:
    model = layers(lambda k, node: setattr(node, "doc_string", "said once"))
    (function,) = assert_kept(model, "dedup").functions
    assert {node.doc_string for node in function.node} == {"said once"}


def test_names_of_nodes_inside_go_and_others_stay() -> None:
    made = run_pipeline(layers(lambda k, node: setattr(node, "name", f"node {k}")), "dedup").model
    assert not any(node.HasField("name") for function in made.functions for node in function.node)
    assert all(node.name for node in made.graph.node if node.domain != LOCAL)


def test_names_that_are_no_text_leave_a_graph_as_it_is() -> None:
    model = stacks.bert_like(layers=4)
    wire = model.SerializeToString().replace(b"v100", b"v10\xff")
    broken = onnx.ModelProto.FromString(wire)
    assert Dedup(cost="nodes").run(broken, Context()) == 0
    assert broken.SerializeToString() == wire
