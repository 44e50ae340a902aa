"""What the service tells of a rescue."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .ground import Ground
from .layout import MANIFEST, RESCUED, is_folder_name

if TYPE_CHECKING:
    from .manifest import Summary


def result(ground: Ground, folder: str | None, done: Mapping[str, Any]) -> dict[str, Any]:
    """``#/components/schemas/RescueResult``.

    Args:
        folder: absolute; None where nothing is kept.
        done: as of `work.Rescue.run`.
    """
    summary = done["summary"]
    return {
        "folder": folder,
        "root_path": ground.root_path(folder) if folder else None,
        "files": summary["files"],
        "bytes": summary["bytes"],
        "manifest": f"{folder}/{MANIFEST}" if folder and not done["problem"] else None,
        "left": summary["told_left"],
        "left_count": summary["left"],
        "left_bytes": summary["left_bytes"],
        "changed": summary["told_changed"],
        "problem": done["problem"],
    }


def nothing(problem: str) -> dict[str, Any]:
    """The result of a rescue of which nothing is known but that it failed."""
    missing = dict.fromkeys(("folder", "root_path", "manifest", "left_count", "left_bytes"))
    return {**missing, "files": 0, "bytes": 0, "left": [], "changed": [], "problem": problem}


def last(ground: Ground, folder: str, summary: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "folder": folder,
        "root_path": ground.root_path(folder),
        **{name: summary[name] for name in ("time", "files", "bytes", "left")},
    }


def newest(private: str) -> tuple[str, Mapping[str, Any]] | None:
    """The folder of the newest rescue in which something is kept, and its numbers. Blocks."""
    from pathlib import Path

    from .manifest import read_summary

    try:
        names = os.listdir(f"{private}/{RESCUED}")  # noqa: PTH208 - names only
    except FileNotFoundError:
        return None
    for name in sorted(filter(is_folder_name, names), reverse=True):
        folder = f"{private}/{RESCUED}/{name}"
        summary: Summary | None = read_summary(Path(folder))
        if summary is not None and summary.files:
            return folder, asdict(summary)
    return None


class Speed:
    """How long it takes, from how long it took."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began: tuple[float, int] | None = None

    def seconds_left(self, done: int | None, total: int | None) -> float | None:
        if done is None or total is None:
            return None
        now = self._clock()
        if self._began is None:
            self._began = now, done
        since, at_first = self._began
        if now - since < 2 or done <= at_first:
            return None
        return round(max(0, total - done) * (now - since) / (done - at_first), 1)
