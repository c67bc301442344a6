"""The errors a user can meet, in one tree under `OnnxTextError`.

Each says who, what, where, what was expected and what to do.  An error in a text carries its place:

>>> print(SyntaxProblem("expected a type", "m.onnxt", "graph (%x: 7)", 11))
m.onnxt:1:12: expected a type
  graph (%x: 7)
             ^
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_SHOWN_WIDTH = 120  # characters of the faulty line that an error shows around its caret
_SHOWN_MESSAGE = 1_000  # characters of what an error says: a name can be millions long
_NEAREST_CHARACTERS = 100  # of a word for which a similar one is looked for, since that takes time
_NEAREST_WORDS = 1_000  # that are looked at, the last ones


class OnnxTextError(Exception):
    """Whatever a user's input, file or command line can cause."""


class UsageError(OnnxTextError):
    """A combination of arguments that cannot be carried out."""


class ModelError(OnnxTextError):
    """Bytes that are not an ONNX model."""


class WeightsError(OnnxTextError):
    """Weights that are missing, damaged or not those the text was written with."""


class TextError(OnnxTextError):
    """Something wrong in a text, at the character offset `at` of `text`, which came from `source`."""

    def __init__(self, message: str, source: str, text: str, at: int) -> None:
        if len(message) > _SHOWN_MESSAGE:
            message = f"{message[: _SHOWN_MESSAGE // 2]} … {message[-_SHOWN_MESSAGE // 2 :]}"
        self.message, self.source, self.at = message, source, at
        self.line, self.column, shown, caret = _place(text, at)
        super().__init__(f"{source}:{self.line}:{self.column}: {message}\n  {shown}\n  {' ' * caret}^")

    def __reduce__(self) -> tuple:
        return _revived, (type(self), str(self), self.__dict__)  # so that a worker process can hand it on


def _revived(kind: type[TextError], message: str, fields: dict) -> TextError:
    error = kind.__new__(kind, message)
    error.args = (message,)
    error.__dict__.update(fields)
    return error


class SyntaxProblem(TextError):
    """A text that the grammar does not accept."""


class MeaningProblem(TextError):
    """A text that the grammar accepts and that describes no model."""


def _place(text: str, at: int) -> tuple[int, int, str, int]:
    """Return the line and column (from 1) of offset `at`, the part of the line to show, and where its caret stands."""
    at = min(at, len(text))
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    first = max(start, min(at - _SHOWN_WIDTH // 2, end - _SHOWN_WIDTH))
    shown = "".join(c if c.isprintable() else "." for c in text[first : first + _SHOWN_WIDTH].split("\n")[0])
    return text.count("\n", 0, at) + 1, at - start + 1, shown, at - first


def nearest(word: str, known: Iterable[str]) -> str:
    """Return " (did you mean X?)" for the known word closest to `word`, or nothing where none is close."""
    if len(word) > _NEAREST_CHARACTERS:
        return ""
    close = [k for k in known if abs(len(k) - len(word)) <= len(word) // 2 + 1]
    found = difflib.get_close_matches(word, close[-_NEAREST_WORDS:], n=1, cutoff=0.6)
    return f" (did you mean {found[0]}?)" if found else ""
