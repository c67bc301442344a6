"""What an editor asks of a text: what is wrong with it, what a name is, what could stand at a place.

Offsets count characters; lines, and the units of the protocol, are for the language server.

>>> document = Document("onnxt 1\\ngraph (%x: f32[4]) -> (%y) { %y = Relu(%x) }\\n")
>>> document.hover(42)[2].splitlines()[0]
'**Relu**: operator of ONNX since version 14'
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import onnx
from onnx import defs

from onnxtext.core.errors import OnnxTextError, TextError
from onnxtext.tools.symbols import Symbols, bare, find_symbols

if TYPE_CHECKING:
    from onnxtext_grammar.assembler import Assembled

_OPERATOR = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*")
_OPSET = re.compile(r'opset_import\s*=\s*\[\s*"(?:ai\.onnx)?"\s*:\s*([0-9]{1,4})')
_CALL = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*)\s*(?:\([^(){}]*\))?\s*\Z")  # what stands in front of the attributes
_PREFIX = re.compile(r"[%@]?\??[A-Za-z0-9_./]*\Z")
_MOST_OFFERED = 200
_STRING = re.compile(r'"(?:[^"\\\n]++|\\[^\n])*+"')


@dataclass(frozen=True)
class Finding:
    """Something wrong: from where to where, and what."""

    start: int
    end: int
    message: str


@dataclass(frozen=True)
class Offer:
    """What could be written: the text, what it is (operator, attribute, value or function), and a word on it."""

    text: str
    what: str
    detail: str = ""


class Document:
    """One state of a text.  What is asked for twice is found once.

    `types`: the types of the values of the graph, those of an earlier state until `find_types` has been called.
    """

    def __init__(self, text: str, source: str = "<text>", types: dict[str, str] | None = None) -> None:
        self.text, self.source = text, source
        self.types = types or {}

    @cached_property
    def symbols(self) -> Symbols:
        return find_symbols(self.text)

    def find_names(self) -> None:
        """Find the symbols, so that they are at hand."""
        _ = self.symbols

    @cached_property
    def _read(self) -> tuple[Assembled | None, tuple[Finding, ...]]:
        from onnxtext.core.weights import filler
        from onnxtext_grammar.codec import parse

        try:
            return parse(self.text, self.source, filler=filler("zeros")), ()
        except TextError as error:
            end = re.compile(r"\S[A-Za-z0-9_./]*|\Z").match(self.text, error.at)
            return None, (Finding(error.at, end.end() if end else error.at + 1, error.message),)
        except OnnxTextError as error:
            return None, (Finding(0, 0, str(error)),)

    def findings(self) -> tuple[Finding, ...]:
        """Return what is wrong with the text, with its place."""
        return self._read[1]

    def find_types(self) -> None:
        """Find the types that onnx infers in a text that is a model; where it is none, the earlier ones stay."""
        from onnxtext.core.wire import canonical
        from onnxtext_grammar.types import print_type

        assembled = self._read[0]
        if assembled is None:
            return
        try:
            graph = onnx.shape_inference.infer_shapes(onnx.ModelProto.FromString(canonical(assembled.wire))).graph
        except Exception:  # of many kinds; where onnx cannot infer types, none are shown
            return
        infos = (*graph.input, *graph.value_info, *graph.output)
        shown = ((info.name, print_type(info.type.SerializeToString())) for info in infos if info.HasField("type"))
        self.types = {name: kind for name, kind in shown if kind}

    @cached_property
    def opset(self) -> int:
        """The version of ONNX's operators that the text imports, the newest where it does not say."""
        found = _OPSET.search(self.text)
        newest = defs.onnx_opset_version()
        return min(int(found[1]), newest) if found else newest

    def schema(self, operator: str) -> defs.OpSchema | None:
        """Return what onnx knows of an operator, written as in a text: with its domain in front or without."""
        domain, _, name = operator.rpartition(".")
        try:
            return defs.get_schema(name, self.opset, "" if domain == "ai.onnx" else domain)
        except defs.SchemaError:
            return None

    # ---- what stands at a place

    def hover(self, offset: int) -> tuple[int, int, str] | None:
        """Return where the name at an offset begins and ends, and what there is to know of it, in Markdown."""
        if found := self.symbols.at(offset):
            start, end, symbol = found
            return start, end, self._told(symbol.text, symbol.definition)
        word = next((m for m in _OPERATOR.finditer(self._line(offset)[0]) if self._covers(m, offset)), None)
        if word is None or self._is_quoted(offset):
            return None
        start = self._line(offset)[1] + word.start()
        end = start + len(word[0])
        if owner := self._owner(start):
            schema = self.schema(owner)
            if schema is None or word[0] not in schema.attributes:
                return None
            attribute = schema.attributes[word[0]]
            kind = _kind(attribute)
            return start, end, f"**{word[0]}**: {kind}, attribute of {owner}\n\n{attribute.description.strip()}"
        schema = self.schema(word[0])
        return None if schema is None else (start, end, _described(schema))

    def _told(self, name: str, definition: int) -> str:
        if definition < 0:
            return f"`{name}`: nothing defines it here"
        line = self._line(definition)[0].strip()
        kind = self.types.get(bare(name)[1:]) if name[0] == "%" else None
        scope = self.symbols.scope_at(definition)
        if kind is None or (scope is not None and (scope.is_function or scope.outer is not None)):
            return f"`{name}`\n\n```onnxt\n{line}\n```"
        return f"`{name}: {kind}`\n\n```onnxt\n{line}\n```"

    def _line(self, offset: int) -> tuple[str, int]:
        start = self.text.rfind("\n", 0, offset) + 1
        end = self.text.find("\n", offset)
        return self.text[start : len(self.text) if end < 0 else end], start

    def _covers(self, word: re.Match[str], offset: int) -> bool:
        start = self._line(offset)[1]
        return word.start() <= offset - start <= word.end()

    def _is_quoted(self, offset: int) -> bool:
        line, start = self._line(offset)
        before = _STRING.sub(lambda m: "_" * len(m[0]), line[: offset - start])
        return '"' in before or "//" in before

    def _owner(self, offset: int) -> str | None:
        """Return the operator among whose attributes an offset lies, None outside of any."""
        before = _STRING.sub(lambda m: "_" * len(m[0]), self.text[max(0, offset - 4_000) : offset])
        depth = 0
        for at in range(len(before) - 1, -1, -1):
            depth += (before[at] in "}])") - (before[at] in "{[(")
            if depth < 0:
                if before[at] != "{":
                    return None
                found = _CALL.search(before, 0, at)
                return found[1] if found else None
        return None

    # ---- what could stand at a place

    def offers(self, offset: int) -> tuple[list[Offer], bool]:
        """Return what could be written at an offset, and whether that is all."""
        if self._is_quoted(offset):
            return [], True
        prefix = _PREFIX.search(self.text, max(0, offset - 200), offset)
        word = prefix[0] if prefix else ""
        if word[:1] == "%":
            found = self._values(offset)
        elif word[:1] == "@":
            found = [Offer(s.text, "function") for s in self.symbols.symbols if s.text[0] == "@" and s.definition >= 0]
        elif owner := self._owner(offset):
            schema = self.schema(owner)
            attributes = sorted(schema.attributes.items()) if schema else []
            found = [Offer(name, "attribute", _kind(a)) for name, a in attributes]
        else:
            found = [Offer(name, "operator", detail) for name, detail in self._operators]
        fitting = [offer for offer in found if offer.text.startswith(word)]
        return fitting[:_MOST_OFFERED], len(fitting) <= _MOST_OFFERED

    def _values(self, offset: int) -> list[Offer]:
        scope = self.symbols.scope_at(offset)
        found: dict[str, Offer] = {}
        while scope is not None:
            for name, symbol in reversed(scope.values.items()):  # the last ones are the likeliest
                if 0 <= symbol.definition < offset - len(symbol.text) and name not in found:
                    found[name] = Offer(symbol.text, "value")
            scope = scope.outer
        return list(found.values())

    @cached_property
    def _operators(self) -> list[tuple[str, str]]:
        newest: dict[str, int] = {}
        for schema in defs.get_all_schemas_with_history():
            if schema.domain == "" and schema.since_version <= self.opset:
                newest[schema.name] = max(newest.get(schema.name, 0), schema.since_version)
        live = (self.schema(name) for name in newest)
        return sorted((s.name, f"since version {s.since_version}") for s in live if s is not None and not s.deprecated)


def _kind(attribute: defs.OpSchema.Attribute) -> str:
    return str(attribute.type).rpartition(".")[2].lower()


def _described(schema: defs.OpSchema) -> str:
    domain = schema.domain or "ONNX"
    lines = [f"**{schema.name}**: operator of {domain} since version {schema.since_version}"]
    inputs = ", ".join(f"{p.name}: {p.type_str}" for p in schema.inputs)
    outputs = ", ".join(f"{p.name}: {p.type_str}" for p in schema.outputs)
    lines.append(f"`({inputs}) -> ({outputs})`")
    lines.append((schema.doc or "").strip())
    return "\n\n".join(lines)
