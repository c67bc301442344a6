"""simplify: the fewest nodes that fold, cse, eliminate and prune reach together."""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from onnxtext_passes.base import Context, Pass
from onnxtext_passes.cse import share_node
from onnxtext_passes.eliminate import ELIMINATIONS
from onnxtext_passes.fold import Fold
from onnxtext_passes.prune import Prune
from onnxtext_passes.rules import apply_rules

_MOST_ROUNDS = 4


@dataclass(frozen=True)
class Simplify(Pass):
    """Do what fold, cse, eliminate and prune do, each wherever another has made room for it.  Outputs keep their bits.

    Equal weights become one, as with prune{weights=true}.

    Each node is looked at in order, and again where something near it has changed, so the time grows with the model.

    Example: `s = Shape(x) t = Reshape(x, s) y = Relu(t)` becomes `y = Relu(x)` where the shape of x is known.
    """

    name = "simplify"
    keeps = "equivalent"

    max_growth: int = 1 << 20  # bytes by which a constant that is computed may be larger than what it is computed from

    def run(self, model: onnx.ModelProto, context: Context) -> int:
        fold = Fold(max_growth=self.max_growth).fold_node
        prune = Prune(weights=True)
        total = prune.run(model, context) if model.graph.output else 0
        for _ in range(_MOST_ROUNDS):
            made = apply_rules(model, context.blobs, [fold, *ELIMINATIONS, share_node])
            made += prune.run(model, context) if made else 0
            total += made
            if not made:
                break
        return total
