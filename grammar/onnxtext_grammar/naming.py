"""Names that need not be written: the rules by which a graph's `each` statement names values and nodes.

`each {value="r#-2", name="node_*"}` says: the output of node k of this graph, where a chain hides it, is called `r`
and k - 2; a node without a name in the text is called `node_` and its first output.  A number below zero is no name.

>>> Counted.parse(b"r#-2").name(5), Counted.parse(b"r#-2").name(1)
(b'r3', None)
>>> naming(None).value.name(7)
b'_7'
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from onnxtext.core.errors import nearest

PATTERN_BYTES = 1000  # of a rule: it is written once and makes something of every node

_COUNTED = re.compile(rb"([^#*]*)#(0|-?[1-9][0-9]{0,17})?", re.DOTALL).fullmatch
_STARRED = re.compile(rb"([^#*]*)\*([^#*]*)", re.DOTALL).fullmatch
_NUMBERED = re.compile(rb"([^#*]*?)(0|[1-9][0-9]{0,17})", re.DOTALL).fullmatch


@dataclass(frozen=True, slots=True)
class Counted:
    """The name `prefix` and k + `start` for the node k of a graph."""

    prefix: bytes
    start: int

    @staticmethod
    def parse(pattern: bytes) -> Counted | None:
        match = _COUNTED(pattern)
        return Counted(match[1], int(match[2] or 0)) if match else None

    def __bytes__(self) -> bytes:
        return self.prefix + b"#" + (b"%d" % self.start if self.start else b"")

    def name(self, k: int, output: bytes = b"") -> bytes | None:
        number = k + self.start
        return self.prefix + b"%d" % number if number >= 0 else None


@dataclass(frozen=True, slots=True)
class Starred:
    """The name of the first output between `prefix` and `suffix`."""

    prefix: bytes
    suffix: bytes

    @staticmethod
    def parse(pattern: bytes) -> Starred | None:
        match = _STARRED(pattern)
        return Starred(match[1], match[2]) if match else None

    def __bytes__(self) -> bytes:
        return self.prefix + b"*" + self.suffix

    def name(self, k: int, output: bytes = b"") -> bytes | None:
        return self.prefix + output + self.suffix if output else None


@dataclass(frozen=True, slots=True)
class Naming:
    """What a graph's nodes are called, and which domain they have, where the text says nothing."""

    value: Counted
    node: Counted | Starred | None
    domain: bytes | None
    tensor: bytes | None  # the name of a tensor in an attribute
    same_types: bool  # a node's only result has the type of its first operand, where the text has one for that

    def node_name(self, k: int, outputs: Sequence[bytes]) -> bytes | None:
        """Return the name of node `k` where the text gives none."""
        return self.node.name(k, outputs[0] if outputs else b"") if self.node else None


_DEFAULT = Naming(Counted(b"_", 0), None, None, None, False)


def naming(fields: dict[bytes, bytes] | None) -> Naming:
    """Return the rules of an `each` statement.  Raises ValueError, naming the pattern or key that is none."""
    if fields is None:
        return _DEFAULT
    value: Counted | None = _DEFAULT.value
    node: Counted | Starred | None = None
    for key, pattern in fields.items():
        if len(pattern) > PATTERN_BYTES:
            raise ValueError(f"a rule of each has at most {PATTERN_BYTES} bytes")
        if key == b"value":
            value = Counted.parse(pattern)
            if value is None:
                raise ValueError('a value pattern is a prefix, # and perhaps a first number, as in "r#" or "r#-2"')
        elif key == b"name":
            node = Counted.parse(pattern) or Starred.parse(pattern)
            if node is None:
                raise ValueError("a name pattern holds one # (the number of the node) or one * (its first output)")
        elif key == b"type":
            if pattern != b"same":
                raise ValueError('the only rule for types is type="same"')
        elif key not in (b"domain", b"tensor"):
            shown = key.decode(errors="replace")
            hint = nearest(shown, ["value", "name", "domain", "tensor", "type"])
            raise ValueError(f"each knows value, name, domain, tensor and type, not {shown}{hint}")
    assert value is not None
    return Naming(value, node, fields.get(b"domain"), fields.get(b"tensor"), b"type" in fields)


def find_value_pattern(hidden: Iterable[tuple[int, bytes]]) -> Counted | None:
    """Return the pattern that names most of the (node number, output) pairs, or None where it is not worth writing."""
    seen: Counter[Counted] = Counter()
    for k, output in hidden:
        match = _NUMBERED(output) if len(output) <= PATTERN_BYTES else None
        if match:
            seen[Counted(match[1], int(match[2]) - k)] += 1
    best = max(seen.items(), key=lambda item: item[1], default=None)
    return best[0] if best and (best[1] >= 2 or best[0] == _DEFAULT.value) else None


def find_name_pattern(nodes: list[tuple[int, bytes | None, bytes]]) -> Counted | Starred | None:
    """Return the pattern for (node number, node name, first output) that saves most writing, or None."""
    seen: Counter[Counted | Starred] = Counter()
    for k, name, output in nodes:
        if not name or len(name) > PATTERN_BYTES:
            continue
        match = _NUMBERED(name)
        if match:
            seen[Counted(match[1], int(match[2]) - k)] += 1
        at = name.find(output) if output else -1
        if at >= 0:
            prefix, suffix = name[:at], name[at + len(output) :]
            if not set(b"#*") & set(prefix + suffix):
                seen[Starred(prefix, suffix)] += 1
    best: Counted | Starred | None = None
    saved = 1
    for pattern, count in seen.most_common(3):
        count -= sum(1 for k, name, output in nodes if name is None and pattern.name(k, output) is not None)
        if count > saved:
            best, saved = pattern, count
    return best
