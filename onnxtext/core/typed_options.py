"""Options in braces, `dedup{min-nodes=3}`: the fields of a frozen dataclass, read, printed and described.

>>> from dataclasses import dataclass, fields
>>> @dataclass(frozen=True)
... class Cut:
...     max_depth: int = 3
...     loud: bool = False
>>> read("pass", "cut", Cut, fields(Cut), {"max-depth": "5", "loud": None})
{'max_depth': 5, 'loud': True}
>>> show(Cut(5, True), fields(Cut))
'{max-depth=5,loud=true}'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field
from typing import Any, Literal, get_args, get_origin, get_type_hints

from onnxtext.core.errors import UsageError, nearest

Fields = Sequence[Field[Any]]


def read(what: str, name: str, kind: type, options: Fields, given: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the values of options as they are written for the `what` called `name`; None for one without a value.

    Raises UsageError for an unknown option (with the nearest name) or a value that is none.
    """
    known = {_dashed(f.name): f.name for f in options}
    types = get_type_hints(kind)
    values: dict[str, Any] = {}
    for key, text in given.items():
        if key not in known:
            shown = f"it has {', '.join(known)}" if known else "it has none"
            raise UsageError(f"the {what} {name} has no option {key}{nearest(key, known)}; {shown}")
        values[known[key]] = _parse(name, key, text, types[known[key]])
    return values


def show(owner: object, options: Fields) -> str:
    """Return the options of `owner` as they are written; those at their defaults are left out."""
    given = [(f, getattr(owner, f.name)) for f in options]
    shown = [f"{_dashed(f.name)}={_print(value)}" for f, value in given if value != _default(f)]
    return f"{{{','.join(shown)}}}" if shown else ""


def describe(kind: type, options: Fields) -> list[dict[str, str]]:
    """Return name, type and default of options as plain data."""
    types = get_type_hints(kind)
    return [
        {
            "name": _dashed(f.name),
            "type": "|".join(get_args(types[f.name])) or types[f.name].__name__,
            "default": _print(_default(f)),
        }
        for f in options
    ]


def _parse(owner: str, key: str, text: str | None, kind: Any) -> Any:
    if kind is bool:
        if text in (None, "true", "false"):
            return text != "false"
        raise UsageError(f"the option {key} of {owner} is true or false, not {text}")
    if text is None:
        raise UsageError(f"the option {key} of {owner} needs a value, as in {owner}{{{key}=…}}")
    if get_origin(kind) is Literal:
        known = get_args(kind)
        if text in known:
            return text
        raise UsageError(f"the option {key} of {owner} is one of {', '.join(known)}{nearest(text, known)}")
    try:
        return kind(text)
    except ValueError:
        expected = {int: "a whole number", float: "a number"}.get(kind, kind.__name__)
        raise UsageError(f"the option {key} of {owner} is {expected}, not {text}") from None


def _print(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _default(f: Field[Any]) -> Any:
    return f.default_factory() if f.default_factory is not MISSING else f.default


def _dashed(name: str) -> str:
    return name.replace("_", "-")
