"""Files: the old one is whole until the new one is, and whatever cannot be read or written is a message."""

from __future__ import annotations

import functools
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from running import (
    ENVIRONMENT,
    Outcome,
    a_linear_model,
    run,
    run_apart,
    run_python,
    start,
    to_bytes,
    write_model,
)

import onnxtext
from onnxtext.core import files

NOBODY = 65534
OLD, NEW = a_linear_model(factor=1), a_linear_model(factor=3)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the current one, with new.onnx and the old text, old.onnxt and its weights."""
    monkeypatch.chdir(tmp_path)
    write_model(Path("new.onnx"), NEW)
    onnxtext.save(OLD, "old.onnxt")
    return tmp_path


def names(folder: Path = Path()) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def assert_old_is_whole() -> None:
    """Assert that old.onnxt and its weights are as they were, with nothing left beside them."""
    assert onnxtext.load("old.onnxt") == OLD
    assert names() == ["new.onnx", "old.onnxt", "old.onnxt.safetensors"]


# ---- what takes the place of what


def test_a_new_text_and_its_weights_take_the_place_of_the_old(here: Path):
    Path("old.onnxt").chmod(0o640)
    assert run("encode", "new.onnx", "-o", "old.onnxt") == Outcome(0, b"", "")
    assert onnxtext.load("old.onnxt") == NEW
    assert names() == ["new.onnx", "old.onnxt", "old.onnxt.safetensors"]
    assert Path("old.onnxt").stat().st_mode & 0o777 == 0o640


def test_a_new_file_has_the_permissions_that_the_mask_leaves(here: Path):
    mask = os.umask(0o027)
    try:
        onnxtext.save(NEW, "new.onnxt")
    finally:
        os.umask(mask)
    assert [Path(name).stat().st_mode & 0o777 for name in ("new.onnxt", "new.onnxt.safetensors")] == [0o640, 0o640]


def test_a_model_may_be_decoded_onto_its_own_text(here: Path):
    """The weights are still mapped when the files are replaced."""
    assert run("encode", "old.onnxt", "-o", "old.onnxt") == Outcome(0, b"", "")
    assert_old_is_whole()


def test_a_link_stays_a_link_and_the_file_it_leads_to_is_replaced(here: Path):
    Path("store").mkdir()
    Path("store/kept.onnxt").write_text("old")
    Path("link.onnxt").symlink_to("store/kept.onnxt")
    assert run("encode", "new.onnx", "-o", "link.onnxt") == Outcome(0, b"", "")
    assert Path("link.onnxt").is_symlink()
    assert Path("store/kept.onnxt").read_text().startswith("onnxt 1")
    assert names(Path("store")) == ["kept.onnxt"]  # the weights are where the text's name says they are
    assert onnxtext.load("link.onnxt") == NEW


def test_a_link_to_a_file_that_is_not_there_yet_makes_it(here: Path):
    Path("link.onnx").symlink_to("made.onnx")
    assert run("decode", "old.onnxt", "-o", "link.onnx") == Outcome(0, b"", "")
    assert Path("link.onnx").is_symlink() and Path("made.onnx").read_bytes() == to_bytes(OLD)


@pytest.mark.parametrize("command", ["encode", "decode"])
def test_a_pipe_is_written_into_and_not_replaced(here: Path, command: str):
    os.mkfifo("pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(Path("pipe").read_bytes()))
    reader.start()
    found = run(command, "new.onnx" if command == "encode" else "old.onnxt", "-o", "pipe")
    reader.join(timeout=10)
    assert found == Outcome(0, b"", "")
    assert Path("pipe").is_fifo()
    assert not Path("pipe.safetensors").exists()
    if command == "encode":
        assert onnxtext.decode(read[0].decode()) == NEW
    else:
        assert read[0] == to_bytes(OLD)


def test_dev_null_stays_what_it_is(here: Path):
    assert not files.is_replaceable("/dev/null")  # a failure here must not go on and replace it
    assert run("encode", "new.onnx", "-o", os.devnull) == Outcome(0, b"", "")
    assert run("decode", "old.onnxt", "-o", os.devnull) == Outcome(0, b"", "")
    assert Path(os.devnull).is_char_device()


def test_dev_stdout_is_standard_output(here: Path):
    """The name is a link to whatever the shell has opened; replacing that would take a file from under the shell."""
    with open("redirected", "wb") as file:
        file.write(b"before\n")
        file.flush()
        inode = os.fstat(file.fileno()).st_ino
        found = run_apart("encode", "new.onnx", "-o", "/dev/stdout", stdout=file)
    assert found == Outcome(0, b"", "")
    assert Path("redirected").stat().st_ino == inode
    assert onnxtext.load("redirected") == NEW
    assert os.path.islink("/dev/stdout")


def test_a_long_name_can_be_written(here: Path):
    name = "\N{SNOWMAN}" * 70 + ".onnxt"  # 216 bytes of the 255 that a name may have, and .safetensors behind it
    onnxtext.save(NEW, name)
    assert onnxtext.load(name) == NEW


# ---- what cannot be written


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("nowhere/new.onnxt", "nowhere/new.onnxt.safetensors: cannot write it: there is no folder {here}/nowhere"),
        ("new.onnx/new.onnxt", "new.onnx/new.onnxt.safetensors: cannot write it: a part of its path is no folder"),
        ("folder", "folder: cannot write it: it is a folder"),
        ("folder/", "folder: cannot write it: it is a folder"),
        (".", ".: cannot write it: it is a folder"),
        ("", ".: cannot write it: it is a folder"),
        ("x" * 300, "x" * 300 + ".safetensors: cannot write it: file name too long"),
    ],
)
def test_an_output_that_cannot_be_written_is_a_message_and_nothing_is_left(here: Path, output: str, message: str):
    Path("folder").mkdir()
    before = names()
    assert run("encode", "new.onnx", "-o", output) == Outcome(2, b"", f"error: {message.format(here=here)}\n")
    assert names() == before and names(Path("folder")) == []


@pytest.mark.parametrize("name", ["folder", "pipe"])
def test_weights_that_cannot_be_replaced_leave_the_old_text(here: Path, name: str):
    Path("old.onnxt.safetensors").rename("kept")
    if name == "folder":
        Path("old.onnxt.safetensors").mkdir()
        why = "cannot write it: it is a folder"
    else:
        os.mkfifo("old.onnxt.safetensors")
        why = "cannot replace it: it is a device or pipe"
    assert run("encode", "new.onnx", "-o", "old.onnxt").err == f"error: old.onnxt.safetensors: {why}\n"
    assert onnxtext.load("old.onnxt", weights="kept") == OLD
    assert names() == ["kept", "new.onnx", "old.onnxt", "old.onnxt.safetensors"]


def test_weights_do_not_stand_beside_a_pipe(here: Path):
    os.mkfifo("pipe")
    message = "error: pipe: no weights file can stand beside a device or pipe: write the weights inline\n"
    assert run("encode", "new.onnx", "-o", "pipe", "--weights", "sidecar") == Outcome(2, b"", message)


@contextmanager
def unprivileged(folder: Path) -> Iterator[None]:
    """Be somebody to whom the permissions of a file mean something, and who can reach `folder`."""
    if os.geteuid() != 0:
        yield
        return
    closed = {p: p.stat().st_mode for p in folder.parents if not p.stat().st_mode & 0o001}
    for p, mode in closed.items():
        p.chmod(mode | 0o001)
    os.chown(folder, NOBODY, NOBODY)
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        for p, mode in closed.items():
            p.chmod(mode)


def test_a_folder_that_may_not_be_written_is_a_message(here: Path):
    with unprivileged(here):
        here.chmod(0o555)
        encoded = run("encode", "new.onnx", "-o", "old.onnxt")
        decoded = run("decode", "old.onnxt", "-o", "new.onnx")
        here.chmod(0o755)
    assert encoded == Outcome(2, b"", "error: old.onnxt.safetensors: cannot write it: permission denied\n")
    assert decoded == Outcome(2, b"", "error: new.onnx: cannot write it: permission denied\n")
    assert_old_is_whole()


def test_a_file_that_may_not_be_read_is_a_message(here: Path):
    for name in ("new.onnx", "old.onnxt.safetensors"):
        Path(name).chmod(0o000)
    with unprivileged(here):
        encoded, decoded = run("encode", "new.onnx"), run("decode", "old.onnxt")
    assert encoded == Outcome(2, b"", "error: new.onnx: cannot read it: permission denied\n")
    assert decoded == Outcome(2, b"", "error: old.onnxt.safetensors: cannot read it: permission denied\n")


# ---- a disk without room, and a process that ends too early


def limited(limit_bytes: int) -> None:
    """Let no file of this process grow beyond `limit_bytes`: the write then fails as it does on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))


