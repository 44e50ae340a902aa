"""What a user can know of their GPU, and do about it; lives on the event loop's thread."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import NotFoundError
from . import views
from .inquiry import Inquiry, Seen
from .ledger import Ledger
from .models import Device, Program
from .nvml import Nvml
from .processes import ProcessMap
from .release import Programs, kernels_of, release
from .sampler import Picture, Sampler, Wait
from .watchdog import Watchdog

_log = logging.getLogger(__name__)

_PROGRAMS_FRESH = 1.0
"""Seconds for which many readers share one list of what runs in the server."""

_VIEW_FRESH = 60.0
"""Seconds after which a view is sent again though only its account of use is new."""

_LOOKS_FOR_HANGS = 1.0
_MEASURE_LIMIT = 5.0


class GpuService:
    """Answers at once, from what the sampler's thread last saw.

    Args:
        programs: what runs in this server.
        changed: the state is another; called on the event loop's thread.
        driver_known: see `room.GpuRoom`.
        accounting: keep the account of use, which takes one reading a minute.
        server: see `ProcessMap`.
        clock: monotonic, seconds.
        wait: see `Sampler`.
    """

    def __init__(
        self,
        programs: Programs,
        *,
        changed: Callable[[], None] = lambda: None,
        driver_known: Callable[[str | None, str | None], None] = lambda cuda, version: None,
        accounting: bool = True,
        environment: Mapping[str, str] | None = None,
        server: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        wait: Wait = threading.Condition.wait,
    ) -> None:
        watchdog = Watchdog(clock)
        self._programs = programs
        self._changed = changed
        self._accounting = accounting
        self.sampler = Sampler(
            Inquiry(Nvml(watchdog), environment, clock=clock),
            watchdog,
            ProcessMap(environment=environment, server=server).resolve,
            changed=lambda _: self._on_loop(self._look_again),
            measured=lambda seen: self._on_loop(self._account, seen),
            accounting=accounting,
            clock=clock,
            wait=wait,
        )
        self.ledger = Ledger(accounting=accounting, clock=clock)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: asyncio.Future[list[Program]] | None = None
        self._running_since = float("-inf")
        self._last_programs: list[Program] = []
        self._is_program_failure_told = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._unregister: Callable[[], None] = lambda: None
        self._timer: asyncio.TimerHandle | None = None
        self._told = self.sampler.picture.state
        self._driver_told: tuple[str | None, str | None] | None = None
        self._driver_known = driver_known
        # A page that outlived the last server must not take our numbers for that one's.
        self._revision = self.sampler.history.seq
        self._drawn: Picture | None = None
        self._drawn_at = float("-inf")
        self._view: dict[str, Any] = {}
        self._since: tuple[str, float, str] = ("", 0.0, "")

    def start(self) -> None:
        """Begin the account of use, and tell `/metrics` of it."""
        # Not at the top: the command line has no /metrics.
        from .metrics import COLLECTOR

        COLLECTOR.add(self)
        self._unregister = lambda: COLLECTOR.remove(self)
        self._loop = asyncio.get_running_loop()
        self.sampler.account()

    def close(self) -> None:
        """Waits for nobody: the driver may hang."""
        self._loop = None
        self._unregister()
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        self.sampler.stop()

    async def snapshot(self, since: int, revision: int) -> dict[str, Any]:
        """`#/components/schemas/GpuAnswer`; whoever reads keeps the sampler going."""
        self._loop = asyncio.get_running_loop()
        self.sampler.read(await self._list_programs())
        self._watch()
        self._draw()
        seq, samples = self.sampler.history.since(since)
        return {
            "seq": seq,
            "revision": self._revision,
            "samples": [views.sample(each) for each in samples],
            "view": None if revision == self._revision else self._view,
        }

    async def release(self, kernel_ids: Sequence[str] | None) -> dict[str, Any]:
        """Shut kernels, and measure what that gave; see `release.release`."""
        self._loop = asyncio.get_running_loop()
        released = await release(kernel_ids, self._programs, held=self._held_by_kernels, used=self._used)
        return released.to_json()

    async def reading(self) -> dict[str, Any]:
        """`{devices, holders}` of one reading; of an earlier one where the driver does not answer within
        seconds."""
        self._loop = asyncio.get_running_loop()
        await self._measured(processes=True)
        return views.held(self.sampler.picture)

    async def busy(self) -> bool:
        """Whether a kernel is running a cell while the user has a GPU."""
        return bool(self._held(self.sampler.picture.seen)) and any(
            each.busy for each in await self._list_programs()
        )

    def cuda_version(self) -> str | None:
        """The newest CUDA that the driver supports, ``12.4``; None while it was never asked."""
        return self.sampler.picture.seen.cuda_version

    async def ask_driver(self) -> tuple[str | None, str | None] | None:
        """What `cuda_version` is and the driver's own version; both None where there is no GPU.

        Waits for the driver some seconds; None where it does not answer.
        """
        self._loop = asyncio.get_running_loop()
        await self._measured(processes=False)
        return self._said(self.sampler.picture)

    @staticmethod
    def _said(picture: Picture) -> tuple[str | None, str | None] | None:
        seen = picture.seen
        if picture.state.kind == "no_device":
            # A driver that has nothing for this server is of no use to it.
            return None, None
        if seen.cuda_version is not None:
            return seen.cuda_version, seen.driver_version
        return (None, None) if picture.state.kind == "no_library" else None

    async def _list_programs(self) -> list[Program]:
        now = self.sampler.now()
        if self._running is None or now - self._running_since > _PROGRAMS_FRESH:
            self._running_since = now
            self._running = asyncio.ensure_future(self._ask_programs())
        return await asyncio.shield(self._running)

    async def _ask_programs(self) -> list[Program]:
        try:
            self._last_programs = await self._programs.running()
        except Exception:  # noqa: BLE001 - they are Jupyter's, and may be replaced by anybody's
            # The memory is to be shown and accounted for whatever ails the managers of kernels.
            if not self._is_program_failure_told:
                _log.exception("Kernels and terminals could not be listed; the last list is used")
            self._is_program_failure_told = True
        else:
            self._is_program_failure_told = False
        return self._last_programs

    def _draw(self) -> None:
        """Make the view anew where the picture is new, and number it where it differs."""
        picture, now = self.sampler.picture, self.sampler.now()
        fresh = now - self._drawn_at < _VIEW_FRESH
        if fresh and self._drawn is not None and _same(self._drawn, picture):
            return
        view = views.view(picture, self._state_since(picture))
        if not fresh or _without_times(view) != _without_times(self._view):
            self._revision += 1
            self._drawn_at = now
            self._view = {**view, "usage": self.ledger.to_json()}
        self._drawn = picture

    def _state_since(self, picture: Picture) -> str:
        """Worked out once for each state: a moment that differs by a millisecond is another view."""
        kind, since, text = self._since
        if kind != picture.state.kind or abs(since - picture.since) > 1:
            text = views.moment(self.sampler.history.wall(picture.since))
            self._since = (picture.state.kind, picture.since, text)
        return text

    def _on_loop(self, call: Callable[..., None], *arguments: Any) -> None:
        """From the sampler's thread."""
        loop = self._loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            # The loop was closed while we came from the thread.
            return

    def _look_again(self) -> None:
        picture = self.sampler.picture
        if picture.state != self._told:
            self._told = picture.state
            if picture.seen.present and picture.state.severity == "error":
                _log.warning("The user's GPU: %s", picture.state.sentence)
            self._changed()
        said = self._said(picture)
        if said is not None and said != self._driver_told:
            self._driver_told = said
            self._driver_known(*said)

    def _watch(self) -> None:
        """A thread that hangs cannot tell that it does: look from here while somebody reads."""
        if self._timer is None and self._loop is not None:
            self._timer = self._loop.call_later(_LOOKS_FOR_HANGS, self._watched)

    def _watched(self) -> None:
        self._timer = None
        self._look_again()
        if self.sampler.watched:
            self._watch()

    def _account(self, seen: Seen) -> None:
        task = asyncio.ensure_future(self._write_account(seen))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write_account(self, seen: Seen) -> None:
        busy = any(each.busy for each in await self._list_programs())
        self.ledger.reading(self._held(seen), seen.memory, busy=busy)

    @staticmethod
    def _held(seen: Seen) -> Sequence[Device]:
        """The devices that are certainly the user's, and still there."""
        if seen.selection.ambiguous or seen.state.kind == "mig_destroyed":
            return ()
        return seen.selection.devices

    async def _held_by_kernels(self) -> Mapping[str, int | None]:
        await self._measured(processes=True)
        return kernels_of(self.sampler.picture.processes)

    async def _used(self) -> Mapping[str, int | None]:
        if not await self._measured(processes=False):
            return {}
        devices = self.sampler.picture.seen.selection.devices
        newest = {each.uuid: self.sampler.history.newest(each.uuid) for each in devices}
        return {uuid: reading[1] if reading else None for uuid, reading in newest.items()}

    async def _measured(self, *, processes: bool) -> bool:
        """Whether the driver answered a question that was put now."""
        self.sampler.read(await self._list_programs())
        done = self.sampler.measure(processes=processes)
        deadline = self.sampler.now() + _MEASURE_LIMIT
        while not done():
            if self.sampler.hangs or self.sampler.now() > deadline:
                return False
            await asyncio.sleep(0.02)
        return True


class NoPrograms:
    """A command line runs nothing of its own (`release.Programs`)."""

    async def running(self) -> list[Program]:
        return []

    async def shut_down(self, kernel_id: str) -> None:
        raise NotFoundError(f"There is no kernel {kernel_id} here.")


def _same(one: Picture, other: Picture) -> bool:
    return one.seen is other.seen and one.processes is other.processes and one.state == other.state


def _without_times(view: dict[str, Any]) -> dict[str, Any]:
    """What makes a view another: not that the same was seen again, nor the account of use."""
    rest = {name: value for name, value in view.items() if name != "usage"}
    if "processes" in rest:
        rest["processes"] = {**rest["processes"], "time": None}
    return rest
