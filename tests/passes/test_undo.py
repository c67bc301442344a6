"""What exact passes do is undone to the byte, with the record that stands beside the text."""

from __future__ import annotations

import lzma
import random
from hashlib import sha256
from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import at_most, examples
from onnx import helper
from running import Outcome, a_linear_model, run, to_bytes, write_model
from strategies import running_models
from suite import DATA, samples

import onnxtext
from onnxtext import OnnxTextError, undo
from onnxtext.core.blobs import attach, detach
from onnxtext.core.wire import varint
from onnxtext.rewriting import rewrite
from onnxtext.source import Source
from onnxtext_passes.base import Composite
from onnxtext_passes.registry import find_pass, pass_names

EXACT = [n for n in pass_names() if find_pass(n).keeps == "exact" and not issubclass(find_pass(n), Composite)]
LIGHT = sorted((DATA / "light").glob("*.onnx"))
MARKED = b"\x00onnxtext blob\x00\x01\x02" + bytes(8)  # data that looks like what stands for data


def whole(source: Source) -> bytes:
    return b"".join(attach(source.wire, source.blobs))


def assert_undone(wire: bytes, passes: str) -> bytes:
    """Assert that a record gives a model back after exact passes, and return the record."""
    source = Source(*detach(wire))
    rewritten = rewrite(source, passes)
    record = undo.make_record(source, rewritten)
    again = Source(*detach(whole(rewritten)))  # as the text gives it: other numbers for the data
    assert whole(undo.restore(record, again)) == wire
    return record


# ---- models


def test_there_are_exact_passes_and_models():
    assert "merge" in EXACT and len(LIGHT) > 8


@pytest.mark.parametrize("passes", EXACT)
@pytest.mark.parametrize("file", LIGHT, ids=[file.stem for file in LIGHT])
def test_classifiers_of_the_onnx_wheel(file: Path, passes: str):
    wire = to_bytes(onnx.load(file))
    assert len(assert_undone(wire, passes)) < len(wire) / 3  # measured: at most a fourteenth, for merge


@pytest.mark.parametrize("passes", EXACT)
def test_backend_models(passes: str):
    """Among them are subgraphs, sequences, optionals, sparse tensors, functions and training."""
    for sample in samples():
        assert_undone(to_bytes(sample.model), passes)


@pytest.mark.parametrize("passes", EXACT)
@given(model=running_models())
@examples(50)
def test_models_that_run(passes: str, model: onnx.ModelProto):
    assert_undone(to_bytes(model), passes)


def a_chain(count: int = 30, *tensors: onnx.TensorProto) -> onnx.ModelProto:
    """Return a model in which all but the last value are hidden by merge, with everything that names can carry."""
    nodes = [
        helper.make_node("Neg", [f"value {i}"], [f"value {i + 1}"], name=f"node {i}", doc_string=f"line {i}")
        for i in range(count)
    ]
    for node in nodes:
        node.metadata_props.add(key="stack trace", value="File model.py, in forward\n" * 20)
    values = [helper.make_tensor_value_info(f"value {i}", 1, [2]) for i in range(count + 1)]
    graph = helper.make_graph(nodes, "g", values[:1], values[-1:], tensors, "of a graph", values[1:-1])
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)], doc_string="of a model")


def test_names_order_doc_strings_and_metadata_come_back():
    wire = to_bytes(a_chain())
    assert rewrite(Source(wire), "merge").wire != wire
    assert len(assert_undone(wire, "merge")) < 700  # of 25,000


def test_a_graph_within_a_graph_within_a_function():
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 20, "d": 1]> g (float[2] x, bool c) => (float[2] y) '
        "{ a = Neg(x) b = Abs(a) y = d.f(b, c) } "
        '<domain: "d", opset_import: ["": 20]> f (x, c) => (y) '
        "{ n = Neg(x) m = Abs(n) y = If(c) <then_branch = t () => (o) { p = Neg(m) q = Abs(p) o = Exp(q) }, "
        "else_branch = e () => (o) { p = Abs(m) o = Neg(p) }> }"
    )
    assert_undone(to_bytes(model), "merge")


# ---- data


@pytest.mark.parametrize("weights", ["sidecar", "inline", "elide"])
def test_weights_are_not_in_the_record(tmp_path: Path, weights: str):
    data = random.Random(1).randbytes(100_000)
    tensors = [onnx.TensorProto(name=n, data_type=2, dims=[len(data)], raw_data=data) for n in ("a", "b")]
    model = a_chain(5, *tensors, onnx.TensorProto(name="c", data_type=2, dims=[28], raw_data=MARKED))
    path = tmp_path / "a.onnxt"
    wire = write_model(tmp_path / "a.onnx", model)
    onnxtext.save(model, path, passes="merge", weights=weights, restorable=True)  # type: ignore[arg-type]  # a mode
    assert undo.undo_path(path).stat().st_size < 600
    given = tmp_path / "a.onnx" if weights == "elide" else None
    assert to_bytes(onnxtext.load(path, weights=given, restore=True)) == wire
    assert to_bytes(onnxtext.load(path, weights=given)) != wire


