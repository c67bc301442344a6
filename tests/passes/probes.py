"""Passes that try the manager: they take options, lie, fail, or break what they are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import onnx

from onnxtext_passes.base import Context, Pass


@dataclass(frozen=True)
class Probe(Pass):
    """Count the nodes, and change nothing."""

    name = "probe"
    keeps = "equivalent"

    min_nodes: int = 3
    share: float = 0.5
    mode: Literal["near", "far"] = "near"
    label: str = ""
    deep: bool = False

    def run(self, model: onnx.ModelProto, context: Context) -> int:
        context.notes.append(f"{self}: {len(model.graph.node)} nodes")
        return 0


@dataclass(frozen=True)
class Rename(Pass):
    """Give the graph another name, and say how often something was rewritten."""

    name = "rename"
    keeps = "lossy"

    to: str = "other"
    count: int = 1

    def run(self, model: onnx.ModelProto, context: Context) -> int:
        model.graph.name = self.to
        return self.count


@dataclass(frozen=True)
class Fail(Pass):
    """Change the model, and then fail."""

    name = "fail"
    keeps = "exact"

    def run(self, model: onnx.ModelProto, context: Context) -> int:
        del model.graph.node[:]
        raise RuntimeError("out of luck")


@dataclass(frozen=True)
class Break(Pass):
    """Take the nodes away, so that the outputs come from nowhere."""

    name = "break"
    keeps = "exact"

    def run(self, model: onnx.ModelProto, context: Context) -> int:
        count = len(model.graph.node)
        del model.graph.node[:]
        return count


@dataclass(frozen=True)
class Negate(Pass):
    """Put Neg in front of the outputs, and claim that they are the same."""

    name = "negate"
    keeps = "equivalent"

    def run(self, model: onnx.ModelProto, context: Context) -> int:
        for output in model.graph.output:
            for node in model.graph.node:
                node.output[:] = [f"{name}_before" if name == output.name else name for name in node.output]
            model.graph.node.append(onnx.helper.make_node("Neg", [f"{output.name}_before"], [output.name]))
        return len(model.graph.output)
