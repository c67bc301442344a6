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
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, ClassVar, Literal, get_args, get_origin, get_type_hints

import onnx

from onnxtext.core.blobs import Blobs
from onnxtext.core.errors import OnnxTextError, UsageError, nearest

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
        given = [
            f"{_dashed(f.name)}={_print(getattr(self, f.name))}"
            for f in options(type(self))
            if not _is_default(self, f)
        ]
        return self.name + (f"{{{','.join(given)}}}" if given else "")


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
    known = {_dashed(f.name): f for f in options(kind)}
    types = get_type_hints(kind)
    values: dict[str, Any] = {}
    for key, text in given.items():
        if key not in known:
            shown = f"it has {', '.join(known)}" if known else "it has none"
            raise UsageError(f"the pass {kind.name} has no option {key}{nearest(key, known)}; {shown}")
        name = known[key].name
        values[name] = _parse(kind.name, key, text, types[name])
    if body is not None:
        if not issubclass(kind, Composite):
            raise UsageError(f"the pass {kind.name} takes no passes in parentheses")
        values["body"] = tuple(body)
    elif issubclass(kind, Composite):
        raise UsageError(f"the pass {kind.name} needs passes in parentheses, as in {kind.name}(prune)")
    return kind(**values)


def _parse(owner: str, key: str, text: str | None, kind: Any) -> Any:
    """Return an option's value.  Raises UsageError."""
    if kind is bool:
        if text in (None, "true", "false"):
            return text != "false"
        raise UsageError(f"the option {key} of {owner} is true or false, not {text}")
    if text is None:
        raise UsageError(f"the option {key} of {owner} needs a value, as in {owner}{{{key}=…}}")
    if get_origin(kind) is Literal:
        if text in get_args(kind):
            return text
        raise UsageError(
            f"the option {key} of {owner} is one of {', '.join(get_args(kind))}{nearest(text, get_args(kind))}"
        )
    try:
        return kind(text)
    except ValueError:
        what = {int: "a whole number", float: "a number"}.get(kind, kind.__name__)
        raise UsageError(f"the option {key} of {owner} is {what}, not {text}") from None


def _print(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _is_default(owner: Pass, f: Field[Any]) -> bool:
    default = (
        f.default if f.default is not MISSING else f.default_factory() if f.default_factory is not MISSING else MISSING
    )
    return getattr(owner, f.name) == default
