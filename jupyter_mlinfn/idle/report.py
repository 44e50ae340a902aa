"""Makes this server's own account of activity what its hub is told, and what its hub goes by.

JupyterHub's part of the server posts `web_app.last_activity()` at an interval of the admin's
(`JUPYTERHUB_ACTIVITY_INTERVAL`, 300 s by default), and jupyter_server shuts down after
`shutdown_no_activity_timeout` by the same figure and shows it under `api/status`. So it is put there.

The proxy in front of the hub has figures of its own, and the hub takes the later one: an open tab
wins. `jupyter_mlinfn.hub.proxy` drops the proxy's figure for servers that *declare* that they report
theirs: each answer of theirs bears `DECLARATION`, as it bears JupyterHub's `X-JupyterHub-Version`.
A server declares only while the hub accepts its reports: one whose reports are lost would be taken
for idle from then on, at work or not. JupyterHub's own posts do not tell whether they arrive, so the
room posts as well: what `ActivityReport.post_activity` was last answered decides.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

from ..errors import DependencyError, MlinfnError
from ..times import utc_now
from .hub import FURTHEST_AHEAD, HubClient, HubPlace

DECLARATION = ("X-Jupyter-Mlinfn-Activity", "reported")
"""A header of every answer, read by the hub's `MlinfnProxy`. It tells strangers no time."""

AT_ONCE = 1.0
"""Seconds in which a hub that is well has answered."""

FORGIVEN = 60.0
"""Seconds for which reports may be lost while the server declares: a hub that is away stops nobody."""

POST_PATIENCE = 3.0
STOP_PATIENCE = 15.0
"""Seconds for which a hub that does not answer is tried again; whoever reports comes back anyway."""

STOP_WITHIN_IF_ILL = 5.0
"""Seconds that a hub has to stop this server where it did not answer lately: else the server ends by
itself, and its GPU is free."""


class Unanswered:
    """What the hub was asked and has not answered.

    Args:
        clock: monotonic, seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._open: list[float] = []

    @contextmanager
    def asking(self) -> Iterator[None]:
        """For as long as one question is open."""
        asked = self._clock()
        self._open.append(asked)
        try:
            yield
        finally:
            self._open.remove(asked)

    @property
    def waits(self) -> bool:
        """Whether one is open for longer than a hub takes that is well."""
        return bool(self._open) and self._clock() - min(self._open) > AT_ONCE


class ActivityReport:
    """What the room says to the hub, in seconds since the epoch and without exceptions: what is
    refused is logged once and kept as `trouble`. Lives on the event loop's thread.

    Args:
        account: when this server was last active, with a time zone; later than now for a keep-alive.
            Called often: it is quick.
        stock: what was `web_app.last_activity`; stands in when the account fails.
        headers: of every answer of the server.
        clock: monotonic, seconds.

    Attributes:
        trouble: why the hub did not take the last report; None when it did.
    """

    def __init__(
        self,
        client: HubClient,
        account: Callable[[], datetime],
        stock: Callable[[], datetime],
        headers: dict[str, str],
        log: logging.Logger | logging.LoggerAdapter[Any],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client = client
        self.trouble: MlinfnError | None = None
        self._account = account
        self._stock = stock
        self._headers = headers
        self._log = log
        self._clock = clock
        self._failing_since: float | None = None
        self._account_fails = False
        self._unanswered = Unanswered(clock)

    def last_activity(self) -> datetime:
        """For `web_app.last_activity`: the account, no further ahead than the hub accepts."""
        try:
            at = min(self._account(), utc_now() + FURTHEST_AHEAD)
        except Exception:  # noqa: BLE001 - a server at work must not be stopped for a fault of ours
            if not self._account_fails:
                self._log.exception("The account of activity failed; jupyter_server's own is reported.")
            self._account_fails = True
            self._withdraw()
            return self._stock()
        self._account_fails = False
        return at

    async def post_activity(self, epoch: float) -> bool:
        """Report a last activity; one that is further ahead than the hub accepts is reported as far
        as it does.

        Returns:
            Whether the hub has taken it.
        """
        at = min(datetime.fromtimestamp(epoch, timezone.utc), utc_now() + FURTHEST_AHEAD)
        try:
            with self._unanswered.asking():
                await self.client.post_activity(at, patience=POST_PATIENCE)
        except MlinfnError as error:
            self._failed(error)
            return False
        if self.trouble is not None:
            self._log.info("The hub accepts this server's reports of activity again.")
        self.trouble, self._failing_since = None, None
        if not self._account_fails:
            self._headers.update([DECLARATION])
        return True

    async def read_own_server(self) -> tuple[float | None, float | None] | None:
        """Last activity and start by the hub; None where the token may not, or the hub does not answer."""
        server, _ = await self.client.read_own_server()
        if server is None:
            return None
        seen, started = (at.timestamp() if at else None for at in (server.last_activity, server.started))
        return seen, started

    async def stop_own_server(self) -> bool:
        """Whether the hub is stopping this server."""
        try:
            if self._is_ill:
                await self.client.stop_own_server(patience=0.0, within=STOP_WITHIN_IF_ILL)
            else:
                await self.client.stop_own_server(patience=STOP_PATIENCE)
        except MlinfnError as error:
            self._log.warning("%s", error)
            return False
        return True

    async def close(self) -> None:
        """The server ends, or its account does."""
        self._withdraw()
        await self.client.close()

    @property
    def _is_ill(self) -> bool:
        """Whether the hub did not answer the last report, or lets it wait."""
        return self._unanswered.waits or isinstance(self.trouble, DependencyError)

    def _failed(self, error: MlinfnError) -> None:
        if self.trouble is None:
            self._log.warning("%s", error)
        self.trouble = error
        if self._failing_since is None:
            self._failing_since = self._clock()
        # Only our reports may be lost, and not what the culler says to the hub.
        if not isinstance(error, DependencyError) or self._clock() - self._failing_since > FORGIVEN:
            self._withdraw()

    def _withdraw(self) -> None:
        self._headers.pop(DECLARATION[0], None)


def install_activity_report(
    serverapp: Any,
    account: Callable[[], datetime],
    *,
    client: HubClient | None = None,
) -> ActivityReport | None:
    """Put our account in the place of jupyter_server's, under a hub; both ways in which JupyterHub makes
    a single-user server (extension and subclass) read it there.

    Args:
        serverapp: its `web_app` is made.
        account: see `ActivityReport`.
        client: default: from the environment.

    Returns:
        What reports to the hub; None outside a hub: then nothing is changed.
    """
    if client is None:
        place = HubPlace.find(os.environ)
        client = HubClient(place) if place is not None else None
    if client is None:
        return None
    web_app = serverapp.web_app
    headers = web_app.settings.setdefault("headers", {})
    report = ActivityReport(client, account, web_app.last_activity, headers, serverapp.log)
    web_app.last_activity = report.last_activity
    return report
