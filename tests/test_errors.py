"""Every message is read whole: file, line, column, the line with its caret, what was expected, the nearest name.

What is wrong with a text stands in errors/texts.cases; what is wrong with files, models, weights and arguments stands
here.  The last test goes through the source for all that can be raised, and fails where a line of it was not reached or
a phrase of it was not read: a new message needs a row.
"""

from __future__ import annotations

import ast
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import onnx
import pytest
from google.protobuf.message import EncodeError
from running import CHECKOUT, a_linear_model, a_model, run, to_bytes, write_model

import onnxtext
from onnxtext import source
from onnxtext.core import files
from onnxtext.core.blobs import detach
from onnxtext.core.plugins import Kind
from onnxtext_grammar import assembler
from onnxtext_passes.pipeline import parse_pipeline

CASES = Path(__file__).parent / "errors" / "texts.cases"
MODULES = [  # of which every message is in the table; the others have tests of their own
    *sorted((CHECKOUT / "grammar" / "onnxtext_grammar").glob("*.py")),
    *sorted((CHECKOUT / "onnxtext" / "core").glob("*.py")),
    *(CHECKOUT / "onnxtext" / name for name in ("__init__.py", "api.py", "cli.py", "source.py")),
    *sorted((CHECKOUT / "onnxtext" / "commands").glob("*.py")),
]


@dataclass(frozen=True)
class Row:
    """Something to do, and the message that it has to give."""

    title: str
    do: Callable[[], object]
    message: str


# ---- texts


def cases() -> Iterator[Row]:
    """Yield the rows of the file."""
    _, *parts = re.split(r"^==== ", CASES.read_text("utf-8"), flags=re.MULTILINE)
    for part in parts:
        title, _, rest = part.partition("\n")
        text, _, message = rest.partition("----\n")
        yield Row(title, read(text), message.rstrip("\n").replace("{onnx}", onnx.__version__))


def read(text: str, **options: Any) -> Callable[[], object]:
    return lambda: source.read_text(text, "m.onnxt", **options)


def patched(target: object, name: str, value: object, do: Callable[[], object]) -> Callable[[], object]:
    def patched_do() -> object:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(target, name, value)
            return do()

    return patched_do


def parse_alone(text: str) -> object:
    """Parse a text as a program does that has no place for weights."""
    from onnxtext_grammar.codec import parse

    return parse(text, "m.onnxt")


def graph(body: str) -> str:
    return f"onnxt 1\ngraph @g (%x: f32[2]) -> () {{\n {body}\n}}\n"


def at(line: int, column: int, message: str, shown: str, caret: int | None = None) -> str:
    """Return a whole message; the caret stands under the column unless the line is cut."""
    return f"m.onnxt:{line}:{column}: {message}\n  {shown}\n  {' ' * ((column if caret is None else caret) - 1)}^"


LONG_LINE = " %y = Add(" + "%x, " * 60 + "%x %x" + ", %x" * 60 + ")"
DEEP_MESSAGES = "model {training_info=[{algorithm={" + "node=[{attribute=[{g={" * 40 + "}}]}]" * 40 + "}}]}"
DEEP_GRAPH = "graph () -> () {\n If {g="

