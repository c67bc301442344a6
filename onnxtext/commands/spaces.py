"""spaces: what architectures there are to choose from."""

from __future__ import annotations

from typing import Annotated

import typer

from onnxtext.commands.options import AsJson
from onnxtext.commands.output import print_data
from onnxtext.core.errors import UsageError


def spaces(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="One space, as in nasbench201 or nasbench201{cells=1}.")
    ] = "",
    sample: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Write N of its architectures, one a line, and nothing else.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="S", help="Of the sample: the same seed gives the same one.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List the spaces of architectures, show one, or sample from it.  encode SPACE:ARCHITECTURE writes a network."""
    import json

    from onnxtext.spaces.base import describe
    from onnxtext.spaces.registry import find_space, space_names, space_type

    if sample is not None:
        if not name:
            raise UsageError("a sample is of one space: name it, as in `onnxtext spaces nasbench201 --sample 3`")
        found = find_space(name).sample(sample, seed)
        print_data(json.dumps(found, indent=1) if as_json else "\n".join(found))
        return
    kinds = [type(find_space(name))] if name else [space_type(n) for n in space_names()]
    described = [describe(kind) for kind in kinds]
    if as_json:
        print_data(json.dumps(described[0] if name else described, indent=1))
    elif name:
        one = described[0]
        options = [f"\n  {option['name']}: {option['type']} = {option['default']}" for option in one["options"]]
        print_data(
            f"{one['name']}: {one['title']}, {_count(one['size'])}\n\n{kinds[0].__doc__}\n"
            f"\nExample   {one['example']}\nColumns   {', '.join(one['columns'])}\nSource    {one['source']}\n"
            f"\nOptions{''.join(options)}"
        )
    else:
        print_data("\n".join(f"{one['name']:15} {_count(one['size']):32} {one['title']}" for one in described))


def _count(size: int | None) -> str:
    if size is None:
        return "no end of architectures"
    return f"{size:,} architectures" if size < 10**12 else f"about 10^{len(str(size)) - 1} architectures"
