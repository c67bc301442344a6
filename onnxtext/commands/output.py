"""What commands write: data to standard output, notes to standard error."""

from __future__ import annotations

import sys


def print_data(text: str) -> None:
    """Write lines to standard output."""
    from onnxtext.core.files import write_output

    write_output("-", [f"{text}\n".encode()])


def print_note(message: str) -> None:
    """Write a note to standard error."""
    print(f"note: {message}", file=sys.stderr)
