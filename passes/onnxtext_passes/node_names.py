"""Names of nodes that say the node's number or its result, and go on doing so when that changes.

>>> nodes = [onnx.NodeProto(name=f"n{k}", output=[f"v{k}"]) for k in (0, 2, 3)]  # the one with the number 1 has gone
>>> renumber(nodes, [0, 2, 3], ["v0", "v2", "v3"])
>>> [node.name for node in nodes]
['n0', 'n1', 'n2']
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from onnxtext_grammar.naming import find_name_pattern


def renumber(nodes: Sequence[onnx.NodeProto], numbers: Sequence[int], results: Sequence[str]) -> None:
    """Rename those nodes whose names follow the pattern that the printer would find, so that they follow it again.

    `nodes` are those of a graph as they stand now; `numbers` and `results` say for each what its number and its first
    result were, "" where it had none.  Where two nodes would get one name, all keep theirs.
    """
    names = [_raw(node.name) if node.HasField("name") else None for node in nodes]
    before = [_raw(result) for result in results]
    pattern = find_name_pattern(list(zip(numbers, names, before, strict=True)))
    if pattern is None:
        return
    after = list(names)
    for k, node in enumerate(nodes):
        if names[k] and names[k] == pattern.name(numbers[k], before[k]):
            after[k] = pattern.name(k, _raw(node.output[0]) if node.output else b"") or names[k]
    given = [name for name in after if name]
    if len(set(given)) < len(given) and len(set(filter(None, names))) == len(given):
        return
    for node, old, new in zip(nodes, names, after, strict=True):
        if new != old and new is not None:
            try:
                node.name = new.decode()
            except UnicodeDecodeError:  # protobuf gives a name that is no UTF-8 as bytes, and does not take it back
                return


def _raw(name: str) -> bytes:
    """Return the bytes of a name, which protobuf gives as they are where they are no UTF-8."""
    return name.encode() if isinstance(name, str) else name
