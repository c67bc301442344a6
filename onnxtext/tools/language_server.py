"""The language server: what `documents` knows of a text, over the Language Server Protocol.

It reads whole texts and answers from what it has found.  A text is read again a moment after it was last changed, so
that nobody waits for that while writing; until then the types are those of the text before.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from itertools import accumulate
from typing import Protocol

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer

from onnxtext import __version__
from onnxtext.core.errors import OnnxTextError
from onnxtext.tools.documents import Document
from onnxtext.tools.symbols import Scope, Symbol, bare

_PAUSE_S = 0.15  # between the last change of a text and reading it
_KINDS = {
    "operator": lsp.CompletionItemKind.Operator,
    "attribute": lsp.CompletionItemKind.Property,
    "value": lsp.CompletionItemKind.Variable,
    "function": lsp.CompletionItemKind.Function,
}


class _Open:
    """A text that is open in the editor, in one of its states: offsets and the protocol's positions (UTF-16)."""

    def __init__(self, text: str, uri: str, before: _Open | None) -> None:
        self.uri, self.text = uri, text
        self.document = Document(text, uri.rpartition("/")[2], before.document.types if before else None)
        self.lines = text.split("\n")
        self.starts = [0, *accumulate(len(line) + 1 for line in self.lines)]

    def offset(self, position: lsp.Position) -> int:
        line = min(position.line, len(self.lines) - 1)
        text = self.lines[line]
        if text.isascii():
            return self.starts[line] + min(position.character, len(text))
        before = text.encode("utf-16-le")[: 2 * position.character].decode("utf-16-le", errors="ignore")
        return self.starts[line] + len(before)

    def position(self, offset: int) -> lsp.Position:
        line = min(bisect_right(self.starts, offset) - 1, len(self.lines) - 1)
        before = self.lines[line][: offset - self.starts[line]]
        return lsp.Position(line, len(before) if before.isascii() else len(before.encode("utf-16-le")) // 2)

    def range(self, start: int, end: int) -> lsp.Range:
        return lsp.Range(self.position(start), self.position(end))

    def location(self, start: int, length: int) -> lsp.Location:
        return lsp.Location(self.uri, self.range(start, start + length))


class _Place(Protocol):
    """What the parameters of all requests about a place have."""

    @property
    def text_document(self) -> lsp.TextDocumentIdentifier: ...
    @property
    def position(self) -> lsp.Position: ...


class _Server(LanguageServer):
    def __init__(self) -> None:
        super().__init__("onnxtext", __version__)
        self.open: dict[str, _Open] = {}
        self.waiting: dict[str, asyncio.TimerHandle] = {}
        self.turn = asyncio.Lock()  # of who reads a text: two at once would slow the answers down
        self.reading: set[asyncio.Future[None]] = set()  # kept here, since the loop keeps no tasks alive

    def of(self, params: _Place | lsp.DocumentSymbolParams) -> _Open:
        return self.open[params.text_document.uri]

    def update(self, uri: str) -> None:
        """Take over the state of a text, and read it in a moment."""
        self.open[uri] = _Open(self.workspace.get_text_document(uri).source, uri, self.open.get(uri))
        if uri in self.waiting:
            self.waiting[uri].cancel()
        self.waiting[uri] = asyncio.get_running_loop().call_later(_PAUSE_S, self.start, uri)

    def start(self, uri: str) -> None:
        task = asyncio.ensure_future(self.report(uri))
        self.reading.add(task)
        task.add_done_callback(self.reading.discard)

    async def report(self, uri: str) -> None:
        """Read a text and tell the editor what is wrong with it, unless it has been changed meanwhile.

        It is read in a thread: where a long text is wrong, that takes longer than an answer may.
        """
        one = self.open[uri]
        one.document.find_names()  # first, so that nobody who asks for them has to share the processor
        async with self.turn:
            if self.open.get(uri) is one:
                await asyncio.to_thread(one.document.find_types)
        if self.open.get(uri) is not one:
            return
        found = [
            lsp.Diagnostic(
                one.range(f.start, f.end), f.message, severity=lsp.DiagnosticSeverity.Error, source="onnxtext"
            )
            for f in one.document.findings()
        ]
        version = self.workspace.get_text_document(uri).version
        self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, found, version))

    def symbol(self, params: _Place) -> tuple[_Open, Symbol | None]:
        one = self.of(params)
        found = one.document.symbols.at(one.offset(params.position))
        return one, found[2] if found else None


