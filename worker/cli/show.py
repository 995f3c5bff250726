"""What the commands print while they work: a progress bar in a terminal, plain lines everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from core.words import shown

if TYPE_CHECKING:
    from rich.progress import Progress


class Board:
    """Progress over several pictures.

    In a terminal a bar on stderr; the lines of ``say`` stand above it. Otherwise only the lines, on stdout;
    those of ``complain`` always go to stderr.
    """

    def __init__(self, total: int, what: str = "Painting") -> None:
        self._total, self._what, self._done = total, what, 0
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            columns = [
                TextColumn("{task.description}"),
                BarColumn(bar_width=None),
                TextColumn("{task.percentage:>3.0f} %"),
            ]
            if self._total > 1:
                columns += [TextColumn("{task.fields[count]}"), TimeRemainingColumn()]
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._what, total=float(self._total), count=self._count())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    @property
    def live(self) -> bool:
        """Whether somebody looks on, in a terminal."""
        return self._bar is not None

    def now(self, text: str) -> None:
        """What is being worked on."""
        text = shown(text)
        if self._bar:
            self._bar.update(self._task, description=text)

    def part(self, fraction: float) -> None:
        """How much of the present picture is done, in [0, 1]."""
        if self._bar:
            self._bar.update(self._task, completed=self._done + min(max(fraction, 0.0), 1.0))

    def next(self) -> None:
        """The present picture is finished, well or badly."""
        self._done += 1
        if self._bar:
            self._bar.update(self._task, completed=float(self._done), count=self._count())

    def say(self, line: str) -> None:
        """Print a line of the result."""
        line = shown(line)
        if self._bar and sys.stdout.isatty():
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, flush=True)

    def complain(self, line: str) -> None:
        """Print a line about something that went wrong."""
        line = shown(line)
        if self._bar:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def _count(self) -> str:
        return f"{self._done}/{self._total}"


def table(rows: Sequence[tuple[str, ...]], gap: int = 2) -> str:
    """Rows as aligned columns of plain text; the last column is left as it is."""
    if not rows:
        return ""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]) - 1)]
    padding = " " * gap
    return "\n".join(
        padding.join(
            [*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]
        ).rstrip()
        for row in rows
    )
