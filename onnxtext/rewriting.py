"""Running passes for the command line: what was asked to be shown, dumped, reported or only tried."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import onnx

from onnxtext.core.errors import OnnxTextError, UsageError

if TYPE_CHECKING:
    from onnxtext.api import Source
    from onnxtext_passes.base import Pass
    from onnxtext_passes.manager import Result


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


def rewrite(source: Source, passes: str, watch: Watch | None = None) -> Source:
    """Return the model as the pipeline `passes` rewrites it.  Raises UsageError, PassError."""
    from onnxtext.api import Source
    from onnxtext_passes.manager import run_pipeline
    from onnxtext_passes.pipeline import parse_pipeline

    watch = watch or Watch()
    pipeline = parse_pipeline(passes)
    if watch.print_after not in ("", "all", "changed"):
        names = [p.name for p in pipeline.body]
        if watch.print_after not in names:
            raise UsageError(f"--print-after takes all, changed or a pass of the pipeline, not {watch.print_after}")
    if watch.dry_run:
        for p in pipeline.body:
            print(f"{p}: {p.keeps}", file=sys.stderr)
        return source

    def after_each(number: int, p: Pass, model: onnx.ModelProto, changed: bool) -> None:
        wanted = watch.print_after in ("all", p.name) or (watch.print_after == "changed" and changed)
        if not wanted and not watch.dump_dir:
            return
        text = _text(Source(model.SerializeToString(deterministic=True), source.blobs))
        if wanted:
            print(f"// after {p}\n{text}", file=sys.stderr, end="")
        if watch.dump_dir:
            folder = Path(watch.dump_dir)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number + 1:02d}-{p.name}.onnxt").write_text(text, encoding="utf-8")

    if watch.dump_dir:
        Path(watch.dump_dir).mkdir(parents=True, exist_ok=True)
        (Path(watch.dump_dir) / "00-input.onnxt").write_text(_text(source), encoding="utf-8")
    try:
        result = run_pipeline(
            onnx.ModelProto.FromString(source.wire),
            pipeline,
            blobs=source.blobs,
            verify=watch.verify_passes,  # type: ignore[arg-type]  # run_pipeline checks it
            at_least="exact" if watch.exact else "lossy",
            after_each=after_each,
        )
    except UsageError:
        raise
    except OSError as error:
        raise OnnxTextError(f"{watch.dump_dir}: cannot write into it: {error.strerror}") from error
    _show(result, watch)
    return Source(result.model.SerializeToString(deterministic=True), source.blobs, source.differs)


def _text(source: Source) -> str:
    from onnxtext.api import print_source

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
        if watch.stats:
            for heading in ("nodes", "tensors", "bytes"):
                table.add_column(heading, justify="right")
        if watch.timing:
            table.add_column("ms", justify="right")
        for step in result.steps:
            row = [step.name, step.keeps, str(step.rewrites)]
            if watch.stats:
                for what in ("nodes", "tensors", "bytes"):
                    row.append(f"{getattr(step.before, what)} -> {getattr(step.after, what)}")
            if watch.timing:
                row.append(f"{step.elapsed_s * 1e3:.1f}")
            table.add_row(*row)
        Console(stderr=True, width=120).print(table)
    if watch.report:
        from onnxtext.core.files import write_output

        write_output(watch.report, [json.dumps(result.report(), indent=1).encode() + b"\n"])
