"""Running passes for the command line: what was asked to be shown, dumped, reported or only tried."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import onnx

from onnxtext.core.errors import OnnxTextError, UsageError

if TYPE_CHECKING:
    from onnxtext.source import Source
    from onnxtext_passes.base import Pass
    from onnxtext_passes.manager import Result, Size
    from onnxtext_passes.provenance import Trail

REPRODUCER = "onnxtext-reproducer.onnxt"
INLINE_BYTES = 64_000_000  # of weights, up to which a reproducer holds them


@dataclass(frozen=True, slots=True)
class Watch:
    """What to do besides rewriting.  The fields are the options of `encode` and `optimize`."""

    verify_passes: str = "none"  # each, end or none
    exact: bool = False  # refuse passes that are not exact
    timing: bool = False
    stats: bool = False
    print_after: str = ""  # all, changed, or the name of a pass
    dump_dir: str = ""
    report: str = ""
    dry_run: bool = False
    verify_outputs: bool = False  # with verify_passes: equal outputs under onnxruntime
    tokenizer: str = ""  # a file, to count tokens with stats
    reproducing: bool = False  # a reproducer is run, which writes no other
    provenance: str = ""  # a file for the table of where every node comes from


def rewrite(source: Source, passes: str, watch: Watch | None = None) -> Source:
    """Return the model as the pipeline `passes` rewrites it.  Raises UsageError, PassError."""
    from onnxtext.source import Source
    from onnxtext_passes.base import PassError
    from onnxtext_passes.manager import measure, require, run_pipeline
    from onnxtext_passes.pipeline import parse_pipeline

    by_command, watch = watch is not None, watch or Watch()
    pipeline = parse_pipeline(passes)
    if watch.print_after not in ("", "all", "changed"):
        names = [p.name for p in pipeline.body]
        if watch.print_after not in names:
            raise UsageError(f"--print-after takes all, changed or a pass of the pipeline, not {watch.print_after}")
    if watch.tokenizer and not (watch.stats or watch.report):
        raise UsageError("--tokenizer counts tokens for --stats or --report: give one of them too")
    if watch.exact:
        require(pipeline, "exact")
    if watch.dry_run:
        for p in pipeline.body:
            print(f"{p}: {p.keeps}", file=sys.stderr)
        return source

    trail = _trail(source) if watch.provenance else None

    def after_each(number: int, p: Pass, model: onnx.ModelProto, changed: bool) -> None:
        if trail is not None and changed:
            trail.step(str(p), model)
        wanted = watch.print_after in ("all", p.name) or (watch.print_after == "changed" and changed)
        if not wanted and not watch.dump_dir:
            return
        text = _text(Source(model.SerializeToString(deterministic=True), source.blobs))
        if wanted:
            print(f"// after {p}\n{text}", file=sys.stderr, end="")
        if watch.dump_dir:
            _dump(watch.dump_dir, f"{number + 1:02d}-{p.name}.onnxt", text)

    if watch.dump_dir:
        _dump(watch.dump_dir, "00-input.onnxt", _text(source))
    try:
        result = run_pipeline(
            onnx.ModelProto.FromString(source.wire),
            pipeline,
            blobs=source.blobs,
            verify=watch.verify_passes,  # type: ignore[arg-type]  # run_pipeline checks it
            verify_outputs=watch.verify_outputs,
            at_least="exact" if watch.exact else "lossy",
            size_of=_size_of(source, watch) if watch.stats or watch.report else measure,
            after_each=after_each,
        )
    except PassError as error:
        if by_command and not watch.reproducing and error.model is not None:
            failed = Source(error.model.SerializeToString(deterministic=True), source.blobs)
            error.args = (f"{error}\n{_reproducer(failed, error.remaining, watch)}",)
        raise
    _show(result, watch)
    if trail is not None:
        _write_provenance(trail, watch.provenance)
    return Source(result.model.SerializeToString(deterministic=True), source.blobs, source.differs)


def _dump(folder: str, name: str, text: str) -> None:
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise OnnxTextError(f"{folder}: cannot write into it: {error.strerror}") from error


def require_exact(passes: str) -> None:
    """Raise UsageError, which names it, where a pass of the pipeline cannot be undone."""
    from onnxtext_passes.pipeline import kept_by, parse_pipeline

    for p in parse_pipeline(passes).body:
        if kept_by(p) != "exact":
            raise UsageError(
                f"the pass {p} is {kept_by(p)}, and only what exact passes do can be undone: "
                "leave it out, or leave out --restorable"
            )


def _size_of(source: Source, watch: Watch) -> Callable[[onnx.ModelProto], Size]:
    """Return what measures a model for the table, with parameters and, where a tokenizer is given, tokens."""
    from onnxtext.source import Source, print_source
    from onnxtext_passes.manager import measure
    from onnxtext_passes.statistics import count_parameters, token_counter

    count = token_counter(watch.tokenizer) if watch.tokenizer else None

    def size_of(model: onnx.ModelProto) -> Size:
        tokens = None
        if count is not None:
            held = Source(model.SerializeToString(deterministic=True), source.blobs)
            tokens = count(print_source(held, weights="sidecar", verify=False).text)
        return replace(measure(model), parameters=count_parameters(model), tokens=tokens)

    return size_of


def _trail(source: Source) -> Trail:
    from onnxtext_passes.provenance import Trail

    return Trail(onnx.ModelProto.FromString(source.wire))


def _write_provenance(trail: Trail, path: str) -> None:
    """Write where every node comes from: as JSON into a file of that name, else as a table with tabs."""
    from onnxtext.core.files import write_output

    rows = [asdict(row) for row in trail.rows()]
    if path.endswith(".json"):
        data = json.dumps(rows, indent=1)
    else:
        lines = [["node", "operator", "result", "made_by", "made_from"]]
        lines += [[*list(row.values())[:-1], ",".join(row["made_from"])] for row in rows]
        data = "\n".join("\t".join(re.sub(r"[\x00-\x1f\x7f]", " ", cell) for cell in line) for line in lines)
    write_output(path, [f"{data}\n".encode()])


# ---- reproducers: the model before a pass that fails, and what was to be done with it, in one text

_FIRST_LINE = re.compile(r"// reproduce: ([^\n]*)\n")


def _reproducer(source: Source, passes: str, watch: Watch) -> str:
    """Write the reproducer of a failure, and return a sentence that says how to run it, or why there is none."""
    from onnxtext.core.files import write_output
    from onnxtext.source import print_source

    held = source.blobs.total_bytes <= INLINE_BYTES
    options = ["--passes", passes, "--verify-passes", watch.verify_passes]
    options += ["--verify-outputs"] * watch.verify_outputs + ["--fill", "random"] * (not held)
    path = Path(watch.dump_dir) / REPRODUCER
    try:
        text = print_source(source, weights="inline" if held else "elide", verify=False).text
        write_output(path, [f"// reproduce: {shlex.join(options)}\n{text}".encode()])
    except OnnxTextError as problem:
        return f"no reproducer could be written: {problem}"
    made_up = "" if held else f"; of its {source.blobs.total_bytes >> 20} MiB of weights it has made-up ones"
    return f"to see it again: onnxtext encode --reproduce {shlex.quote(str(path))}{made_up}"


def read_reproducer(path: str) -> tuple[Source, str, Watch]:
    """Return the model of a reproducer, the pipeline, and what else was asked for.  Raises what reading raises."""
    from onnxtext.core.files import read_bytes
    from onnxtext.core.wire import canonical
    from onnxtext.source import Source, decode_utf8, read_text

    name = "<stdin>" if path == "-" else path
    text = decode_utf8(read_bytes(path), name)
    first = _FIRST_LINE.match(text)
    if first is None:
        raise UsageError(f"{name}: nothing to reproduce: its first line is not `// reproduce: --passes …`")
    try:
        words = iter(shlex.split(first[1]))
        given = {word: "" if word == "--verify-outputs" else next(words) for word in words}
    except (ValueError, StopIteration) as error:
        raise UsageError(f"{name}: its first line cannot be read: a quote or a value is missing") from error
    strange = given.keys() - {"--passes", "--verify-passes", "--verify-outputs", "--fill"}
    if strange or "--passes" not in given:
        raise UsageError(f"{name}: its first line names {min(strange, default='no --passes')}")
    assembled = read_text(text, name, beside=None if path == "-" else path, fill=given.get("--fill"))
    watch = Watch(
        verify_passes=given.get("--verify-passes", "none"),
        verify_outputs="--verify-outputs" in given,
        reproducing=True,
    )
    return Source(canonical(assembled.wire), assembled.blobs), given["--passes"], watch


def _text(source: Source) -> str:
    from onnxtext.source import print_source

    return print_source(source, weights="elide", verify=False).text


def _show(result: Result, watch: Watch) -> None:
    """Write the table of steps, the notes and the report."""
    for note in result.notes:
        print(f"note: {note}", file=sys.stderr)
    if watch.timing or watch.stats:
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None, pad_edge=False)
        for heading, right in (("pass", False), ("keeps", False), ("rewrites", True)):
            table.add_column(heading, justify="right" if right else "left")
        shown = ["nodes", "tensors", "parameters", "bytes", *(["tokens"] if watch.tokenizer else [])]
        if watch.stats:
            for heading in shown:
                table.add_column(heading, justify="right")
        if watch.timing:
            table.add_column("ms", justify="right")
        for step in result.steps:
            row = [step.name, step.keeps, str(step.rewrites)]
            if watch.stats:
                for what in shown:
                    row.append(f"{getattr(step.before, what)} -> {getattr(step.after, what)}")
            if watch.timing:
                row.append(f"{step.elapsed_s * 1e3:.1f}")
            table.add_row(*row)
        Console(stderr=True, width=120).print(table)
    if watch.report:
        from onnxtext.core.files import write_output

        write_output(watch.report, [json.dumps(result.report(), indent=1).encode() + b"\n"])