@pytest.mark.parametrize("limit_bytes", [0, 100, 8_000], ids=["nothing fits", "a piece fits", "the weights do not fit"])
@pytest.mark.parametrize("mode", ["sidecar", "inline"])
def test_without_room_for_the_new_files_the_old_are_whole(here: Path, limit_bytes: int, mode: str):
    arguments = ("encode", "new.onnx", "-o", "old.onnxt", "--weights", mode)
    found = run_apart(*arguments, preexec_fn=lambda: limited(limit_bytes))
    name = "old.onnxt.safetensors" if mode == "sidecar" else "old.onnxt"
    assert found == Outcome(2, b"", f"error: {name}: cannot write it: file too large\n")
    assert_old_is_whole()


def test_without_room_for_a_model_the_old_one_is_whole(here: Path):
    before = Path("new.onnx").read_bytes()
    found = run_apart("decode", "old.onnxt", "-o", "new.onnx", preexec_fn=lambda: limited(8_000))
    assert found == Outcome(2, b"", "error: new.onnx: cannot write it: file too large\n")
    assert Path("new.onnx").read_bytes() == before
    assert_old_is_whole()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [("encode", "new.onnx"), ("decode", "old.onnxt"), ("grammar",), ("passes",)])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_standard_output_without_room_is_a_message(here: Path, arguments: tuple[str, ...], unbuffered: str):
    with open("/dev/full", "wb") as full:
        found = run_apart(*arguments, stdout=full, env={**ENVIRONMENT, "PYTHONUNBUFFERED": unbuffered})
    assert found == Outcome(2, b"", "error: standard output: cannot write it: no space left on device\n")


