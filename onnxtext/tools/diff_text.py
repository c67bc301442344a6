"""Changes between two models, as lines to read in a terminal and as plain data.

>>> change = Change("inserted", "Relu", "graph", (), ("%r = Relu(%x)",), places=("r",))
>>> print(show_changes([change], "a.onnx", "b.onnx"))
--- a.onnx
+++ b.onnx
@@ graph: inserted Relu @@
+%r = Relu(%x)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from onnxtext.tools.differences import Change

_COLOURS = {"-": "\x1b[31m", "+": "\x1b[32m", "@": "\x1b[36m", "\\": "\x1b[2m"}  # as git's: red, green, cyan, dim
_PLACES = 5  # that are named


def headline(change: Change) -> str:
    """Return what a change is, in a few words."""
    verb = f"{change.kind} " if change.kind in ("inserted", "removed") else ""
    verb += "function " if change.kind == "function" and change.what != "parameters" else ""
    times = f", {change.count:,} times" if change.count > 1 else ""
    return f"{change.scope}: {verb}{change.what}{times}"


def places(change: Change) -> str:
    """Return where else a change is that is there several times; nothing for others."""
    if change.count < 2:
        return ""
    shown = ", ".join(f"%{place}" for place in change.places[1 : _PLACES + 1])
    more = change.count - 1 - _PLACES
    return f"likewise {shown}" + (f" and {more:,} more" if more > 0 else "")


def show_changes(changes: Sequence[Change], old: str, new: str, *, colour: bool = False) -> str:
    """Return changes in the manner of a unified diff; nothing where there are none."""
    if not changes:
        return ""
    lines = [f"--- {old}", f"+++ {new}"]
    for change in changes:
        lines.append(f"@@ {headline(change)} @@")
        lines += [f"-{line}" for line in change.old] + [f"+{line}" for line in change.new]
        lines += [f"\\ {note}" for note in (change.note, places(change)) if note]
    if colour:
        lines = [f"{_COLOURS[line[0]]}{line}\x1b[0m" for line in lines]
    return "\n".join(lines)


def as_data(changes: Sequence[Change], old: str, new: str) -> dict[str, Any]:
    """Return changes as plain data, for JSON."""
    return {
        "old": old,
        "new": new,
        "same": not changes,
        "changes": [{**asdict(change), "count": change.count} for change in changes],
    }
