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


def _problem(verb: str, path: object, error: OSError) -> FileProblem:
    why = _WHY.get(type(error)) or (error.strerror or str(error)).lower()
    return FileProblem(f"{path}: cannot {verb} it: {why}")


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return the bytes of a file, or of standard input for "-".  Raises FileProblem."""
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise _problem("read", path, error) from error


def map_bytes(path: str | os.PathLike[str]) -> memoryview:
    """Return a view of a file's bytes, mapped and not copied; of standard input for "-".  Raises FileProblem."""
    if path == "-":
        return memoryview(sys.stdin.buffer.read())
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:  # an empty file, or a device or pipe, cannot be mapped
                return memoryview(file.read())
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise _problem("read", path, error) from error


@contextlib.contextmanager
def replacing(*paths: Path) -> Iterator[list[Path]]:
    """Give a temporary file beside each path; on leaving without an error they take the names of `paths`, in order.

    Until then, and whenever anything fails, the old files stand untouched and the temporary ones are removed.
    Raises FileProblem where a folder is missing, not writable or full.
    """
    made: list[Path] = []
    try:
        try:
            for path in paths:
                handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)
                os.close(handle)
                made.append(Path(name))
            yield made
            for temporary, path in zip(made, paths, strict=True):
                _take_mode(temporary, path)
                os.replace(temporary, path)
        except OSError as error:
            raise _problem("write", paths[min(len(made), len(paths) - 1)], error) from error
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
    with open(path, "wb", buffering=1 << 20) as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def write_output(path: str | os.PathLike[str], pieces: Iterable[bytes | memoryview]) -> None:
    """Write a whole file in place of the old one, or to standard output for "-".  Raises FileProblem."""
    if path == "-":
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    if not _is_regular(Path(path)):  # a device or pipe, such as /dev/null, is written into and not replaced
        try:
            with open(path, "wb") as file:
                file.writelines(pieces)
        except OSError as error:
            raise _problem("write", path, error) from error
        return
    with replacing(Path(path)) as (temporary,):
        write_pieces(temporary, pieces)


def _is_regular(path: Path) -> bool:
    return not path.exists() or path.is_file()
