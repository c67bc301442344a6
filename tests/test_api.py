"""The Python interface: what the four functions take, give and refuse, and the two of onnx that know our files."""

from __future__ import annotations

import inspect
import io
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from running import ENVIRONMENT, a_linear_model, a_model, to_bytes, write_model

import onnxtext
from onnxtext.core import errors

MODEL = a_linear_model()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def message_of(function: Callable[..., object], *arguments: Any, **options: Any) -> str:
    with pytest.raises(onnxtext.OnnxTextError) as caught:
        function(*arguments, **options)
    return str(caught.value)


# ---- what is public


def test_the_public_names_are_these_and_what_they_take_is_fixed():
    assert sorted(onnxtext.__all__) == ["OnnxTextError", "__version__", "decode", "encode", "load", "save"]
    shown = {f.__name__: str(inspect.signature(f)) for f in (onnxtext.encode, onnxtext.decode, onnxtext.save)}
    shown["load"] = str(inspect.signature(onnxtext.load))
    assert shown == {
        "encode": "(model: 'onnx.ModelProto | PathLike', *, passes: 'str' = '', weights: 'WeightsMode' = 'inline', "
        "verify: 'bool | None' = None) -> 'str'",
        "decode": "(text: 'str', *, weights: 'PathLike | None' = None, fill: 'str | None' = None) -> 'onnx.ModelProto'",
        "save": "(model: 'onnx.ModelProto | PathLike', path: 'PathLike', *, passes: 'str' = '', "
        "weights: 'WeightsMode' = 'sidecar', verify: 'bool | None' = None, restorable: 'bool' = False) -> 'Printed'",
        "load": "(path: 'PathLike', *, weights: 'PathLike | None' = None, fill: 'str | None' = None, "
        "restore: 'bool' = False) -> 'onnx.ModelProto'",
    }
    assert all(f.__doc__ for f in (onnxtext.encode, onnxtext.decode, onnxtext.save, onnxtext.load))


def test_every_package_says_that_it_is_typed():
    for package in ("onnxtext", "onnxtext_grammar", "onnxtext_passes", "onnxtext_predictor"):
        assert resources.files(package).joinpath("py.typed").is_file()


def test_every_error_is_one_of_ours():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) > 5 and all(issubclass(kind, onnxtext.OnnxTextError) for kind in kinds)


def test_an_error_can_be_handed_on_by_a_worker_process():
    with pytest.raises(onnxtext.OnnxTextError) as caught:
        onnxtext.decode("onnxt 1\nbad")
    found = pickle.loads(pickle.dumps(caught.value))
    assert type(found) is type(caught.value) and str(found) == str(caught.value)
    assert (found.line, found.column, found.message) == (2, 1, caught.value.message)  # type: ignore[attr-defined]


# ---- encode and decode


def test_encode_takes_a_model_or_a_path_of_any_kind():
    write_model(Path("m.onnx"), MODEL)
    onnxtext.save(MODEL, "m.onnxt")
    text = onnxtext.encode(MODEL)

    class Elsewhere:
        def __fspath__(self) -> str:
            return "m.onnx"

    assert all(onnxtext.encode(m) == text for m in ("m.onnx", Path("m.onnx"), Elsewhere(), "m.onnxt"))


def test_encode_and_decode_leave_the_model_and_the_folder_as_they_are():
    model = a_linear_model()
    assert onnxtext.decode(onnxtext.encode(model)) == model == MODEL
    assert os.listdir() == []


def test_an_empty_model_has_a_text():
    assert onnxtext.encode(onnx.ModelProto()) == "onnxt 1\n"
    assert onnxtext.decode("onnxt 1\n") == onnx.ModelProto()


def test_a_text_is_self_contained_whatever_lies_in_the_folder():
    """Files that happen to be called as a text without a path is called in messages."""
    onnxtext.save(MODEL, "<text>")
    text = Path("<text>").read_text()
    assert message_of(onnxtext.decode, text) == (
        "<text>: its weights are not in the text, which came without a path; "
        "give them with --weights FILE, or make data up with --fill zeros or --fill random"
    )


