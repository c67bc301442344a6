"""What the command line shows of passes at work: reproducers of failures, bisect, outputs compared, counts."""

from __future__ import annotations

import builtins
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from running import Outcome, a_linear_model, run, to_bytes, write_model

import onnxtext
from onnxtext import rewriting
from onnxtext.core.plugins import Kind
from onnxtext_passes import registry

MODEL = onnx.parser.parse_model(
    '<ir_version: 10, opset_import: ["": 21]> g (float[N,3] x) => (float[N,3] y) '
    "{ h = Identity(x) i = Relu(h) y = Relu(i) }"
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in a folder with the model m.onnx, and with passes that fail."""
    monkeypatch.chdir(tmp_path)
    write_model(Path("m.onnx"), MODEL)
    for name in ("Fail", "Break", "Negate", "Rename"):
        monkeypatch.setitem(registry._OURS, name.lower(), f"probes:{name}")
    Kind._owners.cache_clear()
    yield tmp_path
    Kind._owners.cache_clear()


def failed(*arguments: object) -> str:
    """Return the error of a command that fails and writes nothing to standard output."""
    found = run(*arguments)
    assert (found.status, found.out) == (2, b"")
    return found.err.removeprefix("error: ").rstrip("\n")


def names(folder: Path = Path()) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


# ---- reproducers

FAILURE = "the pass fail, after prune, failed, and the model is as it was before: RuntimeError: out of luck"
SEEN_AGAIN = "the pass fail failed, and the model is as it was before: RuntimeError: out of luck"


@pytest.mark.parametrize("command", ["encode", "optimize"])
def test_a_failure_leaves_a_file_that_fails_in_the_same_way(command: str):
    assert failed(command, "m.onnx", "--passes", "prune,fail,merge") == (
        f"{FAILURE}\nto see it again: onnxtext encode --reproduce onnxtext-reproducer.onnxt"
    )
    assert names() == ["m.onnx", "onnxtext-reproducer.onnxt"]
    text = Path("onnxtext-reproducer.onnxt").read_text()
    assert text.startswith("// reproduce: --passes fail,merge --verify-passes none\nonnxt 1\n")
    assert len(onnxtext.load("onnxtext-reproducer.onnxt").graph.node) == 2  # it is a text as any other
    assert failed("encode", "--reproduce", "onnxtext-reproducer.onnxt") == SEEN_AGAIN
    assert Path("onnxtext-reproducer.onnxt").read_text() == text


def test_a_reproducer_goes_where_the_other_texts_go():
    assert failed("encode", "m.onnx", "--passes", "fail", "--dump-dir", "a b").endswith(
        "\nto see it again: onnxtext encode --reproduce 'a b/onnxtext-reproducer.onnxt'"
    )
    assert names(Path("a b")) == ["00-input.onnxt", "onnxtext-reproducer.onnxt"]


def test_a_reproducer_says_what_was_verified():
    found = failed("encode", "m.onnx", "--passes", "prune,negate", "--verify-passes", "each", "--verify-outputs")
    assert found.startswith("the pass negate, after prune, gives other outputs: output y: ")
    again = failed("encode", "--reproduce", "onnxtext-reproducer.onnxt")
    assert again.startswith("the pass negate gives other outputs: output y: ")


def test_a_reproducer_holds_the_weights():
    write_model(Path("l.onnx"), a_linear_model())
    failed("encode", "l.onnx", "--passes", "fail")
    assert onnxtext.load("onnxtext-reproducer.onnxt") == a_linear_model()


def test_a_reproducer_of_a_large_model_has_made_up_weights(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rewriting, "INLINE_BYTES", 10_000)
    write_model(Path("l.onnx"), a_linear_model(columns=20_000))
    assert failed("encode", "l.onnx", "--passes", "fail").endswith(
        "--reproduce onnxtext-reproducer.onnxt; of its 3 MiB of weights it has made-up ones"
    )
    assert Path("onnxtext-reproducer.onnxt").stat().st_size < 2_000
    assert failed("encode", "--reproduce", "onnxtext-reproducer.onnxt") == SEEN_AGAIN


def test_where_no_reproducer_can_be_written_the_failure_is_told():
    Path("onnxtext-reproducer.onnxt").mkdir()
    assert failed("encode", "m.onnx", "--passes", "prune,fail") == (
        f"{FAILURE}\nno reproducer could be written: onnxtext-reproducer.onnxt: cannot write it: it is a folder"
    )


def test_a_reproducer_whose_failure_is_mended_is_encoded(monkeypatch: pytest.MonkeyPatch):
    failed("encode", "m.onnx", "--passes", "prune,fail")
    monkeypatch.setitem(registry._OURS, "fail", "onnxtext_passes.merge:Merge")
    Kind._owners.cache_clear()
    found = run("encode", "--reproduce", "onnxtext-reproducer.onnxt")
    assert (found.status, found.err) == (0, "") and b"Relu(%x)\n -> Relu\n" in found.out


def test_python_writes_no_reproducer():
    with pytest.raises(onnxtext.OnnxTextError) as caught:
        onnxtext.encode(MODEL, passes="prune,fail")
    assert str(caught.value) == FAILURE and names() == ["m.onnx"]


@pytest.mark.parametrize(
    ("first", "message"),
    [
        ("", "r.onnxt: nothing to reproduce: its first line is not `// reproduce: --passes …`"),
        ("// reproduce: --passes", "r.onnxt: its first line cannot be read: a quote or a value is missing"),
        ("// reproduce: --passes 'a", "r.onnxt: its first line cannot be read: a quote or a value is missing"),
        ("// reproduce: --verify-passes each", "r.onnxt: its first line names no --passes"),
        ("// reproduce: --passes fail -o x", "r.onnxt: its first line names -o"),
    ],
)
def test_what_is_no_reproducer(first: str, message: str):
    Path("r.onnxt").write_text(f"{first}\n{onnxtext.encode(MODEL)}")
    assert failed("encode", "--reproduce", "r.onnxt") == message


def test_a_reproducer_says_itself_what_to_do():
    assert failed("encode", "--reproduce", "r.onnxt", "--passes", "merge") == (
        "a reproducer says itself which passes to run and what to verify: give none with it"
    )


# ---- outputs


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_exact_refuses_what_is_not_and_a_dry_run_does_too(more: list[str]):
    message = "the pass prune is equivalent, and only exact ones are wanted"
    assert failed("encode", "m.onnx", "--exact", "--passes", "merge,prune", *more) == message
    found = run("encode", "m.onnx", "--exact", "--passes", "merge", "-o", "m.onnxt", *more)
    assert (found.status, found.err, Path("m.onnxt").exists()) == (0, "merge: exact\n" if more else "", not more)


def test_a_folder_that_cannot_be_written_is_named():
    assert failed("encode", "m.onnx", "--passes", "merge", "--dump-dir", "m.onnx/x") == (
        "m.onnx/x: cannot write into it: Not a directory"
    )


def verified(model: onnx.ModelProto, passes: str, mode: str = "each") -> Outcome:
    write_model(Path("v.onnx"), model)
    return run(
        "encode", "v.onnx", "--passes", passes, "--verify-passes", mode, "--verify-outputs", "--weights", "elide"
    )


@pytest.mark.parametrize("mode", ["each", "end"])
def test_equal_outputs_are_no_news(mode: str):
    found = verified(MODEL, "prune,merge", mode)
    assert (found.status, found.err) == (0, "")


def test_without_a_time_outputs_are_not_verified():
    assert failed("encode", "m.onnx", "--passes", "prune", "--verify-outputs") == (
        "outputs are verified after each pass or at the end: --verify-passes each or end says when"
    )


def test_without_onnxruntime_there_is_a_remedy(monkeypatch: pytest.MonkeyPatch):
    real = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name == "onnxruntime":
            raise ImportError("No module named 'onnxruntime'")
        return real(name, *rest, **more)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(builtins, "__import__", without)
    message = (
        "outputs are compared under onnxruntime, which cannot be imported (No module named 'onnxruntime'): "
        "pip install onnxruntime"
    )
    assert failed("encode", "m.onnx", "--passes", "prune", "--verify-passes", "end", "--verify-outputs") == message
    assert failed("bisect", "m.onnx", "--passes", "prune") == message


@pytest.mark.parametrize(
    ("body", "note"),
    [
        ("{ h = Identity(x) y = RandomNormalLike(h) }", "across prune: its outputs differ from run to run"),
        ("{ h = Identity(x) y = d.Odd(h) }", "across prune: "),
    ],
)
def test_a_model_that_cannot_be_compared_is_a_note(body: str, note: str):
    model = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["": 21, "d": 1]> g (float[2,3] x) => (float[2,3] y) {body}'
    )
    found = verified(model, "prune")
    assert found.status == 0 and found.err.startswith(f"note: outputs are not compared {note}")
    assert found.err.count("\n") == 1


def test_lossy_passes_are_passed_over():
    assert verified(a_linear_model(), "strip,merge").err.startswith(
        "note: outputs are not compared across strip, which is lossy\nnote: outputs are not compared across merge: "
    )
    assert verified(a_linear_model(), "strip,merge", "end").err == (
        "note: outputs are not compared across strip,merge, which is lossy; --verify-passes each compares those passes "
        "that are not\n"
    )


def test_inputs_are_made_up_for_every_type():
    kinds = ["float", "double", "float16", "int8", "uint16", "int32", "int64", "uint64", "bool", "string"]
    inputs = ", ".join(f"{kind}[N,2] x{i}" for i, kind in enumerate(kinds))
    outputs = ", ".join(f"{kind}[N,2] y{i}" for i, kind in enumerate(kinds))
    nodes = " ".join(f"h{i} = Identity(x{i}) y{i} = Identity(h{i})" for i in range(len(kinds)))
    model = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["": 21]> g ({inputs}, seq(float) s, float z) => ({outputs}, int64 n) '
        f"{{ {nodes} c = SequenceLength(s) n = Identity(c) }}"
    )
    found = verified(model, "prune")
    assert (found.status, found.err) == (0, "")


def test_a_size_with_which_the_model_runs_is_found():
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 21]> g (float[N,M] x) => (float[N,4] y) <float[16,4] w> '
        "{ h = Identity(x) y = MatMul(h, w) }"
    )
    model.graph.initializer.append(numpy_helper.from_array(np.ones((16, 4), np.float32), "w"))
    del model.graph.value_info[:]
    found = verified(model, "prune,negate")
    assert found.status == 2 and "the pass negate, after prune, gives other outputs: output y: " in found.err


# ---- bisect


@pytest.mark.parametrize(
    ("passes", "number", "name"),
    [
        ("negate", 1, "negate"),
        ("prune,merge,negate", 3, "negate"),
        ("prune,negate,merge,prune,merge", 2, "negate"),
        ("merge,prune,prune,merge,rename,break,prune", 6, "break"),
        ("prune,merge,fail,prune", 3, "fail"),
    ],
)
def test_bisect_finds_the_pass(passes: str, number: int, name: str):
    found = run("bisect", "m.onnx", "--passes", passes)
    assert (found.status, found.err) == (1, "")
    assert found.out.decode().startswith(f"pass {number} of {passes.count(',') + 1}, {name}: ")
    reported = json.loads(run("bisect", "m.onnx", "--passes", passes, "--json").out)
    assert reported["finding"]["number"] == number and reported["finding"]["pass"] == name


def test_bisect_where_nothing_is_wrong():
    assert run("bisect", "m.onnx", "--passes", "prune,merge") == Outcome(
        0, b"no pass of prune,merge makes the check fail\n", ""
    )
    assert json.loads(run("bisect", "m.onnx", "--passes", "prune,merge", "--json").out)["finding"] is None


def test_bisect_by_the_checker():
    assert run("bisect", "m.onnx", "--passes", "prune,negate,merge", "--check", "checker").status == 0
    found = run("bisect", "m.onnx", "--passes", "prune,negate,break,merge", "--check", "checker")
    assert found.status == 1 and found.out.startswith(b"pass 3 of 4, break: ")


def test_bisect_by_a_command():
    count = 'python3 -c \'import sys; sys.exit(open(sys.argv[1], "rb").read().count(b"Relu") != 2)\' {}'
    assert run("bisect", "m.onnx", "--passes", "prune,merge", "--check", count).status == 0
    found = run(
        "bisect", "m.onnx", "--passes", "prune,merge,break,prune", "--check", f"{count} || (echo too few; false)"
    )
    assert found == Outcome(1, b"pass 3 of 4, break: the command leaves with 1: too few\n", "")


def test_bisect_where_the_model_is_wrong_from_the_start():
    assert run("bisect", "m.onnx", "--passes", "prune", "--check", "false {}") == Outcome(
        1, b"no pass is needed: the check fails on the model as it is: the command leaves with 1\n", ""
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["m.onnx"], "bisect needs passes, as in --passes prune,merge; `onnxtext passes` lists them"),
        (
            ["m.onnx", "--passes", "prune", "--check", "output"],
            "--check takes outputs, checker, or a command with {} for the model's file, not output",
        ),
    ],
)
def test_bisect_needs_to_know(arguments: list[str], message: str):
    assert failed("bisect", *arguments) == message


def test_bisect_of_a_model_that_does_not_run():
    write_model(Path("s.onnx"), onnxtext.decode(onnxtext.encode(a_linear_model(), passes="strip")))
    assert failed("bisect", "s.onnx", "--passes", "merge").startswith("the outputs of this model cannot be compared: ")


# ---- counts


def test_stats_tells_what_there_is():
    write_model(Path("l.onnx"), a_linear_model())
    found = run("stats", "l.onnx")
    assert (found.status, found.err) == (0, "")
    assert found.out.decode().split("\n")[:4] == [
        "nodes       1",
        "parameters  4,000",
        "weights     16,000 bytes in 1 tensor",
        "macs        4,000 (8,000 flops) in MatMul",
    ]
    counted = json.loads(run("stats", "l.onnx", "--json").out)
    onnxtext.save("l.onnx", "l.onnxt")
    assert counted["characters"] == len(Path("l.onnxt").read_text())
    assert (counted["tokens"], counted["operators"]) == (None, {"MatMul": 1})


def test_sizes_of_symbolic_dimensions():
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 21]> g (float[N,3] x, float[3,5] w) => (float[N,5] y) { y = MatMul(x, w) }'
    )
    write_model(Path("n.onnx"), model)
    assert b"\n            and an unknown number in MatMul 1\n" in run("stats", "n.onnx").out
    assert json.loads(run("stats", "n.onnx", "--dim", "N=7", "--json").out)["macs"] == 105
    assert failed("stats", "n.onnx", "--dim", "M=7") == "no input has a dimension M; symbolic ones are: N"
    assert failed("stats", "n.onnx", "--dim", "N") == "--dim takes a name and a size, as in batch=1, not N"


@pytest.fixture
def tokenizer() -> str:
    """Return a file with a tokenizer whose tokens are bytes."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    made = Tokenizer(models.BPE({c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.save("bytes.json")
    return "bytes.json"


def test_tokens_are_those_of_the_text(tokenizer: str):
    counted = json.loads(run("stats", "m.onnx", "--tokenizer", tokenizer, "--json").out)
    assert counted["tokens"] == counted["characters"] == len(onnxtext.encode(MODEL))
    run("encode", "m.onnx", "--passes", "prune,merge", "--stats", "--tokenizer", tokenizer, "--report", "r.json")
    steps = json.loads(Path("r.json").read_text())["steps"]
    assert [step["before"]["tokens"] for step in steps] == [
        len(onnxtext.encode(MODEL)),
        len(onnxtext.encode(MODEL, passes="prune")),
    ]
    assert steps[1]["after"]["tokens"] == len(onnxtext.encode(MODEL, passes="prune,merge"))


def test_stats_of_passes():
    write_model(Path("l.onnx"), a_linear_model())
    found = run("encode", "l.onnx", "--passes", "merge,strip", "--stats", "-o", "x.onnxt")
    table = [line.split() for line in found.err.splitlines()]
    assert table[0] == ["pass", "keeps", "rewrites", "nodes", "tensors", "parameters", "bytes"]
    assert table[1][:12] == ["merge", "exact", "0", "1", "->", "1", "1", "->", "1", "4000", "->", "4000"]
    assert table[2][2:12] == ["1", "1", "->", "2", "1", "->", "0", "4000", "->", "4000"]


def test_a_tokenizer_that_is_none():
    Path("t.json").write_text("{}")
    assert failed("stats", "m.onnx", "--tokenizer", "t.json").startswith("t.json: not a tokenizer.json: ")
    assert failed("encode", "m.onnx", "--passes", "merge", "--tokenizer", "t.json") == (
        "--tokenizer counts tokens for --stats or --report: give one of them too"
    )


def test_functions_count_once_for_each_use():
    """Weights without data within functions have the shapes that the calls give them."""
    hole = helper.make_node("Parameter", [], ["w"], domain="onnxtext")
    hole.attribute.append(helper.make_attribute("dtype", 1))
    hole.attribute.append(onnx.AttributeProto(name="shape", type=onnx.AttributeProto.INTS, ref_attr_name="s"))
    imports = [helper.make_opsetid("", 21), helper.make_opsetid("onnxtext", 1), helper.make_opsetid("d", 1)]
    times = helper.make_node("MatMul", ["x", "w"], ["y"])
    inner = helper.make_function("d", "f", ["x"], ["y"], [hole, times], imports, ["s"])
    call = helper.make_node("f", ["x"], ["h"], domain="d", s=[3, 3])
    given = helper.make_node("f", ["h"], ["y"], domain="d")
    given.attribute.append(onnx.AttributeProto(name="s", type=onnx.AttributeProto.INTS, ref_attr_name="t"))
    outer = helper.make_function("d", "g", ["x"], ["y"], [call, given], imports, ["t"])
    values = [helper.make_tensor_value_info(n, 1, [2, k]) for n, k in (("x", 3), ("y", 5))]
    nodes = [
        helper.make_node("g", ["x"], ["a"], domain="d", t=[3, 4]),
        helper.make_node("f", ["a"], ["y"], domain="d", s=[4, 5]),
    ]
    model = helper.make_model(helper.make_graph(nodes, "m", values[:1], values[1:]), opset_imports=imports)
    model.functions.extend([inner, outer])
    Path("f.onnx").write_bytes(to_bytes(model))
    counted = json.loads(run("stats", "f.onnx", "--json").out)
    assert counted["nodes"] == 6 and counted["nodes_with_calls_written_out"] == 6
    assert counted["operators"] == {"MatMul": 3, "onnxtext.Parameter": 3}
    assert counted["parameters"] == 9 + 12 + 20
    assert counted["macs"] == 2 * (9 + 12 + 20)


def test_functions_that_call_each_other_without_end():
    imports = [helper.make_opsetid("", 21), helper.make_opsetid("d", 1)]
    function = helper.make_function("d", "f", ["x"], ["y"], [helper.make_node("f", ["x"], ["y"], domain="d")], imports)
    values = [helper.make_tensor_value_info(n, 1, [2]) for n in ("x", "y")]
    graph = helper.make_graph([helper.make_node("f", ["x"], ["y"], domain="d")], "m", values[:1], values[1:])
    Path("f.onnx").write_bytes(to_bytes(helper.make_model(graph, functions=[function], opset_imports=imports)))
    assert failed("stats", "f.onnx") == "the function f calls itself, or others that do"


def test_functions_that_stand_for_very_many_nodes():
    imports = [helper.make_opsetid("", 21), helper.make_opsetid("d", 1)]
    functions = [
        helper.make_function("d", "f0", ["x"], ["y"], [helper.make_node("MatMul", ["x", "x"], ["y"])], imports)
    ]
    for k in range(1, 60):
        nodes = [helper.make_node(f"f{k - 1}", [a], [b], domain="d") for a, b in (("x", "h"), ("h", "y"))]
        functions.append(helper.make_function("d", f"f{k}", ["x"], ["y"], nodes, imports))
    values = [helper.make_tensor_value_info(n, 1, [2, 2]) for n in ("x", "y")]
    graph = helper.make_graph([helper.make_node("f59", ["x"], ["y"], domain="d")], "m", values[:1], values[1:])
    Path("f.onnx").write_bytes(to_bytes(helper.make_model(graph, functions=functions, opset_imports=imports)))
    counted = json.loads(run("stats", "f.onnx", "--json").out)
    assert counted["operators"] == {"MatMul": 1 << 59} and counted["parameters"] == 0
    assert (counted["macs"], counted["nodes_with_unknown_macs"]) == (0, {"MatMul": 1 << 59})


def test_passes_are_not_to_blame_for_what_was_wrong_before():
    write_model(
        Path("w.onnx"),
        onnx.parser.parse_model(
            '<ir_version: 10, opset_import: ["": 21]> g (float[2] x) => (float[3] y) { h = Identity(x) y = Neg(h) }'
        ),
    )
    for mode in ("each", "end"):
        found = run("encode", "w.onnx", "--passes", "prune,merge", "--verify-passes", mode)
        assert found.status == 0
        assert found.err.startswith("note: the model does not check, and did not before: ")
        assert found.err.count("note: ") == 1
