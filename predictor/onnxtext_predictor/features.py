"""Numbers that tell a network's size and how a signal fares on its way through it.

Many of them are expectations over a walk from the output back to an input.  Where several operands meet, the walk goes
on along one of them, chosen by its share of the second moment that it brings in: a normalization resets that to one, a
rectifier halves it, an average shrinks it, an addition sums it up.  So a walk meets what the signal really went
through: in a sum of a convolution and an identity of equal strength each counts half.

>>> import onnx
>>> from onnxtext_predictor.live_graph import read
>>> model = onnx.parser.parse_model(
...     '<ir_version: 10, opset_import: ["": 17]> g (float[1,4,8,8] x) => (float[1,4,8,8] z) <float[4,4,3,3] w = {}> '
...     '{ y = Conv<pads=[1,1,1,1]>(x, w) z = Add(x, y) }')
>>> found = features(read(model))
>>> found["walk_convolutions"], found["depth_mean"], found["depth_most"]
(0.5, 0.5, 1.0)

Source: the idea of features that are averaged over live paths is an observation of ours on NAS-Bench-101,
NAS-Bench-Macro and TransNAS-Bench-101; the model card tells more.
"""

from __future__ import annotations

from math import exp, log, log2

from onnxtext_predictor.live_graph import LiveGraph, Step

