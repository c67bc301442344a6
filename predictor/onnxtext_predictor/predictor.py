"""Networks to scores, with what is shipped: no torch, no GPU, no connection.

>>> import onnx
>>> model = onnx.parser.parse_model(
...     '<ir_version: 10, opset_import: ["": 17]> g (float[1,3,32,32] x) => (float[1,16,32,32] z) '
...     '<float[16,3,3,3] w = {}> { y = Conv<pads=[1,1,1,1]>(x, w) z = Relu(y) }')
>>> (prediction,) = Predictor.load("strict").predict([model])
>>> 0 <= prediction.percentile <= 100
True
"""

from __future__ import annotations

import bisect
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxtext_predictor import checkpoint
from onnxtext_predictor.checkpoint import Description
from onnxtext_predictor.reading import Reading, distinct, read

_BATCH = 64  # networks that go through a member together
_FAR = 0.5  # of the range that training saw: how far outside of it a feature is strange
_SIZES = {
    "live_parameters": "parameters",
    "live_macs": "multiplications",
    "activations": "activations",
    "depth_most": "depth",
    "steps": "nodes",
}


@dataclass(frozen=True)
class Prediction:
    """What is said of a network.

    `score` is higher for better, 0 for the middle of the reference networks and 1 for a standard deviation above;
    `percentile` is how many of these score lower; `uncertainty` is the standard deviation between the members of the
    ensemble.  `warnings` say in what the network is unlike all that was trained on.
    """

    score: float
    percentile: float
    uncertainty: float
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Predictor:
    """An ensemble of text models that ranks networks by expected accuracy."""

    def __init__(self, description: Description, members: Sequence[onnx.ModelProto]) -> None:
        import onnxruntime

        self.description = description
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._sessions = [
            onnxruntime.InferenceSession(member.SerializeToString(), options, providers=["CPUExecutionProvider"])
            for member in members
        ]

    @classmethod
    def load(cls, name: str = "default") -> Predictor:
        """Return a shipped predictor, `default` or `strict`, or that of a folder.  Raises UsageError, WeightsError."""
        return cls(*checkpoint.load(name))

    def score(self, models: Iterable[onnx.ModelProto]) -> list[float]:
        """Return a score for each model, higher for better."""
        return [prediction.score for prediction in self.predict(models)]

    def predict(self, models: Iterable[onnx.ModelProto]) -> list[Prediction]:
        """Return what is said of each model."""
        return self.predict_readings([read(model) for model in models])

    def predict_readings(self, readings: Sequence[Reading]) -> list[Prediction]:
        """Return what is said of each reading; equal ones are scored once."""
        start = time.perf_counter()
        kept, numbers = distinct(readings)
        by_member = self.member_scores(kept)
        mean, spread = by_member.mean(0), by_member.std(0)
        each = (time.perf_counter() - start) / max(len(readings), 1)
        warnings = [self.warnings(reading) for reading in kept]
        return [
            Prediction(float(mean[k]), self.percentile(float(mean[k])), float(spread[k]), warnings[k], each)
            for k in numbers
        ]

    def member_scores(self, readings: Sequence[Reading]) -> NDArray[np.float64]:
        """Return the scores [members, networks], each member's brought to mean 0 and deviation 1 on the reference.

        A network in which nothing leads from an input to an output learns nothing: it scores less than any reference.
        """
        description = self.description
        rows = [description.row(reading.text) for reading in readings]
        header = description.features(list(readings))
        result = np.zeros((len(self._sessions), len(readings)))
        order = sorted(range(len(rows)), key=lambda k: len(rows[k]))
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            longest = len(rows[chosen[-1]])
            words = np.zeros((len(chosen), longest), np.int64)
            for place, k in enumerate(chosen):
                words[place, : len(rows[k])] = rows[k]
            given = {"words": words, "header": header[chosen]}
            for member, session in enumerate(self._sessions):
                wanted = {entry.name: given[entry.name] for entry in session.get_inputs()}
                raw = np.asarray(session.run(None, wanted)[0])
                result[member, chosen] = (raw - description.centre[member]) / description.spread[member]
        dead = [not reading.is_live for reading in readings]
        if any(dead):
            result[:, dead] = min(description.reference, default=0.0) - 1
        return result

    def percentile(self, score: float) -> float:
        """Return how many in a hundred of the reference networks score lower."""
        reference = self.description.reference
        return 100 * bisect.bisect_left(reference, score) / max(len(reference), 1)

    def warnings(self, reading: Reading) -> list[str]:
        """Return in what a network is unlike all that was trained on."""
        description = self.description
        if not reading.is_live:
            return ["nothing leads from an input to an output"]
        found = []
        strange = sorted(reading.operators - set(description.operators))
        if strange:
            found.append(f"operators that training never saw: {', '.join(strange)}")
        outside = []
        for name, told in _SIZES.items():
            least, most = description.least[name], description.most[name]
            margin = _FAR * (most - least)
            value = reading.features[name]
            if not least - margin <= value <= most + margin:
                outside.append(f"{'more' if value > most else 'fewer'} {told}")
        if outside:
            found.append(f"far from what training saw: {', '.join(outside)}")
        row = description.row(reading.text)
        unknown = sum(number == description.numbers["[UNK]"] for number in row)
        if unknown > 0.1 * len(row):
            found.append(f"{unknown} of {len(row)} words of its text are unknown")
        return found
