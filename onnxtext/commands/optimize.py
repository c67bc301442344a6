"""optimize: a model as passes rewrite it."""

from __future__ import annotations

import sys

from onnxtext.commands.options import (
    DryRun,
    DumpDir,
    Exact,
    Model,
    Output,
    Passes,
    PrintAfter,
    Provenance,
    Report,
    Stats,
    Timing,
    Tokenizer,
    VerifyOutputs,
    VerifyPasses,
)
from onnxtext.core.errors import UsageError


def optimize(
    model: Model,
    output: Output = "-",
    passes: Passes = "",
    verify_passes: VerifyPasses = "none",
    verify_outputs: VerifyOutputs = False,
    exact: Exact = False,
    timing: Timing = False,
    stats: Stats = False,
    tokenizer: Tokenizer = "",
    print_after: PrintAfter = "",
    dump_dir: DumpDir = "",
    report: Report = "",
    provenance: Provenance = "",
    dry_run: DryRun = False,
) -> None:
    """Write a model as passes rewrite it: the passes without the text."""
    from onnxtext.core.blobs import attach
    from onnxtext.core.files import write_output
    from onnxtext.rewriting import Watch, rewrite
    from onnxtext.source import read_model

    if not passes:
        raise UsageError("optimize needs passes, as in --passes prune,merge; `onnxtext passes` lists them")
    if output == "-" and sys.stdout is not None and sys.stdout.isatty() and not dry_run:
        raise UsageError("a model is binary: use -o FILE, or a pipe")
    if provenance == "-" and output == "-":
        raise UsageError("the model and the table of --provenance cannot both go to standard output: use -o FILE")
    watch = Watch(
        verify_passes,
        exact,
        timing,
        stats,
        print_after,
        dump_dir,
        report,
        dry_run,
        verify_outputs,
        tokenizer,
        provenance=provenance,
    )
    source = rewrite(read_model(model), passes, watch)
    if not dry_run:
        write_output(output, attach(source.wire, source.blobs))