def make_server() -> LanguageServer:
    """Return the server; `start_io` runs it."""
    server = _Server()

    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: lsp.DidOpenTextDocumentParams) -> None:
        server.update(params.text_document.uri)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: lsp.DidChangeTextDocumentParams) -> None:
        server.update(params.text_document.uri)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: lsp.DidCloseTextDocumentParams) -> None:
        uri = params.text_document.uri
        server.waiting.pop(uri).cancel()
        del server.open[uri]
        server.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, []))

    @server.feature(lsp.TEXT_DOCUMENT_HOVER)
    def hover(params: lsp.HoverParams) -> lsp.Hover | None:
        one = server.of(params)
        found = one.document.hover(one.offset(params.position))
        if found is None:
            return None
        start, end, told = found
        return lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, told), one.range(start, end))

    @server.feature(lsp.TEXT_DOCUMENT_DEFINITION)
    def definition(params: lsp.DefinitionParams) -> lsp.Location | None:
        one, symbol = server.symbol(params)
        if symbol is None or symbol.definition < 0:
            return None
        return one.location(symbol.definition, len(symbol.text))

    @server.feature(lsp.TEXT_DOCUMENT_REFERENCES)
    def references(params: lsp.ReferenceParams) -> list[lsp.Location]:
        one, symbol = server.symbol(params)
        places = _places(one, symbol)
        if symbol is not None and not params.context.include_declaration:
            places = [(start, end) for start, end in places if start != symbol.definition]
        return [one.location(start, end - start) for start, end in places]

    @server.feature(lsp.TEXT_DOCUMENT_RENAME)
    def rename(params: lsp.RenameParams) -> lsp.WorkspaceEdit | None:
        one, symbol = server.symbol(params)
        if symbol is None:
            return None
        name = _new_name(one, symbol, params.new_name)
        edits = [
            lsp.TextEdit(one.range(start, end), f"%?{name[1:]}" if one.text[start : start + 2] == "%?" else name)
            for start, end in _places(one, symbol)
        ]
        return lsp.WorkspaceEdit(changes={one.uri: edits})

    @server.feature(lsp.TEXT_DOCUMENT_FORMATTING)
    def formatting(params: lsp.DocumentFormattingParams) -> list[lsp.TextEdit]:
        from onnxtext_grammar.formatter import format_text

        one = server.open[params.text_document.uri]
        try:
            new = format_text(one.text)
        except OnnxTextError:  # the editor has been told what is wrong
            return []
        return [] if new == one.text else [lsp.TextEdit(one.range(0, len(one.text)), new)]

    @server.feature(lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def symbols(params: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol]:
        one = server.of(params)
        scopes = one.document.symbols.scopes
        return [_outlined(one, scope, scopes) for scope in scopes if scope.outer is None]

    @server.feature(lsp.TEXT_DOCUMENT_COMPLETION, lsp.CompletionOptions(trigger_characters=["%", "@", "{"]))
    def completion(params: lsp.CompletionParams) -> lsp.CompletionList:
        one = server.of(params)
        at = one.offset(params.position)
        offers, is_all = one.document.offers(at)
        start = at
        while start and (one.text[start - 1].isalnum() or one.text[start - 1] in "%@?_./"):
            start -= 1
        where = one.range(start, at)
        items = [
            lsp.CompletionItem(
                o.text, kind=_KINDS[o.what], detail=o.detail or None, text_edit=lsp.TextEdit(where, o.text)
            )
            for o in offers
        ]
        return lsp.CompletionList(is_incomplete=not is_all, items=items)

    return server


def _places(one: _Open, symbol: Symbol | None) -> list[tuple[int, int]]:
    return [(start, end) for start, end, found in one.document.symbols.found if found is symbol]


def _new_name(one: _Open, symbol: Symbol, name: str) -> str:
    """Return the new name of a symbol as it is written.  Refuses one that is taken where the symbol can be seen."""
    from onnxtext_grammar.literals import print_function, print_value

    sigil = symbol.text[0]
    plain = name.removeprefix(sigil)
    if not plain:
        raise JsonRpcInvalidParams("a name has at least one character")
    for other in one.document.symbols.symbols:
        if other is not symbol and bare(other.text) == sigil + plain and (sigil == "@" or _meet(symbol, other)):
            raise JsonRpcInvalidParams(f"{other.text} is there already")
    return print_value(plain.encode()) if sigil == "%" else print_function(plain.encode())


def _meet(one: Symbol, other: Symbol) -> bool:
    """Tell whether there is a place from which both values can be seen."""
    return _is_within(one.scope, other.scope) or _is_within(other.scope, one.scope)


def _is_within(scope: Scope | None, outer: Scope | None) -> bool:
    while scope is not None and scope is not outer:
        scope = scope.outer
    return scope is outer


def _outlined(one: _Open, scope: Scope, scopes: list[Scope]) -> lsp.DocumentSymbol:
    end = len(one.text) if scope.end < 0 else scope.end + 1
    word = 3 if scope.is_function else 5  # def, graph
    return lsp.DocumentSymbol(
        scope.name or "graph",
        lsp.SymbolKind.Function if scope.is_function else lsp.SymbolKind.Module,
        one.range(scope.start, end),
        one.range(scope.start, scope.start + word),
        detail=f"{len(scope.values)} values",
        children=[_outlined(one, inner, scopes) for inner in scopes if inner.outer is scope],
    )
