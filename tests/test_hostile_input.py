"""Law 7: whatever bytes `encode` and whatever text `decode` is given, there is a result or a clear error, and soon.

Every limit here is of processor time and, where it says so, of memory; both count what a small text could be made to
cost, not what a large model does.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from random import Random

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import at_most, decode_or_error, encode_or_error, examples, print_unchecked, read_fast, whole, zeros
from mutations import mutate_bytes
from strategies import any_model, running_model
from test_parsers_agree import printed_model

from onnxtext.core.errors import MeaningProblem, ModelError, OnnxTextError, SyntaxProblem, TextError
from onnxtext.core.wire import (
    ATTRIBUTE,
    FUNCTION,
    GRAPH,
    MODEL,
    NODE,
    TENSOR,
    VALUE_INFO,
    canonical,
    delimited,
    join,
    schema,
    varint,
)
from onnxtext_grammar.codec import parse, parse_slowly
from onnxtext_grammar.interning import allowance_bytes

RANDOMS = st.randoms(use_true_random=False)


# ---- bytes


def some_bytes(random: Random) -> bytes:
    """Return the bytes of a model."""
    return any_model(random) if random.randrange(2) else running_model(random).SerializeToString()


@examples(500)
@given(RANDOMS)
def test_mutated_bytes_are_a_model_or_an_error(random: Random) -> None:
    data = mutate_bytes(some_bytes(random), random)
    with at_most():
        encode_or_error(data)


@examples(300)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_model_or_an_error(data: bytes) -> None:
    with at_most():
        encode_or_error(data)


def test_mutated_bytes_of_a_fixed_list_are_models_or_errors() -> None:
    random = Random(0)
    models = [some_bytes(random) for _ in range(100)]
    taken = 0
    for _ in range(2_000):
        taken += encode_or_error(mutate_bytes(random.choice(models), random)) is not None
    assert taken > 500  # otherwise the damages are too great to show anything


def test_mutated_texts_decode_or_say_where_they_are_wrong() -> None:
    """What `assert_parsers_agree` says of both parsers, said of the public way in, with models that protobuf reads."""
    random = Random(1)
    for _ in range(500):
        with at_most():
            decode_or_error(printed_model(random).text)


# ---- nesting


def nested(count: int, make: str) -> str:
    """Return the text that `make` makes of itself, `…` being its inside."""
    left, right = make.split("…")
    return left * count + right * count


GRAPH_TEXT = "onnxt 1\ngraph @g (%x) -> () {\n BODY\n}\n"
NESTED = {
    "graphs": "Op {g=graph @g () -> () {…}}",
    "graphs_in_the_general_notation": "node {attribute=[{g=graph () -> () {…}}]}",
    "graphs_in_lists": "Op {g: graphs=[graph () -> () {…}]}",
    "lists": "Op {a=[…]}",
    "bags": "Op {a={…}}",
    "messages": "node {attribute=[{type_protos=[{denotation={…}}]}]}",
}
NESTED_TYPES = {
    "sequences": "seq(…)",
    "optionals": "optional(…)",
    "maps": "map(i64, …)",
    "types_in_the_general_notation": "type {sequence_type={elem_type=type …}}",
}
NESTED_VALUES = {"lists": "[…]", "bags": "{a=…}", "data": "data …", "pairs": '["a": …]', "types": "type seq(…)"}


@pytest.mark.parametrize("count", [100, 1_000, 10_000])
@pytest.mark.parametrize("make", NESTED.values(), ids=NESTED)
def test_nested_statements_are_an_error_with_a_place(make: str, count: int) -> None:
    assert_refused(GRAPH_TEXT.replace("BODY", nested(count, make)), limit_s=count / 2_000 + 1)


@pytest.mark.parametrize("count", [100, 1_000, 10_000])
@pytest.mark.parametrize("make", NESTED_TYPES.values(), ids=NESTED_TYPES)
def test_nested_types_are_an_error_with_a_place(make: str, count: int) -> None:
    left, right = make.split("…")
    kind = left * count + "f32[]" + right * count
    for body in (f"%y: {kind} = A(%x)", f"info %y: {kind}", f"A {{a=type {kind}}}", f"%w: {kind} = [1]"):
        assert_refused(GRAPH_TEXT.replace("BODY", body), limit_s=count / 2_000 + 1)


@pytest.mark.parametrize("count", [100, 1_000, 10_000])
@pytest.mark.parametrize("make", NESTED_VALUES.values(), ids=NESTED_VALUES)
def test_nested_values_are_an_error_with_a_place(make: str, count: int) -> None:
    left, right = make.split("…")
    value = left * count + "1" + right * count
    for body in (f"A {{a={value}}}", f"A {{.metadata_props={value}}}", f"%w: f32[] = {value}"):
        assert_refused(GRAPH_TEXT.replace("BODY", body), limit_s=count / 2_000 + 1)
    assert_refused(f"onnxt 1\nmodel {{training_info={value}}}", limit_s=count / 2_000 + 1)


def assert_refused(text: str, limit_s: float = 1.0) -> TextError:
    """Assert that a text is refused with a place, by either parser, and return the error."""
    with at_most(limit_s), pytest.raises((SyntaxProblem, MeaningProblem)) as caught:
        parse(text)
    assert caught.value.line >= 1 and len(str(caught.value)) < 3_000
    return caught.value


def deep_types(count: int, inner: bytes, denotation: bytes) -> bytes:
    """Return a value info with a type of sequences and maps in each other, around `inner`."""
    for k in range(count):
        body = delimited(b"\x12", inner) if k % 3 == 0 else delimited(b"\x0a", inner)
        inner = (delimited(b"\x2a", b"\x08\x07" + body) if k % 3 == 0 else delimited(b"\x22", body)) + denotation
    return join([(1, b"x"), (2, inner)], VALUE_INFO)


def deep_graphs(count: int, inner: bytes, kind: int = 5) -> bytes:
    """Return graphs in each other; without a kind the attributes that hold them take the general notation."""
    for _ in range(count):
        said = [(1, b"b"), (20, kind)] if kind else []
        attribute = join([*said, (11 if kind == 10 else 6, inner)], ATTRIBUTE)
        inner = join([(1, join([(2, b"y"), (4, b"If"), (5, attribute)], NODE)), (2, b"g")], GRAPH)
    return inner


LEAVES = [b"", b"\x0a\x02\x08\x01", b"\x0a\x04\x08\x01\x12\x00", b"\x0a\x06\x08\x01\x12\x02\x0a\x00"]
INFO = join([(1, b"y"), (2, LEAVES[3])], VALUE_INFO)
TRAINING = schema("onnx.TrainingInfoProto")
DEEP = {
    **{
        f"types_{field}_{len(leaf)}_{len(denotation)}": lambda n, leaf=leaf, denotation=denotation, field=field: join(
            [(7, b"\x0a\x06\x12\x01x\x22\x01A" + delimited(varint(field << 3 | 2), deep_types(n, leaf, denotation)))],
            MODEL,
        )
        for leaf in LEAVES
        for denotation in (b"", b"\x32\x01d")
        for field in (11, 13)
    },
    "graphs": lambda n: join([(7, deep_graphs(n, b"\x12\x01g"))], MODEL),
    "graphs_with_nodes": lambda n: join([(7, deep_graphs(n, b"\x0a\x03\x22\x01A"))], MODEL),
    "graphs_with_types": lambda n: join([(7, deep_graphs(n, join([(12, INFO)], GRAPH)))], MODEL),
    "graphs_with_weights": lambda n: join(
        [(7, deep_graphs(n, join([(5, join([(1, 2), (2, 1), (8, b"w"), (9, bytes(8))], TENSOR))], GRAPH)))], MODEL
    ),
    "lists_of_graphs": lambda n: join([(7, deep_graphs(n, b"\x12\x01g", kind=10))], MODEL),
    "graphs_in_the_general_notation": lambda n: join([(7, deep_graphs(n, b"\x12\x01g", kind=0))], MODEL),
    "training": lambda n: join([(20, join([(2, deep_graphs(n, b"\x0a\x03\x22\x01A"))], TRAINING))], MODEL),
    "function_defaults": lambda n: join(
        [(25, join([(1, b"f"), (11, join([(1, b"b"), (20, 5), (6, deep_graphs(n, b""))], ATTRIBUTE))], FUNCTION))],
        MODEL,
    ),
}


@pytest.mark.parametrize("make", DEEP.values(), ids=DEEP)
def test_whatever_depth_protobuf_reads_is_read(make) -> None:
    """And not one message deeper is promised by the text, so that the error has a place."""
    deepest = 0
    for count in range(60):
        try:
            wire = canonical(make(count))
        except ModelError:
            break
        printed = print_unchecked(wire)
        assert not printed.escapes
        assert whole(parse_slowly(printed.text)) == whole(read_fast(printed.text)) == wire
        deepest = count
    assert 30 < deepest < 50
    deeper = print_unchecked_of_any_depth(make(deepest + 1))
    if deeper is not None:
        try:
            parse(deeper)
        except MeaningProblem as error:
            assert "nested deeper than 100" in error.message
        else:
            with pytest.raises(Exception, match="MaxDepth"):
                onnx.ModelProto.FromString(parse(deeper).wire)


def print_unchecked_of_any_depth(wire: bytes) -> str | None:
    """Return the text of a model that protobuf does not read, or None where the printer refuses too."""
    try:
        return print_unchecked(wire).text
    except ModelError as error:
        assert "nested deeper than 100" in str(error)
        return None


# ---- large tokens


MILLIONS = 10_000_000
LARGE = {
    "string": lambda n: f'A {{s="{"a" * n}"}}',
    "string_of_escapes": lambda n: 'A {s="' + "\\n" * (n // 2) + '"}',
    "string_without_an_end": lambda n: f'A {{s="{"a" * n}',
    "string_of_escapes_without_an_end": lambda n: 'A {s="' + '\\"' * (n // 2),
    "string_of_pieces": lambda n: "A {s=" + "+".join(['"a"'] * (n // 40)) + "}",
    "name": lambda n: f"%{'a' * n} = A(%x)",
    "name_of_dashes": lambda n: f"%{'a-' * (n // 2)}a = A(%x)",
    "name_that_is_not_defined": lambda n: f"%y = A(%{'a' * n})",
    "name_in_quotes": lambda n: f'%"{"é" * (n // 2)}" = A(%x)',
    "operator": lambda n: f"{'A.' * (n // 2)}A",
    "comment": lambda n: f"A // {'x' * n}",
    "spaces": lambda n: f"A {' ' * n}",
    "integer": lambda n: f"A {{a={'1' * n}}}",
    "float": lambda n: f"A {{a=1.{'0' * n}1}}",
    "exponent": lambda n: f"A {{a=1e{'9' * n}}}",
    "dimension": lambda n: f"%y: f32[{'1' * n}] = A",
    "dimensions": lambda n: f"%w: f32[{','.join(['9223372036854775807'] * (n // 400))}] = [1]",
    "nan": lambda n: f"A {{a=+nan:{'f' * n}}}",
    "element_type": lambda n: f"%y: t{'1' * n}[] = A",
    "base64": lambda n: f'%w: f32[3] = base64("{"A" * n}")',
    "base64_of_nothing_good": lambda n: f'%w: f32[3] = base64("{"!" * n}")',
    "key_of_a_message": lambda n: f"node {{{'a' * n}=1}}",
    "opening_brackets": lambda n: "A {a=" + "[" * (n // 100),
    "small_elements": lambda n: f"%w: i4[{n // 40}] = [{','.join(['1'] * (n // 40))}]",
}


@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE)
def test_large_tokens(make) -> None:
    """A line of ten million characters is read or refused in seconds; it costs no more than its length lets expect."""
    text = GRAPH_TEXT.replace("BODY", make(MILLIONS))
    with at_most(10):
        decode_or_error(text)


def test_a_message_that_names_something_long_is_short() -> None:
    error = assert_refused(GRAPH_TEXT.replace("BODY", f"%y = A(%{'a' * 100_000})"))
    assert "aaa … aaa" in str(error) and len(str(error)) < 1_500


@pytest.mark.parametrize(
    "number", ["1e999999", "-1e999999", "1e-999999", "1" * 400, "99999999999999999999", "1e19", "+inf"]
)
def test_huge_numbers_are_infinite_or_out_of_range(number: str) -> None:
    for body in (
        f"A {{a={number}}}",
        f"A {{a: ints=[{number}]}}",
        f"%w: f64[1] = [{number}]",
        f"%w: i64[1] = [{number}]",
    ):
        with at_most():
            decode_or_error(GRAPH_TEXT.replace("BODY", body))
    assert_refused(GRAPH_TEXT.replace("BODY", f"%y: f32[{number}] = A(%x)"))
    assert_refused(GRAPH_TEXT.replace("BODY", f"%w: i64[1] = [{number}]"))


# ---- short texts that say much


def doubling(count: int) -> str:
    """Return interned strings of which each is twice the one before."""
    return '#0 = "0123456789"\n' + "".join(f"#{k + 1} = #{k}+#{k}\n" for k in range(count))


RANGE = "\n".join(f" %{k}: f32[2] = none" for k in range(2_000))
EXPLOSIONS = {
    "strings_that_double": f"onnxt 1\n{doubling(60)}graph @g () -> () {{\n A {{s=#60}}\n}}\n",
    "strings_that_are_used_often": (
        f"onnxt 1\n{doubling(18)}graph @g () -> () {{\n A {{s=[{','.join(['#18'] * 10_000)}]}}\n}}\n"
    ),
    "strings_in_many_rows": (
        f"onnxt 1\n{doubling(18)}graph @g (%x) -> () {{\n" + " %y = A(%x) {s=#18}\n" * 10_000 + "}\n"
    ),
    "strings_that_each_gives": (
        f"onnxt 1\n{doubling(18)}graph @g (%x) -> () {{\n each A {{s=#18}}\n" + " %y = A(%x)\n" * 10_000 + "}\n"
    ),
    "attributes_that_each_gives": (
        f"onnxt 1\ngraph @g (%x) -> () {{\n each A {{a=[{','.join(['1'] * 20_000)}]}}\n"
        + " %y = A(%x)\n" * 10_000
        + "}\n"
    ),
    "ranges_of_inputs": f"onnxt 1\ngraph @g ({', '.join(['%0 to %1999'] * 1_000)}) -> () {{\n{RANGE}\n}}\n",
    "ranges_of_value_infos": "onnxt 1\ngraph @g () -> () {\n" + RANGE + "\n info %0 to %1999" * 1_000 + "\n}\n",
    "repeats": "onnxt 1\ngraph @g (%x) -> () {\n A(%x)" + " -> repeat 10000 A" * 1_000 + "\n}\n",
    "patterns_of_names": (
        f'onnxt 1\ngraph @g (%x) -> () {{\n each {{name="{"n" * 100_000}#"}}\n' + " %y = A(%x)\n" * 10_000 + "}\n"
    ),
}


def test_no_short_text_makes_a_huge_model() -> None:
    """Tried in a process of its own, of limited memory: what is refused has not been built."""
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (3_000_000_000,) * 2)\n"
        "from test_hostile_input import EXPLOSIONS, assert_refused\n"
        "for name, text in EXPLOSIONS.items():\n"
        "    print(name)\n"
        "    message = assert_refused(text, limit_s=4).message\n"
        "    assert 'too long' in message or 'repetition' in message or 'at most' in message, message\n"
        "print(open('/proc/self/status').read())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parent)])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    peak = re.search(r"VmHWM:\s*([0-9]+) kB", done.stdout)
    assert peak and int(peak[1]) < 1_500_000, peak


def test_what_a_text_may_gain_by_repetition_is_bounded() -> None:
    """A text may use all of its allowance and no byte more."""
    count = 1_000_000
    line = f'#0 = "{"a" * count}"\n'
    head, tail = f"onnxt 1\n{line}graph @g () -> () {{\n A {{s=[", "]}\n}\n"
    uses = 1
    while uses * count < allowance_bytes(len(head) + len(tail) + 3 * uses):
        uses *= 2
    assert_refused(head + ",".join(["#0"] * uses) + tail, limit_s=10)
    with at_most():
        decode_or_error(head + ",".join(["#0"] * 3) + tail)


# ---- what `--fill` makes up


@pytest.mark.parametrize(
    "dims", ["9223372036854775807", "4611686018427387904,4611686018427387904", "-1", "99999999,99999999"]
)
def test_weights_without_end_are_not_made_up(dims: str) -> None:
    with pytest.raises(OnnxTextError), at_most():
        parse(f"onnxt 1\ngraph @g () -> () {{\n %w: f32[{dims}] = stored\n}}\n", filler=zeros)
