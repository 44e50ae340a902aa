"""What a single-user server says to its JupyterHub and asks of it.

By default the token of a server may only report activity. To read and to stop its own server it
needs the last two of::

    c.Spawner.server_token_scopes = [
        "users:activity!user", "access:servers!server",  # JupyterHub's own
        "read:servers!server", "delete:servers!server",
    ]

The token is in no message, no log line and no `repr` of this module.

Sources: https://jupyterhub.readthedocs.io/en/stable/reference/rest-api.html,
https://jupyterhub.readthedocs.io/en/stable/rbac/scopes.html and, for what the documentation leaves
open, `apihandlers/users.py` and `singleuser/extension.py` of JupyterHub 6.1.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, unquote, urlsplit

from ..errors import (
    BadInputError,
    ConflictError,
    DependencyError,
    MlinfnError,
    NotAllowedError,
    NotFoundError,
)
from ..times import iso
from .clocks import Clocks

if TYPE_CHECKING:
    import httpx

FURTHEST_AHEAD = timedelta(minutes=58)
"""How far ahead activity may be reported. The hub refuses more than 59 minutes by its own clock, which
need not be ours to the second."""

ANSWERS_WITHIN = 10.0
"""Seconds for one answer."""

STOPS_WITHIN = 10.0
"""Seconds more for the answer to a stop: the hub waits that long for the server to be gone
(`slow_stop_timeout`)."""

SAME_CLOCK = timedelta(seconds=5)
"""By which two clocks may differ and be taken for one: answers tell the time to the second."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0
_ASK_ADMIN = "Ask your administrator."


@dataclass(frozen=True)
class HubPlace:
    """Where the hub of this server is, from the environment that the hub gave it.

    Attributes:
        api: without a slash at its end.
        activity: where activity is reported.
        server_name: empty for the default server.
        interval: seconds between two reports.
        certificate, key, authorities: files for TLS between the hub's parts; may be empty.
    """

    api: str
    activity: str
    user: str
    server_name: str
    interval: float
    token: str = field(repr=False)
    certificate: str = ""
    key: str = ""
    authorities: str = ""

    @classmethod
    def find(cls, environment: Mapping[str, str]) -> HubPlace | None:
        """None outside a hub, also where only a part of a hub's environment is left over."""
        api, token, user, prefix = (
            environment.get(f"JUPYTERHUB_{name}", "")
            for name in ("API_URL", "API_TOKEN", "USER", "SERVICE_PREFIX")
        )
        if not (api and token and user and prefix):
            return None
        api = api.rstrip("/")
        every = environment.get("JUPYTERHUB_ACTIVITY_INTERVAL", "")
        return cls(
            api=api,
            activity=environment.get("JUPYTERHUB_ACTIVITY_URL")
            or f"{api}/users/{quote(user, safe='')}/activity",
            user=user,
            server_name=environment.get("JUPYTERHUB_SERVER_NAME", ""),
            # 0 switches JupyterHub's own reports off: ours have a switch of their own.
            interval=float(every if every.isdigit() and int(every) else 300),
            token=token,
            certificate=environment.get("JUPYTERHUB_SSL_CERTFILE", ""),
            key=environment.get("JUPYTERHUB_SSL_KEYFILE", ""),
            authorities=environment.get("JUPYTERHUB_SSL_CLIENT_CA", ""),
        )


@dataclass(frozen=True)
class OwnServer:
    """The hub's view of this server.

    Attributes:
        last_activity: what a culler goes by; None before there was any.
        pending: what the hub is doing with it: `spawn`, `stop` or nothing.
    """

    started: datetime | None
    last_activity: datetime | None
    pending: str | None


