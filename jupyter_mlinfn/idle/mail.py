"""Tells the user away from the page, by the admin's Apprise URLs (mail, chat, a webhook).

One word for each end: when a warning stands for some time and no page has shown it. It has a plain link
to the server: what acts by itself when it is followed would be followed by scanners of mail.
No URL is logged or shown: there may be passwords in it. https://github.com/caronc/apprise
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

from ..threads import in_own_thread
from .clocks import Clocks
from .config import IdleConfig
from .deadlines import duration
from .models import Moment, Warning_
from .pages import Pages

VARIABLE = "MLINFN_IDLE_NOTIFY"

GRACE = 30.0
"""Seconds that a page has to show a warning before somebody is told elsewhere."""

SEND_LIMIT = 30.0
"""Seconds; a mail server may hang."""

TRY_AGAIN = 60.0

_LOST = (
    "Results of cells that finish while no page is open are not in the notebook file. "
    "What was not saved is lost when the server stops."
)

Send = Callable[[str, str, str], bool]
"""URL, title and text; blocks; whether it was taken."""


class Mail:
    """Lives on the event loop's thread.

    Args:
        urls: as Apprise takes them.
        link: to this server, for a person; empty where nobody told.
        name: of this server, for a person.
        send: default: Apprise.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        link: str,
        name: str,
        clocks: Clocks,
        log: Any,
        send: Send | None = None,
        limit: float = SEND_LIMIT,
    ) -> None:
        self._urls = urls
        self._link = link
        self._name = name
        self._clocks = clocks
        self._log = log
        self._send = send or _apprise
        self._limit = limit
        self._stands: tuple[str, Moment] | None = None
        self._sent: dict[str, Moment] = {}
        self._not_before: Moment = float("-inf")
        self._sending: asyncio.Task[None] | None = None

    @classmethod
    def find(
        cls, config: IdleConfig, environment: Mapping[str, str], clocks: Clocks, log: Any
    ) -> Mail | None:
        """None where the admin gave no URL."""
        templates = list(config.idle_notify) or environment.get(VARIABLE, "").split()
        user = environment.get("JUPYTERHUB_USER", "")
        server = environment.get("JUPYTERHUB_SERVER_NAME", "")
        address = (config.idle_mail_address or environment.get("MLINFN_USER_EMAIL", "")).replace(
            "{user}", user
        )
        urls = [
            template.replace("{user}", quote(user, safe=""))
            .replace("{server}", quote(server or "default", safe=""))
            .replace("{address}", quote(address, safe="@"))
            for template in templates
            if address or "{address}" not in template
        ]
        if len(urls) < len(templates):
            log.warning(
                "Idle: the user has no mail address, so %d of idle_notify are not used.",
                len(templates) - len(urls),
            )
        if not urls:
            return None
        name = f"server {server}" if server else "server"
        return cls(urls, link=_link(environment), name=name, clocks=clocks, log=log)

    def consider(self, warning: Warning_ | None, pages: Pages, now: Moment) -> None:
        """Tell of a warning, if it has stood for some time and no page has shown it; returns at once."""
        if warning is None:
            self._stands = None
            return
        if self._stands is None or self._stands[0] != warning.id:
            self._stands = (warning.id, now)
        left = warning.stops_at - self._stands[1]
        if now - self._stands[1] < min(GRACE, left / 6) or now < self._not_before:
            return
        if _end_of(warning) in self._sent or self._sending is not None or pages.has_shown(warning.id):
            return
        self._not_before = now + min(TRY_AGAIN, max(1.0, (warning.stops_at - now) / 4))
        self._sending = asyncio.ensure_future(self._tell(warning))

    def sent(self, warning: Warning_ | None) -> Moment | None:
        """When the user was told of that end; None for not."""
        return None if warning is None else self._sent.get(_end_of(warning))

    def close(self) -> None:
        """Waits for nobody: a mail server may hang."""
        if self._sending is not None:
            self._sending.cancel()

    async def _tell(self, warning: Warning_) -> None:
        title, text = self._words(warning)
        try:
            taken = await asyncio.gather(*(self._sent_by(url, title, text) for url in self._urls))
        finally:
            self._sending = None
        if any(taken):
            self._sent[_end_of(warning)] = self._clocks.now()
            self._log.info(
                "Idle: the user was told of the end of this server by %d of %d ways.", sum(taken), len(taken)
            )
        else:
            self._log.warning(
                "Idle: none of idle_notify could be reached to warn the user; it is tried again."
            )

    async def _sent_by(self, url: str, title: str, text: str) -> bool:
        def send() -> bool:
            try:
                return self._send(url, title, text)
            except Exception as error:  # noqa: BLE001 - its text may have the URL
                self._log.warning("Idle: a way of idle_notify failed: %s", type(error).__name__)
                return False

        try:
            return await asyncio.wait_for(in_own_thread("mlinfn-mail", send), self._limit)
        except asyncio.TimeoutError:
            self._log.warning("Idle: a way of idle_notify did not end within %.0f s.", self._limit)
            return False

    def _words(self, warning: Warning_) -> tuple[str, str]:
        at = datetime.fromtimestamp(self._clocks.epoch(warning.stops_at), timezone.utc)
        left = duration(warning.stops_at - self._clocks.now())
        title = f"Your {self._name} stops at {at:%H:%M} UTC"
        where = f"open {self._link}" if self._link else "open it in your browser"
        what = (
            f"To keep it, {where} and press “I'm still here”."
            if warning.extendable
            else f"This end cannot be moved. To save your work, {where}."
        )
        ends = f"Your {self._name} on Jupyter stops in {left}, on {at:%d %B at %H:%M} UTC."
        text = f"{ends} {warning.reason}\n\n{what}\n\n{_LOST}"
        return title, text


def _end_of(warning: Warning_) -> str:
    """The id without the level."""
    return warning.id.rpartition("-")[0]


def _link(environment: Mapping[str, str]) -> str:
    """https://jupyterhub.readthedocs.io/en/stable/reference/services.html on JUPYTERHUB_PUBLIC_URL"""
    if told := environment.get("MLINFN_IDLE_LINK") or environment.get("JUPYTERHUB_PUBLIC_URL"):
        return told
    host, prefix = environment.get("JUPYTERHUB_HOST", ""), environment.get("JUPYTERHUB_SERVICE_PREFIX", "")
    return f"{host}{prefix}" if host and prefix else ""


def _apprise(url: str, title: str, text: str) -> bool:
    # Not at the top: it takes a quarter of a second.
    import apprise

    # They log hosts, addresses and whole paths, which for a webhook are its secret.
    for chatty in ("apprise", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL + 1)
    way = apprise.Apprise()
    if not way.add(url):
        raise ValueError
    return bool(way.notify(title=title, body=text))
