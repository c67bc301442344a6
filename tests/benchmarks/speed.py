"""Printing and parsing by the node: from a ModelProto to text and back, as users call it.

Input: chains, the light_resnet50 of the onnx package, torch's exports with their weights in external files and without
metadata.  Peers: onnx.printer and onnx.parser (C++), protobuf's textproto and JSON; each parser reads the text of its
own printer.  Unit: nodes a second of CPU time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

import onnx
import onnx.parser
import onnx.printer
from chains import chain
from google.protobuf import json_format, text_format
from lengths import INLINE_ELEMENTS, external, light_models
from measuring import Row, ratio, side_by_side
from torch_models import MODELS, export, strip_metadata

import onnxtext


@dataclass(frozen=True)
class Carrier:
    """A way to write a model as text."""

    printer: str
    parser: str
    print: Callable[[onnx.ModelProto], str]
    parse: Callable[[str], onnx.ModelProto]


OURS = Carrier("onnxtext", "onnxtext", lambda model: onnxtext.encode(model, verify=False), onnxtext.decode)
ONNX = Carrier("onnx.printer", "onnx.parser", onnx.printer.to_text, onnx.parser.parse_model)
TEXTPROTO = Carrier(
    "textproto", "textproto", text_format.MessageToString, lambda text: text_format.Parse(text, onnx.ModelProto())
)
JSON = Carrier("JSON", "JSON", json_format.MessageToJson, lambda text: json_format.Parse(text, onnx.ModelProto()))

# Chains: (printing, parsing) against onnx, at least.
CHAINS: dict[str, tuple[float | None, float | None]] = {
    "attributes": (0.5, 1.0),
    "distinct": (None, None),
    "bare": (0.25, 0.25),
    "arrow": (None, None),
}
LIMITS_FROM_NODES = 10_000
LINEAR = 0.67  # of the speed on a tenth of the nodes, at least: caches and the garbage collector take some
QUICK_EXPORTS = ("resnet18", "bert_small")  # the smallest
LARGEST = "darts20"  # of all exports the one with most nodes
MOST_SECONDS = 0.1  # for the largest export, each way


def compare(
    benchmark: str,
    source: str,
    model: onnx.ModelProto,
    peers: tuple[Carrier, ...] = (ONNX, TEXTPROTO, JSON),
    limits: tuple[float | None, float | None] = (None, None),
) -> Iterator[Row]:
    """Yield the rows of one model: printing, then parsing, against each peer; the limits are those against onnx."""
    nodes = len(model.graph.node)
    carriers = (OURS, *peers)
    texts = [carrier.print(model) for carrier in carriers]
    calls: dict[str, list[Callable[[], object]]] = {
        "print": [partial(carrier.print, model) for carrier in carriers],
        "parse": [partial(carrier.parse, text) for carrier, text in zip(carriers, texts, strict=True)],
    }
    for what, limit in zip(("print", "parse"), limits, strict=True):
        mine, *others = side_by_side(calls[what])
        if isinstance(mine, Exception):
            raise mine
        ours = nodes / median(mine)
        for peer, theirs in zip(peers, others, strict=True):
            name = peer.printer if what == "print" else peer.parser
            at_least = limit if peer is ONNX and nodes >= LIMITS_FROM_NODES else None
            if isinstance(theirs, Exception):
                note = f"{type(theirs).__name__}: {' '.join(str(theirs).split())[:60]}"
                yield Row(benchmark, source, what, "nodes/s", ours, name, None, None, at_least, note=note)
            else:
                rate = nodes / median(theirs)
                yield Row(benchmark, source, what, "nodes/s", ours, name, rate, ratio(theirs, mine), at_least)


def chains(quick: bool) -> Iterator[Row]:
    """Yield the speeds on chains of 100 to 100,000 nodes."""
    for kind, limits in CHAINS.items():
        for nodes in (100, 1_000, 10_000) if quick else (100, 1_000, 10_000, 100_000):
            yield from compare("chains", f"{kind}, {nodes:,} nodes", chain(kind, nodes), limits=limits)


def linearity(quick: bool) -> Iterator[Row]:
    """Yield our speeds on the longest chains, against ours on a tenth of them: the peer is what is linear."""
    long = 100_000 if quick else 1_000_000
    for kind in CHAINS:
        small, large = chain(kind, long // 10), chain(kind, long)
        peer = f"onnxtext, {long // 10:,} nodes"
        for what, call, inputs in (
            ("print", OURS.print, (small, large)),
            ("parse", OURS.parse, (OURS.print(small), OURS.print(large))),
        ):
            short_s, long_s = side_by_side([partial(call, each) for each in inputs])
            assert isinstance(short_s, list) and isinstance(long_s, list), (short_s, long_s)
            share = ratio([s * 10 for s in short_s], long_s)
            rates = long / median(long_s), long / 10 / median(short_s)
            yield Row("linearity", f"{kind}, {long:,} nodes", what, "nodes/s", rates[0], peer, rates[1], share, LINEAR)


def exports(quick: bool, cache: Path) -> Iterator[tuple[str, onnx.ModelProto]]:
    """Yield torch's exports, made in `cache` where they are not there yet."""
    for name in QUICK_EXPORTS if quick else MODELS:
        yield name, onnx.load(export(name, cache))


def networks(quick: bool, cache: Path) -> Iterator[Row]:
    """Yield the speeds on light_resnet50 and on torch's exports."""
    yield from compare("networks", "light_resnet50", light_models()["light_resnet50"])
    for name, model in exports(quick, cache):
        yield from compare("networks", name, strip_metadata(external(model)))


def without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy in which the larger initializers have a type and no data."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in copy.graph.initializer:
        if math.prod(tensor.dims) > INLINE_ELEMENTS:
            tensor.ClearField("raw_data")
    return copy


def largest(quick: bool, cache: Path) -> Iterator[Row]:
    """Yield the seconds for the largest exports each way, metadata kept, without their weights."""
    name = QUICK_EXPORTS[0] if quick else LARGEST
    for kind, optimize in (("optimized", True), ("raw", False)):
        model = without_weights(onnx.load(export(name, cache, optimize=optimize)))
        nodes = len(model.graph.node)
        for row in compare("largest", f"{name} {kind}, {nodes:,} nodes", model, (TEXTPROTO,)):
            assert row.ours and row.theirs and row.ratio
            ours_s, theirs_s = nodes / row.ours, nodes / row.theirs
            note = f"{MOST_SECONDS} s wanted: {'pass' if ours_s < MOST_SECONDS else 'FAIL'}"
            yield replace(row, unit="s", ours=ours_s, theirs=theirs_s, ratio=1 / row.ratio, note=note)
