"""What operators give on constants, by onnx's reference semantics of the operator's own version.

>>> node = onnx.helper.make_node("Add", ["a", "b"], ["c"])
>>> evaluate(node, [np.float32([1, 2]), np.float32([3, 4])], 20)
[array([4., 6.], dtype=float32)]
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from onnxtext_passes.constants import kind_of


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Operators that move elements about, and change none.
MOVES = _names(
    "Compress Concat ConstantOfShape DepthToSpace Expand Flatten Gather GatherElements GatherND Identity "
    "NonZero Reshape ScatterElements ScatterND Size Slice SpaceToDepth Split Squeeze Tile Transpose Trilu "
    "Unsqueeze Where"
)
# Operators of which IEEE 754, or arithmetic on whole numbers, leaves one result only.
EXACT = _names(
    "Abs Add And BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast Ceil Clip Div Equal Floor Greater "
    "GreaterOrEqual IsInf IsNaN Less LessOrEqual Max Min Mul Neg Not Or ReduceMax ReduceMin Relu Round Sign "
    "Sqrt Sub Xor"
)
# Operators that are exact on whole numbers, and which round, or sum up in an order of their own, on others.
ON_INTEGERS = _names("CumSum Mod Range ReduceProd ReduceSum")
_WITH_FLOAT_LIMITS = frozenset(["Max", "Min", "ReduceMax", "ReduceMin", "Clip", "Relu"])


def evaluate(node: onnx.NodeProto, operands: Sequence[np.ndarray | None], version: int) -> list[np.ndarray] | None:
    """Return the results of a node of onnx's own operators, None where they are not to be had or not beyond doubt.

    Beyond doubt are no NaNs that an operation makes, no signed zeros that are compared, no casts out of range, no
    division of whole numbers by zero, nothing that libraries compute differently in the last places.
    """
    if not _is_allowed(node, operands):
        return None
    key = onnx.NodeProto()
    key.CopyFrom(node)
    key.name = key.doc_string = ""
    key.ClearField("metadata_props")
    key.domain = ""
    key.input[:] = [f"i{k}" if operand is not None else "" for k, operand in enumerate(operands)]
    key.output[:] = [f"o{k}" if name else "" for k, name in enumerate(node.output)]
    feeds = {f"i{k}": operand for k, operand in enumerate(operands) if operand is not None}
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = _evaluator(key.SerializeToString(deterministic=True), version).run(None, feeds)
    except Exception:  # of many kinds: it is for the runtime to say what is wrong with the model
        return None
    arrays = [np.asarray(value) for value in found]  # type: ignore[union-attr]
    if any(kind_of(a) is None for a in arrays):
        return None
    if node.op_type not in MOVES and any(a.dtype.kind == "f" and np.isnan(a).any() for a in arrays):
        return None
    return arrays


@lru_cache(maxsize=4096)
def _evaluator(wire: bytes, version: int) -> ReferenceEvaluator:
    node = onnx.NodeProto.FromString(wire)
    graph = onnx.GraphProto(name="g", node=[node])
    graph.input.extend(onnx.ValueInfoProto(name=name) for name in node.input if name)
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in node.output if name)
    model = onnx.ModelProto(ir_version=10, graph=graph, opset_import=[onnx.OperatorSetIdProto(version=version)])
    return ReferenceEvaluator(model)


def _is_allowed(node: onnx.NodeProto, operands: Sequence[np.ndarray | None]) -> bool:
    operator, given = node.op_type, [a for a in operands if a is not None]
    if any(attribute.ref_attr_name for attribute in node.attribute):
        return False
    whole = all(a.dtype.kind in "iub" for a in given)
    if operator in MOVES:
        return _moves_beyond_doubt(node, given)
    return (operator in EXACT or (operator in ON_INTEGERS and whole)) and _is_exact_beyond_doubt(node, given)


def _moves_beyond_doubt(node: onnx.NodeProto, given: Sequence[np.ndarray]) -> bool:
    if node.op_type.startswith("Scatter"):  # with the same place twice, which comes last is not said
        return not any(a.name == "reduction" and a.s != b"none" for a in node.attribute) and (
            node.op_type == "ScatterND" and _all_different(given[1])
        )
    return True


def _all_different(places: np.ndarray) -> bool:
    rows = places.reshape(-1, places.shape[-1]) if places.ndim else places.reshape(-1, 1)
    return len(np.unique(rows, axis=0)) == len(rows)


def _is_exact_beyond_doubt(node: onnx.NodeProto, given: Sequence[np.ndarray]) -> bool:
    operator = node.op_type
    if operator != "Cast" and any(a.dtype == np.float16 for a in given):
        return False  # runtimes compute these in float32, and round later or never
    if operator in ("Div", "Mod") and given[0].dtype.kind in "iu":
        low = np.iinfo(given[0].dtype).min
        return bool(given[1].all()) and not (given[1].dtype.kind == "i" and (given[0] == low).any())
    if operator in _WITH_FLOAT_LIMITS and given[0].dtype.kind == "f":
        doubtful = [np.isnan(a).any() or ((a == 0).any() and np.signbit(a[a == 0]).any()) for a in given]
        return not any(doubtful)
    if operator == "Cast":
        return _casts_beyond_doubt(node, given[0])
    if operator in ("Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"):
        return all(a.dtype.kind in "iubf" for a in given)
    return True


def _casts_beyond_doubt(node: onnx.NodeProto, operand: np.ndarray) -> bool:
    """Tell whether a cast gives the same everywhere: to float16 and whole numbers, where these hold every element."""
    target = next((a.i for a in node.attribute if a.name == "to"), 0)
    try:
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(target))
    except KeyError:
        return False
    if dtype.kind not in "iubf" or kind_of(np.empty(0, dtype)) is None:
        return False
    if dtype.kind in "iu" and operand.dtype.kind == "f":
        limits = np.iinfo(dtype)
        return bool((np.isfinite(operand) & (operand > limits.min) & (operand < float(limits.max))).all())
    if dtype == np.float16:  # only what it holds: runtimes leave out casts there and back, and with them the rounding
        with np.errstate(all="ignore"):
            return bool((operand.astype(dtype).astype(operand.dtype) == operand).all())
    return True
