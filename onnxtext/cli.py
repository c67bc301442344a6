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
VerifyOutputs = Annotated[
    bool, typer.Option("--verify-outputs", help="Then also run it: passes that are not lossy give equal outputs.")
]
Tokenizer = Annotated[str, typer.Option(metavar="FILE", help="A tokenizer.json in which to count the text's tokens.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
Exact = Annotated[bool, typer.Option("--exact", help="Refuse passes that are not exact.")]
Timing = Annotated[bool, typer.Option("--timing", help="Show the time of each pass.")]
Stats = Annotated[
    bool, typer.Option("--stats", help="Show nodes, tensors, parameters and bytes before and after each pass.")
]
PrintAfter = Annotated[
    str, typer.Option(metavar="all|changed|NAME", help="Show the text after passes, on standard error.")
]
DumpDir = Annotated[str, typer.Option(metavar="FOLDER", help="Write the text after each pass into numbered files.")]
Report = Annotated[str, typer.Option(metavar="FILE", help="Write what each pass did as JSON.")]
Provenance = Annotated[
    str, typer.Option(metavar="FILE|-", help="Write which pass made each node, and of what; JSON for FILE.json.")
]
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
    restorable: Annotated[
        bool,
        typer.Option("--restorable", help="Write FILE.undo, with which `decode --restore` undoes exact passes."),
    ] = False,
    reproduce: Annotated[
        bool, typer.Option("--reproduce", help="MODEL is the reproducer of a failure: run again the passes it names.")
    ] = False,
    verify_passes: VerifyPasses = "none",
    verify_outputs: VerifyOutputs = False,
    exact: Exact = False,
    timing: Timing = False,
    stats: Stats = False,
    tokenizer: Tokenizer = "",
    print_after: PrintAfter = "",
    dump_dir: DumpDir = "",
    report: Report = "",
    provenance: Provenance = "",
    dry_run: DryRun = False,
) -> None:
    """Write a model as text."""
    from onnxtext import api
    from onnxtext.core.files import is_replaceable
    from onnxtext.rewriting import Watch, read_reproducer, require_exact, rewrite

    mode = weights or ("sidecar" if output != "-" and is_replaceable(output) else "inline")
    if mode == "sidecar" and output == "-":
        raise UsageError("a weights file needs a name: use -o FILE, or --weights inline or elide")
    if restorable:
        if output == "-":
            raise UsageError("the record of --restorable needs a name: use -o FILE, and it is FILE.undo")
        require_exact(passes)
    if provenance == "-" and output == "-":
        raise UsageError("the text and the table of --provenance cannot both go to standard output: use -o FILE")
    if reproduce:
        if passes or verify_passes != "none" or verify_outputs:
            raise UsageError("a reproducer says itself which passes to run and what to verify: give none with it")
        source, passes, asked = read_reproducer(model)
        verify_passes, verify_outputs = asked.verify_passes, asked.verify_outputs
    else:
        source = api.read_model(model)
    original = source
    if passes or dry_run:
        watch = Watch(
            verify_passes,
            exact,
            timing,
            stats,
            print_after,
            dump_dir,
            report,
            dry_run,
            verify_outputs,
            tokenizer,
            reproduce,
            provenance,
        )
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
    record = api.record_of(original, source, passes) if restorable else None
    api.write_text(printed, output, mode, record)  # type: ignore[arg-type]  # print_source checked it


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
    restore: Annotated[
        bool, typer.Option("--restore", help="Undo the passes, with the record TEXT.undo of `encode --restorable`.")
    ] = False,
) -> None:
    """Write the model that a text describes."""
    from onnxtext import api
    from onnxtext.core.blobs import attach
    from onnxtext.core.files import read_bytes, write_output
    from onnxtext.core.wire import canonical

    if output == "-" and sys.stdout is not None and sys.stdout.isatty():
        raise UsageError("a model is binary: use -o FILE, or a pipe")
    if restore:
        api.refuse_restoring(text, fill)
    source = "<stdin>" if text == "-" else text
    beside = None if text == "-" else text
    content = api._decode_utf8(read_bytes(text), source)
    assembled = api.read_text(content, source, beside=beside, weights=weights, fill=fill)
    if restore:
        original = api.restored(assembled, text)
        write_output(output, attach(original.wire, original.blobs))
    else:
        write_output(output, attach(canonical(assembled.wire), assembled.blobs))


