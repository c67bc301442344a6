"""The language in few words, for the prompt of a language model: what it takes to write and to read a network.

The example in it is a text that decodes.

>>> EXAMPLE in print_prompt()
True
"""

from __future__ import annotations

EXAMPLE = """onnxt 1
model {ir_version=10, opset_import=["": 20, "d": 1]}
graph @net (%x: f32[N,3,32,32]) -> (%y: f32[N,8]) {
each {domain=""}
%flat: i64[2] = [0,-1] // an initializer
%a, _ = Dropout(%x)
%b = Conv(%a, f32[8,3,3,3]) {strides=[2,2], auto_pad="VALID"}
-> Relu
%y = @head(%b, %flat)
}
def @head {domain="d", opset_import=["": 20]} (%x, %s) -> (%y) {
each {domain=""}
%y = GlobalAveragePool(%x) -> Reshape(%s)
}
"""

_PROMPT = f"""onnxt is a text form of ONNX models. Example:

{EXAMPLE}
Rules:
- %name is a value, @name a function, _ nothing.
- Statement: `%results = Operator(operands) {{attributes}}`. Define each value once, before its use.
- `-> Op(more)` passes the result on as first operand.
- Types: f32[2,N,?], i64[] (scalar), f32[*] (any shape); also f16 bf16 i8 i32 u8 bool text.
- A type as operand, f32[8,3,3,3], is a weight without data.
- Attributes: 1 int, 1.0 float, "s" string, [1,2] list, graph (...) -> (...) {{...}} subgraph.
- Operators are those of ONNX.
"""


def print_prompt() -> str:
    """Return the description, in less than 400 tokens."""
    return _PROMPT
