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
Passes = Annotated[str, typer.Option(metavar="A,B,…", help="Rewrite the model first; none unless asked.")]
VerifyPasses = Annotated[
    str, typer.Option(metavar="each|end|none", help="Check the model after each pass, or at the end.")
]
Exact = Annotated[bool, typer.Option("--exact", help="Refuse passes that are not exact.")]
Timing = Annotated[bool, typer.Option("--timing", help="Show the time of each pass.")]
Stats = Annotated[bool, typer.Option("--stats", help="Show nodes, tensors and bytes before and after each pass.")]
PrintAfter = Annotated[
    str, typer.Option(metavar="all|changed|NAME", help="Show the text after passes, on standard error.")
]
DumpDir = Annotated[str, typer.Option(metavar="FOLDER", help="Write the text after each pass into numbered files.")]
Report = Annotated[str, typer.Option(metavar="FILE", help="Write what each pass did as JSON.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the passes and run none.")]


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
    verify_passes: VerifyPasses = "none",
    exact: Exact = False,
    timing: Timing = False,
    stats: Stats = False,
    print_after: PrintAfter = "",
    dump_dir: DumpDir = "",
    report: Report = "",
    dry_run: DryRun = False,
) -> None:
    """Write a model as text."""
    from onnxtext import api
    from onnxtext.core.files import is_replaceable
    from onnxtext.rewriting import Watch, rewrite

    mode = weights or ("sidecar" if output != "-" and is_replaceable(output) else "inline")
    if mode == "sidecar" and output == "-":
        raise UsageError("a weights file needs a name: use -o FILE, or --weights inline or elide")
    source = api.read_model(model)
    if passes or dry_run:
        watch = Watch(verify_passes, exact, timing, stats, print_after, dump_dir, report, dry_run)
        source = rewrite(source, passes, watch)
        if dry_run:
            return
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
    beside = None if text == "-" else text
    content = api._decode_utf8(read_bytes(text), source)
    assembled = api.read_text(content, source, beside=beside, weights=weights, fill=fill)
    write_output(output, attach(canonical(assembled.wire), assembled.blobs))


@app.command()
def optimize(
    model: Model,
    output: Output = "-",
    passes: Passes = "",
    verify_passes: VerifyPasses = "none",
    exact: Exact = False,
    timing: Timing = False,
    stats: Stats = False,
    print_after: PrintAfter = "",
    dump_dir: DumpDir = "",
    report: Report = "",
    dry_run: DryRun = False,
) -> None:
    """Write a model as passes rewrite it: the passes without the text."""
    from onnxtext import api
    from onnxtext.core.blobs import attach
    from onnxtext.core.files import write_output
    from onnxtext.rewriting import Watch, rewrite

    if not passes:
        raise UsageError("optimize needs passes, as in --passes prune,merge; `onnxtext passes` lists them")
    if output == "-" and sys.stdout.isatty() and not dry_run:
        raise UsageError("a model is binary: use -o FILE, or a pipe")
    watch = Watch(verify_passes, exact, timing, stats, print_after, dump_dir, report, dry_run)
    source = rewrite(api.read_model(model), passes, watch)
    if not dry_run:
        write_output(output, attach(source.wire, source.blobs))


@app.command()
def passes(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="One pass, with its options.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List the passes, or show one."""
    import json

    from onnxtext_passes.registry import describe, find_pass, pass_names

    found = [describe(find_pass(n)) for n in ([name] if name else pass_names())]
    if as_json:
        print(json.dumps(found[0] if name else found, indent=1))
    elif name:
        one = found[0]
        print(f"{one['name']} ({one['keeps']})\n\n{one['help']}")
        for option in one["options"]:
            print(f"\n  {option['name']}: {option['type']} = {option['default']}")
    else:
        for one in found:
            print(f"{one['name']:14} {one['keeps']:11} {one['help'].splitlines()[0]}")


@app.command()
def fmt(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Texts to rewrite in place; - from standard input to standard output."),
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Write no text: name the files that would change; 1 if there are any.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Write no text but what would change, as a diff; 1 if anything would.")
    ] = False,
) -> None:
    """Lay texts out as encode does, with their comments."""
    from onnxtext import api
    from onnxtext.core.files import read_bytes, write_output
    from onnxtext_grammar.formatter import format_text

    failed = changed = False
    for file in files:
        source = "<stdin>" if file == "-" else file
        try:
            old = api._decode_utf8(read_bytes(file), source)
            new = format_text(old, source)
            if check and new != old:
                print(source, file=sys.stderr)
            if diff:
                write_output("-", [_diff(old, new, source).encode()])
            if not (check or diff) and (new != old or file == "-"):  # a file that stays as it is keeps its time
                write_output(file, [new.encode()])
        except OnnxTextError as error:  # the other files do not have to wait for this one
            print(f"error: {error}", file=sys.stderr)
            failed = True
        else:
            changed = changed or new != old
    if failed or (changed and (check or diff)):
        raise typer.Exit(2 if failed else 1)


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


def _diff(old: str, new: str, source: str) -> str:
    """Return the unified diff from one text to another, empty where they are equal."""
    import difflib

    lines = [re.findall(r"[^\n]*\n|[^\n]+", text) for text in (old, new)]  # splitlines would part more than lines
    found = difflib.unified_diff(*lines, source, source)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in found)


def _note(message: str) -> None:
    print(f"note: {message}", file=sys.stderr)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
