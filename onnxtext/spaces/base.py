"""What a space of architectures is: a frozen dataclass whose fields are its options.

A specification is the short text by which a benchmark names one architecture.  A space makes the network of it, lists
its specifications, samples them, and reads them from the rows of tables of labels.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from random import Random
from typing import Any, ClassVar, Literal

import onnx

from onnxtext.core import typed_options
from onnxtext.core.errors import UsageError
from onnxtext.spaces.builder import Builder

_LISTED = 1_000_000  # specifications up to which a sample is drawn from their list


@dataclass(frozen=True)
class Space:
    """Architectures that a paper describes.  Subclasses set the class variables, add options, and make `model`.

    A space that can be listed makes `specifications`, and one of more than a million architectures makes `draw`.
    """

    name: ClassVar[str]
    title: ClassVar[str]  # as its paper calls it
    source: ClassVar[str]  # the paper, and the code where there is some
    size: ClassVar[int | None]  # how many specifications there are; None where there is no end of them
    example: ClassVar[str]  # a specification
    columns: ClassVar[tuple[str, ...]]  # by which published tables name an architecture

    weights: Literal["types", "zeros", "random"] = "types"  # what weights hold: their type alone, zeros, random numbers
    seed: int = 0  # of random weights

    def model(self, specification: str) -> onnx.ModelProto:
        """Return the network of a specification, the same every time.  Raises UsageError, which says what is wrong."""
        raise NotImplementedError

    def specifications(self) -> Iterator[str]:
        """Yield every specification once, in a fixed order.  Raises UsageError where there is no end of them."""
        raise UsageError(f"{self.name} has no list of its architectures: sample some")

    def draw(self, random: Random) -> str:
        """Return one specification, each as likely as any other unless the space says how it draws them."""
        raise NotImplementedError

    def sample(self, count: int, seed: int = 0) -> list[str]:
        """Return `count` different specifications, the same for the same seed.  Raises UsageError for too many."""
        if self.size is not None and count > self.size:
            raise UsageError(f"{self.name} has {self.size:,} architectures: no sample has {count:,} different ones")
        random = Random(seed)
        if self.size is not None and self.size <= _LISTED:
            places = random.sample(range(self.size), count)
            wanted = dict.fromkeys(places, "")
            last = max(places, default=-1)
            for place, specification in enumerate(itertools.islice(self.specifications(), last + 1)):
                if place in wanted:
                    wanted[place] = specification
            return list(wanted.values())
        found: dict[str, None] = {}
        while len(found) < count:
            found[self.draw(random)] = None
        return list(found)

    def from_row(self, row: Mapping[str, str]) -> str:
        """Return the specification in a row of a table: in the column `specification`, or put together of `columns`.

        Raises UsageError, which names what is missing.
        """
        if row.get("specification"):
            return row["specification"]
        missing = [column for column in self.columns if row.get(column) is None]  # empty is a value among others
        if missing or not any(row[column] for column in self.columns):
            wanted = ", ".join(self.columns)
            raise UsageError(
                f"a row that names an architecture of {self.name} has specification, or {wanted}; "
                f"there is no {(missing or self.columns)[0]}"
            )
        return self.from_columns(*(row[column] for column in self.columns))

    def from_columns(self, *values: str) -> str:
        """Return the specification that the values of `columns` make, in their order."""
        (specification,) = values
        return specification

    def subsets(self, specification: str) -> tuple[str, ...]:
        """Return the names of the parts of the space that an architecture belongs to and that are examined alone."""
        return ()

    def builder(self) -> Builder:
        """Return what a network is made with: nothing yet, and weights as the options say."""
        return Builder(self.name, self.weights, self.seed)

    def __str__(self) -> str:
        """Return the space as it is written; options at their defaults are left out."""
        return self.name + typed_options.show(self, fields(self))


def make(kind: type[Space], given: Mapping[str, str | None]) -> Space:
    """Return a space with options as they are written; None for one without a value.

    Raises UsageError for an unknown option (with the nearest name) or a value that is none.
    """
    return kind(**typed_options.read("space", kind.name, kind, fields(kind), given))


def describe(kind: type[Space]) -> dict[str, Any]:
    """Return what there is to know about a space as plain data."""
    return {
        "name": kind.name,
        "title": kind.title,
        "size": kind.size,
        "example": kind.example,
        "columns": list(kind.columns),
        "source": kind.source,
        "options": typed_options.describe(kind, fields(kind)),
    }


def require_some(**sizes: int) -> None:
    """Refuse sizes below 1: raise UsageError that names the first."""
    for what, size in sizes.items():
        if size < 1:
            raise UsageError(f"a network has at least one of its {what}, not {size}")
