"""Whether the hub lets this server stop itself, asked with its own token."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from typing import Any

from ..errors import MlinfnError, NotAllowedError
from .hub import HubClient, HubPlace

FRESH = 60.0
"""Seconds for which an answer stands."""


class MayStop:
    """Lives on the event loop's thread.

    Args:
        clock: monotonic, seconds.
    """

    def __init__(
        self,
        client: HubClient,
        log: logging.Logger | logging.LoggerAdapter[Any],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._log = log
        self._clock = clock
        self._answer: bool | None = None
        self._asked = float("-inf")
        self._asking: asyncio.Future[None] | None = None

    async def ask(self) -> bool | None:
        """None where the hub does not answer."""
        if self._asking is None and self._clock() - self._asked >= FRESH:
            self._asking = asyncio.ensure_future(self._ask())
        if self._asking is not None:
            await asyncio.shield(self._asking)
        return self._answer

    async def _ask(self) -> None:
        try:
            self._answer = may_stop(await self._client.own_scopes(), self._client.place)
        except NotAllowedError:
            # Revoked: a hub that was asked for a stop would not know the token either.
            self._answer = False
        except MlinfnError as error:
            self._log.info("%s", error)
            self._answer = None
        finally:
            self._asked = self._clock()
            self._asking = None


def may_stop(scopes: Collection[str], place: HubPlace) -> bool:
    """Whether a token with these scopes, expanded by the hub, may stop the server.

    https://jupyterhub.readthedocs.io/en/stable/rbac/scopes.html
    """
    own = {
        "delete:servers",
        f"delete:servers!user={place.user}",
        f"delete:servers!server={place.user}/{place.server_name}",
    }
    return bool(own.intersection(scopes))