TEXT_ROWS = [
    Row(
        "a long line is shown around the mistake",
        read(graph(LONG_LINE[1:])),
        at(3, 254, 'unexpected \'%x\'; expected ")" or ","', LONG_LINE[193:313], 61),
    ),
    Row(
        "a character that is none",
        read('onnxt 1\nmodel {producer_name="\ud800"}\n'),
        at(2, 23, "this is half a character (a lone surrogate)", 'model {producer_name="."}'),
    ),
    Row(
        "interned strings that grow beyond all measure",
        read('onnxt 1\n#0 = "' + "a" * 99 + '"\n' + "".join(f"#{i} = #{i - 1}+#{i - 1}\n" for i in range(1, 40))),
        at(
            *(21, 7, "the interned strings of this text are too long where they stand; write fewer, or shorter"),
            "#19 = #18+#18",
        ),
    ),
    Row(
        "far too many nodes",
        patched(assembler, "allowance_bytes", lambda size: 9_000, read(graph("%y = Relu(%x)\n-> repeat 10 Relu"))),
        at(
            *(4, 4, "far too much is made of this text by repetition (repeat, each, ranges, interned strings)"),
            "-> repeat 10 Relu",
        ),
    ),
    Row(
        "a rule that is too long",
        read(graph('each {domain="' + "d" * 1001 + '"}')),
        at(3, 7, "a rule of each has at most 1000 bytes", ' each {domain="' + "d" * 105),
    ),
    Row(
        "messages within messages",
        read(f"onnxt 1\n{DEEP_MESSAGES}\n"),
        at(2, 760, "messages are nested deeper than 100, which protobuf does not read", DEEP_MESSAGES[699:819], 61),
    ),
    Row(
        "graphs within graphs",
        read(graph("%y = If(%x) {g=" + DEEP_GRAPH * 60 + "1" + "}}" * 60 + "}")),
        at(36, 2, "messages are nested deeper than 100, which protobuf does not read", " If {g=graph () -> () {"),
    ),
    Row(
        "data that is not there, and nowhere to look for it",
        lambda: parse_alone(graph("%w: f32[100]")),
        "m.onnxt: the data of the tensor 'w' is not in the text; "
        "give the weights file with --weights FILE, or make data up with --fill zeros or --fill random",
    ),
    Row(
        "an element type of which no data can be made up",
        read(graph("%w: text[100]"), fill="zeros"),
        at(3, 2, "no data can be made up for the elements of text", " %w: text[100]"),
    ),
    Row(
        "a dimension for which no data can be made up",
        read(graph("%w: f32[2,-1]"), fill="random"),
        at(3, 2, "no data can be made up for the dimension -1", " %w: f32[2,-1]"),
    ),
    Row(
        "more data than there is room for",
        read(graph("%w: f32[9000000000000000000]"), fill="zeros"),
        at(
            *(3, 2, "9000000000000000000 elements of f32 are more than the memory holds"),
            " %w: f32[9000000000000000000]",
        ),
    ),
    Row(
        "weights of another size",
        lambda: source.read_text(graph("%w: i4[99]"), "m.onnxt", weights=weights({"w": entry("U8", [4], 0, 4)})),
        at(3, 2, "the weights hold 4 bytes for %w, i4[99] has 50", " %w: i4[99]"),
    ),
]


# ---- models


def encode_bytes(data: bytes) -> Callable[[], object]:
    def do() -> object:
        Path("m.onnx").write_bytes(data)
        return onnxtext.encode("m.onnx")

    return do


def deep(levels: int) -> onnx.ModelProto:
    """Return a model of graphs within graphs, and data within the innermost."""
    model = onnx.ModelProto()
    graph = model.graph
    for _ in range(levels):
        graph = graph.node.add().attribute.add().g
    graph.initializer.add(raw_data=bytes(2000))
    return model


