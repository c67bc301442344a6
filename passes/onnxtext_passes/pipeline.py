"""A pipeline in one string: `prune,fixpoint{max=8}(fold,fuse),dedup{min-nodes=3}`.

>>> str(parse_pipeline("merge , prune{}"))
'merge,prune'
>>> parse_pipeline("prone")
Traceback (most recent call last):
onnxtext.core.errors.UsageError: no pass is named prone (did you mean prune?)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import onnx

from onnxtext.core.errors import UsageError
from onnxtext_passes.base import Composite, Context, Keeps, Pass, make
from onnxtext_passes.registry import find_pass

_TOKEN = re.compile(r"\s*(?:([A-Za-z0-9_.:/+-]+)|([{}(),=]))")
_ORDER: tuple[Keeps, ...] = ("exact", "equivalent", "lossy")
_MAX_DEPTH = 50


@dataclass(frozen=True)
class Pipeline(Composite):
    """Passes one behind the other."""

    name = "pipeline"
    keeps = "exact"

    def run(self, model: onnx.ModelProto, context: Context) -> int:
        return sum([p.run(model, context) for p in self.body])

    def __str__(self) -> str:
        return ",".join(map(str, self.body))


def kept_by(p: Pass) -> Keeps:
    """Return what a pass keeps: a composite, no more than the least of its passes."""
    inner = [kept_by(part) for part in p.body] if isinstance(p, Composite) else []
    return max([p.keeps, *inner], key=_ORDER.index)


def tolerance_of(p: Pass) -> float:
    """Return by how much the outputs of a model may differ after a pass: a composite adds up its passes."""
    return p.rtol + (sum(map(tolerance_of, p.body)) if isinstance(p, Composite) else 0.0)


def parse_pipeline(text: str) -> Pipeline:
    """Return the passes that `text` names.  Raises UsageError with the place, or with the nearest name."""
    tokens = _tokens(text)
    at = 0

    def fail(expected: str) -> UsageError:
        found, place = tokens[at]
        return UsageError(f"in the pipeline, at character {place + 1}: expected {expected}, not {found or 'the end'}")

    def take(token: str) -> bool:
        nonlocal at
        if tokens[at][0] != token:
            return False
        at += 1
        return True

    def word(what: str) -> str:
        nonlocal at
        if not tokens[at][0] or tokens[at][0] in "{}(),=":
            raise fail(what)
        at += 1
        return tokens[at - 1][0]

    def sequence(closing: str, depth: int) -> list[Pass]:
        if depth > _MAX_DEPTH:
            raise UsageError(f"the pipeline is nested deeper than {_MAX_DEPTH}")
        passes = []
        while True:
            passes.append(one(depth))
            if take(closing):
                return passes
            if not take(","):
                raise fail(f'"," or {closing or "the end"}')

    def one(depth: int) -> Pass:
        kind = find_pass(word("the name of a pass"))
        given: dict[str, str | None] = {}
        if take("{") and not take("}"):
            while True:
                key = word("an option")
                if key in given:
                    raise UsageError(f"the option {key} of {kind.name} is given twice")
                given[key] = word("a value") if take("=") else None
                if take("}"):
                    break
                if not take(","):
                    raise fail('"," or "}"')
        return make(kind, given, sequence(")", depth + 1) if take("(") else None)

    if not tokens[0][0]:
        return Pipeline()
    return Pipeline(body=tuple(sequence("", 0)))


def _tokens(text: str) -> Sequence[tuple[str, int]]:
    """Return the tokens with their places, an empty one at the end."""
    tokens, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            place = at + len(text[at:]) - len(text[at:].lstrip())
            raise UsageError(f"in the pipeline, at character {place + 1}: {text[place]!r} has no meaning here")
        tokens.append((match[1] or match[2], match.start(match.lastindex or 0)))
        at = match.end()
    return [*tokens, ("", len(text))]
