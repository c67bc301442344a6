"""encode: a model as text."""

from __future__ import annotations

import re
import sys
from typing import Annotated

import typer

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
from onnxtext.commands.output import print_note
from onnxtext.core.errors import UsageError

TERMINAL_BYTES = 1_000_000  # of weights that encode does not write to a terminal unasked


def encode(
    model: Model,
    output: Output = "-",
    passes: Passes = "",
    weights: Annotated[
        str,
        typer.Option(
            metavar="sidecar|inline|elide",
            help="Beside the text in FILE.safetensors (the default with -o FILE), in the text (the default to standard "
            "output), or left out, keeping types, shapes and a digest.",
        ),
    ] = "",
    verify: Annotated[
        bool | None,
        typer.Option("--verify/--no-verify", help="Read the text back and compare. Default: where it costs little."),
    ] = None,
    restorable: Annotated[
        bool,
        typer.Option("--restorable", help="Write FILE.undo, with which `decode --restore` undoes exact passes."),
    ] = False,
    reproduce: Annotated[
        bool, typer.Option("--reproduce", help="MODEL is the reproducer of a failure: run again the passes it names.")
    ] = False,
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
    """Write a model as text."""
    from onnxtext import api
    from onnxtext.core.files import is_replaceable
    from onnxtext.rewriting import Watch, read_reproducer, require_exact, rewrite
    from onnxtext.source import print_source, read_model

    mode = weights or ("sidecar" if output != "-" and is_replaceable(output) else "inline")
    if mode == "sidecar" and output == "-":
        raise UsageError("a weights file needs a name: use -o FILE, or --weights inline or elide")
    if restorable:
        if output == "-":
            raise UsageError("the record of --restorable needs a name: use -o FILE, and it is FILE.undo")
        require_exact(passes)
    if provenance == "-" and output == "-":
        raise UsageError("the text and the table of --provenance cannot both go to standard output: use -o FILE")
    if reproduce:
        if passes or verify_passes != "none" or verify_outputs:
            raise UsageError("a reproducer says itself which passes to run and what to verify: give none with it")
        source, passes, asked = read_reproducer(model)
        verify_passes, verify_outputs = asked.verify_passes, asked.verify_outputs
    else:
        source = read_model(model)
    original = source
    if passes or dry_run:
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
            reproduce,
            provenance,
        )
        source = rewrite(source, passes, watch)
        if dry_run:
            return
    to_terminal = output == "-" and not weights and sys.stdout is not None and sys.stdout.isatty()
    if to_terminal:
        _refuse_terminal(source.blobs.total_bytes)
    printed = print_source(source, weights=mode, verify=verify)  # type: ignore[arg-type]  # print_source checks it
    if source.differs:
        print_note(
            f"{model}: its bytes are not protobuf's deterministic serialization; the text gives back that, "
            "equal in every field"
        )
    if printed.escapes:
        kinds = ", ".join(sorted(set(printed.escapes)))
        print_note(f"{model}: {len(printed.escapes)} opaque escapes in the text, for what onnx does not name ({kinds})")
    if to_terminal:  # again: what stands in typed fields, such as float_data, is not set aside
        _refuse_terminal(sum(len(data) for data in re.findall(r'base64\("([^"]*)"', printed.text)) * 3 // 4)
    record = api.record_of(original, source, passes) if restorable else None
    api.write_text(printed, output, mode, record)  # type: ignore[arg-type]  # print_source checked it


def _refuse_terminal(held_bytes: int) -> None:
    if held_bytes > TERMINAL_BYTES:
        raise UsageError(
            f"the weights are {held_bytes / 1e6:.0f} MB, too much for a terminal: use -o FILE (weights beside it), "
            "--weights elide (without them), --weights inline (with them, as base64), or a pipe"
        )
