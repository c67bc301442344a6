"""The command line.  Data goes to standard output, everything else to standard error.

Exit status: 0 done, 1 a finding, 2 an error of usage, input or text.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from onnxtext.commands import (
    bisect,
    check,
    dataset,
    decode,
    diff,
    encode,
    evaluate,
    fmt,
    git,
    grammar,
    hash,
    language_server,
    optimize,
    passes,
    predict,
    spaces,
    stats,
    train,
)
from onnxtext.core.errors import OnnxTextError
from onnxtext.core.plugins import Kind

# Name -> function, in the order in which --help shows them.
COMMANDS = {
    "encode": encode.encode,
    "decode": decode.decode,
    "optimize": optimize.optimize,
    "passes": passes.passes,
    "spaces": spaces.spaces,
    "bisect": bisect.bisect,
    "check": check.check,
    "diff": diff.diff,
    "git-install": git.git_install,
    "git-textconv": git.git_textconv,
    "stats": stats.stats,
    "hash": hash.hash_model,
    "predict": predict.predict,
    "evaluate": evaluate.evaluate,
    "train": train.train,
    "fmt": fmt.fmt,
    "grammar": grammar.grammar,
    "language-server": language_server.language_server,
}
DATASET_COMMANDS = {"build": dataset.build}  # after the word dataset
FOREIGN = Kind("command", "onnxtext.commands", {})  # of other packages: functions with typer's annotations


class _Group(TyperGroup):
    """The commands, ours and those of other packages; what a user can cause becomes a message and a status."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *FOREIGN.names()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        ours = super().get_command(ctx, cmd_name)
        if ours is not None or cmd_name not in FOREIGN.names():
            return ours
        alone = typer.Typer(rich_markup_mode=None, add_completion=False)
        alone.command(cmd_name)(FOREIGN.find(cmd_name))
        return typer.main.get_command(alone)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except OnnxTextError as error:
            print(f"error: {error}", file=sys.stderr)
            raise typer.Exit(2) from error
        except BrokenPipeError as error:  # who reads our output has seen enough
            raise typer.Exit(2) from error
        except KeyboardInterrupt as error:
            print("error: interrupted; nothing was changed", file=sys.stderr)
            raise typer.Exit(130) from error


app = typer.Typer(
    cls=_Group,
    name="onnxtext",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="ONNX models as text that loses nothing: encode, decode, compare, rewrite.",
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Show the version and leave.", is_eager=True)] = False,
) -> None:
    if version:
        from onnxtext import __version__

        print(f"onnxtext {__version__}")
        raise typer.Exit


for _name, _command in COMMANDS.items():
    app.command(_name)(_command)

_dataset = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Many networks as a table of texts.")
for _name, _command in DATASET_COMMANDS.items():
    _dataset.command(_name)(_command)
app.add_typer(_dataset, name="dataset")


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
