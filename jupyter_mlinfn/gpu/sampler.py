"""The one thread that asks the driver, and what it last saw.

It starts with the first reader and ends some seconds after the last. Where the account of use is
kept (`accounting`), it then sleeps on instead and reads the memory once a minute, nothing else.
Nobody ever waits for it: a driver may hang for ever.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from .history import History
from .inquiry import Inquiry, Seen
from .models import Device, DriverProcess, Processes, Program
from .states import State, memory_state
from .watchdog import Watchdog

MEMORY_EVERY = 2.0
SLOW_EVERY = 10.0
"""Seconds between two looks at processes and boards, where the memory does not jump."""
LINGERS = 10.0
"""Seconds for which somebody who read counts as a reader."""
ACCOUNT_EVERY = 60.0

_JUMP_BYTES, _JUMP_PART = 64 * 1024**2, 0.01
_RETRY_FIRST, _RETRY_LAST = 2.0, 10.0
_RETRY_LAST_UNSEEN = 3600.0
_NEVER = float("-inf")
_FAILED = State("driver_error", "See the server's log.")
_NOT_NOW = "Not known: the driver does not tell at the moment."
_WHOSE = "Not looked at: it is not known which device is yours."


class Resolve(Protocol):
    """Whose the processes are (`processes.ProcessMap.resolve`); called in the sampler's thread."""

    def __call__(
        self,
        listed: Sequence[DriverProcess] | None,
        programs: Sequence[Program],
        *,
        driver_version: str | None,
        devices: Sequence[Device],
        used: Mapping[str, int | None],
        why_not_listed: str = "",
    ) -> Processes: ...


@dataclass(frozen=True)
class Picture:
    """What was last seen; replaced as a whole, every 10 s or when something happened.

    Attributes:
        since: monotonic, when the state became what it is.
    """

    seen: Seen
    state: State
    since: float
    processes: Processes = field(default_factory=Processes)


Wait = Callable[[threading.Condition, float], object]
"""Waits on a condition that is held: until it is notified, or so many seconds."""


