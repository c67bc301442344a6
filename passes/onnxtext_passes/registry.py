"""Which passes there are: ours, by name, and those of other packages, by the entry-point group `onnxtext.passes`.

>>> find_pass("prune").keeps
'equivalent'
"""

from __future__ import annotations

import inspect
from typing import Any

from onnxtext.core import typed_options
from onnxtext.core.errors import UsageError
from onnxtext.core.plugins import Kind
from onnxtext_passes.base import Pass, options

# Name on the command line -> module:class.  One pass a file, under the name of its pass.
_OURS = {
    "canonicalize": "onnxtext_passes.canonicalize:Canonicalize",
    "cse": "onnxtext_passes.cse:Cse",
    "dedup": "onnxtext_passes.dedup:Dedup",
    "eliminate": "onnxtext_passes.eliminate:Eliminate",
    "fill": "onnxtext_passes.fill:Fill",
    "fold": "onnxtext_passes.fold:Fold",
    "fixpoint": "onnxtext_passes.fixpoint:FixPoint",
    "merge": "onnxtext_passes.merge:Merge",
    "prune": "onnxtext_passes.prune:Prune",
    "simplify": "onnxtext_passes.simplify:Simplify",
    "strip": "onnxtext_passes.strip:Strip",
}


_PASSES = Kind("pass", "onnxtext.passes", _OURS)


def pass_names() -> list[str]:
    """Return the names of all passes, in order."""
    return _PASSES.names()


def find_pass(name: str) -> type[Pass]:
    """Return the class of a pass.  Raises UsageError for an unknown name, or one that two packages claim."""
    found = _PASSES.find(name)
    if not (isinstance(found, type) and issubclass(found, Pass)):
        raise UsageError(f"the pass {name} is no subclass of onnxtext_passes.base.Pass")
    return found


def describe(kind: type[Pass]) -> dict[str, Any]:
    """Return what there is to know about a pass as plain data: name, what it keeps, help, options."""
    listed = typed_options.describe(kind, options(kind))
    return {"name": kind.name, "keeps": kind.keeps, "help": inspect.getdoc(kind) or "", "options": listed}
