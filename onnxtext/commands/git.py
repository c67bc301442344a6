"""git-install: git reads models as text; git-textconv: what git calls then."""

from __future__ import annotations

from typing import Annotated

import typer


def git_install(
    everywhere: Annotated[
        bool, typer.Option("--global", help="For every repository of this user, not for this one alone.")
    ] = False,
) -> None:
    """Set git up so that git diff, git log -p and git show read .onnx files as text."""
    import sys

    from onnxtext.commands.output import print_data
    from onnxtext.tools.git import install

    print_data("\n".join(install(sys.executable, everywhere=everywhere)))


def git_textconv(
    file: Annotated[str, typer.Argument(metavar="FILE", help="An .onnx file.")],
    written_by: Annotated[str, typer.Option(metavar="VERSION", help="Not read: tells git when to ask again.")] = "",
) -> None:
    """Write a model as text for git, weights as digests."""
    from onnxtext.core.files import write_output
    from onnxtext.tools.git import read_for_git

    write_output("-", [read_for_git(file)])
