"""What a command needs that is installed by an extra."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from onnxtext.core.errors import UsageError


@contextmanager
def needing(command: str, extra: str) -> Iterator[None]:
    """Turn the failure to import something into UsageError, which says what brings it."""
    try:
        yield
    except ImportError as error:
        raise UsageError(f"{command} needs {error.name}: pip install 'onnxtext[{extra}]'") from error
