"""evaluate: how well a predictor ranks networks whose accuracy is known."""

from __future__ import annotations

from typing import Annotated

import typer

from onnxtext.commands.options import AsJson
from onnxtext.commands.output import print_data
from onnxtext.core.errors import UsageError


def evaluate(
    space: Annotated[str, typer.Option(metavar="NAME", help="A space of architectures: onnxtext spaces lists them.")],
    labels: Annotated[str, typer.Option(metavar="FILE", help="A table: .csv or .csv.gz.")],
    label: Annotated[str, typer.Option(metavar="COLUMN", help="The column with the labels, higher for better.")],
    key: Annotated[
        str, typer.Option(metavar="COLUMN[,COLUMN]", help="The columns that name an architecture, if not the usual.")
    ] = "",
    checkpoint: Annotated[str, typer.Option(metavar="default|strict|FOLDER", help="Which predictor.")] = "default",
    where: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN=VALUE", help="Only rows in which this holds; may be repeated.")
    ] = None,
    skip_unlabelled: Annotated[
        bool, typer.Option("--skip-unlabelled", help="Leave out rows without a label, which are an error otherwise.")
    ] = False,
    workers: Annotated[int, typer.Option(metavar="N", min=0, help="Processes; 0 for all cores.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Compare the scores of networks with their labels: rank correlations, beside those of the floors."""
    import json

    from onnxtext.ranking.examination import examine, show
    from onnxtext.ranking.needs import needing
    from onnxtext.ranking.tables import read_table
    from onnxtext.spaces.registry import find_space

    found = find_space(space)
    columns = [column for column in key.split(",") if column]
    wanted: dict[str, str] = {}
    for condition in where or []:
        column, equals, value = condition.partition("=")
        if not equals:
            raise UsageError(f"--where takes a column and a value, as in space=micro, not {condition}")
        wanted[column] = value
    rows = read_table(labels, found, label, columns, where=wanted, skip_unlabelled=skip_unlabelled)
    with needing("evaluate", "predict"):
        from onnxtext_predictor.predictor import Predictor

        predictor = Predictor.load(checkpoint)
        result = examine(predictor, found, [row[0] for row in rows], [row[1] for row in rows], workers)
    result = {"checkpoint": checkpoint, "labels": labels, "label": label, **result}
    print_data(json.dumps(result, indent=1) if as_json else show(result))
