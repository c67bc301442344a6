"""ONNX models as text that loses nothing.

>>> import onnx, onnxtext
>>> graph = "g (float[2] x) => (float[2] y) { y = Relu(x) }"
>>> model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 20]> {graph}')
>>> print(onnxtext.encode(model))
onnxt 1
model {ir_version=10, opset_import=["": 20]}
graph @g (%x: f32[2]) -> (%y: f32[2]) {
 each {domain=""}
 %y = Relu(%x)
}
<BLANKLINE>
>>> onnxtext.decode(onnxtext.encode(model)) == model
True
"""

from __future__ import annotations

from onnxtext.api import decode, encode, load, save
from onnxtext.core.errors import OnnxTextError

__all__ = ["OnnxTextError", "__version__", "decode", "encode", "load", "save"]
__version__ = "0.1.0"
