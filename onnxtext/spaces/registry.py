"""Which spaces there are: ours, by name, and those of other packages, by the entry-point group `onnxtext.spaces`.

>>> find_space("nasbench201{cells=1}")
NasBench201(weights='types', seed=0, cells=1, channels=16, classes=10, image=32, none='zeros')
>>> find_space("nasbench-201")
Traceback (most recent call last):
onnxtext.core.errors.UsageError: no space is named nasbench-201 (did you mean nasbench201?)
"""

from __future__ import annotations

import re

import onnx

from onnxtext.core.errors import UsageError
from onnxtext.core.plugins import Kind
from onnxtext.spaces.base import Space, make

# Name on the command line -> module:class.
_OURS = {
    "darts": "onnxtext.spaces.darts:Darts",
    "nasbench-macro": "onnxtext.spaces.nasbench_macro:NasBenchMacro",
    "nasbench101": "onnxtext.spaces.nasbench101:NasBench101",
    "nasbench201": "onnxtext.spaces.nasbench201:NasBench201",
    "nasnet": "onnxtext.spaces.darts:NasNet",
    "nats-size": "onnxtext.spaces.nats_size:NatsSize",
    "synthetic": "onnxtext.spaces.synthetic:Synthetic",
    "transnas-macro": "onnxtext.spaces.transnas:TransNasMacro",
    "transnas-micro": "onnxtext.spaces.transnas:TransNasMicro",
}
_SPACES = Kind("space", "onnxtext.spaces", _OURS)

_SPACE = re.compile(r"([^{}:]+)(?:\{([^{}]*)\})?").fullmatch
_NETWORK = re.compile(r"([A-Za-z0-9._-]+)(\{[^{}:]*\})?:(.*)", re.DOTALL).fullmatch


def space_names() -> list[str]:
    """Return the names of all spaces, in order."""
    return _SPACES.names()


def space_type(name: str) -> type[Space]:
    """Return the class of a space.  Raises UsageError for an unknown name, or one that two packages claim."""
    found = _SPACES.find(name)
    if not (isinstance(found, type) and issubclass(found, Space)):
        raise UsageError(f"the space {name} is no subclass of onnxtext.spaces.base.Space")
    return found


def find_space(text: str) -> Space:
    """Return the space that `text` names, with its options: `nasbench201`, `nasbench201{cells=1}`.

    Raises UsageError, with the nearest name, where there is no such space or option.
    """
    match = _SPACE(text.strip())
    if match is None:
        raise UsageError(f"{text}: a space is written NAME or NAME{{OPTION=VALUE,…}}")
    kind = space_type(match[1])
    given: dict[str, str | None] = {}
    for option in filter(None, (match[2] or "").split(",")):
        key, equals, value = option.partition("=")
        if key.strip() in given:
            raise UsageError(f"the option {key.strip()} of {kind.name} is given twice")
        given[key.strip()] = value.strip() if equals else None
    return make(kind, given)


def find_network(text: str) -> onnx.ModelProto | None:
    """Return the network that `SPACE:SPECIFICATION` stands for; None where no space has the name before the colon.

    Raises UsageError for a specification that is none.
    """
    match = _NETWORK(text)
    if match is None or match[1] not in space_names():
        return None
    return find_space(match[1] + (match[2] or "")).model(match[3])
