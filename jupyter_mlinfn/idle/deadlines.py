"""Who will stop this server, or a kernel of it, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .clocks import Clocks
from .models import Certainty, Deadline, Moment, Policy
from .policy import Culler

SPAWN_TIME = 60.0
"""Seconds that a hub gives a server to start (`Spawner.start_timeout`): it reckons the age from before."""

SERVER_LOOKS_EVERY = 60.0
"""Seconds between two looks of `ServerApp.shutdown_no_activity` (jupyter_server/serverapp.py)."""

KERNELS_TOLD = 50


@dataclass(frozen=True)
class HubKnows:
    """What the hub has of this server.

    Attributes:
        accepted: the last activity that the hub has taken from us; None for none yet.
        slept, slept_at_start: `Clocks.slept` then, and when this server started: the hub's clock goes
            on while this machine sleeps.
        seen: its last activity as read from the hub, where the token may.
        started: its start as read from the hub.
        slept_at_read: `Clocks.slept` when those were read.
        in_doubt: the hub does not answer, so that none of this may be true any more.
    """

    accepted: Moment | None = None
    slept: float = 0.0
    slept_at_start: float = 0.0
    seen: Moment | None = None
    started: Moment | None = None
    slept_at_read: float = 0.0
    in_doubt: bool = False


@dataclass(frozen=True)
class IdleKernel:
    """A kernel that Jupyter Server's own culling may shut.

    Attributes:
        last: its last activity as Jupyter Server reckons it.
        timeout: seconds; of its kernelspec, or of the server.
    """

    title: str
    last: Moment
    timeout: float
    busy: bool = False
    connected: bool = False


@dataclass(frozen=True)
class ServerRules:
    """What Jupyter Server itself is configured to stop.

    Attributes:
        timeout: `ServerApp.shutdown_no_activity_timeout`, seconds; 0 for never.
        last: the server's last activity as it reckons it.
        kernels: number of its kernels: it does not stop while there is one.
        occupied: whether another extension says that something goes on, such as an open terminal.
        idle_kernels: those that `MappingKernelManager.cull_idle_timeout` may concern.
        cull_busy, cull_connected: of `MappingKernelManager`.
    """

    timeout: float = 0.0
    last: Moment = 0.0
    kernels: int = 0
    occupied: bool = False
    idle_kernels: Sequence[IdleKernel] = ()
    cull_busy: bool = False
    cull_connected: bool = False


@dataclass(frozen=True)
class Facts:
    """All that deadlines are reckoned from, at one moment.

    Attributes:
        kept_until: the end of what somebody asked for with keep-alive.
        started: when this server started.
        environment: of this process.
    """

    now: Moment
    last: Moment
    started: Moment
    policy: Policy
    culler: Culler = field(default_factory=Culler)
    hub: HubKnows | None = None
    server: ServerRules = field(default_factory=ServerRules)
    kept_until: Moment | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


def reckon(facts: Facts, clocks: Clocks) -> list[Deadline]:
    """All deadlines that apply, soonest first; none that has passed without its stop."""
    found = [
        *_policy(facts),
        *_hub_culler(facts, clocks),
        *_maximum_age(facts, clocks),
        *_server_timeout(facts),
        *_kernel_culling(facts),
        *_allocation(facts, clocks),
    ]
    return sorted(found, key=lambda each: each.at)


def next_stop(deadlines: Sequence[Deadline]) -> Deadline | None:
    """The first that stops the server: what the user is told of."""
    return next((each for each in deadlines if each.action == "stop_server"), None)


def hub_limit(facts: Facts, clocks: Clocks) -> Moment | None:
    """The soonest at which the hub's culler can stop this server for idleness; None where nobody
    told of one.

    The hub's own figure is the latest of what it was told by us and what its proxy saw, so what it
    has taken from us last, plus its timeout, is never later.
    """
    if facts.hub is None or facts.culler.timeout is None:
        return None
    return _hub_counts_from(facts, facts.hub, clocks) + facts.culler.timeout


def _hub_counts_from(facts: Facts, hub: HubKnows, clocks: Clocks) -> Moment:
    known = [_started(facts, hub, clocks)]
    if hub.accepted is not None:
        known.append(hub.accepted - (clocks.slept() - hub.slept))
    if hub.seen is not None:
        known.append(hub.seen - (clocks.slept() - hub.slept_at_read))
    return max(known)


def _started(facts: Facts, hub: HubKnows, clocks: Clocks) -> Moment:
    """This server's start, as far back as it is for the hub."""
    return facts.started - (clocks.slept() - hub.slept_at_start)