@app.command()
def optimize(
    model: Model,
    output: Output = "-",
    passes: Passes = "",
    verify_passes: VerifyPasses = "none",
    verify_outputs: VerifyOutputs = False,
    exact: Exact = False,
    timing: Timing = False,
    stats: Stats = False,
    tokenizer: Tokenizer = "",
    print_after: PrintAfter = "",
    dump_dir: DumpDir = "",
    report: Report = "",
    provenance: Provenance = "",
    dry_run: DryRun = False,
) -> None:
    """Write a model as passes rewrite it: the passes without the text."""
    from onnxtext import api
    from onnxtext.core.blobs import attach
    from onnxtext.core.files import write_output
    from onnxtext.rewriting import Watch, rewrite

    if not passes:
        raise UsageError("optimize needs passes, as in --passes prune,merge; `onnxtext passes` lists them")
    if output == "-" and sys.stdout is not None and sys.stdout.isatty() and not dry_run:
        raise UsageError("a model is binary: use -o FILE, or a pipe")
    if provenance == "-" and output == "-":
        raise UsageError("the model and the table of --provenance cannot both go to standard output: use -o FILE")
    watch = Watch(
        verify_passes,
        exact,
        timing,
        stats,
        print_after,
        dump_dir,
        report,
        dry_run,
        verify_outputs,
        tokenizer,
        provenance=provenance,
    )
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
        _print(json.dumps(found[0] if name else found, indent=1))
    elif name:
        one = found[0]
        options = [f"\n\n  {option['name']}: {option['type']} = {option['default']}" for option in one["options"]]
        _print(f"{one['name']} ({one['keeps']})\n\n{one['help']}{''.join(options)}")
    else:
        _print("\n".join(f"{one['name']:14} {one['keeps']:11} {one['help'].splitlines()[0]}" for one in found))


@app.command()
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

    from onnxtext import api
    from onnxtext_passes.bisection import bisect as find
    from onnxtext_passes.pipeline import parse_pipeline

    if not passes:
        raise UsageError("bisect needs passes, as in --passes prune,merge; `onnxtext passes` lists them")
    pipeline = parse_pipeline(passes)
    source = api.read_model(model)
    finding = find(onnx.ModelProto.FromString(source.wire), source.blobs, pipeline, check)
    if as_json:
        found = None if finding is None else {"number": finding.number, "pass": finding.name, "reason": finding.reason}
        _print(json.dumps({"passes": str(pipeline), "check": check, "finding": found}, indent=1))
    elif finding is None:
        _print(f"no pass of {pipeline} makes the check fail")
    else:
        what = (
            f"pass {finding.number} of {len(pipeline.body)}, {finding.name}" if finding.number else "no pass is needed"
        )
        _print(f"{what}: {finding.reason}")
    if finding is not None:
        raise typer.Exit(1)


@app.command()
def stats(
    model: Model,
    tokenizer: Tokenizer = "",
    dim: Annotated[
        list[str] | None, typer.Option(metavar="NAME=SIZE", help="The size of a symbolic dimension; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Count what is in a model: nodes, parameters, multiplications, bytes, the length of its text."""
    import json

    from onnxtext import api
    from onnxtext.counting import count, show

    sizes: dict[str, int] = {}
    for given in dim or []:
        name, _, size = given.rpartition("=")
        if not name or not size.isdecimal():
            raise UsageError(f"--dim takes a name and a size, as in batch=1, not {given}")
        sizes[name] = int(size)
    counted = count(api.read_model(model), sizes, tokenizer)
    _print(json.dumps(counted, indent=1) if as_json else show(counted))


@app.command("hash")
def hash_model(model: Model, as_json: AsJson = False) -> None:
    """Write the hash of a model: the same for models that differ in names, order and documentation alone."""
    import json

    import onnx

    from onnxtext import api
    from onnxtext_passes.structural_hash import PASSES, VERSION, structural_hash

    source = api.read_model(model)
    found = structural_hash(onnx.ModelProto.FromString(source.wire), source.blobs)
    _print(json.dumps({"hash": found, "version": VERSION, "passes": PASSES}, indent=1) if as_json else found)


@app.command()
def fmt(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="Texts to rewrite in place; - from standard input to standard output."),
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
    from onnxtext.core.line_diff import line_diff
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
                write_output("-", [line_diff(old, new, source).encode()])
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


def _print(text: str) -> None:
    from onnxtext.core.files import write_output

    write_output("-", [f"{text}\n".encode()])


def _note(message: str) -> None:
    print(f"note: {message}", file=sys.stderr)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
