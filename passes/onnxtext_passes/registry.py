"""Which passes there are: ours, by name, and those of other packages, by the entry-point group `onnxtext.passes`.

>>> find_pass("prune").keeps
'equivalent'
"""

from __future__ import annotations

import inspect
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, get_args, get_type_hints

from onnxtext.core.errors import UsageError, nearest
from onnxtext_passes.base import Pass, options

GROUP = "onnxtext.passes"

# Name on the command line -> module:class.  One pass a file, under the name of its pass.
_OURS = {
    "canonicalize": "onnxtext_passes.canonicalize:Canonicalize",
    "dedup": "onnxtext_passes.dedup:Dedup",
    "fill": "onnxtext_passes.fill:Fill",
    "fixpoint": "onnxtext_passes.fixpoint:FixPoint",
    "merge": "onnxtext_passes.merge:Merge",
    "prune": "onnxtext_passes.prune:Prune",
    "strip": "onnxtext_passes.strip:Strip",
}


@cache
def _owners() -> dict[str, list[str]]:
    """Return where each pass lives; more than one place where two packages claim its name."""
    owners = {name: [place] for name, place in _OURS.items()}
    for point in entry_points(group=GROUP):
        owners.setdefault(point.name, []).append(point.value)
    return owners


def pass_names() -> list[str]:
    """Return the names of all passes, in order."""
    return sorted(_owners())


def find_pass(name: str) -> type[Pass]:
    """Return the class of a pass.  Raises UsageError for an unknown name, or one that two packages claim."""
    places = _owners().get(name)
    if places is None:
        raise UsageError(f"no pass is named {name}{nearest(name, _owners())}")
    if len(places) > 1:
        raise UsageError(f"two packages have a pass named {name}: {' and '.join(sorted(places))}; remove one of them")
    module, _, attribute = places[0].partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"the pass {name} cannot be loaded from {places[0]}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Pass)):
        raise UsageError(f"{places[0]} is no pass: it is not a subclass of onnxtext_passes.base.Pass")
    return found


def describe(kind: type[Pass]) -> dict[str, Any]:
    """Return what there is to know about a pass as plain data: name, what it keeps, help, options."""
    types = get_type_hints(kind)
    listed = []
    for option in options(kind):
        shown = "|".join(get_args(types[option.name])) or types[option.name].__name__
        default = str(option.default).lower() if isinstance(option.default, bool) else str(option.default)
        listed.append({"name": option.name.replace("_", "-"), "type": shown, "default": default})
    return {"name": kind.name, "keeps": kind.keeps, "help": inspect.getdoc(kind) or "", "options": listed}
