"""Puts the room together, for a running server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from . import policy as policies
from .account import Account
from .around import Around
from .clocks import Clocks
from .config import IdleConfig
from .ending import Limits
from .heard import Heard
from .hub import HubClient, HubPlace
from .hubside import HubSide
from .last_stop import LastStop
from .mail import Mail
from .may_stop import MayStop
from .models import Moment
from .observers.notebooks import notebooks
from .others import Others
from .report import ActivityReport, install_activity_report
from .server import ServerSide
from .service import IdleService
from .watched import watch


def build(
    config: IdleConfig,
    server: Any,
    *,
    started: Moment,
    environment: Mapping[str, str],
    marker: str,
    kernels: Heard,
    changed: Callable[[], None],
    last_stop: LastStop,
    others: Others,
    clocks: Clocks,
    limits: Limits | None = None,
) -> IdleService:
    """The service of one server; see `room.IdleRoom`."""
    log = server.log
    policy, culler = policies.read(config, environment, log.warning)
    limits = limits or Limits()
    side = ServerSide(server, clocks, kernels.source.title_of, end_limit=limits.end)
    timeouts = [each for each in (policy.timeout, culler.timeout) if each]
    watched = watch(server, kernels, config, environment, marker, min(timeouts, default=None), clocks)
    account = Account(
        watched.sources,
        started=started,
        ignored=config.idle_ignored_sources,
        timeout=policy.timeout or culler.timeout,
        longest_life=policy.longest_life,
        busy=watched.busy,
    )
    around = Around(
        changed,
        side.rules,
        environment,
        last_stop.write,
        side.end,
        Mail.find(config, environment, clocks, log),
        watched.page,
        others,
        kernels.source,
        lambda: notebooks(server),
        ends=[watched.close],
        log=log,
    )

    def reported() -> datetime:
        last = account.last().last
        return datetime.fromtimestamp(clocks.epoch(started if last is None else last), timezone.utc)

    report = _report(server, config, reported, environment)
    hub = None
    if report is not None:
        every = min([report.client.place.interval, *(each / 4 for each in timeouts)])
        hub = HubSide(report, clocks, culler, every)
        around.may_stop = MayStop(report.client, log).ask
        around.ends_later.append(report.close)
    return IdleService(
        account, policy, culler, around, started=started, hub=hub, clocks=clocks, limits=limits
    )


def _report(
    server: Any, config: IdleConfig, account: Callable[[], datetime], environment: Mapping[str, str]
) -> ActivityReport | None:
    """What speaks to the hub; None outside one."""
    place = HubPlace.find(environment)
    if place is None:
        return None
    client = HubClient(place)
    if config.idle_report_to_hub:
        return install_activity_report(server, account, client=client)
    # Told beside Jupyter Server's own figure, which stays and is never earlier: for the deadlines need one
    # that the hub took, and keep-alive one that is later. Nothing is declared.
    return ActivityReport(client, account, server.web_app.last_activity, {}, server.log)
