"""The command line.  Data goes to standard output, everything else to standard error.

Exit status: 0 done, 1 a finding, 2 an error of usage, input or text.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from onnxtext.core.errors import OnnxTextError, UsageError

app = typer.Typer(
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

    mode = weights or ("inline" if output == "-" else "sidecar")
    if mode == "sidecar" and output == "-":
        raise UsageError("a weights file needs a name: use -o FILE, or --weights inline or elide")
    source = api._rewritten(api.read_model(model), passes)
    held = source.blobs.total_bytes
    if output == "-" and mode == "inline" and not weights and held > TERMINAL_BYTES and sys.stdout.isatty():
        raise UsageError(
            f"the weights are {held / 1e6:.0f} MB, too much for a terminal: use -o FILE (weights beside it), "
            "--weights elide (without them), --weights inline (with them, as base64), or a pipe"
        )
    printed = api.print_source(source, weights=mode, verify=verify)  # type: ignore[arg-type]  # print_source checks it
    if source.differs:
        _note(
            f"{model}: its bytes are not protobuf's deterministic serialization; the text gives back that, "
            "equal in every field"
        )
    if printed.escapes:
        kinds = ", ".join(sorted(set(printed.escapes)))
        _note(f"{model}: {len(printed.escapes)} opaque escapes in the text, for what onnx does not name ({kinds})")
    if output == "-":
        sys.stdout.buffer.write(printed.text.encode())
        sys.stdout.buffer.flush()
    else:
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

    if output == "-" and sys.stdout.isatty():
        raise UsageError("a model is binary: use -o FILE, or a pipe")
    source = "<stdin>" if text == "-" else text
    assembled = api.read_text(api._decode_utf8(read_bytes(text), source), source, weights=weights, fill=fill)
    write_output(output, attach(canonical(assembled.wire), assembled.blobs))


@app.command()
def grammar() -> None:
    """Write the grammar of the language, in lark's notation."""
    from onnxtext_grammar.lark_parser import grammar_text

    sys.stdout.write(grammar_text())


def _note(message: str) -> None:
    print(f"note: {message}", file=sys.stderr)


def main() -> None:
    """Run the command line, and turn what a user can cause into a message and a status."""
    try:
        app()
    except OnnxTextError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(2)
    except KeyboardInterrupt:
        print("error: interrupted; nothing was changed", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
