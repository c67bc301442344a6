"""fixpoint: run passes again and again until none of them changes anything, at most `max` times."""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from onnxtext_passes.base import Composite, Context


@dataclass(frozen=True)
class FixPoint(Composite):
    """Run the passes in parentheses until none changes anything, at most `max` rounds.

    Example: fixpoint{max=4}(prune,merge)
    """

    name = "fixpoint"
    keeps = "exact"

    max: int = 8  # rounds

    def run(self, model: onnx.ModelProto, context: Context) -> int:
        total = 0
        for _ in range(self.max):
            made = sum([p.run(model, context) for p in self.body])
            if not made:
                return total
            total += made
        context.notes.append(f"{self}: still changing after {self.max} rounds")
        return total