# The process ends itself at its `count`-th call of a function that stands at the turning points of writing.
KILLED = """
import os, signal, sys
import onnxtext

function, count = sys.argv[1], int(sys.argv[2])
original = getattr(os, function)

def last_call(*arguments, **options):
    global count
    count -= 1
    if not count:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments, **options)

setattr(os, function, last_call)
onnxtext.save("new.onnx", "old.onnxt")
"""


@pytest.mark.parametrize(("function", "count"), [("fsync", 1), ("fsync", 2), ("replace", 1)])
def test_a_kill_in_the_middle_of_writing_leaves_the_old_files_whole(here: Path, function: str, count: int):
    assert run_python(KILLED, function, count).status == -signal.SIGKILL
    assert onnxtext.load("old.onnxt") == OLD
    left = set(names()) - {"new.onnx", "old.onnxt", "old.onnxt.safetensors"}
    assert all(name.startswith(".old.onnxt") and name.endswith(".part") for name in left)
    onnxtext.save(NEW, "old.onnxt")  # and what is left is in nobody's way
    assert onnxtext.load("old.onnxt") == NEW


def test_a_kill_between_the_two_files_is_noticed(here: Path):
    """Two files cannot take their names at once; a text with the weights of another is refused, not misread."""
    assert run_python(KILLED, "replace", 2).status == -signal.SIGKILL
    with pytest.raises(onnxtext.OnnxTextError, match="these are not the weights of this text"):
        onnxtext.load("old.onnxt")


