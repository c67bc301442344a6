"""The rewrites: each takes an ONNX model to an ONNX model, and says what it keeps.

There is no pass here yet.
"""
