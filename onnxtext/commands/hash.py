"""hash: one digest for all models that differ in names, order and documentation alone."""

from __future__ import annotations

from onnxtext.commands.options import AsJson, Model
from onnxtext.commands.output import print_data


def hash_model(model: Model, as_json: AsJson = False) -> None:
    """Write the hash of a model: the same for models that differ in names, order and documentation alone."""
    import json

    import onnx

    from onnxtext.source import read_model
    from onnxtext_passes.structural_hash import PASSES, VERSION, structural_hash

    source = read_model(model)
    found = structural_hash(onnx.ModelProto.FromString(source.wire), source.blobs)
    print_data(json.dumps({"hash": found, "version": VERSION, "passes": PASSES}, indent=1) if as_json else found)