@pytest.mark.parametrize("extra", [random.Random(2).randbytes(5_000), MARKED, b"small"])
def test_data_that_only_the_old_model_has_is_in_the_record(extra: bytes):
    """No pass of ours drops data and is exact; one of somebody else may, where the data stands twice in some form."""
    old, new = Source(to_bytes(a_chain(3))), Source(to_bytes(a_chain(2)))
    shared = onnx.TensorProto(name="s", data_type=2, dims=[2_000], raw_data=bytes(2_000))
    for source, tensors in ((old, [extra, bytes(2_000), extra]), (new, [bytes(2_000)])):
        model = onnx.ModelProto.FromString(source.wire)
        for data in tensors:
            model.graph.initializer.add(data_type=2, dims=[len(data)], raw_data=data)
        model.graph.initializer.append(shared)
        source.wire, source.blobs = detach(to_bytes(model))
    record = undo.make_record(old, new)
    assert whole(undo.restore(record, new)) == whole(old)


def test_a_model_that_is_too_large_for_a_record(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(undo, "MAX_BYTES", 1 << 20)
    old = Source(onnx.ModelProto(doc_string="x" * (3 << 20)).SerializeToString())
    with pytest.raises(OnnxTextError) as caught:
        undo.make_record(old, Source(b""))
    assert str(caught.value) == (
        "no record can be written: without the data that both models share one has 3 MiB, and a record serves up to 1"
    )


# ---- the command line


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with the model m.onnx and its text m.onnxt, which can be restored."""
    monkeypatch.chdir(tmp_path)
    write_model(Path("m.onnx"), a_chain(30, *a_linear_model().graph.initializer))
    assert run("encode", "m.onnx", "--passes", "merge", "--restorable", "-o", "m.onnxt") == Outcome(0, b"", "")
    return tmp_path


def failed(*arguments: object) -> str:
    """Return the error of a command that fails and writes nothing to standard output."""
    found = run(*arguments)
    assert (found.status, found.out) == (2, b"")
    return found.err.removeprefix("error: ").rstrip("\n")


def test_text_weights_and_record_are_three_files(here: Path):
    assert sorted(p.name for p in here.iterdir()) == ["m.onnx", "m.onnxt", "m.onnxt.safetensors", "m.onnxt.undo"]
    assert run("decode", "m.onnxt", "--restore", "-o", "r.onnx") == Outcome(0, b"", "")
    assert Path("r.onnx").read_bytes() == Path("m.onnx").read_bytes()
    assert run("decode", "m.onnxt", "--restore").out == Path("m.onnx").read_bytes()


def test_comments_and_layout_do_not_matter(here: Path):
    text = Path("m.onnxt").read_text()
    Path("m.onnxt").write_text("// of mine\n" + text.replace(" -> ", "  ->  "))
    assert run("decode", "m.onnxt", "--restore").out == Path("m.onnx").read_bytes()
    assert run("fmt", "m.onnxt") == Outcome(0, b"", "")
    assert run("decode", "m.onnxt", "--restore").out == Path("m.onnx").read_bytes()


def test_a_text_that_was_changed(here: Path):
    Path("m.onnxt").write_text(Path("m.onnxt").read_text().replace("Neg", "Abs", 1))
    assert failed("decode", "m.onnxt", "--restore") == (
        "m.onnxt.undo: this record does not belong to the text, which was changed since, or written anew without a "
        "record; encode the model again with --restorable"
    )


def test_weights_that_were_changed(here: Path):
    write_model(Path("n.onnx"), a_chain(30, *a_linear_model(factor=2).graph.initializer))
    run("encode", "n.onnx", "--passes", "merge", "-o", "m.onnxt")
    assert failed("decode", "m.onnxt", "--restore").startswith("m.onnxt.undo: this record does not belong to the text")


def test_a_text_without_a_record(here: Path):
    Path("m.onnxt.undo").unlink()
    assert failed("decode", "m.onnxt", "--restore") == (
        "m.onnxt: nothing tells what it was made from: there is no record m.onnxt.undo; `encode --restorable` writes "
        "one beside the text"
    )
    assert run("decode", "m.onnxt").status == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["encode", "m.onnx", "--passes", "merge,fixpoint(prune)", "--restorable", "-o", "x"],
            "the pass fixpoint(prune) is equivalent, and only what exact passes do can be undone: leave it out, or "
            "leave out --restorable",
        ),
        (
            ["encode", "m.onnx", "--passes", "strip", "--restorable", "-o", "x"],
            "the pass strip is lossy, and only what exact passes do can be undone: leave it out, or leave out "
            "--restorable",
        ),
        (
            ["encode", "m.onnx", "--passes", "merge", "--restorable"],
            "the record of --restorable needs a name: use -o FILE, and it is FILE.undo",
        ),
        (
            ["encode", "m.onnx", "--passes", "merge", "--restorable", "-o", "/dev/stdout"],
            "/dev/stdout: no record can stand beside a device or pipe: leave out --restorable",
        ),
        (
            ["decode", "-", "--restore"],
            "a text from standard input has no record beside it: give its file to --restore",
        ),
        (
            ["decode", "m.onnxt", "--restore", "--fill", "zeros"],
            "made-up weights give no model back: give --restore or --fill, not both",
        ),
    ],
)
def test_what_cannot_be_carried_out(here: Path, arguments: list[str], message: str):
    before = sorted(here.iterdir())
    assert failed(*arguments) == message
    assert sorted(here.iterdir()) == before


def test_nothing_is_written_where_one_of_the_files_cannot_be(here: Path):
    Path("x.onnxt.undo").mkdir()
    before = sorted(here.iterdir())
    assert failed("encode", "m.onnx", "--passes", "merge", "--restorable", "-o", "x.onnxt") == (
        "x.onnxt.undo: cannot write it: it is a folder"
    )
    assert sorted(here.iterdir()) == before


def test_without_passes_there_is_nothing_to_undo(here: Path):
    assert run("encode", "m.onnx", "--restorable", "-o", "x.onnxt").status == 0
    assert run("decode", "x.onnxt", "--restore").out == Path("m.onnx").read_bytes()


# ---- records that are damaged, or made to harm


OLD, NEW = Source(to_bytes(a_chain(8))), rewrite(Source(to_bytes(a_chain(8))), "merge")
RECORD = undo.make_record(OLD, NEW)


def with_body(body: bytes) -> bytes:
    """Return a record for NEW with another body."""
    return RECORD[: len(RECORD) - len(packed())] + lzma.compress(body)


def packed() -> bytes:
    return RECORD[RECORD.index(b"\xfd7zXZ") :]


def assert_refused(record: bytes) -> str:
    with pytest.raises(OnnxTextError) as caught, at_most(5):
        undo.restore(record, NEW, "a.undo")
    return str(caught.value)


def test_a_file_that_is_no_record():
    message = "a.undo: not a record of `encode --restorable`, or one of another version of onnxtext"
    for data in (b"", b"onnxtext", b"onnxtext undo 2\n" + RECORD[16:], to_bytes(a_chain())):
        assert assert_refused(data) == message


def test_every_cut_and_every_flipped_bit_is_found():
    damaged = "a.undo: the record is damaged; encode the model again with --restorable"
    for end in range(len(RECORD)):
        assert_refused(RECORD[:end])
    assert assert_refused(RECORD[:-1]) == damaged
    assert assert_refused(RECORD + b"x") == damaged
    for place in range(len(RECORD)):
        flipped = bytearray(RECORD)
        flipped[place] ^= 1 << place % 8
        assert_refused(bytes(flipped))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x80" * 100,
        varint(1 << 60),  # data that is not there
        varint(0) + varint(1 << 60),  # copies likewise
        varint(0) + varint(1) + varint(0) + varint(1 << 40) + varint(0),  # a copy of what is not there
        varint(0) + varint(1) + varint(0) + varint(8) + varint(1),  # one from before the start
        varint(0) + varint(1) + varint(1 << 40) + varint(8) + varint(0),  # a literal that is not there
        varint(0) + varint(1) + varint(0) + varint(0) + varint(0),  # a copy of nothing
        varint(0) + varint(0),  # an empty model, which is another
        varint(0) + varint(0) + b"\xff" * 50,  # no model
        varint(0) + varint(0) + Source(*detach(to_bytes(a_linear_model()))).wire,  # data with a number that none has
    ],
)
def test_bodies_made_to_harm(body: bytes):
    assert assert_refused(with_body(body)) == "a.undo: the record is damaged; encode the model again with --restorable"


def test_what_unpacks_to_more_than_is_allowed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(undo, "MAX_BYTES", 1 << 20)
    copies = (b"\x00" + varint(1_000) + b"\x00") + (b"\x00" + varint(1_000) + varint(1_999)) * 2_000
    for body in (bytes(3 << 20), varint(0) + varint(2_001) + copies):
        assert "the record is damaged" in assert_refused(with_body(body))


@given(st.binary(max_size=200))
@examples(200)
def test_any_body_gives_an_error(body: bytes):
    assert_refused(with_body(body))


def test_a_body_that_gives_another_model():
    """The digest of the old model is in the record; with one that fits, the record would be right."""
    wire = to_bytes(a_chain(3))
    body = varint(0) + varint(0) + wire
    assert "the record is damaged" in assert_refused(with_body(body))
    digest = sha256(sha256(wire).digest()).digest()
    head = with_body(body)[: len(RECORD) - len(packed()) - len(digest)]
    assert undo.restore(head + digest + lzma.compress(body), NEW).wire == wire