def _policy(facts: Facts) -> list[Deadline]:
    if facts.policy.timeout is None:
        return []
    at = facts.last + facts.policy.timeout
    detail = "This server stops itself when nothing has happened for " + duration(facts.policy.timeout) + "."
    if facts.kept_until is not None and facts.kept_until > at:
        at = facts.kept_until
        detail = "Somebody asked to keep this server until then."
    return [Deadline("policy", at, "certain", "stop_server", True, detail)]


def _hub_culler(facts: Facts, clocks: Clocks) -> list[Deadline]:
    at = hub_limit(facts, clocks)
    if at is None or facts.hub is None or facts.culler.timeout is None:
        return []
    if facts.now > at + facts.culler.every + _SWEEP:
        # It would have happened: the hub has seen something since that we cannot read.
        return []
    read = facts.hub.seen is not None and not facts.hub.in_doubt
    detail = f"JupyterHub stops servers that it has seen nothing of for {duration(facts.culler.timeout)}."
    return [Deadline("hub_culler", at, "certain" if read else "estimate", "stop_server", True, detail)]


_SWEEP = 10.0
"""Seconds that the culler's round over all servers may take."""


def _maximum_age(facts: Facts, clocks: Clocks) -> list[Deadline]:
    age = facts.culler.max_age
    if facts.hub is None or age is None:
        return []
    read = facts.hub.started
    # The hub reckons from before this process was there.
    started = _started(facts, facts.hub, clocks) - min(SPAWN_TIME, age / 20)
    if read is not None:
        started = read - (clocks.slept() - facts.hub.slept_at_read)
    detail = f"JupyterHub stops every server {duration(age)} after its start, whatever it does."
    known: Certainty = "certain" if read is not None else "estimate"
    return [Deadline("hub_maximum_age", started + age, known, "stop_server", False, detail)]


def _server_timeout(facts: Facts) -> list[Deadline]:
    rules = facts.server
    if rules.timeout <= 0 or rules.kernels or rules.occupied:
        return []
    at = rules.last + rules.timeout
    if facts.now > at + 2 * SERVER_LOOKS_EVERY:
        return []
    detail = (
        "Jupyter Server stops itself when it has no kernel and no terminal, and nothing has happened for "
        f"{duration(rules.timeout)}."
    )
    return [Deadline("server_timeout", at, "certain", "stop_server", True, detail)]


def _kernel_culling(facts: Facts) -> list[Deadline]:
    rules = facts.server
    found = []
    for kernel in rules.idle_kernels:
        spared = (kernel.busy and not rules.cull_busy) or (kernel.connected and not rules.cull_connected)
        if kernel.timeout > 0 and not spared:
            detail = f"Jupyter Server shuts {kernel.title} after {duration(kernel.timeout)} of idleness."
            at = kernel.last + kernel.timeout
            found.append(Deadline("kernel_culling", at, "certain", "stop_kernel", True, detail))
    return sorted(found, key=lambda each: each.at)[:KERNELS_TOLD]


def _allocation(facts: Facts, clocks: Clocks) -> list[Deadline]:
    """https://slurm.schedmd.com/sbatch.html, SLURM_JOB_END_TIME: seconds since the epoch."""
    text = facts.environment.get("SLURM_JOB_END_TIME", "").strip()
    if not text.isascii() or not text.isdigit():
        return []
    detail = f"The allocation {facts.environment.get('SLURM_JOB_ID', '')} ends then.".replace("  ", " ")
    return [Deadline("allocation", clocks.moment(float(text)), "certain", "stop_server", False, detail)]


def duration(seconds: float) -> str:
    """``2 h 5 min``, ``20 min``, ``45 s``; of long ones the two largest parts."""
    whole = max(0, round(seconds))
    parts = [
        (whole // 86400, "d"),
        (whole % 86400 // 3600, "h"),
        (whole % 3600 // 60, "min"),
        (whole % 60, "s"),
    ]
    first = next((index for index, (number, _) in enumerate(parts) if number), len(parts) - 1)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number) or "0 s"
