"""When this server is stopped, who is told, and the stop itself; lives on the event loop's thread."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ..errors import BadInputError, ConflictError
from .account import Account
from .answers import answer_of
from .around import Around
from .clocks import Clocks
from .deadlines import Facts, duration, hub_limit, next_stop, reckon
from .ending import Ending, Limits, Reason
from .hubside import HubSide
from .models import Deadline, Moment, Phase, Policy, Warning_
from .order import own_stop, reason_of, sentence
from .pages import Pages
from .policy import Culler, Warner
from .surroundings import AtTheEnd, note_stop_of_others
from .upkeep import Talk, hold_off_at, keep_up, tell_of_activity

LOOK_EVERY = 30.0
"""Seconds between two looks at the sources while the end is far."""

LOOK_WARNED = 5.0
"""The same while a warning is shown: it is to go away soon after somebody has come back."""

FRESH = 2.0
"""Seconds for which many readers share one look."""

ACTIVE_FOR = 120.0
"""Seconds after its last activity for which a server is said to be active."""

READ_WITHIN = 5.0
"""Seconds that the hub has to say what it knows before this server stops itself."""


class IdleService:
    """Looks at the sources by itself where somebody has to be warned or stopped, or a hub be told.

    Args:
        account: of activity.
        hub: None outside a hub.
        started: when this server started.
    """

    def __init__(
        self,
        account: Account,
        policy: Policy,
        culler: Culler,
        around: Around,
        *,
        started: Moment,
        hub: HubSide | None = None,
        clocks: Clocks | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.clocks = clocks or Clocks()
        self.account, self.policy, self.culler, self.hub, self.around = account, policy, culler, hub, around
        self.pages = Pages()
        self._started = started
        self._warner = Warner(policy.warnings)
        self.at_the_end = AtTheEnd(self)
        self.ending = Ending(self.at_the_end, self.pages, self._moved, self.clocks.now, around.log, limits)
        self.talk = Talk(self._judge, around.log)
        self.kept: Moment | None = None
        timeouts = [each for each in (policy.timeout, culler.timeout) if each]
        # Of those who try it out with seconds for hours.
        self._shortest = min(timeouts, default=3600.0)
        self._deadlines: Sequence[Deadline] = ()
        self._warning: Warning_ | None = None
        self._told: object = None
        self._looking: asyncio.Future[None] | None = None
        self._upkeep: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.watching = False

    def start(self) -> None:
        """Begin to watch, if there is anything that could end this server."""
        self.watching = (
            self.policy.timeout is not None
            or self.hub is not None
            or self.around.rules().timeout > 0
            or bool(self.around.environment.get("SLURM_JOB_END_TIME"))
        )
        self._wake(0.0)

    async def close(self) -> None:
        """The server ends, by us or by others; quickly, for whoever ends it may not wait a second."""
        self.watching = False
        await note_stop_of_others(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._upkeep is not None:
            self._upkeep.cancel()
        if self._looking is not None:
            self._looking.cancel()
        self.ending.close()
        self.talk.close()
        for end in self.around.ends:
            end()
        for later in self.around.ends_later:
            await later()

    # For handlers

    async def answer(self) -> dict[str, Any]:
        """`#/components/schemas/IdleAnswer`."""
        await self.look()
        self._judge()
        return self._answer()

    async def keep_alive(self, seconds: int | None) -> dict[str, Any]:
        """Somebody is there, or wants this server kept for some time whatever happens.

        Raises:
            BadInputError: that is longer than the admin allows.
            ConflictError: this server is being stopped, or its end cannot be moved.
        """
        longest = self.policy.longest_keep_alive
        if seconds is not None and seconds > longest:
            raise BadInputError(
                f"This server cannot be kept for {duration(seconds)}.",
                reason=f"{duration(longest)} are allowed at once.",
                hint="Ask for less, and again later.",
                fields={"seconds": [{"value": str(seconds), "message": f"at most {longest:.0f}"}]},
            )
        if not self.ending.call_off():
            raise ConflictError(
                "This server is being stopped.",
                reason=self.ending.reason.sentence if self.ending.reason is not None else "",
                hint="Wait until it has stopped, and start it again.",
            )
        now = self.clocks.now()
        self.account.note("keepalive", now, "Somebody said that they are here.")
        if seconds is not None:
            self.kept = now + seconds
            self.account.note(
                "keepalive", now, f"Somebody asked to keep this server for {duration(seconds)}."
            )
        # All pages hear of it now, whatever the hub does.
        self._judge()
        if self.hub is not None:
            await self.talk.of(tell_of_activity(self.hub, now, now, self.kept))
            self._judge()
        return self._answer()

    async def page(self, report: Mapping[str, Any]) -> None:
        """What a page has to tell; see `#/paths/~1idle~1page`."""
        now = self.clocks.now()
        self.pages.hear(report, now)
        if (ago := report.get("input_seconds_ago")) is not None:
            self.around.page.report(input_seconds_ago=ago)
            self.account.keep(await self.around.page.look(now), now)
            self.ending.person_at(now - ago)
        if self.ending.phase is not None:
            self.ending.answered()
        if "documents" in report or report.get("closing"):
            self.around.others.moved()
        self._judge()

    async def stop(self) -> dict[str, Any]:
        """Save and stop now; returns when it has begun."""
        self.ending.begin(Reason("user", "Somebody asked to save and stop now.", extendable=True))
        return self._answer()

    def ask_pages(self) -> None:
        """Ask all pages which documents they have; their answers are told by `pages.told`."""
        self.pages.ask(self.clocks.now())
        self._judge()

    # The watch

    async def look(self, *, anew: bool = False) -> None:
        """Ask the sources, unless they were asked a moment ago."""
        if self._looking is None:
            if not anew and self.clocks.now() - self.account.looked < min(FRESH, self._shortest / 20):
                return
            self._looking = asyncio.ensure_future(self.account.look(self.clocks.now()))
            self._looking.add_done_callback(self._looked)
        await asyncio.shield(self._looking)

    def facts(self) -> Facts:
        """What deadlines are reckoned from, as now."""
        now = self.clocks.now()
        if self.kept is not None and self.kept <= now:
            self.kept = None
        last = self.account.last().last
        return Facts(
            now=now,
            last=self._started if last is None else last,
            started=self._started,
            policy=self.policy,
            culler=self.culler,
            hub=replace(self.hub.knows, in_doubt=self.hub.unsure) if self.hub is not None else None,
            server=self.around.rules(),
            kept_until=self.kept,
            environment=self.around.environment,
        )

    @property
    def deadlines(self) -> Sequence[Deadline]:
        return self._deadlines

    @property
    def warning(self) -> Warning_ | None:
        return self._warning

    def _moved(self) -> None:
        self._judge()
        self.around.others.moved()

    def _looked(self, looking: asyncio.Future[None]) -> None:
        self._looking = None

    def _wake(self, pause: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.watching:
            self._timer = asyncio.get_running_loop().call_later(pause, self._begin_tick)

    def _begin_tick(self) -> None:
        self._timer = None
        if self._upkeep is None or self._upkeep.done():
            self._upkeep = asyncio.ensure_future(self.tick())

    async def tick(self) -> None:
        """Look, and do what is due: tell the hub and the user, begin the end; then wait for the next."""
        pause = min(LOOK_EVERY, self._shortest / 8)
        try:
            await self.look(anew=True)
            facts = self._judge()
            if self.hub is not None:
                await self._keep_hub(self.hub, facts)
                facts = self._judge()
            stop = own_stop(self._deadlines, facts, self.ending.limits)
            if stop is not None and facts.now >= stop.at and self.ending.phase is None:
                await self._end_unless_active()
            pause = self._pause()
        except Exception:
            # It goes on: a server that nobody warns of its end is what we are here against.
            self.around.log.exception("Watching for the end of this server failed; it is tried again")
        finally:
            self._wake(pause)

    async def _end_unless_active(self) -> None:
        await self.account.refresh()
        if self.hub is not None and not self.hub.unsure:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.hub.read(), READ_WITHIN)
        await self.look(anew=True)
        facts = self._judge()
        stop = own_stop(self._deadlines, facts, self.ending.limits)
        if stop is not None and facts.now >= stop.at and self.ending.phase is None:
            self.ending.begin(reason_of(stop, facts, self.account.last(), self.account.busy))

    async def _keep_hub(self, hub: HubSide, facts: Facts) -> None:
        if self.talk.waits:
            return
        stop = own_stop(self._deadlines, facts, self.ending.limits)
        end = self._end(facts)
        near = end is not None and end.at - facts.now <= max(self._steps(end, facts)) + LOOK_EVERY
        stops_at = stop.at if stop is not None else None
        hold_off = self.ending.limits.hold_off
        await self.talk.of(keep_up(hub, self.clocks, facts, near=near, stops_at=stops_at, hold_off=hold_off))

    def _judge(self) -> Facts:
        """Reckon anew what is known, without looking, and tell pages if it is another."""
        facts = self.facts()
        self._deadlines = reckon(facts, self.clocks)
        end = self._end(facts)
        reason = sentence(end, facts, self.account.last(), self.account.busy) if end is not None else ""
        whole = _whole(end, facts) if end is not None else 0.0
        self._warning = self._warner.due(end, whole, facts.now, reason)
        if self.around.away is not None:
            self.around.away.consider(self._warning, self.pages, facts.now)
        told = (
            self.phase(),
            self._warning.id if self._warning is not None else None,
            self.ending.save_by,
            self.kept,
            self.pages.question(facts.now),
        )
        if told != self._told:
            first, self._told = self._told is None, told
            if not first:
                self.around.changed()
        return facts

    def phase(self) -> Phase:
        """How far the end is."""
        if self.ending.phase is not None:
            return self.ending.phase
        if next_stop(self._deadlines) is None:
            return "unlimited"
        if self._warning is not None:
            return "warned"
        last, active = self.account.last().last, min(ACTIVE_FOR, (self.policy.timeout or ACTIVE_FOR) / 4)
        return "active" if last is not None and self.clocks.now() - last < active else "idle"

    def kept_until(self) -> Moment | None:
        """Until when this server is kept, as far as everybody agrees."""
        if self.kept is None:
            return None
        firm = ("hub_maximum_age", "allocation", "server_timeout")
        ends = [each.at for each in self._deadlines if each.source in firm]
        unsure = self.hub is not None and self.hub.unsure
        agreed = hub_limit(self.facts(), self.clocks) if unsure else None
        return min([self.kept, *ends, *([agreed] if agreed is not None else [])])

    def _end(self, facts: Facts) -> Deadline | None:
        """What the user is warned of: where this server stops itself before somebody else does, that."""
        end, stop = next_stop(self._deadlines), own_stop(self._deadlines, facts, self.ending.limits)
        if end is None or stop is None or stop.at >= end.at:
            return end
        return replace(stop.deadline, at=stop.at)

    def _steps(self, end: Deadline, facts: Facts) -> Sequence[float]:
        return self._warner.steps(_whole(end, facts))

    def _pause(self) -> float:
        """Seconds to the next moment that matters."""
        facts = self.facts()
        end, stop = self._end(facts), own_stop(self._deadlines, facts, self.ending.limits)
        pauses = [LOOK_WARNED if self._warning is not None else LOOK_EVERY, max(0.5, self._shortest / 8)]
        moments = [] if end is None else [end.at - step for step in self._steps(end, facts)]
        if stop is not None and self.ending.phase is None:
            moments += [stop.at, hold_off_at(facts, self.clocks, stop.at, self.ending.limits.hold_off)]
        pauses += [moment - facts.now for moment in moments if moment > facts.now]
        return max(0.02, min(pauses) + 0.005)

    def _answer(self) -> dict[str, Any]:
        return answer_of(self)


def _whole(end: Deadline, facts: Facts) -> float:
    """Seconds from what an end is reckoned from to the end."""
    if not end.extendable:
        return end.at - facts.started
    if end.source == "hub_culler" and facts.culler.timeout is not None:
        return facts.culler.timeout
    return end.at - facts.last
