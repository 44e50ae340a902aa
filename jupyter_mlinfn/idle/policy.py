"""What the admin decided, and which warnings are due for an end."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .config import IdleConfig
from .models import Deadline, Moment, Policy, Warning_

SAME_END, SAME_FIXED_END = 0.2, 2.0
"""Seconds by which an end may wander and be the same: others reckon by clocks that are set. One that
activity moves does move."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|sec|m|min|h|d)?", re.IGNORECASE)
_UNITS = {"s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class Culler:
    """The hub's idle culler, as the admin told this server; None for what it does not do, or what
    nobody told. Seconds.

    https://github.com/jupyterhub/jupyterhub-idle-culler
    """

    timeout: float | None = None
    every: float = 0.0
    max_age: float | None = None


def parse_duration(text: str) -> float:
    """Seconds of ``90``, ``90s``, ``30m``, ``2h`` or ``1.5d``.

    Raises:
        ValueError: it is none of these; the message says so.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no duration: write 90s, 30m or 2h")
    number, unit = match.groups()
    return float(number) * _UNITS[(unit or "s").lower()]


def read(
    config: IdleConfig, environment: Mapping[str, str], complain: Callable[[str], None] = lambda _: None
) -> tuple[Policy, Culler]:
    """The admin's decisions: what traits do not say is taken from the environment.

    Args:
        complain: told what in the environment cannot be understood, and is left out.
    """

    def figure(trait: float | None, variable: str) -> float | None:
        if trait is None and environment.get(variable, "").strip():
            try:
                trait = parse_duration(environment[variable])
            except ValueError as error:
                complain(f"{variable} is ignored: {error}.")
        return trait or None

    policy = Policy(
        timeout=figure(config.idle_timeout, "MLINFN_IDLE_TIMEOUT"),
        warnings=tuple(sorted(set(config.idle_warnings), reverse=True)),
        longest_keep_alive=config.idle_longest_keep_alive,
        longest_life=figure(config.idle_longest_life, "MLINFN_IDLE_LONGEST_LIFE"),
    )
    timeout = figure(config.hub_cull_timeout, "MLINFN_HUB_CULL_TIMEOUT")
    every = figure(config.hub_cull_every, "MLINFN_HUB_CULL_EVERY")
    culler = Culler(
        timeout=timeout,
        every=min((timeout or 0.0) / 2, 600.0) if every is None else every,
        max_age=figure(config.hub_max_age, "MLINFN_HUB_MAX_AGE"),
    )
    return policy, culler


def fitting(warnings: Sequence[float], whole: float) -> Sequence[float]:
    """The warnings that fit an end `whole` seconds after what it is reckoned from, longest first.

    Who has just been there is not told that the end is near: a warning has its place in the second
    half. Where none fits, there is one in its middle.
    """
    return [each for each in warnings if each <= whole / 2] or [whole / 2]


class Warner:
    """Which warning is due; keeps the id of one while the end stays the same.

    Args:
        warnings: seconds before the end, longest first.
    """

    def __init__(self, warnings: Sequence[float]) -> None:
        self._warnings = warnings
        # A page that outlived the last server must not take a warning of this one for one it has shown.
        self._run = uuid.uuid4().hex[:8]
        self._end: tuple[str, Moment] | None = None

    def steps(self, whole: float) -> Sequence[float]:
        """See `fitting`."""
        return fitting(self._warnings, whole)

    def due(self, end: Deadline | None, whole: float, now: Moment, reason: str) -> Warning_ | None:
        """What is to be said of `end` now.

        Args:
            whole: seconds from what the end is reckoned from, such as the last activity, to the end.
        """
        if end is None:
            self._end = None
            return None
        same = SAME_END if end.extendable else SAME_FIXED_END
        if self._end is None or self._end[0] != end.source or abs(self._end[1] - end.at) > same:
            self._end = (end.source, end.at)
        at = self._end[1]
        steps = self.steps(whole)
        level = sum(1 for step in steps if at - now <= step + 1e-6)
        if not level:
            return None
        return Warning_(
            id=f"{self._run}-{end.source}-{math.floor(at)}-{level}",
            level=level,
            last=level == len(steps),
            stops_at=at,
            extendable=end.extendable,
            reason=reason,
        )
