"""Law 1 and 2: a model goes to text and comes back to the byte, and its text depends on nothing but the model."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from random import Random

import onnx
import onnx.checker
import onnx.reference
import pytest
from hypothesis import given
from laws import MODES, assert_exact, examples, opener, print_unchecked, read_fast, whole
from onnx import helper
from strategies import any_model, any_models, running_model, running_models

import onnxtext
from onnxtext.core.blobs import detach
from onnxtext.core.wire import ATTRIBUTE, FUNCTION, GRAPH, MODEL, NODE, TENSOR, VALUE_INFO, canonical, join, schema
from onnxtext.source import Source, print_source
from onnxtext_grammar import interning

FULL = examples(20_000)


@examples(400)
@given(any_models())
def test_any_model_comes_back(wire: bytes) -> None:
    assert_exact(wire)


@pytest.mark.acceptance
@FULL
@given(any_models())
def test_any_of_20_000_models_comes_back(wire: bytes) -> None:
    assert_exact(wire)


def test_models_of_a_fixed_list_come_back() -> None:
    """Hypothesis draws small models; these are of every size."""
    for seed in range(600):
        assert_exact(any_model(Random(seed)))


@examples(200)
@given(running_models())
def test_a_model_that_runs_comes_back_without_an_escape(model: onnx.ModelProto) -> None:
    wire = model.SerializeToString(deterministic=True)
    assert_exact(wire)
    for mode in MODES:
        assert print_source(Source(*detach(wire)), weights=mode, verify=True).escapes == []


@pytest.mark.acceptance
@FULL
@given(running_models())
def test_any_of_20_000_models_that_run_comes_back(model: onnx.ModelProto) -> None:
    assert_exact(model.SerializeToString(deterministic=True))


def test_the_strategy_of_models_that_run_keeps_its_word() -> None:
    operators: set[str] = set()
    for seed in range(100):
        model = running_model(Random(seed))
        onnx.checker.check_model(model, full_check=True)
        operators |= {node.op_type for node in model.graph.node}
        shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
        x = onnx.numpy_helper.to_array(helper.make_tensor("x", 1, shape, [0.5] * (shape[0] * shape[1])))
        outputs = onnx.reference.ReferenceEvaluator(onnxtext.decode(onnxtext.encode(model))).run(None, {"x": x})
        assert list(outputs[0].shape) == shape  # type: ignore[union-attr]  # all values are tensors
    assert {"If", "Loop", "cell", "Gemm", "Constant", "Split", "Reshape"} <= operators


@examples(200)
@given(any_models())
def test_the_text_of_what_a_text_says_is_that_text(wire: bytes) -> None:
    for mode in MODES:
        printed = print_unchecked(wire, mode)
        again = print_unchecked(whole(read_fast(printed.text, opener(printed))), mode)
        assert again.text == printed.text
        if again.sidecar is not None and printed.sidecar is not None:
            assert again.sidecar.table() == printed.sidecar.table()


def test_the_text_does_not_depend_on_the_order_of_sets() -> None:
    code = (
        "from hashlib import sha256; from random import Random; from strategies import any_model;"
        "from laws import print_unchecked;"
        "print(sha256(''.join(print_unchecked(any_model(Random(s))).text for s in range(100)).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    here = "".join(print_unchecked(any_model(Random(seed))).text for seed in range(100))
    assert digests == {sha256(here.encode()).hexdigest()}


# ---- single models, each named by what was not true of it


def node(operator: str, inputs: str = "", outputs: str = "", attributes: list[bytes] | None = None) -> bytes:
    """Return the bytes of a node; `-` is a name that is empty."""
    names = [(1, name.strip("-").encode()) for name in inputs.split()]
    names += [(2, name.strip("-").encode()) for name in outputs.split()]
    return join([*names, (4, operator.encode()), *((5, a) for a in attributes or [])], NODE)


def graph(*nodes: bytes, **more: list[bytes]) -> bytes:
    """Return the bytes of a graph: nodes, and other fields by their names."""
    others = [(GRAPH.by_name[name].number, value) for name, values in more.items() for value in values]
    return join([*((1, n) for n in nodes), (2, b"g"), *others], GRAPH)


def subgraph(*nodes: bytes, key: bytes = b"body", kind: bool = True, **more: list[bytes]) -> bytes:
    """Return the bytes of an attribute that holds a graph; without its kind only the general notation can say it."""
    return join([(1, key), (6, graph(*nodes, **more)), *([(20, 5)] if kind else [])], ATTRIBUTE)


def info(name: str, kind: bytes = b"\x0a\x04\x08\x01\x12\x00", **more: bytes) -> bytes:
    return join(
        [(1, name.encode()), (2, kind), *((VALUE_INFO.by_name[k].number, v) for k, v in more.items())], VALUE_INFO
    )


def weight(name: str, dims: int = 2) -> bytes:
    return join([(1, dims), (2, 1), (8, name.encode()), (9, bytes(4 * dims))], TENSOR)


def model(main: bytes, *functions: bytes) -> bytes:
    return join([(7, main), *((25, f) for f in functions)], MODEL)


def function(*nodes: bytes, **more: list[bytes]) -> bytes:
    others = [(FUNCTION.by_name[name].number, value) for name, values in more.items() for value in values]
    return join([(1, b"f"), *((7, n) for n in nodes), *others], FUNCTION)


INTS = b"\x0a\x06\x08\x07\x12\x02\x0a\x00"  # a type


def hole(dtype: int) -> bytes:
    return join(
        [
            (2, b"_0"),
            (4, b"Parameter"),
            (5, join([(1, b"dtype"), (3, dtype), (20, 2)], ATTRIBUTE)),
            (5, join([(1, b"shape"), (8, 2), (20, 7)], ATTRIBUTE)),
            (7, b"onnxtext"),
        ],
        NODE,
    )


HOLE = hole(1)
INT = join([(1, b"a"), (3, 1), (20, 2)], ATTRIBUTE)
UNKNOWN = b"\xb8\x3e\x07"  # a field that no message has

CASES = {
    "a_typed_hole_has_an_element_type_of_32_bits": model(graph(hole(-8796093022209), node("Identity", "_0", "y"))),
    "a_subgraph_in_a_function_sees_the_values_of_the_function": model(
        graph(), function(node("If", "x", "y", [subgraph(node("Abs", "x", "z"))]), input=[b"x"], output=[b"y"])
    ),
    "a_subgraph_of_a_function_default_sees_no_values": model(
        graph(), function(node("Abs", "x", "y"), input=[b"x"], attribute_proto=[subgraph(node("Abs", "x", "z"))])
    ),
    "a_subgraph_in_the_general_notation_sees_the_values_around_it": model(
        graph(node("Abs", "-", "x"), node("If", "x", "y", [subgraph(node("Abs", "x", "z"), kind=False)]))
    ),
    "a_function_default_stands_once_where_the_next_needs_the_general_notation": model(
        graph(), function(attribute_proto=[INT, join([(1, b"b"), (3, 1)], ATTRIBUTE)])
    ),
    "an_each_of_a_graph_does_not_reach_into_its_subgraphs": model(
        graph(
            *(node("Relu", "x", f"y{k}", [INT, INT]) for k in range(30)),
            node("If", "x", "z", [subgraph(*(node("Relu", "x", f"q{k}") for k in range(3)))]),
        )
    ),
    "a_range_of_inputs_passes_over_a_second_initializer_of_one_name": model(
        graph(
            initializer=[weight(n) for n in "aabcd"],
            input=[info(n, b"\x0a\x08\x08\x01\x12\x04\x0a\x02\x08\x02") for n in "abcd"],
        )
    ),
    "value_infos_keep_their_order_behind_one_that_no_node_makes": model(
        graph(node("A", "", "x y"), node("B", "", "z"), value_info=[info("x"), info("q"), info("y"), info("z")])
    ),
    "value_infos_keep_their_order_around_one_with_a_doc_string": model(
        graph(node("A", "", "x y z"), value_info=[info("x"), info("y", doc_string=b"d"), info("z")])
    ),
    "value_infos_of_one_name_stay_two": model(graph(node("A", "", "x"), value_info=[info("x"), info("x", INTS)])),
    "an_operator_and_a_key_may_be_called_underscore": model(
        graph(node("_", "-", "x", [join([(1, b"_"), (3, 1), (20, 2)], ATTRIBUTE)]), node("_"))
    ),
    "a_dimension_may_be_called_underscore": model(
        graph(input=[info("x", b"\x0a\x09\x08\x01\x12\x05\x0a\x03\x12\x01_")])
    ),
    "an_element_type_may_be_negative": model(graph(input=[info("x", b"\x0a\x0b\x08" + b"\xff" * 9 + b"\x01")])),
    "an_operator_behind_an_info_may_be_called_to": model(graph(node("to"), value_info=[join([(1, b"q")], VALUE_INFO)])),
    "a_result_may_have_the_empty_name": model(graph(node("A", "", "-"))),
    "all_results_may_have_the_empty_name": model(graph(node("A", "", "-"), node("B", "", "-"))),
    "a_chain_of_equal_nodes_may_be_longer_than_one_repeat": model(
        graph(*(node("Relu", f"_{k - 1}", f"_{k}") for k in range(25_000)))
    ),
    "the_second_of_two_nodes_may_have_the_operands_of_the_first_and_what_it_hands_on": model(
        graph(*(node("Add", " ".join([f"_{k - 1}", "x"] if k else ["x"]), f"_{k}") for k in range(4)))
    ),
    "a_weight_without_data_keeps_its_name_where_a_subgraph_uses_it": model(
        graph(HOLE, node("Add", "_0", "_1", [subgraph(node("Relu", "_0"))]))
    ),
    "long_tails_are_not_said_by_each": model(
        graph(*(node("A", "", f"x{k}", [join([(1, b"s"), (4, b"s" * 2000), (20, 3)], ATTRIBUTE)]) for k in range(40)))
    ),
    "long_patterns_of_names_are_not_said_by_each": model(
        graph(*(join([(2, b"n" * 1500 + b"%d" % k), (3, b"m" * 1500 + b"%d" % k), (4, b"A")], NODE) for k in range(9)))
    ),
    "a_tensor_has_any_number_of_dimensions": model(
        graph(initializer=[join([*((1, 1 << 62) for _ in range(5_000)), (2, 1), (8, b"w"), (9, b"abcd")], TENSOR)])
    ),
    "training_graphs_see_no_values_of_the_main_graph": join(
        [
            (7, graph(node("A", "", "x"))),
            (20, join([(2, graph(node("B", "x", "y")))], schema("onnx.TrainingInfoProto"))),
        ],
        MODEL,
    ),
}


@pytest.mark.parametrize("wire", CASES.values(), ids=CASES)
def test_case(wire: bytes) -> None:
    assert_exact(canonical(wire))


def test_every_escape_in_a_text_is_counted_once() -> None:
    wire = canonical(
        model(graph(node("A", "", "x", [INT + UNKNOWN]), node("B", "", "y", [subgraph(node("C")) + UNKNOWN])))
    )
    for mode in MODES:
        assert print_unchecked(wire, mode).escapes == ["AttributeProto", "AttributeProto"]


def test_strings_that_repeat_more_than_a_parser_takes_are_written_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interning, "allowance_bytes", lambda characters: 10_000)
    for count, is_interned in ((9, True), (11, False)):
        wire = canonical(model(graph(*(join([(4, b"A"), (6, b"d" * 1_000)], NODE) for _ in range(count)))))
        assert ("#0" in print_unchecked(wire).text) is is_interned
        assert_exact(wire)
