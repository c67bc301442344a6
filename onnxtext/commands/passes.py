"""passes: what can be run, and with which options."""

from __future__ import annotations

from typing import Annotated

import typer

from onnxtext.commands.output import print_data


def passes(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="One pass, with its options.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List the passes, or show one."""
    import json

    from onnxtext_passes.registry import describe, find_pass, pass_names

    found = [describe(find_pass(n)) for n in ([name] if name else pass_names())]
    if as_json:
        print_data(json.dumps(found[0] if name else found, indent=1))
    elif name:
        one = found[0]
        options = [f"\n\n  {option['name']}: {option['type']} = {option['default']}" for option in one["options"]]
        print_data(f"{one['name']} ({one['keeps']})\n\n{one['help']}{''.join(options)}")
    else:
        print_data("\n".join(f"{one['name']:14} {one['keeps']:11} {one['help'].splitlines()[0]}" for one in found))
