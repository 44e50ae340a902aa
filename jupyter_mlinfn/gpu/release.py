"""Giving GPU memory back: shuts kernels, and measures how much came back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from ..errors import MlinfnError
from .models import Processes, Program

SHUTDOWN_LIMIT = 20.0
"""Seconds that a kernel has to end. Jupyter kills one that does not within `shutdown_wait_time`, 5 s."""

MEASURE_LIMIT = 10.0
"""Seconds that the memory has to come back: a driver takes it from a process that ended soon, not at once."""

_NOTHING_HELD_LIMIT = 2.0
_PAUSE = 0.25
_PUT = 1.0
_UNKNOWN = "There is no such kernel in this server: it may have ended already."
_NOT_READ = "The driver did not tell how much memory is in use."
_GREW = "Other programs took more memory meanwhile than these kernels gave back."

Used = Mapping[str, int | None]


class Programs(Protocol):
    """What runs in this server (`programs.ServerPrograms`)."""

    async def running(self) -> list[Program]: ...

    async def shut_down(self, kernel_id: str) -> None: ...


class Failure(NamedTuple):
    kernel_id: str
    reason: str


@dataclass(frozen=True)
class Released:
    """What became of it.

    Attributes:
        shut: ids of kernels that are shut down now.
        freed: bytes in use before, less those after, over the user's devices; 0 where others took
            as much meanwhile; None where the driver does not tell.
        note: why `freed` is None, or that others took more.
    """

    shut: Sequence[str]
    failed: Sequence[Failure] = field(default_factory=tuple)
    freed: int | None = None
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """As the REST contract has it."""
        return {
            "shut": list(self.shut),
            "failed": [failure._asdict() for failure in self.failed],
            "freed_bytes": self.freed,
            "freed_note": self.note,
        }


def kernels_of(processes: Processes) -> dict[str, int | None]:
    """The kernels that hold memory by themselves or in their children, with what they hold; None
    where that is not known. What is detached from its kernel is not there: see `ownership`."""
    held: dict[str, int | None] = {}
    for row in processes.list:
        kernel_id = row.owner.id
        if kernel_id is None or row.owner.kind in ("terminal", "other"):
            continue
        before = held.get(kernel_id, 0)
        held[kernel_id] = None if before is None or row.memory is None else before + row.memory
    return held


async def release(
    kernel_ids: Sequence[str] | None,
    programs: Programs,
    *,
    held: Callable[[], Awaitable[Mapping[str, int | None]]],
    used: Callable[[], Awaitable[Used]],
    shutdown_limit: float = SHUTDOWN_LIMIT,
    measure_limit: float = MEASURE_LIMIT,
) -> Released:
    """Shut kernels of this server, each whatever becomes of the others, and measure what that gave.

    Args:
        kernel_ids: those that were chosen; None for all that hold GPU memory.
        held: bytes by id of the kernels that hold GPU memory, as now (`kernels_of`).
        used: bytes in use by UUID of the user's devices, of a reading begun after the call. None or
            nothing where the driver does not tell; whatever it raises means the same.
        shutdown_limit, measure_limit: seconds.
    """
    holding = await held()
    chosen = list(dict.fromkeys(holding if kernel_ids is None else kernel_ids))
    running = await _running(programs)
    before = await _total(used, measure_limit)
    reasons = await asyncio.gather(
        *(
            _shut(kernel_id, programs, shutdown_limit) if kernel_id in running else _unknown()
            for kernel_id in chosen
        )
    )
    failed = tuple(
        Failure(kernel_id, reason) for kernel_id, reason in zip(chosen, reasons, strict=True) if reason
    )
    shut = [kernel_id for kernel_id, reason in zip(chosen, reasons, strict=True) if not reason]
    if not shut:
        return Released(shut, failed, 0)
    sizes = [holding[kernel_id] for kernel_id in shut if kernel_id in holding]
    known = [size for size in sizes if size is not None]
    expected = sum(known) if known and len(known) == len(sizes) else None
    limit = measure_limit if sizes else min(_NOTHING_HELD_LIMIT, measure_limit)
    after = await _settled(used, before, expected, limit)
    if before is None or after is None:
        return Released(shut, failed, None, _NOT_READ)
    if after > before:
        return Released(shut, failed, 0, _GREW)
    return Released(shut, failed, before - after)


async def _running(programs: Programs) -> set[str]:
    return {program.id for program in await programs.running() if program.kind != "terminal"}


async def _unknown() -> str:
    return _UNKNOWN


async def _shut(kernel_id: str, programs: Programs, limit: float) -> str:
    """Why it was not shut down; empty if it was."""
    ending = asyncio.ensure_future(programs.shut_down(kernel_id))
    ending.add_done_callback(_forget)
    try:
        # Not cancelled at the limit: half shut down, a kernel can neither be used nor shut down.
        await asyncio.wait_for(asyncio.shield(ending), limit)
    except asyncio.TimeoutError:
        return f"It did not end within {limit:.0f} s. It may still do so; if not, restart the server."
    except Exception as error:  # noqa: BLE001 - one kernel's trouble is not the others'
        # It may have ended by itself, which is what was wanted.
        if kernel_id not in await _running(programs):
            return ""
        return (error.reason or error.message) if isinstance(error, MlinfnError) else str(error)
    return ""


def _forget(ending: asyncio.Future[None]) -> None:
    """Nobody may wait for it any longer, and asyncio complain that its error was not looked at."""
    if not ending.cancelled():
        ending.exception()


async def _total(used: Callable[[], Awaitable[Used]], limit: float) -> int | None:
    """Bytes in use over all devices; None where that cannot be told."""
    try:
        sizes = list((await asyncio.wait_for(used(), limit)).values())
    except Exception:  # noqa: BLE001 - a driver fails in many ways: then it does not tell
        return None
    known = [size for size in sizes if size is not None]
    return sum(known) if known and len(known) == len(sizes) else None


async def _settled(
    used: Callable[[], Awaitable[Used]], before: int | None, expected: int | None, limit: float
) -> int | None:
    """Bytes in use once as much came back as is expected, or once they have gone down and stay put,
    or when the time is up."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + limit
    last = await _total(used, limit)
    since = clock()
    while before is not None and last is not None:
        now = clock()
        came = before - last
        if now >= deadline or (expected is not None and came >= expected):
            break
        if came > 0 and now - since >= _PUT:
            break
        await asyncio.sleep(min(_PAUSE, deadline - now))
        reading = await _total(used, limit)
        if reading != last:
            last, since = reading, clock()
    return last