def test_a_kill_at_any_moment_leaves_one_of_the_two_whole(here: Path):
    """A model large enough that the writing takes its time, killed at moments spread over the whole run."""
    large = a_linear_model(columns=200_000, factor=7)  # 32 MB
    write_model(Path("new.onnx"), large)
    for delay_s in (0.25, 0.35, 0.45, 0.55, 0.65):
        with start("encode", "new.onnx", "-o", "old.onnxt") as process:
            try:
                process.wait(delay_s)
            except subprocess.TimeoutExpired:
                process.kill()
        try:
            found = onnxtext.load("old.onnxt")
        except onnxtext.OnnxTextError as error:
            assert "these are not the weights of this text" in str(error)  # rare: between the two
            break
        assert found in (OLD, large)


def test_an_interrupt_changes_nothing_and_says_so(here: Path):
    # A shell that starts something in the background has it ignore interrupts.
    heed = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with start("decode", "-", "-o", "new.onnx", preexec_fn=heed) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(b"onnxt 1 //" + b"." * 200_000)  # more than a pipe holds: now the process is reading
        time.sleep(0.2)  # and soon it waits for more
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr.read() == b"error: interrupted; nothing was changed\n"
        assert process.stdout.read() == b""
    assert Path("new.onnx").read_bytes() == to_bytes(NEW)
    assert_old_is_whole()


# ---- what cannot be read


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.onnx", "cannot read it: there is no such file"),
        ("folder", "cannot read it: it is a folder"),
        ("new.onnx/more", "cannot read it: a part of its path is no folder"),
        ("x" * 300, "cannot read it: file name too long"),
        ("empty", "not an ONNX model: it is empty"),
        ("words", "not an ONNX model: the byte 2 opens no field"),
        ("half.onnx", "not an ONNX model: it ends within the field at byte 2; is the file complete?"),
    ],
)
def test_an_input_that_is_no_model_is_a_message(here: Path, name: str, message: str):
    Path("folder").mkdir()
    Path("empty").touch()
    Path("words").write_text("hello, this is no model\n")
    Path("half.onnx").write_bytes(to_bytes(NEW)[:8_000])
    assert run("encode", name) == Outcome(2, b"", f"error: {name}: {message}\n")


def test_a_model_can_be_read_from_a_named_pipe(here: Path):
    os.mkfifo("pipe")
    writer = threading.Thread(target=lambda: Path("pipe").write_bytes(to_bytes(NEW)))
    writer.start()
    found = run("encode", "pipe")
    writer.join(timeout=10)
    assert found.status == 0 and onnxtext.decode(found.out.decode()) == NEW


@pytest.mark.parametrize("command", ["encode", "decode"])
def test_standard_input_that_cannot_be_read_is_a_message(here: Path, command: str):
    with open(os.devnull, "wb") as for_writing:
        found = run_apart(command, "-", stdin=for_writing)
    assert found == Outcome(2, b"", "error: standard input: cannot read it: bad file descriptor\n")
    found = run_apart(command, "-", stdin=None, preexec_fn=lambda: os.close(0))
    assert found == Outcome(2, b"", "error: standard input: cannot read it: it is closed\n")


@pytest.mark.parametrize("arguments", [("encode", "new.onnx"), ("decode", "old.onnxt"), ("grammar",), ("passes",)])
def test_standard_output_that_is_closed_is_a_message(here: Path, arguments: tuple[str, ...]):
    found = run_apart(*arguments, stdout=None, preexec_fn=lambda: os.close(1))
    assert found == Outcome(2, b"", "error: standard output: cannot write it: it is closed\n")
