"""Arguments and options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

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
