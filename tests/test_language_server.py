"""The language server, asked over its protocol by a client of the kind an editor has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from onnxtext.tools.symbols import find_symbols

CHECKOUT = Path(__file__).parent.parent
URI = "file:///model.onnxt"
TEXT = """onnxt 1
model {ir_version=10, opset_import=["": 20, "d": 1]}
graph @g (%x: f32[1,3,8,8]) -> (%y: f32[1,4,8,8]) {
 each {domain=""}
 %w: f32[4,3,1,1] = [1,2,3,4,5,6,7,8,9,10,11,12]
 %hidden = Conv(%x, %w) {pads=[0,0,0,0]}
 %y = @f(%hidden)
}
def @f {domain="d", opset_import=["": 20]} (%x) -> (%z) {
 each {domain=""}
 %z = Relu(%x)
}
"""


class Editor:
    """An editor's side of the protocol, over the server's standard input and output."""

    def __init__(self) -> None:
        folders = [CHECKOUT, *(CHECKOUT / name for name in ("grammar", "passes", "predictor"))]
        self.server = subprocess.Popen(
            [sys.executable, "-m", "onnxtext.cli", "language-server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders))},
        )
        self.asked = 0
        self.version = 0
        self.told: list[dict] = []
        self.abilities = self.ask("initialize", processId=None, rootUri=None, capabilities={})["capabilities"]
        self.tell("initialized")

    def send(self, message: dict) -> None:
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.server.stdin
        self.server.stdin.write(b"Content-Length: %d\r\n\r\n" % len(data) + data)
        self.server.stdin.flush()

    def receive(self) -> dict:
        assert self.server.stdout
        length = 0
        while (line := self.server.stdout.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        assert length, "the server is gone"
        return json.loads(self.server.stdout.read(length))

    def tell(self, method: str, **params: Any) -> None:
        self.send({"method": method, "params": params})

    def answer(self, method: str, **params: Any) -> dict:
        self.asked += 1
        self.send({"id": self.asked, "method": method, "params": params})
        while True:
            message = self.receive()
            if message.get("id") == self.asked and "method" not in message:
                return message
            self.told.append(message)

    def ask(self, method: str, **params: Any) -> Any:
        answer = self.answer(method, **params)
        assert "error" not in answer, answer
        return answer["result"]

    def diagnostics(self) -> list[dict]:
        """Wait for the next report on the text as it is now."""
        while True:
            message = self.told.pop(0) if self.told else self.receive()
            params = message.get("params", {})
            is_report = message.get("method") == "textDocument/publishDiagnostics"
            if is_report and params.get("version") == self.version:
                return params["diagnostics"]

    def open(self, text: str) -> None:
        self.version += 1
        item = {"uri": URI, "languageId": "onnxt", "version": self.version, "text": text}
        self.tell("textDocument/didOpen", textDocument=item)

    def change(self, text: str) -> None:
        self.version += 1
        document = {"uri": URI, "version": self.version}
        self.tell("textDocument/didChange", textDocument=document, contentChanges=[{"text": text}])

    def at(self, kind: str, text: str, place: str, skip: int = 0, **more: Any) -> Any:
        """Ask about the place of `place` in `text`, `skip` characters in."""
        return self.ask(f"textDocument/{kind}", **where(text, place, skip), **more)

    def close(self) -> None:
        self.ask("shutdown")
        self.tell("exit")
        assert self.server.wait(10) == 0
        for stream in (self.server.stdin, self.server.stdout):
            assert stream
            stream.close()


def where(text: str, place: str, skip: int = 0) -> dict:
    at = text.index(place) + skip
    line = text.count("\n", 0, at)
    before = text[text.rfind("\n", 0, at) + 1 : at]
    position = {"line": line, "character": len(before.encode("utf-16-le")) // 2}
    return {"textDocument": {"uri": URI}, "position": position}


def applied(text: str, edits: list[dict]) -> str:
    """Return the text after edits, the last of them first."""
    lines = text.splitlines(keepends=True)

    def offset(position: dict) -> int:
        before = "".join(lines[: position["line"]])
        line = lines[position["line"]] if position["line"] < len(lines) else ""
        units = line.encode("utf-16-le")[: 2 * position["character"]]
        return len(before) + len(units.decode("utf-16-le"))

    spans = [(offset(e["range"]["start"]), offset(e["range"]["end"]), e["newText"]) for e in edits]
    for start, end, new in sorted(spans, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def lines_of(locations: list[dict]) -> list[int]:
    return [location["range"]["start"]["line"] + 1 for location in locations]


@pytest.fixture(scope="module")
def server() -> Iterator[Editor]:
    editor = Editor()
    yield editor
    editor.close()


@pytest.fixture
def editor(server: Editor) -> Iterator[Editor]:
    server.open(TEXT)
    assert server.diagnostics() == []
    yield server
    server.tell("textDocument/didClose", textDocument={"uri": URI})


# ---- one thing at a time


def test_a_mistake_is_reported_at_its_place_until_it_is_put_right(editor: Editor):
    editor.change(TEXT.replace("Conv(%x, %w)", "Conv(%x, %v)"))
    (found,) = editor.diagnostics()
    assert found["message"] == (
        "%v is used before it is defined; definitions come first, and a value that nothing defines is written %?v"
    )
    assert found["range"] == {"start": {"line": 5, "character": 20}, "end": {"line": 5, "character": 22}}
    editor.change(TEXT)
    assert editor.diagnostics() == []


def test_a_text_that_is_none_is_reported_as_the_parser_does(editor: Editor):
    editor.change(TEXT.replace("= Conv", "= = Conv"))
    (found,) = editor.diagnostics()
    assert found["message"].startswith("unexpected '='; expected ")
    assert found["range"]["start"] == {"line": 5, "character": 11}


def test_hover_tells_the_type_of_a_value(editor: Editor):
    told = editor.at("hover", TEXT, "%hidden)")["contents"]["value"]
    assert told == "`%hidden: f32[1,4,8,8]`\n\n```onnxt\n%hidden = Conv(%x, %w) {pads=[0,0,0,0]}\n```"


def test_hover_tells_what_an_operator_and_an_attribute_are(editor: Editor):
    told = editor.at("hover", TEXT, "Conv(", 2)["contents"]["value"]
    assert told.startswith("**Conv**: operator of ONNX since version 11\n\n`(X: T, W: T, B: T) -> (Y: T)`\n\n")
    told = editor.at("hover", TEXT, "pads=", 1)["contents"]["value"]
    assert told.startswith("**pads**: ints, attribute of Conv\n\nPadding for the beginning and ending")


def test_hover_has_nothing_to_say_of_a_comment_or_a_number(editor: Editor):
    text = TEXT.replace("[0,0,0,0]}", "[0,0,0,0]} // Relu")
    editor.change(text)
    assert editor.at("hover", text, "// Relu", 4) is None
    assert editor.at("hover", text, "10,11") is None


def test_definition_and_references_follow_a_value(editor: Editor):
    assert editor.at("definition", TEXT, "%w)")["range"]["start"] == {"line": 4, "character": 1}
    found = editor.at("references", TEXT, "%w: f32", context={"includeDeclaration": True})
    assert lines_of(found) == [5, 6]
    found = editor.at("references", TEXT, "%w: f32", context={"includeDeclaration": False})
    assert lines_of(found) == [6]


def test_a_function_has_values_of_its_own(editor: Editor):
    found = editor.at("references", TEXT, "%x) -> (%z", context={"includeDeclaration": True})
    assert lines_of(found) == [9, 11]
    assert editor.at("definition", TEXT, "@f(")["range"]["start"] == {"line": 8, "character": 4}


def test_rename_changes_every_place_and_keeps_the_model_but_for_the_name(editor: Editor):
    edits = editor.at("rename", TEXT, "%hidden)", newName="h 1")["changes"][URI]
    assert applied(TEXT, edits) == TEXT.replace("%hidden", '%"h 1"')
    edits = editor.at("rename", TEXT, "@f(", newName="@act")["changes"][URI]
    assert applied(TEXT, edits) == TEXT.replace("@f", "@act")


def test_rename_refuses_a_name_that_is_taken_and_none_at_all(editor: Editor):
    for new, message in (("w", "%w is there already"), ("%", "a name has at least one character")):
        answer = editor.answer("textDocument/rename", **where(TEXT, "%hidden)"), newName=new)
        assert answer["error"]["message"] == message
    assert editor.at("rename", TEXT, "%z = ", newName="hidden") is not None  # of a function: nobody sees both


def test_formatting_lays_the_text_out(editor: Editor):
    options = {"tabSize": 1, "insertSpaces": True}
    ask = {"textDocument": {"uri": URI}, "options": options}
    assert editor.ask("textDocument/formatting", **ask) == []
    untidy = TEXT.replace(" = Conv(%x, %w)", "=Conv( %x,%w )")
    editor.change(untidy)
    assert applied(untidy, editor.ask("textDocument/formatting", **ask)) == TEXT
    editor.change(TEXT.replace("= Conv", "= = Conv"))
    assert editor.ask("textDocument/formatting", **ask) == []


def test_symbols_are_the_graph_and_the_functions(editor: Editor):
    found = editor.ask("textDocument/documentSymbol", textDocument={"uri": URI})
    assert [(s["name"], s["detail"], s["range"]["start"]["line"]) for s in found] == [
        ("@g", "4 values", 2),
        ("@f", "2 values", 8),
    ]


@pytest.mark.parametrize(
    ("written", "offered"),
    [
        (" %y = Re", {"Relu", "Reshape", "ReduceMean"}),
        (" %y = Conv(%hidden, %w) {", {"pads", "group", "strides"}),
        (" %y = Conv(%hidden, %w) {pads=[1,1,1,1], st", {"strides"}),
        (" %y = Relu(%h", {"%hidden"}),
        (" %y = @", {"@f"}),
        (' %y = Relu(%x) {.doc_string="Re', set()),
    ],
)
def test_completion_offers_what_fits(editor: Editor, written: str, offered: set[str]):
    text = TEXT.replace(" %y = @f(%hidden)", written)
    editor.change(text)
    found = editor.at("completion", text, written, len(written))
    labels = {item["label"] for item in found["items"]}
    assert offered <= labels and (offered or not labels)
    assert not found["isIncomplete"]
    if offered:
        word = written[max(written.rfind(c) for c in " {(") + 1 :]
        assert all(label.startswith(word) for label in labels)
        edit = next(item["textEdit"] for item in found["items"] if item["label"] in offered)
        assert applied(text, [edit]) == text.replace(written, written[: len(written) - len(word)] + edit["newText"])


def test_what_is_asked_while_a_text_is_read_is_answered_and_only_the_last_state_is_reported(editor: Editor):
    long = TEXT.replace(" %hidden =", "".join(f" %a{k} = Relu(%x)\n" for k in range(3_000)) + " %hidden =")
    editor.change(long.replace("= Conv", "= = Conv"))
    assert editor.at("definition", TEXT, "%w)") is None  # another line now
    editor.change(TEXT)
    assert editor.at("hover", TEXT, "Conv(", 2) is not None
    assert editor.diagnostics() == []
    assert editor.told == []


def test_columns_are_counted_as_the_protocol_does(editor: Editor):
    text = TEXT.replace("%hidden", '%"🌍 a"')
    editor.change(text)
    assert editor.diagnostics() == []
    edits = editor.at("rename", text, '%"🌍 a")', newName="hidden")["changes"][URI]
    assert applied(text, edits) == TEXT


def test_an_editor_session(server: Editor):
    """Open, make a mistake, put it right, look, rename, lay out: what is left is the model with another name in it."""
    server.open(TEXT)
    assert server.diagnostics() == []
    server.change(TEXT.replace("@f(%hidden)", "@f(%hiden)"))
    (found,) = server.diagnostics()
    assert "(did you mean %hidden?)" in found["message"]
    text = TEXT.replace("@f(%hidden)", "@f( %hidden )")
    server.change(text)
    assert server.diagnostics() == []
    assert "f32[1,4,8,8]" in server.at("hover", text, "%hidden )")["contents"]["value"]
    text = applied(text, server.at("rename", text, "%hidden )", newName="middle")["changes"][URI])
    server.change(text)
    options = {"tabSize": 1, "insertSpaces": True}
    text = applied(text, server.ask("textDocument/formatting", textDocument={"uri": URI}, options=options))
    assert text == TEXT.replace("%hidden", "%middle")
    server.tell("textDocument/didClose", textDocument={"uri": URI})


# ---- names, without a server


def test_names_in_strings_and_comments_are_none():
    found = find_symbols('graph (%x) -> () { "%x"(%x) {a="%x @f"} // %x\n}')
    assert [(s.text, len(s.places)) for s in found.symbols] == [("%x", 2)]


def test_a_graph_within_sees_the_values_around_it_and_has_its_own():
    text = """graph (%c, %x) -> (%y) {
 %y = If(%c) {then_branch=graph () -> (%a) { %a = Relu(%x) },
  else_branch=graph () -> (%a) { %x = Neg(%c) %a = Neg(%x) }}
 info %x: f32[1] {graph=1}
}"""
    found = find_symbols(text)
    assert [(s.text, len(s.places)) for s in found.symbols] == [
        ("%c", 3),
        ("%x", 3),
        ("%y", 2),
        ("%a", 2),
        ("%a", 2),
        ("%x", 2),
    ]
    assert [scope.outer is not None for scope in found.scopes] == [False, True, True]
