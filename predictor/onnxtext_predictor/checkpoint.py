"""A trained predictor as files: a text for each member of the ensemble, its weights beside it, and a description.

The members are ONNX models, kept in the language itself: `member0.onnxt` and `member0.onnxt.safetensors`.  What stands
in `checkpoint.json` is how a network is turned into their input and what the scores mean.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxtext.core.blobs import attach
from onnxtext.core.errors import UsageError, nearest
from onnxtext.core.files import replacing, write_pieces
from onnxtext.core.weights import Sidecar, Weights, sidecar_path
from onnxtext_predictor.reading import Reading
from onnxtext_predictor.vocabulary import words

VERSION = 1
_SHIPPED = Path(__file__).parent / "checkpoints"
_ALIASES = {"default": "strict"}  # until one is trained on all labelled spaces


@dataclass(frozen=True)
class Description:
    """How networks are read and what was seen in training.

    `words` are the vocabulary in order.  A feature x of the `header` goes in as (x - mean) / deviation, kept within
    `clip` on both sides.  `centre` and `spread` bring the scores of each member to mean 0 and deviation 1 on the
    reference networks, whose mean scores are `reference`, in order.  `least` and `most` are, by feature, what training
    saw.  `training` tells what the checkpoint was made of.
    """

    words: list[str]
    header: list[str]
    mean: list[float]
    deviation: list[float]
    clip: float
    centre: list[float]
    spread: list[float]
    reference: list[float]
    operators: list[str]
    least: dict[str, float]
    most: dict[str, float]
    training: dict[str, Any] = field(default_factory=dict)
    version: int = VERSION

    @cached_property
    def numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words)}

    def row(self, text: str) -> list[int]:
        """Return the word numbers of a sketch."""
        known = self.numbers
        return [known["[CLS]"], *(known.get(word, known["[UNK]"]) for word in words(text))]

    def features(self, readings: list[Reading]) -> NDArray[np.float32]:
        """Return the standardized features [networks, header]."""
        raw = np.array([[reading.features[name] for name in self.header] for reading in readings])
        raw = raw.reshape(len(readings), len(self.header))
        scaled = (raw - np.array(self.mean)) / np.array(self.deviation)
        return np.clip(scaled, -self.clip, self.clip).astype(np.float32)


def find(name: str) -> Path:
    """Return the folder of a checkpoint: a shipped one by name, or a path.  Raises UsageError where there is none."""
    shipped = sorted(path.name for path in _SHIPPED.iterdir() if path.is_dir()) if _SHIPPED.is_dir() else []
    if _ALIASES.get(name, name) in shipped:
        return _SHIPPED / _ALIASES.get(name, name)
    if (Path(name) / "checkpoint.json").is_file():
        return Path(name)
    raise UsageError(
        f"no checkpoint is named {name}{nearest(name, [*shipped, *_ALIASES])}; there are {', '.join(shipped)}, "
        "or give a folder with a checkpoint.json"
    )


def load(name: str) -> tuple[Description, list[onnx.ModelProto]]:
    """Return the description and the members of a checkpoint.  Raises UsageError, TextError, WeightsError."""
    folder = find(name)
    try:
        found = json.loads((folder / "checkpoint.json").read_text("utf-8"))
        if found.get("version") != VERSION:
            raise UsageError(f"{folder}: a checkpoint of version {found.get('version')}; this reads version {VERSION}")
        description = Description(**found)
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{folder}/checkpoint.json does not describe a checkpoint: {error}") from error
    return description, [_load_member(folder / f"member{k}.onnxt") for k in range(len(description.centre))]


def _load_member(path: Path) -> onnx.ModelProto:
    from onnxtext_grammar.codec import parse

    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    assembled = parse(text, str(path), open_weights=lambda digest: Weights(sidecar_path(path), digest))
    return onnx.ModelProto.FromString(b"".join(attach(assembled.wire, assembled.blobs)))


def save(folder: Path, description: Description, members: list[onnx.ModelProto]) -> None:
    """Write a checkpoint; what a folder held under the same names is replaced."""
    from onnxtext.core.blobs import detach
    from onnxtext_grammar.printer import print_model

    folder.mkdir(parents=True, exist_ok=True)
    for k, member in enumerate(members):
        printed = print_model(*detach(member.SerializeToString(deterministic=True)), sidecar=Sidecar())
        path = folder / f"member{k}.onnxt"
        assert printed.sidecar is not None
        with replacing(path, sidecar_path(path)) as (text, weights):
            write_pieces(text, [printed.text.encode()])
            printed.sidecar.write(weights)
    found = json.dumps(asdict(description), indent=1)
    with replacing(folder / "checkpoint.json") as (path,):
        write_pieces(path, [found.encode(), b"\n"])
