"""A bar that shows how many rows there are, how fast they come and how long the rest will take."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.1f} rows/s")


def progress_bar() -> Progress:
    """Return a bar on standard error, which shows nothing where that is no terminal."""
    console = Console(stderr=True)
    columns = [BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn()]
    return Progress(*columns, console=console, disable=not console.is_terminal)
