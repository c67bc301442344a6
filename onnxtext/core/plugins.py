"""What other packages add by entry points: passes, spaces and commands, found by name beside our own.

>>> kinds = Kind("command", "onnxtext.commands", {"sum": "builtins:sum"})
>>> kinds.find("sum")([1, 2])
3
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from onnxtext.core.errors import UsageError, nearest


@dataclass(frozen=True, eq=False)
class Kind:
    """Things that are found by name: what one is called, the entry-point group, and where ours lie (module:name)."""

    what: str
    group: str
    ours: Mapping[str, str]

    def names(self) -> list[str]:
        """Return the names of all, in order."""
        return sorted(self._owners())

    def find(self, name: str) -> Any:
        """Return what has this name.  Raises UsageError for an unknown name, or one that two packages claim."""
        places = self._owners().get(name)
        if places is None:
            raise UsageError(f"no {self.what} is named {name}{nearest(name, self._owners())}")
        if len(places) > 1:
            owners = " and ".join(sorted(places))
            raise UsageError(f"two packages have a {self.what} named {name}: {owners}; remove one of them")
        module, _, attribute = places[0].partition(":")
        try:
            return getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise UsageError(f"the {self.what} {name} cannot be loaded from {places[0]}: {error}") from error

    @cache  # noqa: B019  # the few kinds live as long as the process
    def _owners(self) -> dict[str, list[str]]:
        """Return where each lives; more than one place where two packages claim its name."""
        owners = {name: [place] for name, place in self.ours.items()}
        for point in entry_points(group=self.group):
            owners.setdefault(point.name, []).append(point.value)
        return owners
