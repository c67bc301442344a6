"""Weights: beside the text, in it, or left out; and what happens when they are missing, damaged or hostile."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnx
import pytest
import safetensors
import safetensors.numpy
from onnx import TensorProto, helper, numpy_helper
from running import Outcome, a_linear_model, a_model, run, run_python, to_bytes, write_model

import onnxtext
from onnxtext.source import WeightsMode
from onnxtext_grammar.dtypes import DTYPES, DType

MODES: tuple[WeightsMode, ...] = get_args(WeightsMode)
LINEAR = a_linear_model()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def noise(size: int, seed: object = 0) -> bytes:
    return random.Random(str(seed)).randbytes(size)


def a_tensor(name: str, number: int, dims: list[int], size: int | None = None) -> TensorProto:
    """Return a tensor of random bytes; of elements that are too many for the text where `dims` say so."""
    bits = DTYPES[number].bits
    size = (int(np.prod(dims)) * bits + 7) // 8 if size is None else size
    return TensorProto(name=name, data_type=number, dims=dims, raw_data=noise(size, name))


def assert_comes_back(model: onnx.ModelProto) -> str:
    """Assert that a model comes back to the byte in every way of keeping weights; return the text with a sidecar."""
    assert onnxtext.decode(onnxtext.encode(model)) == model
    for mode in MODES:
        printed = onnxtext.save(model, "m.onnxt", weights=mode)
        assert not printed.escapes
        if mode == "elide":
            write_model(Path("original.onnx"), model)
            assert to_bytes(onnxtext.load("m.onnxt", weights="original.onnx")) == to_bytes(model)
        else:
            assert to_bytes(onnxtext.load("m.onnxt")) == to_bytes(model)
        if Path("m.onnxt.safetensors").exists():
            Path("m.onnxt.safetensors").unlink()
    onnxtext.save(model, "m.onnxt")
    return Path("m.onnxt").read_text("utf-8")


def stored() -> dict[str, tuple[str, list[int], bytes]]:
    """Return what the safetensors library reads in the weights file: element type, shape and bytes by key."""
    entries = safetensors.deserialize(Path("m.onnxt.safetensors").read_bytes())
    return {key: (entry["dtype"], list(entry["shape"]), bytes(entry["data"])) for key, entry in entries}


# ---- beside the text


def test_the_safetensors_library_reads_the_weights_as_the_arrays_they_are():
    arrays = {
        "matrix": np.linspace(-1, 1, 600, dtype=np.float32).reshape(20, 30),
        "counts": np.arange(-50, 50, dtype=np.int64),
        "mask": np.arange(64).reshape(4, 16) % 3 == 0,
        "halves": np.linspace(0, 1, 40, dtype=np.float16),
        "bytes": np.arange(256, dtype=np.uint8).reshape(2, 128),
    }
    onnxtext.save(a_model(*(numpy_helper.from_array(a, name) for name, a in arrays.items())), "m.onnxt")
    found = safetensors.numpy.load_file("m.onnxt.safetensors")
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype and np.array_equal(found[name], array)


SIZED = [(number, dtype) for number, dtype in DTYPES.items() if dtype.bits]  # strings stand in the text


@pytest.mark.parametrize(("number", "dtype"), SIZED, ids=[dtype.name for _, dtype in SIZED])
def test_every_element_type_has_its_name_in_the_weights_or_travels_as_bytes(number: int, dtype: DType):
    tensor = a_tensor("w", number, [5, 33])
    assert_comes_back(a_model(tensor))
    kind, shape = (dtype.safetensors, [5, 33]) if dtype.safetensors else ("U8", [len(tensor.raw_data)])
    assert stored() == {"w": (kind, shape, tensor.raw_data)}


def test_the_text_has_a_digest_of_the_table_and_the_table_one_of_every_tensor():
    tensors = [a_tensor("a", TensorProto.FLOAT, [40]), a_tensor("b", TensorProto.INT4, [99])]
    text = assert_comes_back(a_model(*tensors))
    file = Path("m.onnxt.safetensors").read_bytes()
    table = file[: 8 + int.from_bytes(file[:8], "little")]
    assert text.splitlines()[1] == f'weights "{sha256(table).hexdigest()[:16]}"'
    with safetensors.safe_open("m.onnxt.safetensors", "np") as opened:
        assert opened.metadata() == {
            "format": "onnxtext 1",
            **{f"sha256:{t.name}": sha256(t.raw_data).hexdigest() for t in tensors},
        }


def test_the_text_does_not_contain_the_name_of_the_weights():
    for name in ("m.onnxt", "other.onnxt"):
        onnxtext.save(LINEAR, name)
    assert Path("m.onnxt").read_bytes() == Path("other.onnxt").read_bytes()
    assert Path("m.onnxt.safetensors").read_bytes() == Path("other.onnxt.safetensors").read_bytes()


@pytest.mark.parametrize("number", [TensorProto.FLOAT, TensorProto.INT4, TensorProto.STRING, TensorProto.COMPLEX64])
@pytest.mark.parametrize("dims", [[0], [3, 0], [0, 0, 7]])
def test_a_tensor_without_elements_stands_in_the_text(number: int, dims: list[int]):
    bare = TensorProto(name="w", data_type=number, dims=dims)
    present = TensorProto(name="v", data_type=number, dims=dims, raw_data=b"")
    assert_comes_back(a_model(bare, present))
    assert not Path("m.onnxt.safetensors").exists()


def test_a_small_tensor_stands_in_the_text_and_a_large_one_beside_it():
    text = assert_comes_back(a_model(a_tensor("small", 1, [16]), a_tensor("large", 1, [17])))
    assert "\n %large: f32[17]\n" in text and " %small: f32[16] = [" in text
    assert list(stored()) == ["large"]


@pytest.mark.parametrize(
    ("dims", "size"), [([40], 159), ([40], 161), ([2, 2], 400), ([-40], 160), ([0], 160), ([], 160), ([1 << 40], 64)]
)
def test_data_that_does_not_fit_its_shape_comes_back_all_the_same(dims: list[int], size: int):
    text = assert_comes_back(a_model(a_tensor("w", TensorProto.FLOAT, dims, size)))
    assert ' = stored("w")\n' in text
    assert stored() == {"w": ("U8", [size], noise(size, "w"))}


def test_data_of_an_element_type_that_is_not_known_comes_back():
    text = assert_comes_back(a_model(TensorProto(name="w", data_type=99, dims=[7], raw_data=noise(100))))
    assert ' %w: t99[7] = stored("w")\n' in text


def test_large_typed_fields_come_back():
    rng = random.Random(0)
    large = [
        TensorProto(name="f", data_type=TensorProto.FLOAT, dims=[999], float_data=[rng.random() for _ in range(999)]),
        TensorProto(name="d", data_type=TensorProto.DOUBLE, dims=[99], double_data=[rng.random() for _ in range(99)]),
        TensorProto(
            name="c", data_type=TensorProto.COMPLEX64, dims=[50], float_data=[rng.random() for _ in range(100)]
        ),
        TensorProto(
            name="i",
            data_type=TensorProto.INT64,
            dims=[999],
            int64_data=[rng.getrandbits(64) - 2**63 for _ in range(999)],
        ),
        TensorProto(
            name="u", data_type=TensorProto.UINT64, dims=[99], uint64_data=[rng.getrandbits(64) for _ in range(99)]
        ),
        TensorProto(
            name="h", data_type=TensorProto.FLOAT16, dims=[99], int32_data=[rng.getrandbits(16) for _ in range(99)]
        ),
        TensorProto(
            name="s", data_type=TensorProto.STRING, dims=[99], string_data=[rng.randbytes(40) for _ in range(99)]
        ),
        TensorProto(name="wrong", data_type=TensorProto.FLOAT, dims=[3], float_data=[0.5] * 50),
    ]
    text = assert_comes_back(a_model(*large))
    found = stored()
    assert {key: (kind, shape) for key, (kind, shape, _) in found.items() if kind != "U8"} == {
        "f": ("F32", [999]),
        "d": ("F64", [99]),
    }
    assert set(found) == {"f", "d", "c", "i", "u", "h", "wrong"}  # strings stand in the text
    assert ' %f: f32[999] = data stored("f")\n' in text
    assert found["f"][2] == np.array(large[0].float_data, "<f4").tobytes()


def test_a_tensor_in_an_attribute_is_stored_under_its_name():
    node = helper.make_node("Constant", [], ["c"], value=a_tensor("inner", 1, [40]))
    text = assert_comes_back(a_model(nodes=[node]))
    assert list(stored()) == ["inner"] and "value: f32[40]" in text


def test_tensors_of_one_name_in_several_graphs_get_several_keys():
    def branch(name: str, seed: str) -> onnx.GraphProto:
        tensor = a_tensor("w", 1, [40])
        tensor.raw_data = noise(160, seed)
        return helper.make_graph([helper.make_node("Identity", ["w"], [name])], name, [], [], [tensor])

    inner = helper.make_node("If", ["c"], ["z"], then_branch=branch("p", "3"), else_branch=branch("q", "4"))
    outer = helper.make_node("If", ["c"], ["y"], then_branch=branch("t", "1"), else_branch=branch("e", "2"))
    outer.attribute[0].g.node.append(inner)
    assert_comes_back(a_model(a_tensor("w", 1, [40]), a_tensor("w", 1, [40]), a_tensor("w#1", 1, [40]), nodes=[outer]))
    assert len(stored()) == 7 and {"w", "w#1"} < set(stored())


def test_tensors_without_a_name_get_keys():
    """Initializers and attributes without names, and names that are not UTF-8."""
    nodes = [helper.make_node("Constant", [], [f"c{i}"], value=a_tensor("", 1, [40 + i])) for i in range(3)]
    wire = to_bytes(a_model(a_tensor("XX", 1, [40]), a_tensor("YY", 1, [41]), nodes=nodes))
    wire = wire.replace(b"\x42\x02XX", b"\x42\x02\xff\xfe").replace(b"\x42\x02YY", b"\x42\x02\xff\xfd")
    Path("m.onnx").write_bytes(wire)
    assert run("encode", "m.onnx", "-o", "m.onnxt") == Outcome(0, b"", "")
    assert run("decode", "m.onnxt").out == wire
    assert len(stored()) == 5


# ---- keys are keys, and no path of a model is ever opened

PATHS = ["../../etc/passwd", "/etc/passwd", "a/b/../../../c", "..", ".", "/", "~root", "__metadata__", "C:\\x", "a\0b"]


def test_a_key_is_never_a_path():
    tensors = [a_tensor(name, 1, [40]) for name in PATHS]
    assert_comes_back(a_model(*tensors))
    assert sorted(os.listdir()) == ["m.onnxt", "m.onnxt.safetensors", "original.onnx"]
    keys = {"__metadata__#10" if "__metadata__" in key else key: value[2] for key, value in stored().items()}
    assert keys == {t.name.replace("__metadata__", "__metadata__#10"): t.raw_data for t in tensors}


@pytest.mark.parametrize("key", PATHS)
def test_a_key_in_a_text_is_looked_up_and_not_opened(key: str):
    onnxtext.save(LINEAR, "m.onnxt")
    Path("a/b").mkdir(parents=True)
    shown = json.dumps(key).replace("\\u0000", "\\x00")
    Path("m.onnxt").write_text(f"onnxt 1 graph @g () -> () {{ %w: f32[9,9] = stored({shown}) }}")
    found = run("decode", "m.onnxt")
    assert (found.status, found.out) == (2, b"")
    assert found.err.startswith(f"error: m.onnxt.safetensors: holds no tensor {key!r}")


EXTERNAL = ["weights.bin", "../../etc/passwd", "/etc/passwd", "link", "nowhere", "m.onnxt.safetensors", ""]
OPENED = """
import sys
seen = []
sys.addaudithook(lambda event, arguments: event == "open" and seen.append(str(arguments[0])))
from onnxtext.cli import app
status = 0
try:
    app(sys.argv[1:])
