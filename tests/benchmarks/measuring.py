"""What benchmarks have in common: a row of the table, timings side by side, and programs that run by themselves.

The machines that run this share their cores, so that a time alone says little.  What is compared runs in turns, and a
ratio is the median of the ratios of the turns.

>>> row = Row("speed", "a chain", "parse", "nodes/s", 400e3, "onnx.parser", 500e3, 0.8, at_least=1.0)
>>> row.passes, row.wanted
(False, '>= 1')
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

TURNS = 5  # of which the median counts
BUDGET_S = 20  # for all turns of one comparison; at least MIN_TURNS are taken
MIN_TURNS = 3
TICK_S = 0.02  # what is quicker is repeated, so that a measurement takes at least this long


@dataclass(frozen=True)
class Row:
    """One comparison: our figure and the peer's, in `unit`, and the ratio that counts, ours to theirs."""

    benchmark: str
    input: str
    what: str
    unit: str
    ours: float | None
    peer: str
    theirs: float | None
    ratio: float | None  # None where the peer fails, or there is none
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def wanted(self) -> str:
        """What the ratio should be, or nothing where any will do."""
        if self.at_least is not None:
            return f">= {self.at_least:.3g}"
        return f"<= {self.at_most:.3g}" if self.at_most is not None else ""

    @property
    def passes(self) -> bool | None:
        """Whether the ratio is what it should be; None where any will do."""
        if not self.wanted:
            return None
        if self.ratio is None:
            return False
        low = self.at_least is None or self.ratio >= self.at_least
        return low and (self.at_most is None or self.ratio <= self.at_most)


def side_by_side(
    calls: Sequence[Callable[[], object]], clock: Callable[[], float] = time.process_time
) -> list[list[float] | Exception]:
    """Return, for each of `calls`, its seconds in every turn, or the exception it raised: then it took no turns.

    CPU time unless another `clock` is given.  The first call of each is not counted.  Garbage is collected before a
    measurement, and as usual during it.
    """
    repeats: list[int] = []
    times: list[list[float] | Exception] = []
    for call in calls:
        started = clock()
        try:
            call()
            times.append([])
        except Exception as error:  # a peer may raise anything on a text of its own
            times.append(error)
        repeats.append(max(1, int(TICK_S / max(clock() - started, 1e-9))))
    began = time.perf_counter()
    for turn in range(TURNS):
        if turn >= MIN_TURNS and time.perf_counter() - began > BUDGET_S:
            break
        for call, repeat, taken in zip(calls, repeats, times, strict=True):
            if isinstance(taken, Exception):
                continue
            gc.collect()
            started = clock()
            for _ in range(repeat):
                call()
            taken.append((clock() - started) / repeat)
    return times


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios of the turns."""
    return median(a / b for a, b in zip(ours, theirs, strict=True))


@dataclass(frozen=True)
class Child:
    """What a program took: the time on the clock, and the peak of resident memory, pages of mapped files included."""

    elapsed_s: float
    peak_bytes: int


# The peak of a child counts from its start as a copy of its parent, which therefore has to be a small one.
_LAUNCHER = """
import json, os, sys, time
started = time.perf_counter()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
_, status, usage = os.wait4(child, 0)
print(json.dumps([os.waitstatus_to_exitcode(status), time.perf_counter() - started, usage.ru_maxrss]))
"""


def run_python(*arguments: str | os.PathLike[str]) -> Child:
    """Run this Python with `arguments`.  Raises RuntimeError, with what the program wrote, where it fails."""
    command = [sys.executable, "-S", "-E", "-c", _LAUNCHER, sys.executable, *(os.fspath(a) for a in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    status, elapsed_s, peak = json.loads(done.stdout)
    if status:
        raise RuntimeError(f"{' '.join(command[5:])}: status {status}: {done.stderr}")
    return Child(elapsed_s, peak * (1 if sys.platform == "darwin" else 1024))
