"""The hash of a model: equal for models that are isomorphic, whatever they are called and however they are ordered.

>>> one, other = (
...     onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 21]> {graph}')
...     for graph in (
...         "one (float[2] a) => (float[2] b) { c = Relu(a) d = Neg(a) b = Sub(c, d) }",
...         "other (float[2] x) => (float[2] y) { h = Neg(x) k = Relu(x) y = Sub(k, h) }",
...     )
... )
>>> structural_hash(one) == structural_hash(other)
True
>>> structural_hash(one)[:10]
'onnxtext1:'
"""

from __future__ import annotations

from hashlib import sha256

import onnx

from onnxtext.core.blobs import Blobs
from onnxtext.core.weights import Sidecar
from onnxtext_grammar.printer import print_model
from onnxtext_passes.manager import run_pipeline

VERSION = 1  # of the hash: to be raised with every change, of the passes or of the printer, that changes a hash
PASSES = "canonicalize"  # what brings a model into the form that is hashed


def structural_hash(model: onnx.ModelProto, blobs: Blobs | None = None) -> str:
    """Return `onnxtext`, the version of the hash, a colon, and a SHA-256 of the canonical text and of all weights.

    `blobs` holds the data behind placeholders in `model`.  Raises PassError for a model without a canonical form.
    """
    result = run_pipeline(model, PASSES, blobs=blobs)
    weights = Sidecar()
    text = print_model(result.model.SerializeToString(deterministic=True), blobs, sidecar=weights).text
    digest = sha256(text.encode())
    digest.update(weights.table())  # it holds a digest of every tensor; the text has a short one of this table
    return f"onnxtext{VERSION}:{digest.hexdigest()}"
