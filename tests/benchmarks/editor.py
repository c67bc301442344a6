"""How long the language server lets an editor wait, on a text of 5,000 lines that it has read once.

The wait is that of the editor's side of the protocol, against 0.1 s, what a person takes for at once: a ratio below 1.
Unit: seconds on the clock.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from measuring import Row

sys.path.insert(0, str(Path(__file__).parent.parent))
from test_language_server import URI, Editor

AT_ONCE_S = 0.1
LINES = 5_000


def editor(quick: bool) -> Iterator[Row]:
    """Yield a row for each kind of question; the names asked about are in the middle of the text."""
    names = [f"v{k}" for k in range(LINES)]
    body = "".join(f" %{name} = Add(%{before}, %x)\n" for before, name in zip(["x", *names], names, strict=False))
    head = 'onnxt 1\nmodel {ir_version=10, opset_import=["": 20]}\ngraph (%x: f32[4]) -> (%y) {\n each {domain=""}\n'
    text = f"{head}{body} %y = Relu(%{names[-1]})\n}}\n"
    client = Editor()
    client.open(text)
    assert client.diagnostics() == []
    changed = text

    def change_and_hover() -> None:
        nonlocal changed
        changed = changed.replace("%v10 = ", "%v10  = ")
        client.change(changed)
        client.at("hover", text, "%v2500,")

    document, options = {"uri": URI}, {"tabSize": 1, "insertSpaces": True}
    questions: dict[str, Callable[[], Any]] = {
        "hover": lambda: client.at("hover", text, "%v2500,"),
        "definition": lambda: client.at("definition", text, "%v2500,"),
        "references to 5,001 places": lambda: client.at(
            "references", text, "%x: ", context={"includeDeclaration": True}
        ),
        "rename in 5,001 places": lambda: client.at("rename", text, "%x: ", newName="q"),
        "formatting": lambda: client.ask("textDocument/formatting", textDocument=document, options=options),
        "outline": lambda: client.ask("textDocument/documentSymbol", textDocument=document),
        "completion": lambda: client.at("completion", text, "%v2500,", 2),
        "a change, then hover": change_and_hover,
    }
    for what, ask in questions.items():
        waits_s = []
        for _ in range(3 if quick else 11):
            start_s = time.perf_counter()
            ask()
            waits_s.append(time.perf_counter() - start_s)
        wait_s = median(waits_s)
        yield Row(
            *("editor", f"{LINES} lines", what, "s", wait_s, "at once", AT_ONCE_S, wait_s / AT_ONCE_S), at_most=1.0
        )
    client.close()
