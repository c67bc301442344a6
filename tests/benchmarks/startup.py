"""How long the command line takes to say anything: `onnxtext --help` against `import onnx`, both with Python's start.

Unit: seconds on the clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from measuring import Row, ratio, run_python

TURNS = 11
MOST_TIME = 2.0


def startup(quick: bool) -> Iterator[Row]:
    """Yield the one row."""
    ours, theirs = [], []
    for _ in range(5 if quick else TURNS):
        theirs.append(run_python("-c", "import onnx").elapsed_s)
        ours.append(run_python("-m", "onnxtext.cli", "--help").elapsed_s)
    yield Row(
        *("startup", "onnxtext --help", "start", "s", median(ours), "python -c 'import onnx'", median(theirs)),
        ratio(ours, theirs),
        at_most=MOST_TIME,
    )
