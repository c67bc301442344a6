"""The passes: rewrites of a model, each keeping its promise, and the manager that runs them.

>>> from onnxtext_passes.pipeline import parse_pipeline
>>> str(parse_pipeline("prune, fixpoint{max=4}(prune,merge)"))
'prune,fixpoint{max=4}(prune,merge)'
"""
