"""The order at the end: pages save, files are rescued, the reason is written down, the server is stopped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from .models import Moment
from .pages import Pages

Why = Literal["idle", "maximum_age", "allocation", "hub_culler", "server_timeout", "user", "outside"]


@dataclass(frozen=True)
class Reason:
    """Why this server is stopped, and what is done before.

    Attributes:
        extendable: whether it is called off by somebody who is there, or by activity, before it stops.
        save: whether pages save.
        keep: what is rescued of the files that would be lost: all of them as far as a stop may, or
            chosen ones, or nothing.
    """

    why: Why
    sentence: str
    extendable: bool = False
    save: bool = True
    keep: bool | Sequence[str] = True


@dataclass(frozen=True)
class Limits:
    """Seconds.

    Attributes:
        save: that pages have to save and answer.
        hidden: that hidden pages have after the visible ones have answered.
        nobody: that is waited where no page is known: one may be there that never reported.
        rescue: from the beginning of the end to that of the rescue.
        firm: before others stop this server at which a rescue ends.
        write: for the reason, to a storage that may hang.
        stop: that the hub has to end this process once it agreed.
        tell: that pages have to read what was saved and kept, of the spare time of the above.
        outside: for the reason where somebody else stops this server: they may give it one second before
            worse (KubeSpawner, `delete_grace_period`).
        end: that the server has to end in order; Jupyter kills a kernel that ignores it after 5.
    """

    save: float = 20.0
    hidden: float = 3.0
    nobody: float = 1.0
    rescue: float = 540.0
    firm: float = 5.0
    write: float = 5.0
    stop: float = 30.0
    tell: float = 1.0
    outside: float = 0.5
    end: float = 30.0

    @property
    def hold_off(self) -> float:
        """For which the hub's culler is held off when an end begins; again for a rescue."""
        return self.save + self.write + self.stop + 5.0

    def hold_off_for(self, rescue: float) -> float:
        """The same when a rescue of so many seconds begins; ten minutes from the beginning at most."""
        return rescue + self.write + self.stop + 5.0


class Surroundings(Protocol):
    """What an end needs of the server, the hub and the storage."""

    def begins(self) -> None:
        """An end begins: what happens from now on is no activity to tell of."""

    async def hold_off(self, seconds: float) -> None:
        """Keep the hub's culler away for that long; never raises."""

    async def still_wanted(self, since: Moment, *, worked: bool = False) -> bool:
        """Whether nothing that counts has happened since; looks again at all sources.

        Args:
            worked: this server's own programs have worked meanwhile.
        """

    def stopped_by_others(self) -> Moment | None:
        """When others stop this server whatever happens here; None where they can be held off."""

    async def rescue(
        self, paths: Sequence[str] | None, seconds: float, began: Callable[[str], None]
    ) -> Mapping[str, Any] | None:
        """Copy what would be lost to where it lasts; when it is cancelled, what was copied stays.

        Args:
            paths: what was chosen; None: all, as far as a stop by itself may.
            seconds: after which nothing more is copied.
            began: told the id of the job.
        Returns:
            `#/components/schemas/RescueResult`; None where there was nothing to do.
        """

    async def write_reason(self, reason: Reason) -> None:
        """Write down why, for the next start; raises OSError."""

    async def stop_through_hub(self) -> bool:
        """Whether the hub is stopping this server now; never raises."""

    def end_process(self) -> None:
        """End this server by itself, with exit status 0; returns at once."""


_LATE = 2.0
"""Seconds that a rescue may be late before the end goes on without it."""


