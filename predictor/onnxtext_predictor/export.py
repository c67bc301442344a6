"""The text model as an ONNX model, which is how it is shipped and run."""

from __future__ import annotations

import logging
import warnings

import onnx
import torch

from onnxtext_predictor.encoder import TextEncoder


def export(model: TextEncoder) -> onnx.ModelProto:
    """Return the ONNX model: `words` int64 [networks, length], `header` float32 [networks, features] -> `score`."""
    words = torch.randint(4, model.sizes.words, (3, 20))
    words[0, 15:] = 0
    header = torch.zeros(3, model.sizes.header)
    has_header = model.sizes.header > 0
    dynamic = ({0: "networks", 1: "length"}, {0: "networks"})
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)  # it tells of what is not installed
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                model.eval().cpu(),
                (words, header) if has_header else (words,),
                input_names=["words", "header"] if has_header else ["words"],
                output_names=["score"],
                dynamo=True,
                dynamic_shapes=dynamic if has_header else dynamic[:1],
                verbose=False,
            )
    finally:
        logging.disable(level)
    assert program is not None
    found = program.model_proto
    graph = found.graph
    for part in [graph, *graph.input, *graph.output, *graph.value_info, *graph.initializer, *graph.node]:
        del part.metadata_props[:]  # stack traces of the machine that exported
        part.doc_string = ""
    return found
