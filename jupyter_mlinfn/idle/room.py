"""The room before anybody is in it: a server that starts imports nothing more for it than this."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from .clocks import Clocks
from .heard import Heard, hear_kernels
from .others import Others
from .sources.belonging import mark

if TYPE_CHECKING:
    from pathlib import Path

    from .config import IdleConfig
    from .ending import Limits
    from .for_session import ForSession
    from .last_stop import LastStop
    from .service import IdleService

FIRST_LOOK = 2.0
"""Seconds after its start at which a server begins to watch: others are done by then."""


PID_VARIABLE = "MLINFN_SERVER_PID"
"""Given to whatever a server starts, for `jupyter mlinfn idle` to find it, also from a tmux."""

_NOT_FOR_CHILDREN = "MLINFN_IDLE_NOTIFY"


class IdleRoom:
    """Makes the service when it is first needed; lives on the event loop's thread.

    Args:
        config: the admin's decisions.
        server: the `ServerApp`; None for a command line, where nothing is idle.
        changed: what pages have to read is another.
        state, anchor: where the record of a stop is written; see `last_stop.LastStop`.
        clocks: by which this room goes; default: the machine's.
        limits: of an end; default: those of `ending.Limits`.

    Attributes:
        others: other rooms; set before the server starts.
    """

    def __init__(
        self,
        config: IdleConfig,
        server: Any = None,
        *,
        changed: Callable[[], None] = lambda: None,
        state: Path,
        anchor: Path,
        clocks: Clocks | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._config = config
        self._server = server
        self._environment = dict(os.environ)
        # Kernels and terminals need not have it.
        os.environ.pop(_NOT_FOR_CHILDREN, None)
        self._marker = ""
        if server is not None:
            self._marker = mark(os.environ)
            os.environ[PID_VARIABLE] = str(os.getpid())
        self._changed = changed
        self._state, self._anchor = state, anchor
        self._clocks = clocks or Clocks()
        self._limits = limits
        self._started = self._clocks.now()
        self._heard: Heard | None = None
        self._service: IdleService | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._starting: asyncio.Task[None] | None = None
        self.others = Others()

    async def service(self) -> IdleService:
        """Everything else; it is imported in a thread, for the loop not to wait."""
        if self._service is None:
            building = await asyncio.to_thread(importlib.import_module, ".building", __package__)
            # Somebody else may have come first.
            if self._service is None:
                self._service = building.build(
                    self._config,
                    self._server,
                    started=self._started,
                    environment=self._environment,
                    marker=self._marker,
                    kernels=self._hear(),
                    changed=self._changed,
                    last_stop=self.last_stop(),
                    others=self.others,
                    clocks=self._clocks,
                    limits=self._limits,
                )
        return self._service

    async def for_session(self) -> ForSession:
        """What the room `session` is told, and may have done."""
        service = await self.service()
        module = importlib.import_module(".for_session", __package__)
        return cast("ForSession", module.ForSession(service))

    def last_stop(self) -> LastStop:
        """The record of the stop of this server, of the last one and of the next."""
        # Not at the top: a server that starts needs nothing of it.
        from .last_stop import LastStop

        return LastStop(self._state, self._anchor, self._environment.get("JUPYTERHUB_SERVER_NAME", ""))

    def start(self) -> None:
        """Begin to hear the kernels, and some seconds later to watch."""
        self._hear()
        _stop_in_order(self._server, self._environment)
        self._timer = asyncio.get_running_loop().call_later(FIRST_LOOK, self._start_soon)

    async def close(self) -> None:
        """Waits for nobody but half a second for the storage."""
        if self._timer is not None:
            self._timer.cancel()
        if self._starting is not None:
            self._starting.cancel()
        if self._service is not None:
            await self._service.close()

    def _hear(self) -> Heard:
        if self._heard is None:
            self._heard = hear_kernels(self._server, self._clocks)
            self._heard.source.listener = lambda: self.others.moved()
        return self._heard

    def _start_soon(self) -> None:
        self._starting = asyncio.ensure_future(self._start())

    async def _start(self) -> None:
        (await self.service()).start()


def _stop_in_order(server: Any, environment: Mapping[str, str]) -> None:
    """Have the interrupt that JupyterHub's local spawner sends end a server as a request to end does:
    else Jupyter Server dies in it, with kernels that nobody shuts.

    With a terminal it is Ctrl-C, which asks first.
    """
    under_hub = environment.get("JUPYTERHUB_API_URL") and environment.get("JUPYTERHUB_SERVICE_PREFIX")
    if not under_hub or threading.current_thread() is not threading.main_thread():
        return
    if sys.stdin is None or not sys.stdin.isatty():
        signal.signal(signal.SIGINT, server._signal_stop)