MODEL_ROWS = [
    Row("an empty file", encode_bytes(b""), "m.onnx: not an ONNX model: it is empty"),
    Row(
        "a number without an end",
        encode_bytes(b"\x08\xff"),
        "m.onnx: not an ONNX model: the number at byte 2 has no end",
    ),
    Row(
        "onnx's own syntax, cut short",
        encode_bytes(b"<ir_version: 10> g () => () {"),
        "m.onnx: onnx's parser does not read this text: [ParseError at position (line: 1 column: 30)] "
        "Error context: <ir_version: 10> g () => () { Expected character = not found.",
    ),
    Row("no field at all", encode_bytes(b"\x0f"), "m.onnx: not an ONNX model: the byte 0 opens no field"),
    Row(
        "a field that is cut short",
        encode_bytes(b"\x3a\x05ab"),
        "m.onnx: not an ONNX model: it ends within the field at byte 0; is the file complete?",
    ),
    Row("a group without an end", encode_bytes(b"\x0b"), "m.onnx: not an ONNX model: a group has no end at byte 1"),
    Row(
        "the end of another group",
        encode_bytes(b"\x0b\x14"),
        "m.onnx: not an ONNX model: a group ends at byte 2 that was not open",
    ),
    Row("no field in a group", encode_bytes(b"\x0b\x0f"), "m.onnx: not an ONNX model: the byte 2 opens no field"),
    Row(
        "messages within messages",
        lambda: onnxtext.encode(deep(40)),
        "messages are nested deeper than 100, which protobuf does not read back",
    ),
    Row(
        "messages within messages in a file",
        lambda: encode_bytes(to_bytes(deep(40)))(),
        "m.onnx: not an ONNX model: Error parsing message with type 'onnx.ModelProto': "
        "Exceeded upb_DecodeOptions_MaxDepth",
    ),
    Row(
        "messages within messages, and data in the innermost",
        lambda: detach(to_bytes(deep(80))),
        "not an ONNX model: messages nested deeper than 200 at byte 603",
    ),
]

# ---- files


class Broken(io.RawIOBase):
    """A stream that fails, and has a file descriptor that is not one of ours."""

    def __init__(self) -> None:
        self.descriptor = os.open(os.devnull, os.O_RDWR)

    buffer = property(lambda self: self)

    def read(self, size: int = -1) -> bytes:
        raise OSError(5, "Input/output error")

    def write(self, data: object) -> int:
        raise OSError(28, "No space left on device")

    def fileno(self) -> int:
        return self.descriptor


def make_pipe(name: str) -> str:
    if not Path(name).exists():
        os.mkfifo(name)
    return name


FILE_ROWS = [
    Row("no file", lambda: onnxtext.load("no.onnxt"), "no.onnxt: cannot read it: there is no such file"),
    Row("no model", lambda: onnxtext.encode("no.onnx"), "no.onnx: cannot read it: there is no such file"),
    Row("a folder", lambda: onnxtext.load("."), ".: cannot read it: it is a folder"),
    Row(
        "a path through a file",
        lambda: onnxtext.load("m.onnxt/m"),
        "m.onnxt/m: cannot read it: a part of its path is no folder",
    ),
    Row(
        "no permission",
        patched(Path, "read_bytes", lambda self: raise_(PermissionError(13, "")), lambda: onnxtext.load("m.onnxt")),
        "m.onnxt: cannot read it: permission denied",
    ),
    Row(
        "no folder to write into",
        lambda: onnxtext.save(SMALL, "no/m.onnxt", weights="inline"),
        "no/m.onnxt: cannot write it: there is no folder {here}/no",
    ),
    Row(
        "a name that is too long", lambda: onnxtext.load("x" * 300), "x" * 300 + ": cannot read it: file name too long"
    ),
    Row(
        "a pipe among the files",
        lambda: onnxtext.save(LINEAR, make_pipe("p")),
        "p: no weights file can stand beside a device or pipe: write the weights inline",
    ),
    Row(
        "a pipe in place of the weights",
        lambda: onnxtext.save(LINEAR, make_pipe("q.onnxt.safetensors").removesuffix(".safetensors")),
        "q.onnxt.safetensors: cannot replace it: it is a device or pipe",
    ),
    Row(
        "a device that fails",
        lambda: onnxtext.save(SMALL, "/dev/full"),
        "/dev/full: cannot write it: no space left on device",
    ),
    Row(
        "standard input that is closed",
        patched(sys, "stdin", None, lambda: files.read_bytes("-")),
        "standard input: cannot read it: it is closed",
    ),
    Row(
        "standard input that fails",
        patched(sys, "stdin", Broken(), lambda: files.map_bytes("-")),
        "standard input: cannot read it: input/output error",
    ),
    Row(
        "standard output that is closed",
        patched(sys, "stdout", None, lambda: files.write_output("-", [b"x"])),
        "standard output: cannot write it: it is closed",
    ),
    Row(
        "standard output that fails",
        patched(sys, "stdout", Broken(), lambda: files.write_output("-", [b"x"])),
        "standard output: cannot write it: no space left on device",
    ),
]