@pytest.mark.parametrize("verify", [None, True, False])
def test_verifying_does_not_change_the_text(verify: bool | None):
    assert onnxtext.encode(MODEL, verify=verify) == onnxtext.encode(MODEL)
    onnxtext.save(MODEL, "m.onnxt", verify=verify)
    assert onnxtext.load("m.onnxt") == MODEL


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (b"\x08\x0a", "a model is an onnx.ModelProto or a path, not bytes"),
        (None, "a model is an onnx.ModelProto or a path, not NoneType"),
        (5, "a model is an onnx.ModelProto or a path, not int"),
        (MODEL.graph, "a model is an onnx.ModelProto or a path, not GraphProto"),
        (io.BytesIO(), "a model is an onnx.ModelProto or a path, not BytesIO"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_model_of_the_wrong_type_is_refused(wrong: Any, message: str):
    assert message_of(onnxtext.encode, wrong) == message
    assert message_of(onnxtext.save, wrong, "m.onnxt") == message
    assert os.listdir() == []


@pytest.mark.parametrize("wrong", [b"onnxt 1", None, 5, Path("m.onnxt"), MODEL], ids=lambda value: type(value).__name__)
def test_a_text_of_the_wrong_type_is_refused(wrong: Any):
    assert message_of(onnxtext.decode, wrong) == (
        f"a text is a str, not {type(wrong).__name__}; onnxtext.load reads a file"
    )


@pytest.mark.parametrize("wrong", [b"m.onnxt", None, 5, MODEL], ids=lambda value: type(value).__name__)
def test_a_path_of_the_wrong_type_is_refused(wrong: Any):
    message = f"a path is a str or os.PathLike, not {type(wrong).__name__}"
    assert message_of(onnxtext.load, wrong) == message
    assert message_of(onnxtext.save, MODEL, wrong) == message
    if wrong is not None:
        assert message_of(onnxtext.decode, "onnxt 1", weights=wrong) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": "sidecar"}, "encode returns one text; use onnxtext.save to write a text and its weights file"),
        ({"weights": "inlin"}, "weights are sidecar, inline or elide, not inlin (did you mean inline?)"),
        ({"weights": None}, "weights are sidecar, inline or elide, not None"),
    ],
)
def test_encode_refuses_what_it_cannot_do(options: dict[str, Any], message: str):
    assert message_of(onnxtext.encode, MODEL, **options) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"weights": "w.safetensors", "fill": "zeros"},
            "weights come from a file or are made up: give --weights or --fill, not both",
        ),
        ({"fill": "ones"}, "--fill takes zeros, random or random:SEED, not ones"),
        ({"fill": "randon"}, "--fill takes zeros, random or random:SEED, not randon (did you mean random?)"),
        ({"fill": "random:x"}, "--fill takes zeros, random or random:SEED, not random:x (did you mean random?)"),
        ({"fill": "zeros:1"}, "--fill takes zeros, random or random:SEED, not zeros:1 (did you mean zeros?)"),
        ({"fill": 5}, "--fill takes zeros, random or random:SEED, not 5"),
        ({"fill": ""}, "--fill takes zeros, random or random:SEED, not "),
    ],
)
def test_decode_refuses_what_it_cannot_do(options: dict[str, Any], message: str):
    assert message_of(onnxtext.decode, "onnxt 1", **options) == message


# ---- save and load


def test_save_writes_the_weights_beside_the_text_unless_told_otherwise():
    printed = onnxtext.save(MODEL, "m.onnxt")
    assert sorted(os.listdir()) == ["m.onnxt", "m.onnxt.safetensors"]
    assert Path("m.onnxt").read_text("utf-8") == printed.text and printed.escapes == []
    onnxtext.save(MODEL, Path("inline.onnxt"), weights="inline")
    assert Path("inline.onnxt").read_text("utf-8") == onnxtext.encode(MODEL)
    onnxtext.save("inline.onnxt", "elided.onnxt", weights="elide")
    assert onnxtext.load("elided.onnxt", weights="m.onnxt.safetensors") == MODEL
    assert onnxtext.load("elided.onnxt", weights="inline.onnxt") == MODEL
    assert numpy_helper.to_array(onnxtext.load(Path("elided.onnxt"), fill="zeros").graph.initializer[0]).max() == 0
    assert len(os.listdir()) == 4


def test_save_to_standard_output_needs_the_weights_in_the_text(capsysbinary: pytest.CaptureFixture[bytes]):
    assert message_of(onnxtext.save, MODEL, "-") == (
        "-: no weights file can stand beside a device or pipe: write the weights inline"
    )
    onnxtext.save(MODEL, "-", weights="inline")
    assert capsysbinary.readouterr().out.decode() == onnxtext.encode(MODEL)
    assert os.listdir() == []


def test_save_reports_what_it_could_only_write_as_bytes():
    write_model(Path("m.onnx"), MODEL)
    Path("m.onnx").write_bytes(to_bytes(MODEL) + b"\xc2\x3e\x02hi")
    assert onnxtext.save("m.onnx", "m.onnxt").escapes == ["ModelProto"]


def test_save_and_load_take_any_extension():
    onnxtext.save(MODEL, "m.txt")
    assert onnxtext.load("m.txt") == MODEL


def test_load_of_a_binary_model_says_so():
    write_model(Path("m.onnx"), MODEL)
    assert message_of(onnxtext.load, "m.onnx") == ("m.onnx:2: this is no text in UTF-8 (byte 3); is it a binary model?")