class HubClient:
    """Speaks to the hub with this server's token. Every call says what failed as an `MlinfnError`:

    * `NotAllowedError`: the token may not do this, or is revoked: trying again is in vain;
    * `BadInputError`: the hub refuses what was said;
    * `NotFoundError`: the hub knows no such server;
    * `DependencyError`: the hub does not answer, or not sensibly.

    All times are by this machine's clock, and are told and read by the hub's: where one of the two was set
    to another hour, a server at work would else be idle for the hub. Its answers bear its time.

    Args:
        answers_within: seconds for one answer.
        clocks: default: the machine's.
    """

    def __init__(
        self, place: HubPlace, *, answers_within: float = ANSWERS_WITHIN, clocks: Clocks | None = None
    ) -> None:
        self.place = place
        self._answers_within = answers_within
        self._clocks = clocks or Clocks()
        self._client: asyncio.Future[httpx.AsyncClient] | None = None
        self._ahead = timedelta(0)
        """The hub's clock before ours."""

    async def post_activity(self, at: datetime, *, patience: float = 60.0) -> None:
        """Report when this server was last active.

        The hub keeps the latest time it was ever told: an earlier one is accepted and changes
        nothing, and none is ever taken back.

        Args:
            at: with a time zone; at most `FURTHEST_AHEAD` from now.
            patience: seconds for which a hub that does not answer is tried again.

        Raises:
            MlinfnError: it is not reported; see the class.
        """
        what = "Your activity could not be reported to the hub."
        if at - self._now() > FURTHEST_AHEAD:
            raise BadInputError(
                what,
                reason=f"{iso(at)} is more than {FURTHEST_AHEAD.seconds // 60} minutes ahead.",
                hint="Report it again later: the hub accepts an hour at most at a time.",
            )
        ahead = self._ahead
        answer = await self._report(at, what, patience)
        if abs(self._ahead - ahead) > SAME_CLOCK:
            # It was told by a clock of which only the answer says that it is another.
            answer = await self._report(at, what, patience)
        if answer.is_success:
            return
        if answer.status_code == 400:
            apart = _clocks_differ(answer, self._now())
            raise BadInputError(what, reason=_reason(answer) + apart, hint=_ASK_ADMIN)
        raise self._refused(answer, what, "users:activity!user")

    async def _report(self, at: datetime, what: str, patience: float) -> httpx.Response:
        told = iso(at + self._ahead)
        body = {"servers": {self.place.server_name: {"last_activity": told}}, "last_activity": told}
        return await self._ask("POST", self.place.activity, what, patience, json=body)

    async def read_own_server(self, *, patience: float = 0.0) -> tuple[OwnServer | None, str]:
        """The hub's view of this server, or None and why it cannot be had, in words for the user."""
        what = "The hub's view of your server could not be read."
        url = f"{self.place.api}/users/{quote(self.place.user, safe='')}"
        try:
            answer = await self._ask("GET", url, what, patience)
            if not answer.is_success:
                raise self._refused(answer, what, "read:servers!server")
            servers = _object(answer).get("servers")
        except MlinfnError as error:
            return None, f"{error.message} {error.reason}"
        if not isinstance(servers, dict):
            return None, f"{what} The server's token lacks the scope read:servers!server."
        model = servers.get(self.place.server_name)
        if not isinstance(model, dict):
            return None, f"{what} The hub knows no such server."
        started, last = (_time(model.get(name)) for name in ("started", "last_activity"))
        return OwnServer(
            started and started - self._ahead, last and last - self._ahead, model.get("pending")
        ), ""

    async def own_scopes(self, *, patience: float = 0.0) -> list[str]:
        """What this server's token may do, as the hub has expanded it; any token may ask for that.

        Raises:
            MlinfnError: it is not known; see the class.
        """
        what = "What the server's token may do could not be read."
        answer = await self._ask("GET", f"{self.place.api}/user", what, patience)
        if not answer.is_success:
            raise self._refused(answer, what, "read:users:name!user")
        scopes = _object(answer).get("scopes")
        return [str(each) for each in scopes] if isinstance(scopes, list) else []

    async def stop_own_server(
        self, *, patience: float = 60.0, within: float | None = None
    ) -> Literal["stopped", "stopping"]:
        """Have the hub stop this server. It is killed about when the hub would answer: whoever waits
        for this must have answered their own caller before.

        Asking again is harmless, so an answer that does not come is asked for again.

        Args:
            patience: seconds for which a hub that does not answer is tried again.
            within: seconds for one answer; default: as long as a hub that is well may take.

        Returns:
            `stopping` when it takes the hub longer than 10 s.

        Raises:
            MlinfnError: it goes on running; see the class.
        """
        what = "The hub could not stop your server."
        user, name = (quote(text, safe="") for text in (self.place.user, self.place.server_name))
        path = f"servers/{name}" if name else "server"
        url = f"{self.place.api}/users/{user}/{path}"
        within = within or self._answers_within + STOPS_WITHIN
        answer = await self._ask("DELETE", url, what, patience, within=within)
        if answer.is_success:
            return "stopping" if answer.status_code == 202 else "stopped"
        if answer.status_code == 400:
            raise ConflictError(what, reason=_reason(answer), hint="Try again in a minute.")
        raise self._refused(answer, what, "delete:servers!server")

    async def close(self) -> None:
        opened, self._client = self._client, None
        if opened is not None:
            for client in await asyncio.gather(opened, return_exceptions=True):
                if not isinstance(client, BaseException):
                    await client.aclose()

    async def _ask(
        self, method: str, url: str, what: str, patience: float, *, json: Any = None, within: float = 0.0
    ) -> httpx.Response:
        """The hub's answer, whatever its status; a hub that is down or busy is asked again.

        Raises:
            DependencyError: no answer within `patience`.
        """
        client = await self._connect(what)
        import httpx

        until = self._clocks.now() + patience
        pause = _FIRST_PAUSE
        while True:
            try:
                limit = within or self._answers_within
                sent = self._now()
                asking = client.request(method, _without_socket(url), json=json, timeout=limit)
                # httpx's own limit starts anew with each byte.
                answer = await asyncio.wait_for(asking, limit)
                self._ahead = _ahead(answer, sent, self._now())
                if answer.status_code != 429 and answer.status_code < 500:
                    return answer
                reason = _reason(answer)
            except asyncio.TimeoutError:
                reason = f"no answer within {limit:.0f} s"
            except httpx.HTTPError as error:
                reason = f"{type(error).__name__}: {error}".rstrip(": ")
            left = until - self._clocks.now()
            if left <= 0:
                raise DependencyError(
                    what, reason=f"The hub does not answer: {reason}", hint="It is tried again by itself."
                )
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clocks.wall(), timezone.utc)

    async def _connect(self, what: str) -> httpx.AsyncClient:
        if self._client is None or (self._client.done() and self._client.exception() is not None):
            # Imports and certificates take longer than the event loop has.
            self._client = asyncio.ensure_future(asyncio.to_thread(self._open))
        try:
            return await asyncio.shield(self._client)
        except OSError as error:
            raise DependencyError(
                what, reason=f"The certificates for the hub cannot be used: {error}", hint=_ASK_ADMIN
            ) from error

    def _open(self) -> httpx.AsyncClient:
        import httpx

        place = self.place
        if place.certificate and place.key:
            context = ssl.create_default_context(cafile=place.authorities or None)
            context.load_cert_chain(place.certificate, place.key)
            context.load_default_certs()
        elif place.api.startswith("https:"):
            context = ssl.create_default_context()
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used: no authorities to load
        socket = unquote(urlsplit(place.api).netloc) if place.api.startswith("http+unix:") else None
        return httpx.AsyncClient(
            # The environment's proxies lead out of the cluster, away from the hub.
            transport=httpx.AsyncHTTPTransport(verify=context, uds=socket, trust_env=False),
            headers={"Authorization": f"token {place.token}"},
            follow_redirects=False,
        )

    def _refused(self, answer: httpx.Response, what: str, scope: str) -> MlinfnError:
        if answer.status_code in (401, 403):
            return NotAllowedError(
                what,
                reason=f"The server's token lacks the scope {scope}, or it was revoked.",
                hint=_ASK_ADMIN,
            )
        if answer.status_code == 404:
            return NotFoundError(what, reason=_reason(answer), hint=_ASK_ADMIN)
        return DependencyError(what, reason=_reason(answer), hint=_ASK_ADMIN)


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        given = answer.json()
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}


