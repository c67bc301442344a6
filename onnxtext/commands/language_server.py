"""language-server: what an editor asks of texts."""

from __future__ import annotations

from onnxtext.core.errors import UsageError


def language_server() -> None:
    """Answer an editor over the Language Server Protocol, on standard input and output."""
    try:
        from onnxtext.tools.language_server import make_server
    except ModuleNotFoundError as error:
        raise UsageError(f"{error.name} is missing; it comes with `pip install 'onnxtext[lsp]'`") from error
    make_server().start_io()