class Ending:
    """Lives on the event loop's thread; there is one end at a time.

    Args:
        changed: the phase is another.
        clock: monotonic, seconds.

    Attributes:
        began: when the end under way began.
        job: id of the rescue's job; None while there is none.
        rescued: the result of the rescue.
        problem: why the last end was called off by itself, a sentence; empty for not.
    """

    def __init__(
        self,
        around: Surroundings,
        pages: Pages,
        changed: Callable[[], object],
        clock: Callable[[], Moment],
        log: logging.Logger | logging.LoggerAdapter[Any],
        limits: Limits | None = None,
    ) -> None:
        self._around = around
        self._pages = pages
        self._changed = changed
        self._clock = clock
        self._log = log
        self.limits = limits or Limits()
        self._poke = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._aside: set[asyncio.Task[Any]] = set()
        self._insisted = False
        self.phase: Literal["saving", "rescuing", "stopping"] | None = None
        self.save_by: Moment | None = None
        self.reason: Reason | None = None
        self.began: Moment = float("inf")
        self.job: str | None = None
        self.rescued: Mapping[str, Any] | None = None
        self.problem = ""
        self.written = False

    def begin(self, reason: Reason) -> None:
        """Start to end; one that is under way goes on as it is.

        Somebody who asks for one that began by itself is taken at their word, though: it is not called
        off by what they do next.
        """
        if self.phase is not None:
            self._insist(reason)
            return
        self.reason, self.problem = reason, ""
        self.job = self.rescued = None
        self._insisted = reason.why == "user"
        began = self.began = self._clock()
        self._around.begins()
        if reason.save:
            self.phase, self.save_by = "saving", began + self.limits.save
            self._pages.ask_to_save()
        else:
            self.phase, self.save_by = "rescuing", None
        self._log.info("This server is being stopped: %s", reason.sentence)
        self._task = asyncio.ensure_future(self._run(began))
        self._changed()

    def call_off(self) -> bool:
        """Stay after all, as long as only pages save and files are rescued, and for what can be held off.

        Returns:
            Whether this server stays.
        """
        if self.phase is None:
            return True
        if self.phase == "stopping" or self._task is None or not (self.reason and self.reason.extendable):
            return False
        self._log.info("The stop is called off.")
        self._task.cancel()
        self._over()
        return True

    def person_at(self, at: Moment) -> None:
        """Somebody used a page then: who comes back before this server stops keeps it.

        Not who asked for the stop: they may move the pointer after that.
        """
        if self.phase in ("saving", "rescuing") and not self._insisted and at > self.began:
            self.call_off()

    def answered(self) -> None:
        """A page has reported."""
        self._poke.set()

    def close(self) -> None:
        """The server ends, by us or by others."""
        if self._task is not None:
            self._task.cancel()
        for each in self._aside:
            each.cancel()

    def _insist(self, reason: Reason) -> None:
        if reason.why == "user" and self.reason is not None and not self._insisted:
            self._insisted = True
            if self.phase == "saving":
                self.reason = replace(self.reason, keep=reason.keep)

    async def _run(self, began: Moment) -> None:
        try:
            await self._end_in_order(began)
        except Exception:  # noqa: BLE001 - whatever it is: none hangs between running and stopped
            self._log.exception("The end of this server did not go as it should")
            if self.phase == "stopping":
                self._around.end_process()
            else:
                self._over()

    async def _end_in_order(self, began: Moment) -> None:
        async with _Beside(self._around.hold_off(self.limits.hold_off)):
            if self._reason.save:
                await self._saved(began)
            else:
                # Who asked for it is answered first.
                await asyncio.sleep(self.limits.nobody)
        if not await self._wanted(began) or not await self._kept(began):
            return
        self.phase, self.save_by = "stopping", None
        self._changed()
        told = asyncio.ensure_future(asyncio.sleep(self.limits.tell if len(self._pages) else 0))
        try:
            await asyncio.wait_for(self._around.write_reason(self._reason), self.limits.write)
            self.written = True
        except (OSError, asyncio.TimeoutError) as error:
            self._log.warning("Why this server is stopped could not be written to the storage: %r", error)
        # A page that cannot ask any more could only say that it was about to be kept.
        await told
        if await self._around.stop_through_hub():
            await asyncio.sleep(self.limits.stop)
            self._log.warning("The hub agreed to stop this server and did not: it ends by itself.")
        self._around.end_process()

    @property
    def _reason(self) -> Reason:
        assert self.reason is not None  # noqa: S101 - there is one while there is an end
        return self.reason

    async def _wanted(self, began: Moment, *, worked: bool = False) -> bool:
        """Whether the end goes on; if not, it is over."""
        # Who asks for it knows what runs.
        if not self._reason.extendable or self._insisted:
            return True
        if await self._around.still_wanted(began, worked=worked):
            return True
        self._log.info("The stop is called off: there is activity again.")
        self._over()
        return False

    async def _saved(self, began: Moment) -> None:
        """Wait for pages, no longer than the limits."""
        answered_at = began
        while True:
            self._poke.clear()
            now = self._clock()
            if not len(self._pages):
                end = began + self.limits.nobody
            elif self._pages.waiting(visible=True):
                end, answered_at = began + self.limits.save, now
            elif self._pages.waiting(visible=False):
                end = min(answered_at + self.limits.hidden, began + self.limits.save)
            else:
                return
            if now >= end:
                return
            try:
                await asyncio.wait_for(self._poke.wait(), end - now)
            except asyncio.TimeoutError:
                continue

    async def _kept(self, began: Moment) -> bool:
        """Rescue what is wanted; whether the end goes on after that."""
        reason, keep = self._reason, self._reason.keep
        end, firm = began + self.limits.rescue, self._around.stopped_by_others()
        if firm is not None:
            end = min(end, firm - self.limits.firm)
        seconds = end - self._clock()
        if keep is False or keep == () or seconds <= 0:
            return True
        self.phase, self.save_by = "rescuing", None
        self._changed()
        async with _Beside(self._around.hold_off(self.limits.hold_off_for(seconds))):
            self.rescued = await self._rescued(None if isinstance(keep, bool) else keep, seconds)
        if problem := _why_nothing(self.rescued, chosen=not isinstance(keep, bool)):
            self._log.warning("No file was rescued: %s", problem)
            if reason.why == "user":
                self._over(f"The files that would be lost could not be kept: {problem}")
                return False
        return await self._wanted(began, worked=True)

    async def _rescued(self, paths: Sequence[str] | None, seconds: float) -> Mapping[str, Any] | None:
        """Whatever a storage does, it is over in time."""
        rescue = asyncio.ensure_future(self._around.rescue(paths, seconds, self._job_began))
        self._aside.add(rescue)
        rescue.add_done_callback(self._aside.discard)
        try:
            # Not wait_for, which waits until what it cancels has ended.
            await asyncio.wait([rescue], timeout=seconds + min(_LATE, self.limits.firm / 2))
        except asyncio.CancelledError:
            rescue.cancel()
            raise
        if not rescue.done():
            rescue.cancel()
            return _failed("Your storage did not answer in time.")
        if rescue.cancelled():
            return _failed("It was cancelled.")
        if (error := rescue.exception()) is not None:
            self._log.error("The rescue of files failed", exc_info=error)
            return _failed(" ".join(str(error).splitlines()) or type(error).__name__)
        return rescue.result()

    def _job_began(self, job: str) -> None:
        self.job = job
        self._changed()

    def _over(self, problem: str = "") -> None:
        self.phase = self.save_by = self.reason = self._task = None
        self.began, self.problem = float("inf"), problem
        self._changed()


class _Beside:
    """Something that goes on while the context lasts."""

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self._work = work

    async def __aenter__(self) -> None:
        self._task = asyncio.ensure_future(self._work)

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()


def _why_nothing(rescued: Mapping[str, Any] | None, *, chosen: bool) -> str:
    """Why no file at all was kept where there are some to keep, a sentence; empty for not so.

    Args:
        chosen: what is left was asked for by name.
    """
    if rescued is None or rescued["files"]:
        return ""
    # Nobody stays for a socket, an empty file, or what cannot be read, unless they named it.
    left = next((each for each in rescued["left"] if each["size"] or chosen), None)
    return str(rescued["problem"] or (f"{left['path']}: {left['reason']}" if left is not None else ""))


def _failed(problem: str) -> dict[str, Any]:
    """The result of a rescue of which nothing else is known."""
    missing = dict.fromkeys(("folder", "root_path", "manifest", "left_count", "left_bytes"))
    return {**missing, "files": 0, "bytes": 0, "left": [], "changed": [], "problem": problem}
