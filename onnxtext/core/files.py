"""Reading and writing files so that nothing is lost: a new file replaces the old one only when it is whole."""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from onnxtext.core.errors import OnnxTextError


class FileProblem(OnnxTextError):
    """A file that cannot be read or written."""


_WHY = {
    FileNotFoundError: "there is no such file",
    IsADirectoryError: "it is a folder",
    NotADirectoryError: "a part of its path is no folder",
    PermissionError: "permission denied",
}


def _problem(verb: str, path: str | os.PathLike[str], error: OSError) -> FileProblem:
    why = _WHY.get(type(error)) or (error.strerror or str(error)).lower()
    if verb == "write" and isinstance(error, FileNotFoundError):
        why = f"there is no folder {os.path.dirname(os.path.realpath(path))}"
    return FileProblem(f"{path}: cannot {verb} it: {why}")


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return the bytes of a file, or of standard input for "-".  Raises FileProblem."""
    if path == "-":
        return _read_standard_input()
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise _problem("read", path, error) from error


def map_bytes(path: str | os.PathLike[str]) -> memoryview:
    """Return a view of a file's bytes, mapped and not copied; of standard input for "-".  Raises FileProblem."""
    if path == "-":
        return memoryview(_read_standard_input())
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:  # an empty file, or a device or pipe, cannot be mapped
                return memoryview(file.read())
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise _problem("read", path, error) from error


def _read_standard_input() -> bytes:
    if sys.stdin is None:
        raise FileProblem("standard input: cannot read it: it is closed")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise _problem("read", "standard input", error) from error


@contextlib.contextmanager
def replacing(*paths: Path) -> Iterator[list[Path]]:
    """Give a temporary file beside each path; on leaving without an error they take the names of `paths`, in order.

    Until then, and whenever anything fails, the old files stand untouched and the temporary ones are removed.
    A link stays a link: the file it leads to is replaced.
    Raises FileProblem where a path is no file, or a folder is missing, not writable or full.
    """
    made: list[Path] = []
    targets = [Path(os.path.realpath(path)) for path in paths]
    try:
        try:
            for path, target in zip(paths, targets, strict=True):
                if target.is_dir():
                    raise IsADirectoryError
                if not is_replaceable(path):
                    raise FileProblem(f"{path}: cannot replace it: it is a device or pipe")
                handle, name = tempfile.mkstemp(prefix=f".{target.name[:50]}.", suffix=".part", dir=target.parent)
                os.close(handle)
                made.append(Path(name))
            yield made
            for temporary, path in zip(made, targets, strict=True):
                _take_mode(temporary, path)
                os.replace(temporary, path)
        except OSError as error:
            known = {str(temporary): path for temporary, path in zip(made, paths, strict=False)}
            raise _problem(
                "write", known.get(error.filename) or paths[min(len(made), len(paths) - 1)], error
            ) from error
    finally:
        for temporary in made:
            temporary.unlink(missing_ok=True)


def _take_mode(temporary: Path, path: Path) -> None:
    """Give `temporary` the permissions of the file it replaces, or those of a new file."""
    try:
        mode = path.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        mode = 0o666 & ~mask
    temporary.chmod(mode)


def write_pieces(path: Path, pieces: Iterable[bytes | memoryview]) -> None:
    """Write `pieces` one behind the other, and see to it that they are on the disk."""
    try:
        with open(path, "wb", buffering=1 << 20) as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        error.filename = os.fspath(path)  # writing fails without a name
        raise


def write_output(path: str | os.PathLike[str], pieces: Iterable[bytes | memoryview]) -> None:
    """Write a whole file in place of the old one, or to standard output for "-".

    Raises FileProblem, and BrokenPipeError where the reader of standard output has left.
    """
    if path == "-":
        _write_standard_output(pieces)
    elif is_replaceable(path):
        with replacing(Path(path)) as (temporary,):
            write_pieces(temporary, pieces)
    else:
        try:
            with open(path, "wb") as file:
                file.writelines(pieces)
        except OSError as error:
            raise _problem("write", path, error) from error


def _write_standard_output(pieces: Iterable[bytes | memoryview]) -> None:
    if sys.stdout is None:
        raise FileProblem("standard output: cannot write it: it is closed")
    file = sys.stdout.buffer
    try:
        for piece in pieces:
            left = memoryview(piece)
            while left:  # without a buffer (python -u) a call may write a part only
                left = left[file.write(left) or 0 :]
        file.flush()
    except OSError as error:
        # Python writes what is left in the buffer once more when it ends, and would fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise _problem("write", "standard output", error) from error


_STREAMS = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/")  # names of open streams, whatever they lead to


def is_replaceable(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file may take the name `path`: not where a device, pipe or open stream is written into."""
    name = os.path.abspath(path)
    return (
        path != "-"
        and not name.startswith(_STREAMS)
        and (os.path.isfile(name) or os.path.isdir(name) or not os.path.exists(name))
    )
