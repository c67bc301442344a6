"""predict: networks ranked by expected accuracy, without training them."""

from __future__ import annotations

from typing import Annotated

import typer

from onnxtext.commands.options import AsJson
from onnxtext.commands.output import print_data
from onnxtext.core.errors import OnnxTextError


def predict(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL…", help=".onnx or .onnxt files, SPACE:ARCHITECTURE, or -.")
    ],
    checkpoint: Annotated[str, typer.Option(metavar="default|strict|FOLDER", help="Which predictor.")] = "default",
    output: Annotated[str, typer.Option("-o", "--output", metavar="FILE", help="Where to write.")] = "-",
    as_json: AsJson = False,
) -> None:
    """Rank networks by the accuracy that they can be trained to, best first."""
    import json
    import time
    from dataclasses import asdict

    from onnxtext.core.files import write_output
    from onnxtext.ranking.needs import needing
    from onnxtext.source import model_of, read_model
    from onnxtext_predictor.predictor import Predictor
    from onnxtext_predictor.reading import read

    with needing("predict", "predict"):
        predictor = Predictor.load(checkpoint)
    rows, failed = [], 0
    for name in models:
        started = time.perf_counter()
        try:
            (prediction,) = predictor.predict_readings([read(model_of(read_model(name)))])
        except OnnxTextError as error:
            if len(models) == 1:
                raise
            failed += 1
            rows.append({"model": name, "error": str(error)})
            continue
        seconds = time.perf_counter() - started
        rows.append({"model": name, **asdict(prediction), "seconds": seconds})
    rows.sort(key=lambda row: -row.get("score", float("-inf")))
    text = json.dumps(rows, indent=1) if as_json else _table(rows)
    if output == "-":
        print_data(text)
    else:
        write_output(output, [f"{text}\n".encode()])
    if failed:
        raise typer.Exit(1)


def _table(rows: list[dict]) -> str:
    lines = [f"{'score':>7} {'±':>5} {'percentile':>10} {'ms':>7}  model"]
    for row in rows:
        if "error" in row:
            lines.append(f"{'':32}  {row['model']}: error: {row['error']}")
            continue
        lines.append(
            f"{row['score']:7.3f} {row['uncertainty']:5.2f} {row['percentile']:10.1f} {1e3 * row['seconds']:7.1f}"
            f"  {row['model']}"
        )
        lines += [f"{'':34}warning: {warning}" for warning in row["warnings"]]
    return "\n".join(lines)
