"""What our text costs, in time and length, as ratios to the peers in the same run.

    python tests/benchmarks/bench.py [NAME...] [--quick] [--tokenizer FILE] [--cache FOLDER] [--json FILE]

One row for each comparison.  A ratio is ours to the peer's in the row's unit; where one is wanted, the row says whether
it was reached, and so does the status: 1 where one was not.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import speed
from editor import editor
from lengths import MOST_OF_PRINTER, MOST_OF_TEXTPROTO, counter, geometric_mean, light_models, tokens
from measuring import Row
from startup import startup
from torch_models import strip_metadata
from weights import weights


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    quick: bool
    cache: Path  # where torch's exports are, or come to be
    tokenizer: Path | None


def lengths(options: Options) -> Iterator[Row]:
    """Yield the lengths of every network without metadata, and of torch's exports with it, and their means."""
    assert options.tokenizer is not None, "main leaves lengths out without one"
    count = counter(options.tokenizer)
    exports = dict(speed.exports(options.quick, options.cache))
    without: dict[str, list[float]] = {}
    kept: dict[str, list[float]] = {}
    for name, model in (light_models() | exports).items():
        yield from _lengths(name, "metadata stripped", tokens(strip_metadata(model), count), without)
    for name, model in exports.items():
        yield from _lengths(name, "metadata kept", tokens(model, count), kept)
    for what, ratios, limits in (
        ("metadata stripped", without, {"onnx.printer": MOST_OF_PRINTER}),
        ("metadata kept", kept, {"textproto": MOST_OF_TEXTPROTO}),
    ):
        for peer, values in ratios.items():
            mean, source = geometric_mean(values), f"geometric mean of {len(values)}"
            yield Row("lengths", source, what, "tokens", None, peer, None, mean, at_most=limits.get(peer))


def _lengths(name: str, what: str, found: dict[str, int], ratios: dict[str, list[float]]) -> Iterator[Row]:
    ours = found.pop("onnxtext")
    for peer, theirs in found.items():
        if peer == "onnx.printer" and what == "metadata kept":  # it drops them
            continue
        ratios.setdefault(peer, []).append(ours / theirs)
        yield Row("lengths", name, what, "tokens", ours, peer, theirs, ours / theirs)


BENCHMARKS: dict[str, Callable[[Options], Iterator[Row]]] = {
    "chains": lambda options: speed.chains(options.quick),
    "linearity": lambda options: speed.linearity(options.quick),
    "networks": lambda options: speed.networks(options.quick, options.cache),
    "largest": lambda options: speed.largest(options.quick, options.cache),
    "lengths": lengths,
    "weights": lambda options: weights(options.quick),
    "startup": lambda options: startup(options.quick),
    "editor": lambda options: editor(options.quick),
}

HEAD = ("benchmark", "input", "what", "ours", "theirs", "unit", "peer", "ratio", "wanted", "")


def figure(value: float | None) -> str:
    """Return a number in the digits that say something.

    >>> figure(1234567.8), figure(12.345), figure(0.01234)
    ('1,234,568', '12.3', '0.0123')
    """
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def cells(row: Row) -> tuple[str, ...]:
    """Return a row as HEAD asks for it."""
    verdict = {True: "pass", False: "FAIL", None: ""}[row.passes]
    return (
        *(row.benchmark, row.input, row.what, figure(row.ours), figure(row.theirs), row.unit, row.peer),
        *("-" if row.ratio is None else f"{row.ratio:.3f}", row.wanted, " ".join(filter(None, (verdict, row.note)))),
    )


def table(rows: Sequence[Row]) -> str:
    """Return rows as a table in Markdown."""
    lines = [HEAD, *map(cells, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    shown = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in lines]
    shown.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(shown)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measure onnxtext against its peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="smaller inputs and fewer of them")
    parser.add_argument("--tokenizer", type=Path, metavar="FILE", help="a tokenizer.json; without it, no lengths")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="where torch's exports are kept between runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows into a file too")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"there is no benchmark {', '.join(unknown)}; expected some of {', '.join(BENCHMARKS)}")
    if "lengths" in options.names and options.tokenizer is None:
        parser.error("lengths are counted in tokens: give --tokenizer FILE")
    names = options.names or [name for name in BENCHMARKS if options.tokenizer or name != "lengths"]
    if "lengths" not in names and not options.names:
        print("lengths: left out; --tokenizer FILE adds them", file=sys.stderr)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="onnxtext-bench-") as folder:
        chosen = Options(options.quick, options.cache or Path(folder), options.tokenizer)
        for name in names:
            started_s = time.perf_counter()
            rows += BENCHMARKS[name](chosen)
            print(f"{name}: {time.perf_counter() - started_s:.0f} s", file=sys.stderr, flush=True)
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps([asdict(row) | {"passes": row.passes} for row in rows], indent=1) + "\n")
    return int(any(row.passes is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
