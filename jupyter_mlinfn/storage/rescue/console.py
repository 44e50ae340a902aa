"""What the command line shows of a rescue."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from ...sizes import in_words
from .layout import printable

_NAMED = 20


class Bar:
    """A progress bar on stderr, where that is a terminal."""

    def __init__(self, *, shown: bool) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[detail]}"),
            console=console,
            disable=not (shown and console.is_terminal),
            transient=True,
        )
        self._task = self._bar.add_task("preparing", total=None, detail="")

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def update(self, progress: Mapping[str, Any] | None) -> None:
        if progress is None:
            return
        parts = []
        if progress["files_total"] is not None:
            parts.append(f"{progress['files_done'] or 0:,} of {progress['files_total']:,} files")
        if progress["bytes_total"] is not None:
            done, total = progress["bytes_done"] or 0, progress["bytes_total"]
            parts.append(f"{in_words(done)} of {in_words(total)}")
        if progress["seconds_left"] is not None:
            parts.append(f"about {progress['seconds_left']:.0f} s")
        self._bar.update(
            self._task,
            description=progress["phase"],
            total=progress["bytes_total"] or None,
            completed=progress["bytes_done"] or 0,
            detail=" · ".join(parts),
        )


def told(job: Mapping[str, Any]) -> str:
    """How it ended, for people."""
    result = job["result"]
    if result is None:
        return f"The rescue was {job['state']}; what was copied before is kept."
    lines = []
    if result["folder"]:
        where = result["root_path"] or result["folder"]
        size = in_words(result["bytes"])
        lines.append(f"Kept: {_files(result['files'])} ({size}) in {printable(where)}")
        lines.append("Verified; to do so again: sha256sum -c SHA256SUMS in that folder.")
    elif not result["left_count"]:
        lines.append("There is nothing that would be lost.")
    if result["changed"]:
        lines.append("These were written to while they were copied:")
        lines += [f"  {printable(path)}" for path in result["changed"][:_NAMED]]
    if result["left_count"]:
        lines.append(f"Not kept: {_files(result['left_count'])} ({in_words(result['left_bytes'])})")
        for each in result["left"][:_NAMED]:
            size = f" ({in_words(each['size'])})" if each["size"] is not None else ""
            lines.append(f"  {printable(each['path'])}{size}: {each['reason']}")
        if result["left_count"] > _NAMED:
            more = f"  … and {result['left_count'] - _NAMED:,} more"
            lines.append(f"{more}, see {printable(result['manifest'])}" if result["manifest"] else more)
    if result["problem"]:
        lines.append(result["problem"])
    return "\n".join(lines)


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"