WEIGHTED = {"Conv", "ConvTranspose", "Gemm", "MatMul", "MatMulInteger", "QLinearConv", "QLinearMatMul", "ConvInteger"}
NORMS = {
    "BatchNormalization",
    "InstanceNormalization",
    "LayerNormalization",
    "GroupNormalization",
    "RMSNormalization",
    "SimplifiedLayerNormalization",
}
ACTIVATIONS = {
    *("Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "Gelu", "FastGelu", "Sigmoid", "HardSigmoid", "HardSwish"),
    *("Swish", "Mish", "Softplus", "Softsign", "Tanh", "Erf", "Clip", "Softmax"),
}
AVERAGES = {"AveragePool", "GlobalAveragePool", "ReduceMean", "LpPool"}
WHOLE = {"GlobalAveragePool", "GlobalMaxPool", "ReduceMean"}  # windows of the whole image
SUMS = {"Add", "Sum", "Sub", "Mean"}
MERGES = SUMS | {"Concat", "Mul", "MatMul"}
_LEAST, _MOST = 1e-6, 1e6  # of a second moment

NAMES = (
    "parameters",
    "macs",
    "live_parameters",
    "live_macs",
    "activations",
    "rectified",
    "steps",
    "sums",
    "concats",
    "depth_mean",
    "depth_soft",
    "depth_most",
    "depth_least",
    "depth_walk",
    "walk_convolutions",
    "walk_pointwise",
    "walk_averages",
    "walk_maxima",
    "walk_pools",
    "walk_rectifiers",
    "walk_norms",
    "walk_merges",
    "walk_width",
    "walk_side",
    "walk_parameters",
    "walk_macs",
    "walk_kernel",
    "walk_grouped",
    "walk_end_pools",
)


def features(graph: LiveGraph) -> dict[str, float]:
    """Return the features of a network, by NAMES.  Sizes are natural logarithms of one more, the rest plain numbers.

    `depth_*` count steps with weights on paths from an input to an output: on average over all paths, the smooth
    minimum, the most, the least, and along the walk; `walk_width`, `_side`, `_parameters`, `_macs` are averages over
    the weighted steps of the walk, of logarithms to base 2.
    """
    steps = graph.steps
    walk = visits(graph)
    mean, soft, most, least = _depths(graph)
    found: dict[str, float] = dict.fromkeys(NAMES, 0.0)
    weighted = activations = rectified = 0.0
    for step, p in zip(steps, walk, strict=True):
        operator = step.operator
        if operator in WEIGHTED:
            activations += step.elements
            weighted += p
            found["depth_walk"] += p
            found["walk_convolutions" if step.kernel > 1 else "walk_pointwise"] += p
            found["walk_width"] += p * log2(max(step.channels, 1))
            found["walk_side"] += p * log2(max(step.elements / max(step.channels, 1), 1))
            found["walk_parameters"] += p * log2(1 + step.parameters)
            found["walk_macs"] += p * log2(1 + step.macs)
            found["walk_kernel"] += p * (step.kernel - 1)
            found["walk_grouped"] += p * (step.groups > 1)
        elif operator in NORMS:
            found["walk_norms"] += p
        elif operator in ACTIVATIONS:
            rectified += step.elements
            found["walk_rectifiers"] += p
        elif operator in ("AveragePool", "LpPool"):
            found["walk_averages"] += p
        elif operator == "MaxPool":
            found["walk_maxima"] += p
        if len(step.operands) > 1:
            found["walk_merges"] += p
            found["sums"] += operator in SUMS
            found["concats"] += operator == "Concat"
    for name in ("walk_width", "walk_side", "walk_parameters", "walk_macs", "walk_kernel"):
        found[name] /= max(weighted, 1e-9)
    found["walk_pools"] = found["walk_averages"] + found["walk_maxima"]
    found["walk_end_pools"] = _share_of_pools(found)
    found["sums"], found["concats"] = log(1 + found["sums"]), log(1 + found["concats"])
    found["steps"] = log(1 + len(steps))
    found["parameters"], found["macs"] = log(1 + graph.parameters), log(1 + graph.macs)
    found["live_parameters"], found["live_macs"] = log(1 + graph.live_parameters), log(1 + graph.live_macs)
    found["activations"], found["rectified"] = log(1 + activations), log(1 + rectified)
    for name, depths in (("mean", mean), ("soft", soft), ("most", most), ("least", least)):
        found[f"depth_{name}"] = sum(depths[number] for number in graph.outputs) / max(len(graph.outputs), 1)
    return found


def _share_of_pools(found: dict[str, float]) -> float:
    """Return which part of the windows that a walk meets are poolings."""
    windows = found["walk_pools"] + found["walk_convolutions"]
    return found["walk_pools"] / windows if windows else 0.0


def visits(graph: LiveGraph) -> list[float]:
    """Return for each step how often a walk back from the outputs comes by."""
    steps = graph.steps
    moments: list[float] = []
    for step in steps:
        moments.append(_moment(step, [moments[k] for k in step.operands]))
    walk = [0.0] * len(steps)
    for number in graph.outputs:
        walk[number] += 1 / len(graph.outputs)
    for number in range(len(steps) - 1, -1, -1):
        p, operands = walk[number], steps[number].operands
        if not operands or not p:
            continue
        if len(operands) == 1:
            walk[operands[0]] += p
            continue
        operator = steps[number].operator
        if operator in SUMS:
            shares = [moments[k] for k in operands]
        elif operator == "Concat":
            shares = [moments[k] * max(steps[k].channels, 1) for k in operands]
        else:
            shares = [1.0] * len(operands)
        total = sum(shares)
        for k, share in zip(operands, shares, strict=True):
            walk[k] += p * share / total
    return walk


def _moment(step: Step, operands: list[float]) -> float:
    """Return the second moment of a result from those of the operands."""
    operator = step.operator
    if not operands or operator in NORMS:
        return 1.0
    if operator in SUMS:
        moment = sum(operands)
    elif operator in ACTIVATIONS:
        moment = 0.5 * operands[0]
    elif operator in WHOLE:
        moment = 0.1 * operands[0]
    elif operator in AVERAGES:
        moment = operands[0] / max(step.kernel, 1)
    elif operator == "Mul":
        moment = operands[0]
        for other in operands[1:]:
            moment *= other
    else:
        moment = sum(operands) / len(operands)
    return min(max(moment, _LEAST), _MOST)


def _depths(graph: LiveGraph) -> tuple[list[float], list[float], list[float], list[float]]:
    """Return, for each step, over all paths from an input: the mean, the smooth minimum, the most and least weights."""
    mean: list[float] = []
    soft: list[float] = []
    most: list[float] = []
    least: list[float] = []
    paths: list[float] = []
    for step in graph.steps:
        own = float(step.operator in WEIGHTED)
        operands = step.operands or (-1,)
        known = [(mean[k], soft[k], most[k], least[k], paths[k]) if k >= 0 else (0.0,) * 4 + (1.0,) for k in operands]
        total = sum(one[4] for one in known)
        low = min(one[1] for one in known)
        mean.append(own + sum(one[4] / total * one[0] for one in known))
        soft.append(own + low - log(sum(exp(low - one[1]) for one in known) / len(known)))
        most.append(own + max(one[2] for one in known))
        least.append(own + min(one[3] for one in known))
        paths.append(min(total, 1e200))
    return mean, soft, most, least
