"""Lets the hub's culler follow what a server knows of its own activity. One line in the hub's
configuration::

    c.JupyterHub.proxy_class = "mlinfn"

It is configurable-http-proxy as before, with the settings of `c.ConfigurableHTTPProxy`; the hub's
environment needs `pip install jupyter-mlinfn[hub]`.

Why. The hub takes the later of two figures for a server's last activity: what the server reports, and
what the proxy saw pass (`JupyterHub.update_last_activity`). The proxy counts every answered request
and every byte from a browser, the answers to a websocket's pings included, so a forgotten tab is
activity for ever. Here the proxy's figure is left out for the servers that *declare* that they report
an account of their own, and for no others: the hub skips a route without a figure.

How a server declares. The hub reads a header from the server itself when it reads the proxy's
figures (`GET …/api`, the version of Jupyter Server, which needs no login and which the hub asks for
already when a server starts). So nothing needs to be configured per user, image or profile, nothing
is stored, and what was true of another image or an earlier server is never believed:

* a server without the extension has no header and keeps JupyterHub's usual behaviour;
* a server takes its declaration back when its reports do not arrive (`jupyter_mlinfn.idle.report`);
* a declared server that does not answer is believed for `declaration_lasts`; a server that never
  declared, or not since the hub started, is not: in doubt the proxy's figure counts and keeps it alive.

A user can forge the header, and gains nothing: it only takes away what keeps a server alive. (That a
user can report activity that never was is so in any JupyterHub.)
"""

from __future__ import annotations

import asyncio
import ssl
import time
from functools import cached_property
from typing import Any

from jupyterhub.proxy import ConfigurableHTTPProxy  # type: ignore[import-untyped]
from jupyterhub.utils import make_ssl_context  # type: ignore[import-untyped]
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from traitlets import Float

DECLARATION = ("X-Jupyter-Mlinfn-Activity", "reported")
"""As `jupyter_mlinfn.idle.report`, which is not imported here: the hub needs nothing of a server's."""

_AT_ONCE = 50
_LONGEST_ANSWER = 64 * 1024


class MlinfnProxy(ConfigurableHTTPProxy):  # type: ignore[misc]  # jupyterhub has no types
    """configurable-http-proxy, silent on the activity of servers that report their own."""

    answers_within = Float(
        5.0,
        min=0.1,
        help="Seconds that a server has to say whether it reports its own activity.",
    ).tag(config=True)

    declaration_lasts = Float(
        900.0,
        min=0,
        help="""
        Seconds for which a server that said so is believed when it does not answer. Longer than three
        times `JupyterHub.last_activity_interval` makes no sense.
        """,
    ).tag(config=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._declared: dict[tuple[str, str], float] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def get_all_routes(self) -> dict[str, dict[str, Any]]:
        """As the base class; without `last_activity` for servers that declare."""
        routes: dict[str, dict[str, Any]] = await super().get_all_routes()
        asked = [route for route in routes.values() if _server_with_figure(route)]
        answers = await asyncio.gather(*(self._says(route) for route in asked))
        for route, says in zip(asked, answers, strict=True):
            if self._believed(route, says):
                del route["data"]["last_activity"]
        # Another target is another server; one that is gone is forgotten.
        there = {_key(route) for route in routes.values()}
        self._declared = {key: when for key, when in self._declared.items() if key in there}
        return routes

    def _believed(self, route: dict[str, Any], says: bool | None) -> bool:
        key, now = _key(route), time.monotonic()
        if says is None:
            declared = self._declared.get(key)
            return declared is not None and now - declared < self.declaration_lasts
        if says and key not in self._declared:
            self.log.info("%s reports its own activity: the proxy's figure is left out", route["routespec"])
        elif not says and key in self._declared:
            self.log.warning("%s no longer reports its own activity", route["routespec"])
        self._declared.pop(key, None)
        if says:
            self._declared[key] = now
        return says

    async def _says(self, route: dict[str, Any]) -> bool | None:
        """What a server says of itself; None where it does not answer."""
        path = route["routespec"].partition("/")[2]  # what comes before is a host, or nothing
        request = HTTPRequest(
            f"{route['target'].rstrip('/')}/{path}api",
            follow_redirects=False,
            connect_timeout=self.answers_within,
            request_timeout=self.answers_within,
            ssl_options=self._internal_ssl,
        )
        name, value = DECLARATION
        try:
            # Waiting for one's turn is not the server's time to answer.
            async with self._turns:
                answer = await self._http.fetch(request, raise_error=False)
        except Exception as error:  # noqa: BLE001 - the hub reads all its routes, also when one server is ill
            self.log.debug("%s does not say whether it reports its activity: %s", route["routespec"], error)
            return None
        if answer.headers.get(name) == value:
            return True
        # Perhaps not the server's answer, but that of something before it.
        return None if answer.code >= 500 else False

    @cached_property
    def _http(self) -> AsyncHTTPClient:
        return AsyncHTTPClient(force_instance=True, max_clients=2 * _AT_ONCE, max_body_size=_LONGEST_ANSWER)

    @cached_property
    def _internal_ssl(self) -> ssl.SSLContext | None:
        app = self.app
        context: ssl.SSLContext | None = make_ssl_context(
            app.internal_ssl_key, app.internal_ssl_cert, cafile=app.internal_ssl_ca
        )
        return context


def _server_with_figure(route: dict[str, Any]) -> bool:
    """Whether the hub would take the proxy's figure for a server's (`JupyterHub.update_last_activity`)."""
    return all(name in route["data"] for name in ("user", "server_name", "last_activity"))


def _key(route: dict[str, Any]) -> tuple[str, str]:
    return route["routespec"], route["target"]
