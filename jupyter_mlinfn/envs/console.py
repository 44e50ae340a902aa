"""What the command line shows: sizes, tables and a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from ..jobs.models import Job


def human_bytes(size: int | None) -> str:
    """Bytes in decimal units with one digit, as JupyterLab shows them; ``?`` if not known."""
    if size is None:
        return "?"
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; where stdout is no terminal, as tab-separated lines for other programs."""
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(row))
        return
    shown = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*row)
    Console().print(shown)


class ProgressBar:
    """A job's progress on stderr: a bar on a terminal, a line for each phase elsewhere.

    Args:
        job: is read again at each `update`.
    """

    def __init__(self, job: Job, *, enabled: bool) -> None:
        self._job = job
        self._console = Console(stderr=True)
        self._enabled = enabled
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[detail]}"),
            console=self._console,
            disable=not (enabled and self._console.is_terminal),
            transient=True,
        )
        self._task = self._bar.add_task(job.title, total=None, detail="")
        self._phase = ""

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def update(self) -> None:
        progress = self._job.progress
        if progress is None:
            return
        parts = []
        if progress.packages_total:
            parts.append(f"{progress.packages_done or 0} of {progress.packages_total}")
        if progress.bytes_total:
            parts.append(f"{human_bytes(progress.bytes_done)} of {human_bytes(progress.bytes_total)}")
        if progress.seconds_left is not None:
            parts.append(f"about {progress.seconds_left:.0f} s")
        counted = progress.bytes_total if progress.phase == "downloading" else progress.packages_total
        done = progress.bytes_done if progress.phase == "downloading" else progress.packages_done
        self._bar.update(
            self._task,
            description=progress.phase,
            total=counted or None,
            completed=done or 0,
            detail=" · ".join(parts),
        )
        if self._enabled and not self._console.is_terminal and progress.phase != self._phase:
            print(progress.phase, file=sys.stderr)
        self._phase = progress.phase
