"""How much memory there is for us, how much a solve needs, and stopping before it is too late.

In a container `MemAvailable` is the node's: what counts is the tightest limit on the way up the
tree of control groups (https://docs.kernel.org/admin-guide/cgroup-v2.html, "Memory Interface
Files"; v1: https://docs.kernel.org/admin-guide/cgroup-v1/memory.html).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ...errors import NoSpaceError
from ...sizes import in_words

RESERVE = 64 * 1024**2
"""Left to the rest of the server: below this the kernel's killer is near."""

_PAGE = os.sysconf("SC_PAGE_SIZE")
_UNLIMITED = 1 << 60
"""cgroup v1 writes "no limit" as a number near 2**63."""


def free_memory(root: Path = Path("/")) -> int | None:
    """Bytes that this process may still take, None where nothing tells.

    Args:
        root: where ``proc`` and ``sys`` are; tests lay out their own.
    """
    found = [*_cgroup_free(root)]
    available = _meminfo(root / "proc" / "meminfo").get("MemAvailable")
    if available is not None:
        found.append(available)
    return max(0, min(found)) if found else None


def _meminfo(path: Path) -> dict[str, int]:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    values = {}
    for line in lines:
        name, _, rest = line.partition(":")
        number = rest.split()
        if number and number[0].isdigit():
            values[name] = int(number[0]) * 1024
    return values


def _cgroup_free(root: Path) -> Iterator[int]:
    try:
        lines = (root / "proc" / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        mount = root / "sys" / "fs" / "cgroup"
        if not controllers:
            names = ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            mount /= "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        folder = mount / path.strip("/")
        # Inside a container the path may be the host's: then only the mount's root is there.
        while folder.is_relative_to(mount):
            free = _group_free(folder, *names)
            if free is not None:
                yield free
            if folder == mount:
                break
            folder = folder.parent


def _group_free(folder: Path, limit_name: str, usage_name: str, reclaimable: str) -> int | None:
    limit, usage = _number(folder / limit_name), _number(folder / usage_name)
    if limit is None or usage is None or limit >= _UNLIMITED:
        return None
    cache = 0
    try:
        for line in (folder / "memory.stat").read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == reclaimable:
                cache = int(value)
    except OSError:
        pass  # then nothing counts as reclaimable, which errs to the safe side
    return limit - usage + cache


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def own_memory() -> int:
    """Bytes of this process that the kernel cannot take back: resident, without file pages."""
    with open("/proc/self/statm", "rb") as source:  # noqa: PTH123 - read 20 times a second
        fields = source.read().split()
    return (int(fields[1]) - int(fields[2])) * _PAGE


def peak_memory() -> int | None:
    """VmHWM in bytes, file pages included."""
    return _meminfo(Path("/proc/self/status")).get("VmHWM")


def too_little(needed: int | None, free: int) -> NoSpaceError:
    """The refusal, in words."""
    need = f"about {in_words(needed)} of memory" if needed is not None else "more memory than there is"
    return NoSpaceError(
        f"Working out the packages would need {need}; this server has {in_words(free)} free.",
        reason="The list of all packages of the channel has to be looked through in memory.",
        hint="Shut down kernels or terminals that you do not need and try again, "
        "start the server with more memory, or use a smaller channel.",
    )


class MemoryGuard:
    """A thread that ends the work when its memory nears the budget.

    Args:
        budget: bytes that the work may take, None for whatever is free.
        give_up: called once with the error, from the thread; it must not return.
    """

    def __init__(self, budget: int | None, give_up: Callable[[NoSpaceError], None]) -> None:
        self._budget = budget
        self._give_up = give_up
        self._base = own_memory()
        self.peak = self._base
        """Highest `own_memory` seen."""

    def start(self) -> None:
        threading.Thread(target=self._watch, name="memory-guard", daemon=True).start()

    def begin(self) -> None:
        """A new request starts: count from here."""
        self._base = self.peak = own_memory()

    def _watch(self) -> None:
        checks = 0
        while True:
            time.sleep(0.05)
            used = own_memory()
            self.peak = max(self.peak, used)
            if self._budget is not None and used > self._budget:
                self._give_up(too_little(None, max(0, self._budget - self._base)))
                return
            checks += 1
            if checks % 4 == 0 and used - self._base > RESERVE:
                # Only when it is this process that has grown is ending it a remedy.
                free = free_memory()
                if free is not None and free < RESERVE:
                    self._give_up(too_little(None, free + used - self._base))
                    return
