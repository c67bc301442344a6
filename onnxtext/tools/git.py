"""git reads models as text: what `git diff`, `git log -p` and `git show` print of an .onnx file.

git calls a command that turns a file into text (a "textconv") and keeps what it gave for each version of a file, under
refs/notes/textconv/onnx.  A setting names the command, an attribute says for which files.

>>> shown_command("/usr/bin/python3")
'/usr/bin/python3 -m onnxtext.cli git-textconv --written-by 0.1.0'

Source: gitattributes(5), "Performing text diffs of binary files"; git-config(1), diff.<driver>.cachetextconv.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from onnxtext import __version__
from onnxtext.core.errors import OnnxTextError, UsageError
from onnxtext.core.files import read_bytes, write_output

ATTRIBUTE = "*.onnx diff=onnx"
_DIGEST_DIGITS = 16


def shown_command(python: str) -> str:
    """Return the command for git.  With our version: git forgets what it has kept when the command changes."""
    return f"{shlex.quote(python)} -m onnxtext.cli git-textconv --written-by {__version__}"


def install(python: str, *, everywhere: bool) -> list[str]:
    """Set git up, in the repository around the working folder or for the user; return what was done.

    Done twice it is as if done once.  Raises UsageError outside a repository and without git.
    """
    scope = "--global" if everywhere else "--local"
    attributes = _global_attributes() if everywhere else Path(_git("rev-parse", "--git-path", "info/attributes"))
    settings = {
        "diff.onnx.textconv": shown_command(python),
        "diff.onnx.cachetextconv": "true",
        "diff.onnx.binary": "true",
        "difftool.onnxtext.cmd": f'{shlex.quote(python)} -m onnxtext.cli diff "$LOCAL" "$REMOTE"',
    }
    for name, value in settings.items():
        _git("config", scope, name, value)
    attributes.parent.mkdir(parents=True, exist_ok=True)
    old = read_bytes(attributes).decode(errors="surrogateescape") if attributes.exists() else ""
    if ATTRIBUTE not in old.splitlines():
        end = "" if not old or old.endswith("\n") else "\n"
        write_output(os.fspath(attributes), [f"{old}{end}{ATTRIBUTE}\n".encode(errors="surrogateescape")])
    return [*(f"git config {scope} {name} = {value}" for name, value in settings.items()), f"{attributes}: {ATTRIBUTE}"]


def _global_attributes() -> Path:
    named = _git("config", "--global", "--type=path", "--default", "", "core.attributesFile")
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(named) if named else Path(home) / "git" / "attributes"


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError as error:
        raise UsageError("there is no git here to set up: install it first") from error
    if done.returncode and "not a git repository" in done.stderr:
        raise UsageError("this folder is in no git repository: go into one, or use --global")
    if done.returncode:
        raise UsageError(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def read_for_git(path: str) -> bytes:
    """Return a model as text, behind it a digest of each large weight; one line that says why where it is no model.

    A version that cannot be read must not keep git from showing the other one.
    """
    from onnxtext.source import print_source, read_model

    try:
        printed = print_source(read_model(path), weights="elide", verify=False)
    except OnnxTextError as error:
        return f"// no model that onnxtext can read: {str(error).replace(path, 'this file')}\n".encode()
    digests = printed.sidecar.digests() if printed.sidecar is not None else {}
    lines = [f"// {digest[:_DIGEST_DIGITS]} {key}\n" for key, digest in digests.items()]
    return (printed.text + "".join(lines)).encode()
