"""The command line.  Data goes to standard output, everything else to standard error.

Exit status: 0 done, 1 a finding, 2 an error of usage, input or text.
"""

from __future__ import annotations

import re
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from onnxtext.core.errors import OnnxTextError, UsageError


class _Group(TyperGroup):
    """The commands; what a user can cause becomes a message and a status."""

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

TERMINAL_BYTES = 1_000_000  # of weights that encode does not write to a terminal unasked

Model = Annotated[str, typer.Argument(metavar="MODEL", help="An .onnx or .onnxt file, or - for standard input.")]
Output = Annotated[str, typer.Option("-o", "--output", metavar="FILE", help="Where to write; - for standard output.")]


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Show the version and leave.", is_eager=True)] = False,
) -> None:
    if version:
        from onnxtext import __version__

        print(f"onnxtext {__version__}")
        raise typer.Exit


@app.command()
def encode(
    model: Model,
    output: Output = "-",
    passes: Annotated[str, typer.Option(metavar="A,B,…", help="Rewrite the model first; none unless asked.")] = "",
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
) -> None:
    """Write a model as text."""
    from onnxtext import api
    from onnxtext.core.files import is_replaceable

    mode = weights or ("sidecar" if output != "-" and is_replaceable(output) else "inline")
    if mode == "sidecar" and output == "-":
        raise UsageError("a weights file needs a name: use -o FILE, or --weights inline or elide")
    source = api._rewritten(api.read_model(model), passes)
    to_terminal = output == "-" and not weights and sys.stdout is not None and sys.stdout.isatty()
    if to_terminal:
        _refuse_terminal(source.blobs.total_bytes)
    printed = api.print_source(source, weights=mode, verify=verify)  # type: ignore[arg-type]  # print_source checks it
    if source.differs:
        _note(
            f"{model}: its bytes are not protobuf's deterministic serialization; the text gives back that, "
            "equal in every field"
        )
    if printed.escapes:
        kinds = ", ".join(sorted(set(printed.escapes)))
        _note(f"{model}: {len(printed.escapes)} opaque escapes in the text, for what onnx does not name ({kinds})")
    if to_terminal:  # again: what stands in typed fields, such as float_data, is not set aside
        _refuse_terminal(sum(len(data) for data in re.findall(r'base64\("([^"]*)"', printed.text)) * 3 // 4)
    api.write_text(printed, output, mode)  # type: ignore[arg-type]  # print_source checked it


@app.command()
def decode(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="An .onnxt file, or - for standard input.")],
    output: Output = "-",
    weights: Annotated[
        str | None, typer.Option(metavar="FILE", help="The weights, if not in TEXT.safetensors; also an .onnx file.")
    ] = None,
    fill: Annotated[
        str | None, typer.Option(metavar="zeros|random[:SEED]", help="Make up the weights that the text lacks.")
    ] = None,
) -> None:
    """Write the model that a text describes."""
    from onnxtext import api
    from onnxtext.core.blobs import attach
    from onnxtext.core.files import read_bytes, write_output
    from onnxtext.core.wire import canonical

    if output == "-" and sys.stdout is not None and sys.stdout.isatty():
        raise UsageError("a model is binary: use -o FILE, or a pipe")
    source = "<stdin>" if text == "-" else text
    assembled = api.read_text(api._decode_utf8(read_bytes(text), source), source, weights=weights, fill=fill)
    write_output(output, attach(canonical(assembled.wire), assembled.blobs))


@app.command()
def grammar() -> None:
    """Write the grammar of the language, in lark's notation."""
    from onnxtext.core.files import write_output
    from onnxtext_grammar.lark_parser import grammar_text

    write_output("-", [grammar_text().encode()])


def _refuse_terminal(held_bytes: int) -> None:
    if held_bytes > TERMINAL_BYTES:
        raise UsageError(
            f"the weights are {held_bytes / 1e6:.0f} MB, too much for a terminal: use -o FILE (weights beside it), "
            "--weights elide (without them), --weights inline (with them, as base64), or a pipe"
        )


def _note(message: str) -> None:
    print(f"note: {message}", file=sys.stderr)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
