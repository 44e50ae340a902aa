"""When this server begins to stop itself, and why, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .deadlines import Facts, duration
from .ending import Limits, Reason, Why
from .models import Busy, Deadline, Moment, Signal

_MARGIN = 10.0
"""Seconds for what nobody can hold off to find everything done."""


@dataclass(frozen=True)
class OwnStop:
    """When this server begins to stop itself, and for which end."""

    at: Moment
    deadline: Deadline


def own_stop(deadlines: Sequence[Deadline], facts: Facts, limits: Limits) -> OwnStop | None:
    """None where the admin has set no timeout: then nothing of ours stops this server.

    What cannot be held off is preceded by the time that saving takes; and so is the hub's culler
    where its figure is known, if it comes before the policy.
    """
    if facts.policy.timeout is None:
        return None
    stops = []
    for each in deadlines:
        if each.action != "stop_server":
            continue
        if each.source == "policy":
            stops.append(OwnStop(each.at, each))
        elif not each.extendable or each.certainty == "certain":
            age = max(1.0, each.at - facts.started)
            lead = min(limits.save + _MARGIN, age / 4)
            stops.append(OwnStop(each.at - lead, each))
    own = next((each for each in stops if each.deadline.source == "policy"), None)
    first = min(stops, key=lambda each: each.at, default=None)
    # The hub's culler at about our own time is held off: one end, and the policy's words for it.
    if first is None or own is None or not first.deadline.extendable:
        return first
    return own if own.at - first.at <= limits.hold_off else first


def reason_of(stop: OwnStop, facts: Facts, last: Signal, busy: Sequence[Busy]) -> Reason:
    """What is written down, and told to pages, for that stop."""
    deadline = stop.deadline
    why: Why = "idle"
    if deadline.source == "hub_maximum_age":
        why = "maximum_age"
    elif deadline.source in ("allocation", "hub_culler", "server_timeout"):
        why = deadline.source
    return Reason(why, sentence(deadline, facts, last, busy), deadline.extendable)


def sentence(deadline: Deadline, facts: Facts, last: Signal, busy: Sequence[Busy]) -> str:
    """Why a deadline comes now, for a person."""
    if not deadline.extendable:
        return deadline.detail
    quiet = duration(_coarse(facts.now - facts.last))
    if last.source == "kernels" and busy:
        running = duration(_coarse(facts.now - busy[0].since))
        return f"{busy[0].title} has been running a cell for {running}, and does no work."
    if last.source == "start":
        return f"Nothing has happened since this server started, {quiet} ago."
    if deadline.source == "policy" and facts.kept_until is not None and deadline.at == facts.kept_until:
        return f"It was kept until then; nothing else has happened for {quiet}."
    return f"Nothing has happened for {quiet}."


def _coarse(seconds: float) -> float:
    """Whole minutes where there are any: the sentence stands for some time."""
    return seconds if seconds < 60 else seconds // 60 * 60
