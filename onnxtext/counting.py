"""What `onnxtext stats` tells of a model, as plain data and as lines to read.

>>> from onnxtext.source import read_model
>>> model = onnx.parser.parse_model(
...     '<ir_version: 10, opset_import: ["": 20]> g (float[1,8] x) => (float[1,4] y) <float[8,4] w = {}> '
...     '{ h = MatMul(x, w) y = Relu(h) }')
>>> print(show(count(read_model(model))))
nodes       2
parameters  32
weights     128 bytes in 1 tensor
macs        32 (64 flops) in MatMul
text        174 characters
operators   MatMul 1, Relu 1
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import onnx

if TYPE_CHECKING:
    from onnxtext.source import Source


def count(source: Source, sizes: Mapping[str, int] | None = None, tokenizer: str = "") -> dict[str, Any]:
    """Return what there is in a model; of the text, without the weights beside it.

    `sizes` are those of symbolic dimensions of the inputs, `tokenizer` is the file of a tokenizer to count tokens with.
    Raises UsageError, ModelError.
    """
    from onnxtext.source import print_source
    from onnxtext_passes.statistics import collect, token_counter

    tokens = token_counter(tokenizer) if tokenizer else None
    found = collect(onnx.ModelProto.FromString(source.wire), source.blobs, sizes)
    text = print_source(source, weights="sidecar", verify=False).text
    return {
        "nodes": found.nodes,
        "nodes_with_calls_written_out": found.expanded_nodes,
        "operators": found.operators,
        "functions": found.functions,
        "tensors": found.tensors,
        "parameters": found.parameters,
        "weight_bytes": found.weight_bytes,
        "macs": found.macs,
        "flops": 2 * found.macs,
        "macs_by_operator": found.macs_by_operator,
        "nodes_with_unknown_macs": found.unknown_macs,
        "characters": len(text),
        "tokens": tokens(text) if tokens is not None else None,
    }


def show(counted: Mapping[str, Any]) -> str:
    """Return what `count` returns as lines to read."""
    lines = [("nodes", f"{counted['nodes']:,}")]
    if counted["functions"]:
        written = counted["nodes_with_calls_written_out"]
        lines[0] = (
            "nodes",
            f"{lines[0][1]}, or {written:,} with the calls of {_many(counted['functions'], 'function')}",
        )
    lines.append(("parameters", f"{counted['parameters']:,}"))
    lines.append(("weights", f"{_many(counted['weight_bytes'], 'byte')} in {_many(counted['tensors'], 'tensor')}"))
    where = f" in {', '.join(counted['macs_by_operator'])}" if counted["macs"] else ""
    lines.append(("macs", f"{counted['macs']:,} ({counted['flops']:,} flops){where}"))
    if counted["nodes_with_unknown_macs"]:
        lines.append(("", f"and an unknown number in {_table(counted['nodes_with_unknown_macs'])}"))
    tokens = "" if counted["tokens"] is None else f", {counted['tokens']:,} tokens"
    lines.append(("text", f"{counted['characters']:,} characters{tokens}"))
    lines.append(("operators", _table(counted["operators"])))
    return "\n".join(f"{name:12}{what}" for name, what in lines)


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _table(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.items()) or "none"
