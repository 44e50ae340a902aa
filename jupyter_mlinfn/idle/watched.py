"""The sources of a running server, and what ends their observing."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .clocks import Clocks
from .config import IdleConfig
from .heard import Heard
from .models import Busy, Source
from .observers import proxied as proxied_observer
from .observers.terminals import devices
from .sources.belonging import Found, scope
from .sources.page import PageSource
from .sources.processes import WALK_EVERY, ProcessSource
from .sources.proxied import ProxiedSource
from .sources.stock import PROXY, REPLACED, StockSource
from .sources.terminals import TerminalSource
from .sources.walk import MONITORS, Walk


@dataclass
class Watched:
    """Attributes:
    page: what pages report goes there.
    busy: the kernels that run code, as of the last look.
    ends: what ends the observing.
    """

    page: PageSource
    sources: list[Source] = field(default_factory=list)
    busy: Callable[[], Sequence[Busy]] = tuple
    ends: list[Callable[[], None]] = field(default_factory=list)

    def close(self) -> None:
        for end in self.ends:
            end()


def watch(
    server: Any,
    kernels: Heard,
    config: IdleConfig,
    environment: Mapping[str, str],
    marker: str,
    timeout: float | None,
    clocks: Clocks,
) -> Watched:
    """Begin to observe a server, whose extensions are loaded.

    Args:
        kernels: heard from its start on.
        marker: what its processes bear, see `belonging.mark`.
        timeout: the shortest that is known, seconds; short ones are for those who try it out.
    """
    clock, wall = clocks.monotonic, clocks.wall
    watched = Watched(PageSource(clock=clock))
    watched.busy = kernels.source.busy
    watched.ends.append(kernels.end)
    whose: Found = scope(environment, os.getpid(), os.getppid())
    if config.idle_processes != "auto":
        whose = "namespace" if config.idle_processes == "namespace" else "marked"
    walk = Walk(
        os.getpid(),
        marker,
        whose,
        cpu_per_minute=config.idle_cpu_threshold,
        bytes_per_minute=config.idle_bytes_threshold,
        monitors=MONITORS | set(config.idle_monitors),
        clock=clock,
    )
    walk_every = min(WALK_EVERY, max(1.0, timeout / 8)) if timeout else WALK_EVERY
    processes = ProcessSource(walk, walk_every=walk_every)
    watched.ends.append(processes.close)
    proxied = ProxiedSource(config.idle_proxied_ignored, clock=clock)
    replaced = set(REPLACED)
    ended = proxied_observer.observe(server.web_app, proxied)
    if ended is not None:
        watched.ends.append(ended)
        replaced.add(PROXY)
    watched.sources += [
        kernels.source,
        TerminalSource(lambda: devices(server), clock=clock, wall=wall),
        processes,
        watched.page,
        proxied,
        StockSource(server.web_app.settings, replaced=replaced, clock=clock, wall=wall),
    ]
    return watched
