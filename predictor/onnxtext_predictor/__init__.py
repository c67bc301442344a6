"""The downstream consumer: it reads a short text of a network and scores the network.

`onnxtext_predictor.predictor.Predictor` is where to begin.
"""
