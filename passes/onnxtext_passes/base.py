"""What a pass is: a frozen dataclass whose fields are its options.

A pass says what it keeps (law 4) and is held to it by the manager:

- `exact`: undone to the byte with the record of `encode --restorable`, without it up to names of hidden values and
  order.
- `equivalent`: the same outputs for every input.
- `lossy`: information is dropped; name and help say which.

Source: the shape of a pass follows xDSL's ModulePass (a dataclass whose options print and parse).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar, Literal

import onnx

from onnxtext.core import typed_options
from onnxtext.core.blobs import Blobs
from onnxtext.core.errors import OnnxTextError, UsageError

Keeps = Literal["exact", "equivalent", "lossy"]


class PassError(OnnxTextError):
    """A pass that failed, or did not keep what it promised: `remaining`, a pipeline, fails on `model` the same way."""

    model: onnx.ModelProto | None = None
    remaining: str = ""


@dataclass(slots=True)
class Context:
    """What passes share in one run of a pipeline: the large data behind placeholders in the model, and notes."""

    blobs: Blobs = field(default_factory=Blobs)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Pass:
    """A rewrite of a model.  Subclasses set `name` and `keeps`, add options as fields, and implement `run`."""

    name: ClassVar[str]
    keeps: ClassVar[Keeps]
    rtol: ClassVar[float] = 0.0  # by how much outputs may differ, as a part of the largest; say why where it is not 0

    def run(self, model: onnx.ModelProto, context: Context) -> int:
        """Rewrite `model` in place and return how many rewrites were made; 0 means that nothing changed.

        Large raw data stands in the model as placeholders; `context.blobs.find` gives the data.  The model need not
        check while a pass is running.
        """
        raise NotImplementedError

    def __str__(self) -> str:
        """Return the pass as it is written in a pipeline; options at their defaults are left out."""
        return self.name + typed_options.show(self, options(type(self)))


@dataclass(frozen=True)
class Composite(Pass):
    """A pass made of passes: `name{options}(a,b)`."""

    body: tuple[Pass, ...] = field(default=(), metadata={"option": False})

    def __str__(self) -> str:
        return f"{super().__str__()}({','.join(map(str, self.body))})"


def options(kind: type[Pass]) -> list[Field[Any]]:
    """Return the fields of a pass that are options."""
    return [f for f in fields(kind) if f.metadata.get("option", True)]


def make(kind: type[Pass], given: dict[str, str | None], body: Sequence[Pass] | None) -> Pass:
    """Return a pass with its options as a pipeline gives them; None for an option without a value.

    Raises UsageError for an unknown option (with the nearest name) or a value that is none.
    """
    values = typed_options.read("pass", kind.name, kind, options(kind), given)
    if body is not None:
        if not issubclass(kind, Composite):
            raise UsageError(f"the pass {kind.name} takes no passes in parentheses")
        values["body"] = tuple(body)
    elif issubclass(kind, Composite):
        raise UsageError(f"the pass {kind.name} needs passes in parentheses, as in {kind.name}(prune)")
    return kind(**values)