def _reason(answer: httpx.Response) -> str:
    """Of a refusal, in the hub's words."""
    said = str(_object(answer).get("message") or answer.reason_phrase)
    return f"The hub answers {answer.status_code}: {said}"


def _ahead(answer: httpx.Response, sent: datetime, received: datetime) -> timedelta:
    """How far the hub's clock is ahead of ours, as far as an answer proves it; of some seconds nothing."""
    try:
        at = parsedate_to_datetime(answer.headers["Date"])
        apart = max(at - received, timedelta(0)) + min(at + timedelta(seconds=1) - sent, timedelta(0))
    except (KeyError, ValueError, TypeError):
        return timedelta(0)
    return apart if abs(apart) > SAME_CLOCK else timedelta(0)


def _clocks_differ(answer: httpx.Response, now: datetime) -> str:
    """What the hub's clock says against ours, where that explains a refusal."""
    try:
        apart = (now - parsedate_to_datetime(answer.headers["Date"])).total_seconds()
    except (KeyError, ValueError, TypeError):
        return ""
    return f" This server's clock is {apart:+.0f} s from the hub's." if abs(apart) > 10 else ""


def _time(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None


def _without_socket(url: str) -> str:
    """For a hub behind a Unix socket, `http+unix://%2Frun%2Fhub/hub/api`: the transport has the socket."""
    parts = urlsplit(url)
    return f"http://hub{parts.path}" if parts.scheme == "http+unix" else url