def test_load_gives_errors_their_place_in_the_file():
    Path("m.onnxt").write_text("onnxt 1\nmodel {ir_version=x}\n")
    assert message_of(onnxtext.load, "m.onnxt") == (
        "m.onnxt:2:19: a whole number is expected here\n  model {ir_version=x}\n                    ^"
    )


def test_a_text_that_begins_with_a_comment_is_a_text_too():
    text = "// a comment\n" + onnxtext.encode(MODEL)
    Path("m.onnxt").write_text(text)
    assert onnxtext.load("m.onnxt") == MODEL
    assert onnxtext.encode("m.onnxt") == onnxtext.encode(MODEL)


# ---- through onnx


def test_onnx_saves_and_loads_our_files():
    onnx.save(MODEL, "m.onnxt")
    assert os.listdir() == ["m.onnxt"]
    assert Path("m.onnxt").read_text("utf-8") == onnxtext.encode(MODEL)
    assert onnx.load("m.onnxt") == onnxtext.load("m.onnxt") == MODEL
    with open("m.onnxt", "rb") as file:
        assert onnx.load(file, format="onnxt") == MODEL
    assert onnx.load_model_from_string(Path("m.onnxt").read_bytes(), format="onnxt") == MODEL


def test_onnx_knows_our_files_only_once_onnxtext_is_imported():
    code = "import onnx; r = onnx.serialization.registry; b = r.get_format_from_file_extension('.onnxt'); import {}; "
    code += "print(b, r.get_format_from_file_extension('.onnxt'))"
    for module, expected in (("onnxtext", "None onnxt"), ("json", "None None")):
        done = subprocess.run([sys.executable, "-c", code.format(module)], env=ENVIRONMENT, capture_output=True)
        assert done.stdout.decode().strip() == expected


def test_onnx_keeps_external_data_where_it_is():
    model = a_linear_model()
    onnx.save(model, "m.onnxt", save_as_external_data=True, location="w.bin", size_threshold=0)
    assert '"location": "w.bin"' in Path("m.onnxt").read_text()
    assert Path("w.bin").stat().st_size == 16_000
    assert np.array_equal(numpy_helper.to_array(onnx.load("m.onnxt").graph.initializer[0]), _matrix())
    assert onnxtext.load("m.onnxt").graph.initializer[0].data_location == onnx.TensorProto.EXTERNAL


def _matrix() -> np.ndarray:
    return numpy_helper.to_array(MODEL.graph.initializer[0])


def test_onnx_load_of_a_text_with_weights_beside_it_names_the_function_that_can():
    onnxtext.save(MODEL, "m.onnxt")
    assert message_of(onnx.load, "m.onnxt") == (
        "the weights of this text lie in a file beside it, and onnx.load tells no path: use onnxtext.load(path)"
    )


def test_onnx_load_of_a_text_with_an_error_has_its_place():
    Path("m.onnxt").write_text("onnxt 1\nmodel {")
    assert message_of(onnx.load, "m.onnxt").startswith("<text>:2:8: the text ends here; expected ")
    Path("m.onnxt").write_bytes(b"onnxt 1\n\xff")
    assert message_of(onnx.load, "m.onnxt") == "<bytes>:2: this is no text in UTF-8 (byte 8); is it a binary model?"


def test_onnx_saves_models_only():
    tensor = MODEL.graph.initializer[0]
    assert message_of(onnx.save_tensor, tensor, "t.onnxt", format="onnxt") == "a text holds a model, not a TensorProto"
    Path("t.onnxt").write_text("onnxt 1")
    assert message_of(onnx.load_tensor, "t.onnxt", format="onnxt") == "a text holds a model, not a TensorProto"


# ---- beyond what protobuf can hold


@pytest.mark.acceptance
def test_a_model_in_memory_beyond_two_gigabytes_is_refused_with_a_way_out():
    """Needs 5 GB of memory."""
    size = (2 << 30) + 1
    model = a_model()
    model.graph.initializer.add(name="w", data_type=onnx.TensorProto.UINT8, dims=[size]).raw_data = bytes(size)
    message = (
        "protobuf cannot serialize this model (Failed to serialize proto); "
        "save its weights as external data, or give a file's path"
    )
    assert message_of(onnxtext.encode, model) == message
    assert message_of(onnxtext.save, model, "m.onnxt") == message


def test_a_text_in_the_syntax_of_onnx_is_a_model(tmp_path: Path):
    text = '<ir_version: 10, opset_import: ["": 21]> g (float[2] x) => (float[2] y) { y = Relu(x) }'
    (tmp_path / "m.txt").write_text(text)
    assert onnxtext.encode(tmp_path / "m.txt") == onnxtext.encode(onnx.parser.parse_model(text))
