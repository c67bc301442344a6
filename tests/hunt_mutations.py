"""Look for an input that the codec cannot bear, among a million: `python tests/hunt_mutations.py --help`.

Every input is one of three: bytes of a model with damages, a text with damages, or a model drawn at random.  Each has
to give a model or an error with a place, within a second of processor time, the parsers have to agree on it, and what
is a model has to come back from its text.  The first that does not is saved and ends the hunt.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random, SystemRandom

import onnx
from example_texts import TEXTS
from laws import MODES, assert_exact, assert_parsers_agree, at_most, encode_or_error, print_unchecked
from mutations import mutate_bytes, mutate_text
from strategies import any_model, running_model

from onnxtext.core.wire import canonical

LARGEST_FILE_BYTES = 20_000  # of the files of the onnx package that are mutated too
MEMORY_BYTES = 8_000_000_000
LIMITS_S = {"bytes": 1.0, "text": 1.0, "model": 5.0}  # of processor time; a model is printed and read six times
FRESH = 100  # inputs after which new models are drawn to be mutated
SHOWN_S = 60  # between two lines of what has been done


def main() -> int:
    """Hunt, and return the status of the process: 1 where something was found."""
    parser = argparse.ArgumentParser(description="Look for an input that the codec cannot bear.")
    parser.add_argument("--inputs", type=int, default=1_000_000, help="how many to try (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="of the hunt; by default another one each time")
    parser.add_argument("--first", type=int, default=0, help="the input to begin with, to see one again")
    parser.add_argument("--keep", type=Path, default=Path("build/hunt"), help="where a finding is saved")
    options = parser.parse_args()
    seed = SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    print(f"seed {seed}", flush=True)
    return hunt(seed, range(options.first, options.inputs), options.keep)


def hunt(seed: int, numbers: range, keep: Path) -> int:
    """Try the inputs with these numbers; print counts as they come, and what was found."""
    started_s = shown_s = time.monotonic()
    slowest_s, counts = 0.0, Counter[str]()
    prey = Prey(seed)
    for number in numbers:
        kind, data, random = prey.input(number)
        before_s = time.process_time()
        try:
            with at_most(LIMITS_S[kind]):
                counts[f"{kind}: {try_input(kind, data, random)}"] += 1
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                print(f"\ninterrupted at input {number}; {summary(counts)}")
                return 0
            report(seed, number, kind, data, keep)
            return 1
        slowest_s = max(slowest_s, time.process_time() - before_s)
        if time.monotonic() - shown_s > SHOWN_S or number == numbers[-1]:
            shown_s = time.monotonic()
            took = f"{number + 1} inputs in {shown_s - started_s:.0f} s, the slowest took {slowest_s:.2f} s"
            print(f"{took}; {summary(counts)}", flush=True)
    return 0


class Prey:
    """What is mutated: files of the onnx package, models drawn at random, short texts; and new ones all the time."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        files = [p.read_bytes() for p in sorted(Path(onnx.__file__).parent.rglob("*.onnx"))]
        self.files = [canonical(data) for data in files if len(data) <= LARGEST_FILE_BYTES]
        self.group = -1
        self.models: list[bytes] = []
        self.texts: list[str] = []

    def input(self, number: int) -> tuple[str, bytes | str, Random]:
        """Return the kind of an input, the input, and the source of what else has to be chosen."""
        if number // FRESH != self.group:
            self.group = number // FRESH
            self.draw(Random(f"{self.seed}:{self.group}"))
        random = Random(f"{self.seed}:{self.group}:{number}")
        kind = random.choice(["bytes", "bytes", "bytes", "text", "text", "text", "text", "model"])
        if kind == "bytes":
            return kind, mutate_bytes(random.choice(self.models), random), random
        if kind == "text":
            return kind, mutate_text(random.choice(self.texts), random), random
        return kind, any_model(random), random

    def draw(self, random: Random) -> None:
        """Draw the models and the texts that the next inputs are made of."""
        self.models = [any_model(random) for _ in range(4)]
        self.models += [running_model(random).SerializeToString(deterministic=True) for _ in range(3)]
        self.models += random.sample(self.files, 2)
        self.texts = [print_unchecked(wire, random.choice(MODES)).text for wire in self.models] + TEXTS


def try_input(kind: str, data: bytes | str, random: Random) -> str:
    """Try one input and return what became of it.  Raises whatever ought not to happen."""
    if isinstance(data, str):
        return "refused" if assert_parsers_agree(data) is None else "a model"
    if kind == "bytes":
        return "refused" if encode_or_error(data) is None else "a model"
    assert_exact(data)
    return "a model"


def report(seed: int, number: int, kind: str, data: bytes | str, keep: Path) -> None:
    """Print what was found, and save the input."""
    keep.mkdir(parents=True, exist_ok=True)
    file = keep / f"{seed}-{number}.{'onnxt' if kind == 'text' else 'onnx'}"
    file.write_bytes(data.encode(errors="surrogatepass") if isinstance(data, str) else data)
    traceback.print_exc()
    print(f"\nfound at input {number}, {kind}, saved in {file}; again: --seed {seed} --first {number}")


def summary(counts: Counter[str]) -> str:
    """Return the counts on one line."""
    return ", ".join(f"{what} {count}" for what, count in sorted(counts.items()))


if __name__ == "__main__":
    sys.exit(main())
