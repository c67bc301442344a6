"""bisect: the pass that makes a check fail."""

from __future__ import annotations

from typing import Annotated

import typer

from onnxtext.commands.options import AsJson, Model
from onnxtext.commands.output import print_data
from onnxtext.core.errors import UsageError


def bisect(
    model: Model,
    passes: Annotated[str, typer.Option(metavar="A,B,…", help="The passes of which one is looked for.")] = "",
    check: Annotated[
        str,
        typer.Option(
            metavar="outputs|checker|COMMAND",
            help="What fails: equal outputs under onnxruntime, onnx's checker, or a shell command with {} in place of "
            "the model's file.",
        ),
    ] = "outputs",
    as_json: AsJson = False,
) -> None:
    """Find the first pass after which a check fails; 1 if there is one."""
    import json

    import onnx

    from onnxtext.source import read_model
    from onnxtext_passes.bisection import bisect as find
    from onnxtext_passes.pipeline import parse_pipeline

    if not passes:
        raise UsageError("bisect needs passes, as in --passes prune,merge; `onnxtext passes` lists them")
    pipeline = parse_pipeline(passes)
    source = read_model(model)
    finding = find(onnx.ModelProto.FromString(source.wire), source.blobs, pipeline, check)
    if as_json:
        found = None if finding is None else {"number": finding.number, "pass": finding.name, "reason": finding.reason}
        print_data(json.dumps({"passes": str(pipeline), "check": check, "finding": found}, indent=1))
    elif finding is None:
        print_data(f"no pass of {pipeline} makes the check fail")
    else:
        what = (
            f"pass {finding.number} of {len(pipeline.body)}, {finding.name}" if finding.number else "no pass is needed"
        )
        print_data(f"{what}: {finding.reason}")
    if finding is not None:
        raise typer.Exit(1)
