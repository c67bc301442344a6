"""prune: what computes nothing, or nothing that is used, goes."""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from onnxtext_passes.base import Context, Pass


@dataclass(frozen=True)
class Prune(Pass):
    """Placeholder until the rules are written."""

    name = "prune"
    keeps = "equivalent"

    def run(self, model: onnx.ModelProto, context: Context) -> int:
        return 0
