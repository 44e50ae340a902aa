"""Does a solve on conda-forge's size live, or get refused in words, in a control group of little memory?

Needs root and a memory controller that can be written to; elsewhere this is not measured. Each
attempt runs in a fresh control group of its own: the client and the worker together, as the
server and its worker are in a container.

    python -m bench.small_flavour URL STATE      what runs inside a group: one solve of ours
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from jupyter_mlinfn.errors import MlinfnError
from tests.support.channel_server import ChannelServer

from .memory import BARE, SPECS, ours
from .report import NOT_PRESENT, Goal, Section, say

MB = 1024**2
LIMITS = (2048, 1024, 512, 256)
_JOIN = 'echo $$ > "$0"/cgroup.procs && exec "$@"'


def _controller() -> Path | None:
    """The folder below which groups can be made."""
    v1, v2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    if os.geteuid() != 0:
        return None
    if (v1 / "memory.limit_in_bytes").exists():
        return v1
    # The root's controllers have to be handed to its children, which is not ours to change.
    delegated = v2 / "cgroup.subtree_control"
    return v2 if delegated.exists() and "memory" in delegated.read_text().split() else None


@contextlib.contextmanager
def _group(controller: Path, limit: int) -> Iterator[Path]:
    """A control group that may take `limit` bytes, swap included; gone afterwards."""
    group = controller / f"jupyter-mlinfn-bench-{os.getpid()}"
    group.mkdir()
    try:
        if (group / "memory.max").exists():
            (group / "memory.max").write_text(str(limit))
        else:
            (group / "memory.limit_in_bytes").write_text(str(limit))
        yield group
    finally:
        deadline = time.monotonic() + 20
        while True:
            try:
                group.rmdir()
                break
            except OSError:  # somebody in it is still being ended
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


def _killed(group: Path) -> int:
    """How many in it the kernel's killer took."""
    events = group / "memory.events"
    text = (events if events.exists() else group / "memory.oom_control").read_text()
    found = dict(line.split() for line in text.splitlines())
    return int(found.get("oom_kill", 0))


def _peak(group: Path) -> int | None:
    for name in ("memory.peak", "memory.max_usage_in_bytes"):
        if (group / name).exists():
            return int((group / name).read_text())
    return None


def _attempt(controller: Path, limit: int, command: list[str]) -> list[str]:
    """What came of it, the highest use of the group, how many were killed."""
    with _group(controller, limit * MB) as group:
        start = time.monotonic()
        done = subprocess.run(
            ["/bin/sh", "-c", _JOIN, str(group), *command], capture_output=True, text=True, timeout=300
        )
        took = time.monotonic() - start
        killed, peak = _killed(group), _peak(group)
    lines = done.stdout.strip().splitlines()
    answer = json.loads(lines[-1]) if lines else {"refused": f"ended with {done.returncode}, no word"}
    outcome = (
        f"refused: {answer['refused'].splitlines()[0]}"
        if "refused" in answer
        else f"solved, {answer['packages']:.0f} packages"
    )
    used = f"{peak / MB:.0f} MB" if peak is not None else "unknown"
    return [outcome, f"{took:.1f} s", used, str(killed)]


def measure(channel: Path, scratch: Path) -> Section:
    """The table, for a channel made by `memory.build`."""
    title = "A solve in a small control group"
    text = (
        "The same repodata over HTTP (.zst), nothing in the cache. “Killed” are processes that the kernel's\n"
        "killer took."
    )
    head = ["limit, who", "came of it", "time", "group's peak", "killed"]
    controller = _controller()
    if controller is None:
        return Section(title, "Needs root and a memory controller.", head, [["all", NOT_PRESENT, "", "", ""]])
    rows = []
    with ChannelServer(channel) as server:
        for limit in LIMITS:
            for who in ("rattler", "ours"):
                say(f"control group of {limit} MB: {who}")
                state = scratch / f"small-{limit}-{who}"
                state.mkdir()
                if who == "ours":
                    command = [sys.executable, "-m", "bench.small_flavour", server.url, str(state)]
                else:
                    command = [sys.executable, "-c", BARE, server.url, str(state), "", *SPECS]
                rows.append([f"{limit} MB, {who}", *_attempt(controller, limit, command)])
                shutil.rmtree(state)
    mine = [row for row in rows if row[0].endswith("ours")]
    good = all(row[4] == "0" and "no word" not in row[1] for row in mine)
    goal = Goal("Solved or refused in words, never killed", f"{len(mine)} limits", good)
    return Section(title, text, head, rows, [goal])


def _inside(url: str, state: Path) -> dict[str, object]:
    try:
        return dict(asyncio.run(ours(url, state, SPECS, "")))
    except MlinfnError as error:
        return {"refused": str(error)}


if __name__ == "__main__":
    print(json.dumps(_inside(sys.argv[1], Path(sys.argv[2]))))
