"""What the room `idle` speaks of. Moments are `Moment`s: monotonic seconds of this process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Moment = float
"""``time.monotonic()``: a wall clock may be set while a server is idle."""

SignalSource = Literal["start", "kernels", "terminals", "processes", "page", "proxied", "keepalive", "other"]
DeadlineSource = Literal[
    "policy", "hub_culler", "hub_maximum_age", "server_timeout", "kernel_culling", "allocation"
]
Certainty = Literal["certain", "estimate"]
Phase = Literal["unlimited", "active", "idle", "warned", "saving", "rescuing", "stopping"]


@dataclass(frozen=True)
class Signal:
    """What one source knows of activity.

    Attributes:
        last: None for never since the server started.
        detail: a sentence for the user; empty where there is nothing to say.
        counts: whether the admin lets it count.
    """

    source: SignalSource
    last: Moment | None
    detail: str = ""
    counts: bool = True


class Source(Protocol):
    """A source of activity. `look` is called on the loop and is quick: what reads disks or walks
    processes does so in a thread of its own beforehand."""

    async def look(self, now: Moment) -> Signal: ...


@dataclass(frozen=True)
class Busy:
    """A kernel that runs a cell."""

    kernel_id: str
    title: str
    path: str | None
    since: Moment


@dataclass(frozen=True)
class Deadline:
    """Somebody who will stop this server, or a kernel, and when.

    Attributes:
        at: never later than what happens.
        extendable: whether activity moves it.
    """

    source: DeadlineSource
    at: Moment
    certainty: Certainty
    action: Literal["stop_server", "stop_kernel"]
    extendable: bool
    detail: str = ""


@dataclass(frozen=True)
class Warning_:
    """What pages and mail have to say of the next end.

    Attributes:
        level: 1 is the first and mildest.
    """

    id: str
    level: int
    last: bool
    stops_at: Moment
    extendable: bool
    reason: str


@dataclass(frozen=True)
class Policy:
    """What the admin decided; seconds.

    Attributes:
        timeout: None for off.
        warnings: before the end, longest first.
        longest_life: that a busy kernel alone may keep the server; None for no limit.
    """

    timeout: float | None
    warnings: Sequence[float] = (1800.0, 600.0, 120.0)
    longest_keep_alive: float = 12 * 3600.0
    longest_life: float | None = None
