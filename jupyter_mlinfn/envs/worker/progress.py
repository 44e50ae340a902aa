"""From rattler's callbacks to progress that is true.

Rattler calls from its own threads, several thousand times a second; what goes to the server is
the state ten times a second, and the log lines in batches.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rattler import RepoDataRecord

from ...sizes import in_words
from .protocol import Output

INTERVAL = 0.1
"""Seconds between two messages."""
_WINDOW = 5.0
"""Seconds that the speed is measured over."""


@dataclass
class _Fetch:
    """One package on its way into the cache."""

    label: str
    size: int | None
    done: int = 0
    starts: int = 0
    finished: bool = False


class Speed:
    """Amount per second over the last seconds."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, float]] = deque()

    def seconds_for(self, done: float, left: float, now: float) -> float | None:
        """Seconds that `left` takes at the speed of the last seconds; None while unknown."""
        self._marks.append((now, done))
        while len(self._marks) > 2 and now - self._marks[0][0] > _WINDOW:
            self._marks.popleft()
        begin, first = self._marks[0]
        if now - begin < 0.5 or done <= first:
            return None
        return round(left * (now - begin) / (done - first), 1)


class Reporter:
    """What rattler reports, and what is sent of it.

    It has those methods of rattler's `InstallerReporter` that tell something; rattler calls what
    it finds. Tokens are given out by us: rattler hands back whatever a `*_start` returned.
    """

    def __init__(self, output: Output, records: Sequence[RepoDataRecord], uncached: set[str]) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._by_name = {record.name.normalized: record for record in records}
        self._fetches: list[_Fetch] = []
        self._entry_of_download: list[int] = []
        self._links: list[str] = []
        self._lines: list[str] = []
        self._total = len(records)
        self._linked = 0
        self._cached_now = 0
        sizes = [self._by_name[name].size for name in uncached]
        self._bytes_total = None if None in sizes else sum(size or 0 for size in sizes)
        self._uncached = uncached
        self._speed, self._link_speed = Speed(), Speed()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send_regularly, name="progress", daemon=True)
        self.last_change = time.monotonic()
        """When something last moved: what the stall watch looks at."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Send what is left and end the sending thread."""
        self._stop.set()
        self._thread.join()

    # Called by rattler, from its threads.

    def on_transaction_start(self, total_operations: int) -> None:
        with self._lock:
            self._total = total_operations

    def on_populate_cache_start(self, operation: int, package_name: str) -> int:
        record = self._by_name[package_name]
        with self._lock:
            self._fetches.append(_Fetch(f"{package_name} {record.version}", record.size))
            return len(self._fetches) - 1

    def on_download_start(self, cache_entry: int) -> int:
        with self._lock:
            fetch = self._fetches[cache_entry]
            fetch.starts += 1
            fetch.done = 0
            size = f" ({in_words(fetch.size)})" if fetch.size is not None else ""
            self._log(f"{'downloading' if fetch.starts == 1 else 'retrying'} {fetch.label}{size}")
            self._entry_of_download.append(cache_entry)
            return len(self._entry_of_download) - 1

    def on_download_progress(self, download_idx: int, progress: int, total: int | None) -> None:
        with self._lock:
            fetch = self._fetches[self._entry_of_download[download_idx]]
            if progress < fetch.done:
                self._log(f"retrying {fetch.label}")
            fetch.done = progress
            self.last_change = time.monotonic()

    def on_populate_cache_complete(self, cache_entry: int) -> None:
        with self._lock:
            fetch = self._fetches[cache_entry]
            fetch.finished = True
            if fetch.size is not None:
                # A file:// channel reports no bytes on the way; now they are there.
                fetch.done = fetch.size
            self._cached_now += 1
            self.last_change = time.monotonic()

    def on_unlink_start(self, operation: int, package_name: str) -> int:
        with self._lock:
            self._log(f"removing {package_name}")
        return 0

    def on_unlink_complete(self, index: int) -> None:
        self.last_change = time.monotonic()

    def on_link_start(self, operation: int, package_name: str) -> int:
        with self._lock:
            self._links.append(package_name)
            return len(self._links) - 1

    def on_link_complete(self, index: int) -> None:
        with self._lock:
            name = self._links[index]
            self._linked += 1
            self._log(f"linked {name} {self._by_name[name].version}")

    def on_transaction_operation_complete(self, operation: int) -> None:
        self.last_change = time.monotonic()

    # Sending.

    def _log(self, line: str) -> None:
        self._lines.append(line)
        self.last_change = time.monotonic()

    def _send_regularly(self) -> None:
        sent: dict[str, Any] = {}
        while not self._stop.wait(INTERVAL):
            sent = self._send(sent)
        self._send(sent)

    def _send(self, before: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            lines, self._lines = self._lines, []
            state = self._state(time.monotonic())
        if lines:
            self._output.log(*lines)
        if state != before:
            self._output.send("progress", progress=state)
        return state

    def _state(self, now: float) -> dict[str, Any]:
        done = sum(fetch.done for fetch in self._fetches if fetch.label.split(" ")[0] in self._uncached)
        total = self._bytes_total
        if self._uncached and self._cached_now < self._total and (total is None or done < total):
            left = None if total is None else self._speed.seconds_for(done, max(0, total - done), now)
            packages, phase = self._cached_now, "downloading"
        else:
            left = self._link_speed.seconds_for(self._linked, self._total - self._linked, now)
            packages, phase = self._linked, "linking"
        return {
            "phase": phase,
            "packages_done": packages,
            "packages_total": self._total,
            "bytes_done": done,
            "bytes_total": total,
            "seconds_left": left,
        }