except SystemExit as leaving:
    status = leaving.code
print([path for path in seen if not path.endswith((".py", ".pyc", ".lark", ".so"))], file=sys.stderr)
sys.exit(status)
"""


def test_references_to_external_data_survive_and_are_never_opened():
    tensors = []
    for location in EXTERNAL:
        tensor = TensorProto(name=f"t{location}", data_type=1, dims=[40], data_location=TensorProto.EXTERNAL)
        for key, value in (("location", location), ("offset", "0"), ("length", "160"), ("checksum", "x")):
            tensor.external_data.add(key=key, value=value)
        tensors.append(tensor)
    wire = write_model(Path("m.onnx"), a_model(*tensors, a_tensor("w", 1, [40])))
    Path("weights.bin").write_bytes(noise(160))
    Path("secret").write_text("secret")
    Path("link").symlink_to("secret")
    encoded = run_python(OPENED, "encode", "m.onnx", "-o", "m.onnxt")
    decoded = run_python(OPENED, "decode", "m.onnxt", "-o", "back.onnx")
    assert encoded.status == decoded.status == 0
    for found in (encoded, decoded):
        opened = {Path(path).name for path in eval(found.err.splitlines()[-1])}
        assert opened & {"m.onnx", "m.onnxt"}  # the hook works
        assert not opened & {"weights.bin", "passwd", "link", "secret", "nowhere", "etc"}
    assert Path("back.onnx").read_bytes() == wire
    text = Path("m.onnxt").read_text()
    assert all(f'"location": "{location}"' in text for location in EXTERNAL) and "secret" not in text


# ---- in the text, and left out


def test_a_text_with_its_weights_needs_no_other_file():
    onnxtext.save(LINEAR, "m.onnxt", weights="inline")
    assert os.listdir() == ["m.onnxt"]
    assert ' %w: f32[40,100] = base64("' in Path("m.onnxt").read_text()
    assert onnxtext.load("m.onnxt") == LINEAR


ELIDED = 'onnxt 1\nweights elided "{digest}"\n'


def test_a_text_without_its_weights_keeps_type_shape_and_digest():
    onnxtext.save(LINEAR, "whole.onnxt")
    onnxtext.save(LINEAR, "m.onnxt", weights="elide")
    assert sorted(os.listdir()) == ["m.onnxt", "whole.onnxt", "whole.onnxt.safetensors"]
    text = Path("m.onnxt").read_text()
    assert text == Path("whole.onnxt").read_text().replace('weights "', 'weights elided "')
    assert text == onnxtext.encode(LINEAR, weights="elide")
    assert " %w: f32[40,100]\n" in text


def test_a_text_without_its_weights_says_what_is_missing_and_how_to_get_it():
    onnxtext.save(LINEAR, "m.onnxt", weights="elide")
    assert run("decode", "m.onnxt") == Outcome(
        2,
        b"",
        "error: m.onnxt: its weights are not here: no file m.onnxt.safetensors; "
        "give them with --weights FILE, or make data up with --fill zeros or --fill random\n",
    )


@pytest.mark.parametrize("source", ["w.safetensors", "m.onnx", "inline.onnxt", "sidecar.onnxt", "renamed"])
def test_left_out_weights_can_be_given(source: str):
    write_model(Path("m.onnx"), LINEAR)
    onnxtext.save(LINEAR, "m.onnxt", weights="elide")
    onnxtext.save(LINEAR, "inline.onnxt", weights="inline")
    onnxtext.save(LINEAR, "sidecar.onnxt")
    Path("w.safetensors").write_bytes(Path("sidecar.onnxt.safetensors").read_bytes())
    Path("renamed").write_bytes(Path("sidecar.onnxt.safetensors").read_bytes())
    assert run("decode", "m.onnxt", "--weights", source) == Outcome(0, to_bytes(LINEAR), "")
    assert onnxtext.decode(Path("m.onnxt").read_text(), weights=source) == LINEAR
    assert onnxtext.load("m.onnxt", weights=Path(source)) == LINEAR


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "other.onnx",
            "other.onnx: these are not the weights of this text: their digest is {other}, the text asks for {ours}",
        ),
        (
            "other.onnxt.safetensors",
            "other.onnxt.safetensors: these are not the weights of this text: the digest of their table is {other}, "
            "the text asks for {ours}; give the right file with --weights",
        ),
        ("nowhere.safetensors", "nowhere.safetensors: cannot read it: there is no such file"),
        ("folder", "folder: cannot read it: it is a folder"),
        ("m.onnxt", "m.onnxt: its weights are not here: no file m.onnxt.safetensors; give them with --weights FILE, "
         "or make data up with --fill zeros or --fill random"),
        ("empty", "empty: not a safetensors file, or cut short: its table does not fit into it"),
        ("m.bin", "m.bin: not a safetensors file, or cut short: its table does not fit into it"),
    ],
)  # fmt: skip
def test_weights_that_are_not_those_of_the_text_are_refused(source: str, message: str):
    onnxtext.save(LINEAR, "m.onnxt", weights="elide")
    write_model(Path("m.bin"), LINEAR)
    write_model(Path("other.onnx"), a_linear_model(factor=2))
    onnxtext.save("other.onnx", "other.onnxt")
    Path("folder").mkdir()
    Path("empty").touch()
    ours, other = (Path(name).read_text().split('"')[1] for name in ("m.onnxt", "other.onnxt"))
    expected = f"error: {message.format(ours=ours, other=other)}\n"
    assert run("decode", "m.onnxt", "--weights", source) == Outcome(2, b"", expected)


# ---- made up


def filled(text: str, fill: str) -> dict[str, np.ndarray]:
    model = onnxtext.decode(f"onnxt 1\ngraph @g () -> () {{\n{text}\n}}", fill=fill)
    onnx.checker.check_model(a_model(*model.graph.initializer))
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


def test_made_up_weights_have_the_shape_and_type_that_the_text_says():
    types = {d.name: d for d in DTYPES.values() if d.bits and d.bits != 6}  # numpy_helper knows no 6-bit elements
    text = "\n".join(f"%{name}: {name}[3,5,7]" for name in types)
    for fill in ("zeros", "random", "random:3"):
        assert {name: a.shape for name, a in filled(text, fill).items()} == dict.fromkeys(types, (3, 5, 7))


def test_made_up_zeros_are_zeros():
    assert all(not a.any() for a in filled("%a: f32[40,40] %b: i64[40] %c: bool[40] %d: u4[41]", "zeros").values())


def test_made_up_random_weights_depend_on_seed_and_name_alone():
    one = filled("%a: f32[40,40] %b: f32[40,40]", "random:1")
    assert np.array_equal(filled("%b: f32[40,40]", "random:1")["b"], one["b"])
    assert not np.array_equal(one["a"], one["b"])
    assert not np.array_equal(filled("%a: f32[40,40]", "random:2")["a"], one["a"])
    assert np.array_equal(filled("%a: f32[40]", "random")["a"], filled("%a: f32[40]", "random:0")["a"])


def test_made_up_matrices_have_a_variance_of_one_to_their_fan_in_and_vectors_are_positive():
    found = filled("%m: f32[500,300] %k: f16[64,16,3,3] %v: f32[5000] %n: i32[100]", "random:1")
    assert np.var(found["m"]) == pytest.approx(1 / 300, rel=0.02)  # 150,000 samples: 0.4 % standard error
    assert np.var(found["k"].astype(np.float64)) == pytest.approx(1 / 144, rel=0.05)  # 9,216 samples
    assert found["v"].min() >= 0 and found["v"].max() < 1 and not found["n"].any()


def test_made_up_data_of_a_typed_field_has_as_many_elements_as_the_shape():
    """The bytes that are made up are those of raw data, whatever field the elements were in."""
    text = " ".join(f'%{d}: {d}[40] = data stored("{d}")' for d in ("f32", "i64", "i32", "f16", "u64", "c64", "bool"))
    for fill in ("zeros", "random"):
        assert {a.shape for a in filled(text, fill).values()} == {(40,)}


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        ("%w: text[40]", "no data can be made up for the elements of text"),
        ("%w: t99[40]", "no data can be made up for the elements of t99"),
        ("%w: f32[40,-1]", "no data can be made up for the dimension -1"),
        ("%w: f32[9000000000000000000]", "9000000000000000000 elements of f32 are more than the memory holds"),
        ("%w: i64[" + ",".join(["99999999"] * 9999) + "]", f"{2**80} elements of i64 are more than the memory holds"),
    ],
    ids=lambda text: text[:30],
)
def test_what_cannot_be_made_up_is_an_error_with_a_place(tensor: str, message: str):
    for fill in ("zeros", "random"):
        with pytest.raises(onnxtext.OnnxTextError) as caught:
            onnxtext.decode(f"onnxt 1\ngraph @g () -> () {{\n{tensor}\n}}", fill=fill)
        assert str(caught.value).startswith(f"<text>:3:1: {message}\n  %w: ")


# ---- a text whose shapes were edited


def test_a_shape_that_is_not_that_of_the_weights_is_found():
    onnxtext.save(LINEAR, "m.onnxt")
    text = Path("m.onnxt").read_text()
    Path("m.onnxt").write_text(text.replace("f32[40,100]", "f32[100,40]"))
    message = "error: m.onnxt.safetensors: the tensor 'w' is F32[40, 100] here, and F32[100, 40] in the text\n"
    assert run("decode", "m.onnxt") == Outcome(2, b"", message)


def test_a_size_that_is_not_that_of_the_weights_is_found():
    """Where the weights have only bytes and no shape."""
    onnxtext.save(a_model(a_tensor("w", TensorProto.INT4, [99])), "m.onnxt")
    text = Path("m.onnxt").read_text()
    Path("m.onnxt").write_text(text.replace("i4[99]", "i4[98]"))
    line = text.splitlines().index(" %w: i4[99]") + 1
    assert run("decode", "m.onnxt").err == (
        f"error: m.onnxt:{line}:2: the weights hold 50 bytes for %w, i4[98] has 49\n   %w: i4[98]\n   ^\n"
    )


# ---- damaged weights


def damage(change: Callable[[bytearray], Any]) -> str:
    """Return the message for the weights of LINEAR after `change`."""
    onnxtext.save(LINEAR, "m.onnxt")
    file = bytearray(Path("m.onnxt.safetensors").read_bytes())
    change(file)
    Path("m.onnxt.safetensors").write_bytes(file)
    found = run("decode", "m.onnxt")
    assert (found.status, found.out) == (2, b"") and "Traceback" not in found.err
    return found.err.removeprefix("error: m.onnxt.safetensors: ").removesuffix("\n")


def test_one_wrong_bit_in_a_tensor_is_found():
    def flip(file: bytearray) -> None:
        file[-5_000] ^= 1

    assert damage(flip) == "the tensor 'w' is damaged: its digest is not that of the table"


def test_one_wrong_bit_in_the_table_is_found():
    def flip(file: bytearray) -> None:
        file[100] ^= 1

    found = damage(flip)
    assert found.startswith("these are not the weights of this text: the digest of their table is ")


def test_one_wrong_bit_anywhere_is_found():
    onnxtext.save(a_model(a_tensor("w", TensorProto.UINT8, [50])), "m.onnxt")
    text, good = Path("m.onnxt").read_text(), Path("m.onnxt.safetensors").read_bytes()
    for at in range(len(good)):
        Path("w.safetensors").write_bytes(good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1 :])
        with pytest.raises(onnxtext.OnnxTextError, match=r"^w\.safetensors: "):
            onnxtext.decode(text, weights="w.safetensors")


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (0, "not a safetensors file, or cut short: its table does not fit into it"),
        (7, "not a safetensors file, or cut short: its table does not fit into it"),
        (100, "not a safetensors file, or cut short: its table does not fit into it"),
        (10_000, "cut short: the tensor 'w' ends at byte 16000 of {data} bytes of data"),
        (-1, "cut short: the tensor 'w' ends at byte 16000 of 15999 bytes of data"),
    ],
)
def test_weights_that_are_cut_short_are_found(size: int, message: str):
    heads: list[int] = []

    def cut(file: bytearray) -> None:
        heads.append(8 + int.from_bytes(file[:8], "little"))
        del file[size:]

    found = damage(cut)
    assert found == message.format(data=size - heads[0])


def test_weights_of_another_text_are_found():
    onnxtext.save(a_linear_model(factor=2), "other.onnxt")
    onnxtext.save(LINEAR, "m.onnxt")
    os.replace("other.onnxt.safetensors", "m.onnxt.safetensors")
    found = run("decode", "m.onnxt")
    assert found.status == 2 and "these are not the weights of this text" in found.err


# ---- hostile weights, for a text that has no digest of them

INCOMPLETE = "not a safetensors file: the tensor 'w' has no dtype, shape and data_offsets"
F32 = {"dtype": "F32", "shape": [4]}
HOSTILE: list[tuple[str, object, str]] = [
    ("no JSON", b"{nonsense", "not a safetensors file: its table is not JSON"),
    ("no UTF-8", b'{"\xff": 1}', "not a safetensors file: its table is not JSON"),
    ("deep", b"[" * 100_000, "not a safetensors file: its table is not JSON"),
    ("deep values", b'{"w":' * 50_000 + b"1" + b"}" * 50_000, "not a safetensors file: its table is not JSON"),
    ("long number", b'{"w": ' + b"9" * 100_000 + b"}", "not a safetensors file: its table is not JSON"),
    ("a list", [], "not a safetensors file: its table is not an object"),
    ("null", None, "not a safetensors file: its table is not an object"),
    ("metadata", {"__metadata__": 7}, "not a safetensors file: its metadata is not an object"),
    ("no entry", {"w": 5}, INCOMPLETE),
    ("no offsets", {"w": F32}, INCOMPLETE),
    ("one offset", {"w": {**F32, "data_offsets": [0]}}, INCOMPLETE),
    ("floats", {"w": {**F32, "data_offsets": [0, 4.0]}}, INCOMPLETE),
    ("booleans", {"w": {**F32, "data_offsets": [0, True]}}, INCOMPLETE),
    ("no dtype", {"w": {"shape": [4], "data_offsets": [0, 16]}},
     INCOMPLETE),
    ("no shape", {"w": {"dtype": "F32", "shape": {}, "data_offsets": [0, 16]}},
     INCOMPLETE),
    ("another shape", {"w": {"dtype": "F32", "shape": [5], "data_offsets": [0, 16]}},
     "the tensor 'w' is F32[5] here, and F32[4] in the text"),
    ("another type", {"w": {"dtype": "I32", "shape": [4], "data_offsets": [0, 16]}},
     "the tensor 'w' is I32[4] here, and F32[4] in the text"),
    ("negative", {"w": {**F32, "data_offsets": [-8, 8]}},
     "not a safetensors file: the tensor 'w' lies at [-8, 8], which is no span"),
    ("backwards", {"w": {**F32, "data_offsets": [8, 4]}},
     "not a safetensors file: the tensor 'w' lies at [8, 4], which is no span"),
    ("beyond", {"w": {**F32, "data_offsets": [0, 10**30]}},
     f"cut short: the tensor 'w' ends at byte {10**30} of 64 bytes of data"),
    ("overlap", {"w": {**F32, "data_offsets": [0, 16]}, "v": {**F32, "data_offsets": [12, 20]}},
     "not a safetensors file: the tensors 'w' and 'v' overlap"),
    ("nothing", {}, "holds no tensor 'w'"),
    ("another name", {"ww": {**F32, "data_offsets": [0, 16]}}, "holds no tensor 'w' (did you mean ww?)"),
    ("path", {"../w": {**F32, "data_offsets": [0, 16]}}, "holds no tensor 'w'"),
    ("wrong digest", {"__metadata__": {"sha256:w": "0" * 64}, "w": {**F32, "data_offsets": [0, 16]}},
     "the tensor 'w' is damaged: its digest is not that of the table"),
    ("no digest", {"__metadata__": {"sha256:w": 7}, "w": {**F32, "data_offsets": [0, 16]}},
     "the tensor 'w' is damaged: its digest is not that of the table"),
]  # fmt: skip


def write_weights(table: object, data: bytes = bytes(64), length: int | None = None) -> None:
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    Path("w.safetensors").write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)


TEXT = "onnxt 1 graph @g () -> () { %w: f32[4] }"


@pytest.mark.parametrize(("table", "message"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_a_hostile_table_is_a_message(table: object, message: str):
    write_weights(table)
    with pytest.raises(onnxtext.OnnxTextError) as caught:
        onnxtext.decode(TEXT, weights="w.safetensors")
    assert str(caught.value) == f"w.safetensors: {message}"


@pytest.mark.parametrize("length", [2, 200, 1 << 31, 1 << 63, (1 << 64) - 1])
def test_a_table_longer_than_its_file_is_a_message(length: int):
    write_weights({}, length=length)
    with pytest.raises(onnxtext.OnnxTextError, match=r"^w\.safetensors: (not a safetensors file, or cut|holds no)"):
        onnxtext.decode(TEXT, weights="w.safetensors")


def test_a_weights_file_that_another_program_wrote_will_do():
    """Such as a checkpoint: a text without a digest takes what has the right name and size."""
    safetensors.numpy.save_file({"w": np.arange(4, dtype=np.float32), "unused": np.zeros(3)}, "w.safetensors")
    assert numpy_helper.to_array(onnxtext.decode(TEXT, weights="w.safetensors").graph.initializer[0]).tolist() == [
        *(0.0, 1.0, 2.0, 3.0)
    ]


# ---- beyond what protobuf can hold


def write_sparse_model(path: Path, size: int) -> None:
    """Write a model of one tensor of `size` bytes, all zeros, without using room on the disk for them."""
    tensor = TensorProto(name="w", data_type=TensorProto.UINT8, dims=[size]).SerializeToString()

    def varint(n: int) -> bytes:
        return (bytes([n & 127 | 128]) + varint(n >> 7)) if n > 127 else bytes([n])

    raw = b"\x4a" + varint(size)
    initializer = b"\x2a" + varint(len(tensor) + len(raw) + size) + tensor + raw
    model = to_bytes(onnx.ModelProto(ir_version=10))
    with open(path, "wb") as file:
        file.write(model + b"\x3a" + varint(len(initializer) + size) + initializer)
        file.truncate(file.tell() + size)


@pytest.mark.acceptance
def test_a_model_beyond_two_gigabytes_comes_back(here: Path):
    """Protobuf ends at 2 GiB; needs 8 GB of disk and little memory."""
    size = (2 << 30) + 12_345
    write_sparse_model(Path("m.onnx"), size)
    measured = """
import resource, sys
from onnxtext.cli import app
resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))  # what is mapped from a file does not count
app(sys.argv[1:])
"""
    assert run_python(measured, "encode", "m.onnx", "-o", "m.onnxt", timeout=600) == Outcome(0, b"", "")
    assert Path("m.onnxt.safetensors").stat().st_size > size
    assert run_python(measured, "decode", "m.onnxt", "-o", "back.onnx", timeout=600) == Outcome(0, b"", "")
    with open("m.onnx", "rb") as ours, open("back.onnx", "rb") as theirs:
        while piece := ours.read(1 << 24):
            assert piece == theirs.read(1 << 24)
        assert not theirs.read(1)
    with pytest.raises(onnxtext.OnnxTextError, match=r"^protobuf does not read this model: "):
        onnxtext.load("m.onnxt")
