"""Work without interruption by the garbage collector.

Printing and parsing allocate hundreds of thousands of small objects, none in a cycle; the collector, which runs every
few hundred allocations, then costs more than the work itself (measured: 2.5 times the time of splitting nodes).
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Switch the garbage collector off, and on again afterwards if it was on."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
