"""check: what is wrong with a model."""

from __future__ import annotations

from typing import Annotated

import typer

from onnxtext.commands.options import AsJson


def check(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="An .onnx or .onnxt file, or - for standard input.")
    ] = "",
    as_json: AsJson = False,
    sarif: Annotated[bool, typer.Option("--sarif", help="As SARIF, for code hosts and editors.")] = False,
    explain: Annotated[str, typer.Option(metavar="CODE", help="Say what a code such as OXT012 stands for.")] = "",
) -> None:
    """Look for what is wrong with a model: operators, types, what nothing uses; 1 if there is anything."""
    import json
    from dataclasses import asdict

    import onnx

    from onnxtext.commands.output import print_data
    from onnxtext.core.errors import UsageError
    from onnxtext.source import read_model
    from onnxtext.tools import checking
    from onnxtext.tools.sarif import as_sarif

    if explain:
        print_data(checking.explain(explain))
        return
    if not model:
        raise UsageError("check needs a model, or --explain with a code")
    if as_json and sarif:
        raise UsageError("findings go out as JSON or as SARIF: give --json or --sarif, not both")
    source = read_model(model)
    findings = checking.check(onnx.ModelProto.FromString(source.wire), source.blobs)
    if sarif:
        print_data(json.dumps(as_sarif([(model, findings)]), indent=1))
    elif as_json:
        told = [{**asdict(f), "level": f.level, "title": checking.RULES[f.code].title} for f in findings]
        print_data(json.dumps({"model": model, "findings": told}, indent=1))
    elif findings:
        print_data("\n".join(f"{model}: {f.place}: {f.code} {f.message}" for f in findings))
    if findings:
        raise typer.Exit(1)
