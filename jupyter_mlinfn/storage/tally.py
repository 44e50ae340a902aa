"""Counts the files that would be lost, in a process of its own: a million of them take seconds of Python,
and storage that hangs takes for ever.

The request is a line of JSON on stdin, answers are lines of JSON on stdout: as far as it has come five
times a second, and at last the whole. No answer for longer means that the storage hangs, for the clock
ticks between two steps of Python, never in a call of the kernel. Imports as little as `walk`.
"""

from __future__ import annotations

import heapq
import json
import os
import signal
import stat
import sys
from collections.abc import Callable
from typing import Any

from .walk import Plan, Skipped, walk

TICK = 0.2
"""Seconds between two answers."""

_MOST_FOLDERS = 100
_HELD_FOLDERS = 20_000
"""Totals that are held at a time: beyond it the smallest are given up, so that memory has a bound."""

_KINDS = (stat.S_IFREG, stat.S_IFLNK)
"""A socket or a pipe is nothing without its program, and not lost with it."""

_Entry = tuple[int, str, float]
"""Size, path, modification."""


class Tally:
    """What was found until now.

    Args:
        folder: only what is in it; files directly in it are told of, what is below it by its folders.
            Default: everything, the biggest files whereever they are.
        limit: how many files are told of, biggest first.
    """

    def __init__(self, plan: Plan, folder: str | None = None, limit: int = 100) -> None:
        self._plan, self._folder, self._limit = plan, folder, limit
        self._skipped = Skipped()
        self._files = 0
        self._bytes = 0
        self._direct = 0
        self._biggest: list[_Entry] = []
        self._folders: dict[str, list[int]] = {}

    def run(self) -> None:
        folder, biggest, limit = self._folder, self._biggest, self._limit
        depth = len(folder.rstrip("/")) + 1 if folder is not None else 0
        totals = self._folders
        for path, base, relative, status in walk(
            self._plan, None if folder is None else [folder], self._skipped
        ):
            if stat.S_IFMT(status.st_mode) not in _KINDS:
                continue
            size = status.st_size
            self._files += 1
            self._bytes += size
            if folder is None:
                head, _, below = relative.partition("/")
                group = f"{base.rstrip('/')}/{head}" if below else base
            else:
                head, _, below = path[depth:].partition("/")
                group = path[: depth + len(head)] if below else ""
            if group:
                total = totals.get(group)
                if total is None:
                    total = totals[group] = [0, 0]
                    if len(totals) > _HELD_FOLDERS:
                        self._give_up_smallest(group)
                total[0] += 1
                total[1] += size
                if folder is not None:
                    continue
            else:
                self._direct += 1
            entry = (size, path, status.st_mtime)
            if len(biggest) < limit:
                heapq.heappush(biggest, entry)
            elif entry > biggest[0]:
                heapq.heapreplace(biggest, entry)

    def to_json(self) -> dict[str, Any]:
        folders = sorted(self._folders.items(), key=lambda each: (-each[1][1], -each[1][0], each[0]))
        told = sorted(self._biggest, key=lambda each: (-each[0], each[1]))
        counted = self._files if self._folder is None else self._direct
        return {
            "files": self._files,
            "bytes": self._bytes,
            "biggest": told,
            "more": counted - len(told),
            "folders": [[path, *total] for path, total in folders[:_MOST_FOLDERS]],
            "ignored": self._skipped.ignored,
            "unreadable": self._skipped.unreadable,
        }

    def _give_up_smallest(self, keep: str) -> None:
        biggest = heapq.nlargest(_HELD_FOLDERS // 2, self._folders.items(), key=lambda each: each[1][1])
        kept = {**dict(biggest), keep: self._folders[keep]}
        # The same dictionary, which the loop holds.
        self._folders.clear()
        self._folders.update(kept)


def serve(request: dict[str, Any], send: Callable[[dict[str, Any]], None]) -> None:
    """Count, and tell of it every now and then; on a process's main thread."""
    tally = Tally(Plan.from_json(request["plan"]), request["folder"], request["limit"])

    def tick(*_: Any) -> None:
        send({"done": False, **tally.to_json()})

    signal.signal(signal.SIGALRM, tick)
    signal.setitimer(signal.ITIMER_REAL, TICK / 4, TICK)
    try:
        tally.run()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
    send({"done": True, **tally.to_json()})


def main() -> None:
    """The process's whole life."""

    def send(answer: dict[str, Any]) -> None:
        try:
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            # The server is gone, and nobody is left to be told.
            os._exit(0)

    serve(json.loads(sys.stdin.readline()), send)
