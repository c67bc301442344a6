"""The command line: exit statuses, data on standard output and all else on standard error, pipes and terminals."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import helper
from running import ENVIRONMENT, Outcome, a_linear_model, a_model, run, run_apart, start, to_bytes, write_model

import onnxtext
from onnxtext.cli import app

SMALL, LARGE = a_linear_model(), a_linear_model(columns=10_000)  # 16 kB and 1.6 MB of weights
COMMANDS = sorted(str(command.name or getattr(command.callback, "__name__", "")) for command in app.registered_commands)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder with a small and a large model, and the small one's text."""
    monkeypatch.chdir(tmp_path)
    write_model(Path("small.onnx"), SMALL)
    write_model(Path("large.onnx"), LARGE)
    onnxtext.save(SMALL, "small.onnxt")
    return tmp_path


# ---- exit statuses and streams


def test_what_works_says_nothing_and_leaves_with_0():
    assert run("encode", "small.onnx", "-o", "a.onnxt") == Outcome(0, b"", "")
    assert run("decode", "a.onnxt", "-o", "b.onnx") == Outcome(0, b"", "")
    assert Path("b.onnx").read_bytes() == to_bytes(SMALL)


def test_version_and_help_are_data():
    assert run("--version") == Outcome(0, f"onnxtext {onnxtext.__version__}\n".encode(), "")
    found = run("--help")
    assert found.status == 0 and found.err == "" and all(f"\n  {c}".encode() in found.out for c in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_names_its_nearest_option(command: str):
    found = run(command, "--help")
    assert (found.status, found.err) == (0, "") and found.out.startswith(f"Usage: onnxtext {command}".encode())
    found = run(command, "--hepl")
    assert (found.status, found.out) == (2, b"")
    assert re.fullmatch(r"Error: No such option: --hepl \(Possible options: .*--help\b.*\)", found.err.splitlines()[-1])


@pytest.mark.parametrize(
    ("arguments", "last_line"),
    [
        (["encod", "x"], "Error: No such command 'encod'. Did you mean 'encode', 'decode'?"),
        (["encode"], "Error: Missing argument 'MODEL'."),
        (["encode", "--weigths", "inline", "x"], "Error: No such option: --weigths (Possible options: --weights)"),
        (["encode", "small.onnx", "x"], "Error: Got unexpected extra argument(s) (x)"),
        (["encode", "small.onnx", "-o"], "Error: Option '-o' requires an argument."),
        (
            ["encode", "small.onnx", "--weights", "elid", "-o", "x"],
            "error: weights are sidecar, inline or elide, not elid (did you mean elide?)",
        ),
        (
            ["encode", "small.onnx", "--weights", "sidecar"],
            "error: a weights file needs a name: use -o FILE, or --weights inline or elide",
        ),
        (["encode", "small.onnx", "--passes", "prun"], "error: no pass is named prun (did you mean prune?)"),
        (["passes", "mergge"], "error: no pass is named mergge (did you mean merge?)"),
        (
            ["encode", "small.onnx", "--passes", "merge", "--dump-dir", "small.onnx/x"],
            "error: small.onnx/x: cannot write into it: Not a directory",
        ),
        (
            ["decode", "small.onnxt", "--fill", "zeroes"],
            "error: --fill takes zeros, random or random:SEED, not zeroes (did you mean zeros?)",
        ),
        (
            ["decode", "small.onnxt", "--fill", "zeros", "--weights", "x"],
            "error: weights come from a file or are made up: give --weights or --fill, not both",
        ),
    ],
)
def test_wrong_usage_leaves_with_2_and_the_nearest_name(arguments: list[str], last_line: str):
    found = run(*arguments)
    assert (found.status, found.out, found.err.splitlines()[-1]) == (2, b"", last_line)
    assert not Path("x").exists()


def test_no_command_at_all_shows_the_help_as_an_error():
    found = run()
    assert (found.status, found.out) == (2, b"") and "\n  encode " in found.err


def test_an_error_in_a_text_has_file_line_column_and_caret():
    Path("bad.onnxt").write_text("onnxt 1\ngraph @g () -> () {\n %y = Relu(%x)\n}\n")
    message = (
        "error: bad.onnxt:3:12: %x is used before it is defined; definitions come first, "
        "and a value that nothing defines is written %?x\n"
        "   %y = Relu(%x)\n"
        "             ^\n"
    )
    assert run("decode", "bad.onnxt") == Outcome(2, b"", message)
    from_pipe = run("decode", "-", given=Path("bad.onnxt").read_bytes())
    assert from_pipe == Outcome(2, b"", message.replace("bad.onnxt", "<stdin>"))


def test_a_message_with_letters_that_the_terminal_lacks_is_written_all_the_same():
    found = run_apart("encode", "größe\udcff.onnx", env={**ENVIRONMENT, "PYTHONIOENCODING": "ascii"})
    assert found.err == "error: gr\\xf6\\xdfe\\udcff.onnx: cannot read it: there is no such file\n"


# ---- notes


def test_encode_notes_that_a_file_is_written_in_another_way():
    """The fields in another order: protobuf reads them alike, and the text gives back the usual order."""
    wire = to_bytes(SMALL)
    first, rest = onnx.ModelProto(ir_version=SMALL.ir_version).SerializeToString(), wire[2:]
    assert first + rest == wire
    Path("other.onnx").write_bytes(rest + first)
    found = run("encode", "other.onnx")
    assert found.status == 0 and found.err == (
        "note: other.onnx: its bytes are not protobuf's deterministic serialization; "
        "the text gives back that, equal in every field\n"
    )
    assert to_bytes(onnxtext.decode(found.out.decode())) == wire


def test_encode_notes_what_it_could_only_write_as_bytes():
    unknown = b"\xc2\x3e\x02hi"  # field 1000
    Path("future.onnx").write_bytes(to_bytes(SMALL) + unknown)
    found = run("encode", "future.onnx", "-o", "future.onnxt")
    assert found == Outcome(
        0, b"", "note: future.onnx: 1 opaque escapes in the text, for what onnx does not name (ModelProto)\n"
    )
    assert run("decode", "future.onnxt").out == to_bytes(SMALL) + unknown


# ---- pipes


@pytest.mark.parametrize("name", ["small", "large"])
def test_encode_into_decode_is_exact(name: str):
    model = Path(f"{name}.onnx").read_bytes()
    with start("encode", f"{name}.onnx") as encode, start("decode", "-", stdin=encode.stdout) as decode:
        assert encode.stdout
        encode.stdout.close()  # decode has it
        found, errors = decode.communicate(timeout=60)
    assert (found, errors, encode.returncode, decode.returncode) == (model, b"", 0, 0)


def test_encode_reads_a_model_or_a_text_from_standard_input():
    from_model = run("encode", "-", given=to_bytes(SMALL))
    assert from_model == run("encode", "small.onnx")
    assert run("encode", "-", given=from_model.out) == from_model


def test_a_text_from_standard_input_has_no_weights_beside_it():
    message = (
        "error: <stdin>: its weights are not in the text, which came without a path; "
        "give them with --weights FILE, or make data up with --fill zeros or --fill random\n"
    )
    Path("<stdin>.safetensors").symlink_to("small.onnxt.safetensors")
    text = Path("small.onnxt").read_bytes()
    assert run("decode", "-", given=text) == Outcome(2, b"", message)
    assert run("decode", "-", "--weights", "small.onnxt.safetensors", given=text).out == to_bytes(SMALL)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_who_leaves_early_ends_the_command_quietly(unbuffered: str):
    """Without Python's buffer a write into a pipe whose reader leaves comes back short, and not as an error."""
    command = start("encode", "large.onnx", env={**ENVIRONMENT, "PYTHONUNBUFFERED": unbuffered})
    with command as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline() == b"onnxt 1\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 2


# ---- terminals


def on_terminal(*arguments: object, **options: Any) -> Outcome:
    """Run the command with a terminal as its standard output."""
    ours, theirs = os.openpty()
    with start(*arguments, stdout=theirs, **options) as process:
        os.close(theirs)
        out = b""
        while True:
            try:
                out += os.read(ours, 1 << 16)
            except OSError:  # the other side is closed
                break
        assert process.stderr
        err = process.stderr.read().decode()
    os.close(ours)
    return Outcome(process.returncode, out.replace(b"\r\n", b"\n"), err)


REFUSAL = (
    "error: the weights are 2 MB, too much for a terminal: use -o FILE (weights beside it), "
    "--weights elide (without them), --weights inline (with them, as base64), or a pipe\n"
)


def test_a_terminal_gets_the_text_of_a_small_model():
    assert on_terminal("encode", "small.onnx") == run("encode", "small.onnx")


def test_a_terminal_is_spared_large_weights_and_the_choices_are_named():
    assert on_terminal("encode", "large.onnx") == Outcome(2, b"", REFUSAL)


def test_a_terminal_is_spared_large_weights_in_typed_fields():
    write_model(Path("typed.onnx"), a_model(helper.make_tensor("w", 1, [400_000], [0.5] * 400_000)))
    assert on_terminal("encode", "typed.onnx") == Outcome(2, b"", REFUSAL)


@pytest.mark.parametrize("mode", ["elide", "inline"])
def test_a_terminal_gets_what_is_asked_for_by_name(mode: str):
    assert on_terminal("encode", "large.onnx", "--weights", mode) == run("encode", "large.onnx", "--weights", mode)


def test_a_terminal_gets_no_binary():
    assert on_terminal("decode", "small.onnxt") == Outcome(2, b"", "error: a model is binary: use -o FILE, or a pipe\n")


# ---- the command as it is installed


def test_the_grammar_command_gives_the_grammar_file():
    found = run("grammar")
    assert (found.status, found.err) == (0, "")
    assert re.search(rb"^start: ", found.out, re.MULTILINE)


def test_the_module_can_be_run():
    done = subprocess.run([*start.__globals__["COMMAND"], "--version"], env=ENVIRONMENT, capture_output=True)
    assert done.stdout == f"onnxtext {onnxtext.__version__}\n".encode()