class Sampler:
    """All methods return at once and may be called from any thread.

    Args:
        inquiry: asks the driver; used by the thread only.
        changed: called in the thread when there is a new picture; told whether its state is new.
        measured: called in the thread about once a minute with a reading of the memory.
        accounting: keep one reading a minute going when nobody reads.
        clock: monotonic, seconds.
        wall: seconds since the epoch.
        wait: how the thread waits for the next reading, by that clock.
    """

    def __init__(
        self,
        inquiry: Inquiry,
        watchdog: Watchdog,
        resolve: Resolve,
        *,
        changed: Callable[[bool], None] = lambda _: None,
        measured: Callable[[Seen], None] = lambda _: None,
        accounting: bool = False,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        wait: Wait = threading.Condition.wait,
    ) -> None:
        self._inquiry = inquiry
        self._watchdog = watchdog
        self._resolve = resolve
        self._changed = changed
        self._measured = measured
        self._accounting = accounting
        self._clock = clock
        self._wait = wait
        self.history = History(clock, wall)
        # Held for moments only, never while the driver is called.
        self._lock = threading.Condition()
        self._thread: threading.Thread | None = None
        self._poked = self._stopped = False
        self._last_read = _NEVER
        self._asked = self._answered = 0
        self._thorough = False
        self._programs: Sequence[Program] = ()
        self._picture = Picture(Seen(), State("starting"), clock())
        # The thread's own.
        self._sampled = self._slow = self._accounted = _NEVER
        self._used_at_slow: Mapping[str, int | None] = {}
        self._retry = _RETRY_FIRST

    def read(self, programs: Sequence[Program]) -> None:
        """Somebody looks: go on for some seconds.

        Args:
            programs: what runs in the server now.
        """
        with self._lock:
            self._programs = programs
            resting = not self.watched
            self._last_read = self._clock()
            self._go(wake=resting)

    def account(self) -> None:
        """Begin the account, if one is to be kept: by looking whether there is a GPU."""
        with self._lock:
            if self._accounting:
                self._go(wake=False)

    def measure(self, *, processes: bool) -> Callable[[], bool]:
        """Read the memory, and the processes where wanted, as soon as the driver allows.

        Returns:
            Tells whether a reading has ended that began after this call.
        """
        with self._lock:
            self._asked += 1
            wanted = self._asked
            self._thorough |= processes
            self._last_read = self._clock()
            self._go(wake=True)
        return lambda: self._answered >= wanted

    def stop(self) -> None:
        """Let the thread end; one that hangs is left behind."""
        with self._lock:
            self._stopped = True
            self._poke()

    @property
    def picture(self) -> Picture:
        """What was last seen, or that the driver hangs now."""
        picture = self._picture
        if self._watchdog.hangs():
            since = self._clock() - self._watchdog.waiting()
            # A library that hangs is there, and so is a GPU, whatever is known of it.
            seen = replace(picture.seen, present=True)
            return replace(picture, seen=seen, state=State("hanging"), since=since)
        return picture

    def now(self) -> float:
        """Monotonic, seconds."""
        return self._clock()

    @property
    def watched(self) -> bool:
        """Whether somebody has read within the last seconds."""
        return self._clock() - self._last_read <= LINGERS

    @property
    def hangs(self) -> bool:
        """Whether a call to the driver does not come back."""
        return self._watchdog.hangs()

    @property
    def running(self) -> bool:
        """Whether the thread is there."""
        return self._thread is not None

    @property
    def woken(self) -> bool:
        """Whether the thread is to look at once, and has not begun."""
        return self._poked

    def _go(self, *, wake: bool) -> None:
        if self._stopped:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="mlinfn-gpu", daemon=True)
            self._thread.start()
        elif wake:
            self._poke()

    def _poke(self) -> None:
        self._poked = True
        self._lock.notify_all()

    # What follows runs in the thread.

    def _run(self) -> None:
        try:
            while (pause := self._step()) is not None:
                with self._lock:
                    if not self._poked:
                        self._wait(self._lock, max(0.0, pause))
                    self._poked = False
        except Exception:
            # A page must not be left with figures that never change again.
            if self._picture.state != _FAILED:
                logging.getLogger(__name__).exception("Looking at the GPU failed")
            self._show(replace(self._picture, state=_FAILED))
            # The next reader starts another thread.
            self._retry = min(self._retry * 2, _RETRY_LAST_UNSEEN)
            with self._lock:
                self._thread = None

    def _step(self) -> float | None:
        """Do what is due; seconds until the next is due, None to end."""
        if self._over():
            self._inquiry.close()
            with self._lock:
                # Somebody may have come meanwhile.
                if self._over():
                    self._thread = None
                    return None
        with self._lock:
            now, watched, asked = self._clock(), self.watched, self._asked
            thorough, self._thorough = self._thorough, False
        if asked != self._answered or now - self._sampled >= self._every(watched):
            self._sampled = now
            self._sample(now, watched, thorough=thorough)
            self._answered = asked
        return self._sampled + self._every(watched) - self._clock()

    def _over(self) -> bool:
        if self._stopped:
            return True
        never_asked = self._sampled == _NEVER
        # A driver may come up after the server: where a GPU ought to be, it is looked for on.
        awaited = never_asked or self._inquiry.had_device or self._picture.seen.present
        return not (self.watched or (self._accounting and awaited))

    def _every(self, watched: bool) -> float:
        well = self._picture.state.readable
        if watched:
            return MEMORY_EVERY if well else min(self._retry, _RETRY_LAST)
        return ACCOUNT_EVERY if well else max(self._retry, ACCOUNT_EVERY)

    def _sample(self, now: float, watched: bool, *, thorough: bool) -> None:
        seen = self._inquiry.quick(utilisation=watched)
        slow = watched and (thorough or now - self._slow >= SLOW_EVERY or self._jumped(seen))
        if slow:
            seen = self._inquiry.slow(seen)
        ours = () if seen.selection.ambiguous else seen.selection.devices
        for device in ours:
            utilisation, _ = seen.utilisation.get(device.uuid, (None, ""))
            self.history.add(device.uuid, seen.used(device.uuid), utilisation)
        before = self._picture
        state = seen.state
        if state.kind == "fine":
            parts = [1 - memory.free / memory.total for memory in seen.memory.values() if memory.total]
            state = memory_state(parts, before.state)
        self._retry = _RETRY_FIRST if state.readable else min(self._retry * 2, _RETRY_LAST_UNSEEN)
        if slow or state != before.state:
            self._show(self._draw(seen, state, before, fresh=slow))
        if slow and state.readable:
            self._slow = now
            self._used_at_slow = {uuid: memory.used for uuid, memory in seen.memory.items()}
        if now - self._accounted >= ACCOUNT_EVERY:
            self._accounted = now
            self._measured(seen)

    def _jumped(self, seen: Seen) -> bool:
        """Whether a process came or went, by the look of the memory."""
        for uuid, memory in seen.memory.items():
            then = self._used_at_slow.get(uuid)
            if then is None or abs(memory.used - then) > max(_JUMP_BYTES, memory.total * _JUMP_PART):
                return True
        return False

    def _draw(self, seen: Seen, state: State, before: Picture, *, fresh: bool) -> Picture:
        since = before.since if state.kind == before.state.kind else self._clock()
        processes = before.processes
        if not state.readable:
            processes = Processes(note=_NOT_NOW if seen.selection.devices else "")
        elif seen.selection.ambiguous:
            processes = Processes(note=_WHOSE)
        elif fresh:
            answering = [device for device in seen.selection.devices if device.uuid in seen.memory]
            with self._lock:
                programs = self._programs
            processes = self._resolve(
                seen.listed,
                programs,
                driver_version=seen.driver_version,
                devices=answering,
                used={device.uuid: seen.used(device.uuid) for device in answering},
                why_not_listed=seen.why_not_listed,
            )
        return Picture(seen, state, since, processes)

    def _show(self, picture: Picture) -> None:
        new = picture.state != self._picture.state
        self._picture = picture
        self._changed(new)
