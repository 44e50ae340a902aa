"""Puts the room together, for a running server."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from . import policy as policies
from .account import Account
from .config import IdleConfig
from .last_stop import LastStop
from .models import Moment
from .server import ServerSide
from .service import Around, IdleService

_log = logging.getLogger(__name__)


def build(
    config: IdleConfig,
    server: Any,
    *,
    started: Moment,
    environment: Mapping[str, str],
    changed: Callable[[], None],
    state: Path,
    anchor: Path,
) -> IdleService:
    """The service of one server; see `room.IdleRoom`."""
    policy, culler = policies.read(config, environment, _log.warning)
    side = ServerSide(server)
    account = Account(
        (),
        started=started,
        ignored=config.idle_ignored_sources,
        timeout=policy.timeout,
        longest_life=policy.longest_life,
    )
    last_stop = LastStop(state, anchor, environment.get("JUPYTERHUB_SERVER_NAME", ""))
    around = Around(changed, side.rules, environment, last_stop.write, side.end)
    return IdleService(account, policy, culler, around, started=started)