def raise_(error: Exception) -> Any:
    raise error


# ---- weights

SMALL, LINEAR = a_model(), a_linear_model()


def entry(dtype: object, shape: object, begin: object, end: object) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def weights(table: object) -> str:
    """Write a weights file with this table and 16 bytes of data, and return its name."""
    text = json.dumps(table).encode() if not isinstance(table, bytes) else table
    Path("w.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bytes(16))
    return "w.safetensors"


def with_table(table: object) -> Callable[[], object]:
    return lambda: onnxtext.decode(graph("%w: f32[4]"), weights=weights(table))


def elided() -> str:
    return onnxtext.encode(LINEAR, weights="elide")


def other_weights(name: str) -> Callable[[], object]:
    def do() -> object:
        write_model(Path("other.onnx"), a_linear_model(factor=2))
        onnxtext.save("other.onnx", "other.onnxt")
        return onnxtext.decode(elided(), weights=name)

    return do


WEIGHTS_ROWS = [
    Row(
        "no weights beside the text",
        lambda: source.read_text(elided(), "m.onnxt", beside="no.onnxt"),
        "m.onnxt: its weights are not here: no file no.onnxt.safetensors; "
        "give them with --weights FILE, or make data up with --fill zeros or --fill random",
    ),
    Row(
        "no path to look beside",
        lambda: onnxtext.decode(elided()),
        "<text>: its weights are not in the text, which came without a path; "
        "give them with --weights FILE, or make data up with --fill zeros or --fill random",
    ),
    Row(
        "the weights of another text",
        other_weights("other.onnxt.safetensors"),
        "other.onnxt.safetensors: these are not the weights of this text: the digest of their table is "
        "cf0505a644f2b47a, the text asks for 88920889ccb61bd6; give the right file with --weights",
    ),
    Row(
        "another model",
        other_weights("other.onnx"),
        "other.onnx: these are not the weights of this text: their digest is cf0505a644f2b47a, "
        "the text asks for 88920889ccb61bd6",
    ),
    Row(
        "a file that is none of weights",
        lambda: (
            Path("w.safetensors").write_bytes(b"hello, this is no file of weights")
            and onnxtext.decode(graph("%w: f32[4]"), weights="w.safetensors")
        ),
        "w.safetensors: not a safetensors file, or cut short: its table does not fit into it",
    ),
    Row("no JSON", with_table(b"{"), "w.safetensors: not a safetensors file: its table is not JSON"),
    Row("a list", with_table([]), "w.safetensors: not a safetensors file: its table is not an object"),
    Row(
        "metadata",
        with_table({"__metadata__": 1}),
        "w.safetensors: not a safetensors file: its metadata is not an object",
    ),
    Row(
        "no entry",
        with_table({"w": 1}),
        "w.safetensors: not a safetensors file: the tensor 'w' has no dtype, shape and data_offsets",
    ),
    Row(
        "a negative offset",
        with_table({"w": entry("F32", [4], -4, 12)}),
        "w.safetensors: not a safetensors file: the tensor 'w' lies at [-4, 12], which is no span",
    ),
    Row(
        "cut short",
        with_table({"w": entry("F32", [4], 8, 24)}),
        "w.safetensors: cut short: the tensor 'w' ends at byte 24 of 16 bytes of data",
    ),
    Row(
        "two in one place",
        with_table({"v": entry("F32", [2], 0, 8), "w": entry("F32", [2], 4, 12)}),
        "w.safetensors: not a safetensors file: the tensors 'v' and 'w' overlap",
    ),
    Row(
        "another name",
        with_table({"w1": entry("F32", [4], 0, 16)}),
        "w.safetensors: holds no tensor 'w' (did you mean w1?)",
    ),
    Row(
        "another type",
        with_table({"w": entry("I32", [4], 0, 16)}),
        "w.safetensors: the tensor 'w' is I32[4] here, and F32[4] in the text",
    ),
    Row(
        "another digest",
        with_table({"__metadata__": {"sha256:w": "00"}, "w": entry("F32", [4], 0, 16)}),
        "w.safetensors: the tensor 'w' is damaged: its digest is not that of the table",
    ),
]

# ---- arguments


def argument_rows() -> Iterator[Row]:
    save, encode, decode, load = (getattr(onnxtext, name) for name in ("save", "encode", "decode", "load"))
    yield Row("no model", lambda: encode(5), "a model is an onnx.ModelProto or a path, not int")
    yield Row("no path", lambda: save(SMALL, 5), "a path is a str or os.PathLike, not int")
    yield Row("no text", lambda: decode(b""), "a text is a str, not bytes; onnxtext.load reads a file")
    yield Row(
        "an unknown way to keep weights",
        lambda: encode(SMALL, weights="inlin"),
        "weights are sidecar, inline or elide, not inlin (did you mean inline?)",
    )
    yield Row(
        "a text with a file beside it",
        lambda: encode(SMALL, weights="sidecar"),
        "encode returns one text; use onnxtext.save to write a text and its weights file",
    )
    yield Row(
        "weights from two places",
        lambda: decode("onnxt 1", weights="w", fill="zeros"),
        "weights come from a file or are made up: give --weights or --fill, not both",
    )
    yield Row(
        "an unknown way to make up weights",
        lambda: decode("onnxt 1", fill="zeroes"),
        "--fill takes zeros, random or random:SEED, not zeroes (did you mean zeros?)",
    )
    for written, message in {
        "strip{weight}": "the pass strip has no option weight (did you mean weights?); "
        "it has weights, docs, metadata, names, types",
        "dedup{nested=maybe}": "the option nested of dedup is true or false, not maybe",
        "dedup{cost}": "the option cost of dedup needs a value, as in dedup{cost=…}",
        "dedup{cost=node}": "the option cost of dedup is one of chars, nodes (did you mean nodes?)",
        "dedup{min-nodes=few}": "the option min-nodes of dedup is a whole number, not few",
    }.items():
        yield Row(f"an option of a pass: {written}", lambda written=written: parse_pipeline(written), message)
    tools = Kind("tool", "no.such.group", {"hammer": "nowhere:hammer"})
    yield Row("a name that nothing has", lambda: tools.find("hamer"), "no tool is named hamer (did you mean hammer?)")
    yield Row(
        "a name of something that is not there",
        lambda: tools.find("hammer"),
        "the tool hammer cannot be loaded from nowhere:hammer: No module named 'nowhere'",
    )
    yield Row(
        "a name that two packages claim",
        patched(Kind, "_owners", lambda self: {"hammer": ["b:x", "a:x"]}, lambda: tools.find("hammer")),
        "two packages have a tool named hammer: a:x and b:x; remove one of them",
    )
    yield Row(
        "a binary file for a text",
        lambda: load("m.onnx"),
        "m.onnx:2: this is no text in UTF-8 (byte 3); is it a binary model?",
    )
    yield Row(
        "a model that protobuf does not read",
        lambda: source.model_of(assembler.Assembled(b"\xff")),
        "protobuf does not read this model: Error parsing message with type 'onnx.ModelProto': Wire format was corrupt",
    )
    yield Row(
        "a model that protobuf does not write",
        patched(source.onnx, "ModelProto", Unwritable, lambda: encode(Unwritable())),
        "protobuf cannot serialize this model (Failed to serialize proto); "
        "save its weights as external data, or give a file's path",
    )
    yield Row(
        "onnx.save of a tensor",
        lambda: onnx.save_tensor(onnx.TensorProto(), "t.onnxt", format="onnxt"),
        "a text holds a model, not a TensorProto",
    )
    yield Row(
        "onnx.load of a tensor",
        lambda: onnx.load_tensor("m.onnxt", format="onnxt"),
        "a text holds a model, not a TensorProto",
    )
    yield Row(
        "onnx.load of a text with weights beside it",
        lambda: onnx.load("m.onnxt"),
        "the weights of this text lie in a file beside it, and onnx.load tells no path: use onnxtext.load(path)",
    )
    yield Row(
        "a binary model on a terminal",
        lambda: run("decode", "m.onnxt", is_terminal=True),
        "error: a model is binary: use -o FILE, or a pipe",
    )
    yield Row(
        "a rewritten model on a terminal",
        lambda: run("optimize", "m.onnx", "--passes", "merge", is_terminal=True),
        "error: a model is binary: use -o FILE, or a pipe",
    )
    yield Row(
        "large weights on a terminal",
        lambda: (
            write_model(Path("l.onnx"), a_linear_model(columns=10_000)) and run("encode", "l.onnx", is_terminal=True)
        ),
        "error: the weights are 2 MB, too much for a terminal: use -o FILE (weights beside it), "
        "--weights elide (without them), --weights inline (with them, as base64), or a pipe",
    )


class Unwritable:
    """A model that protobuf cannot serialize, as those beyond 2 GiB."""

    def SerializeToString(self, deterministic: bool) -> bytes:
        raise EncodeError("Failed to serialize proto")


COMMAND_ROWS = [
    (
        "grammar --format textmat",
        "the format is lark, llguidance, gbnf, ebnf, textmate, prompt, not textmat (did you mean textmate?)",
    ),
    (
        "spaces --sample 3",
        "a sample is of one space: name it, as in `onnxtext spaces nasbench201 --sample 3`",
    ),
    ("encode m.onnx --weights sidecar", "a weights file needs a name: use -o FILE, or --weights inline or elide"),
    ("encode m.onnx --restorable", "the record of --restorable needs a name: use -o FILE, and it is FILE.undo"),
    (
        "encode m.onnx --reproduce --passes merge",
        "a reproducer says itself which passes to run and what to verify: give none with it",
    ),
    ("optimize m.onnx", "optimize needs passes, as in --passes prune,merge; `onnxtext passes` lists them"),
    ("bisect m.onnx", "bisect needs passes, as in --passes prune,merge; `onnxtext passes` lists them"),
    (
        "encode m.onnx --passes merge --provenance -",
        "the text and the table of --provenance cannot both go to standard output: use -o FILE",
    ),
    (
        "optimize m.onnx --passes merge --provenance -",
        "the model and the table of --provenance cannot both go to standard output: use -o FILE",
    ),
    (
        "evaluate --space nasbench-macro --labels t.csv --label acc --where half",
        "--where takes a column and a value, as in space=micro, not half",
    ),
    ("stats m.onnx --dim batch", "--dim takes a name and a size, as in batch=1, not batch"),
    (
        "encode m.onnx --passes merge --restorable --weights inline -o p",
        "p: no record can stand beside a device or pipe: leave out --restorable",
    ),
    ("decode - --restore", "a text from standard input has no record beside it: give its file to --restore"),
    ("decode m.onnxt --restore --fill zeros", "made-up weights give no model back: give --restore or --fill, not both"),
    (
        "decode m.onnxt --restore",
        "m.onnxt: nothing tells what it was made from: there is no record m.onnxt.undo; "
        "`encode --restorable` writes one beside the text",
    ),
    ("check", "check needs a model, or --explain with a code"),
    ("check m.onnx --json --sarif", "findings go out as JSON or as SARIF: give --json or --sarif, not both"),
    ("check --explain OXT999", "there is no code OXT999 (did you mean OXT009?); they go from OXT001 to OXT014"),
    (
        "diff m.onnx m.onnx --html p --json",
        "a diff goes out as JSON or as a page: give --json or --html, not both",
    ),
    ("diff - -", "standard input can be one of the two models, not both"),
]


def command(line: str) -> Callable[[], object]:
    def do() -> object:
        make_pipe("p")
        return run(*line.split())

    return do


def without_pygls() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pygls.lsp.server", None)
        patch.delitem(sys.modules, "onnxtext.tools.language_server", raising=False)
        return run("language-server")


ROWS = [*cases(), *TEXT_ROWS, *MODEL_ROWS, *FILE_ROWS, *WEIGHTS_ROWS, *argument_rows()]
ROWS += [Row(line, command(line), f"error: {message}") for line, message in COMMAND_ROWS]
ROWS += [
    Row(
        "a language server without its package",
        without_pygls,
        "error: pygls.lsp.server is missing; it comes with `pip install 'onnxtext[lsp]'`",
    )
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder with a model and its text."""
    monkeypatch.chdir(tmp_path)
    write_model(Path("m.onnx"), LINEAR)
    onnxtext.save(LINEAR, "m.onnxt")
    return tmp_path


def said(row: Row) -> str:
    """Return the message that a row gives."""
    try:
        outcome = row.do()
    except onnxtext.OnnxTextError as error:
        return str(error)
    return getattr(outcome, "err", f"nothing, but {outcome!r}").removesuffix("\n")


@pytest.mark.parametrize("row", ROWS, ids=[row.title.replace(" ", "-") for row in ROWS])
def test_the_message_is(row: Row, here: Path):
    assert said(row) == row.message.replace("{here}", str(here))


def test_titles_are_unique():
    assert len({row.title for row in cases()}) == len(list(cases())) > 100


# ---- what could be said, and is in no row


@dataclass(frozen=True)
class Site:
    """A place in the source where something is said: the lines, and the phrases that are written there."""

    file: str
    lines: range
    phrases: tuple[str, ...]


QUIET = {"Miss", "_NotReusable", "Exit", "KeyError"}  # for the code itself, never shown


def sites(path: Path) -> Iterator[Site]:
    """Yield every `raise X(…)`, `self.fail(…)` and `return XError(…)` of a file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Raise):
            call = node.exc
        elif isinstance(node, ast.Expr | ast.Return):
            call = node.value
        else:
            continue
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        speaks = isinstance(node, ast.Raise) or name == "fail" or name.endswith(("Error", "Problem"))
        if speaks and name not in QUIET:
            told = [n.value for a in call.args for n in ast.walk(a) if isinstance(n, ast.Constant)]
            phrases = tuple(t for t in told if isinstance(t, str) and len(t.split()) > 1)
            yield Site(str(path), range(node.lineno, (node.end_lineno or node.lineno) + 1), phrases)


def test_every_message_is_in_the_table():
    reached: set[tuple[str, int]] = set()
    watched = {str(path) for path in MODULES}

    def trace(frame: FrameType, event: str, argument: object) -> Callable | None:
        code: CodeType = frame.f_code
        if code.co_filename not in watched:
            return None
        if event == "line":
            reached.add((code.co_filename, frame.f_lineno))
        return trace

    read_whole = ""
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for row in ROWS:
            read_whole += said(row) + "\n"
    finally:
        sys.settrace(before)
    missing = []
    for site in (site for path in MODULES for site in sites(path)):
        place = f"{Path(site.file).name}:{site.lines.start}"
        if not any((site.file, line) in reached for line in site.lines):
            missing.append(f"{place} is never reached: {site.phrases}")
        else:
            missing += [f"{place} never says {p!r}" for p in site.phrases if p not in read_whole]
    assert not missing, "\n".join(missing)
    assert sum(1 for path in MODULES for _ in sites(path)) > 150


def test_a_message_that_is_in_no_row_would_be_found(tmp_path: Path):
    (tmp_path / "new.py").write_text("def f(x):\n    if x:\n        raise ModelError(f'a new {x} message')\n")
    assert list(sites(tmp_path / "new.py")) == [Site(str(tmp_path / "new.py"), range(3, 4), ("a new ",))]
