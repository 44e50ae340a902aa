"""What the service answers, as openapi.yaml describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import views
from .deadlines import next_stop

if TYPE_CHECKING:
    from .service import IdleService


def answer_of(service: IdleService) -> dict[str, Any]:
    """`#/components/schemas/IdleAnswer`, as far as it is known without looking."""
    clocks, account = service.clocks, service.account
    now, end, warning = clocks.now(), next_stop(service.deadlines), service.warning
    away = service.around.away
    return {
        "now": clocks.iso(now),
        "phase": service.phase(),
        "save_by": views.maybe(service.ending.save_by, clocks),
        "asked": service.pages.question(now),
        "last_activity": views.signal(account.last(), clocks),
        "signals": [views.signal(each, clocks) for each in account.signals],
        "deadlines": [views.deadline(each, clocks) for each in service.deadlines],
        "next": views.deadline(end, clocks) if end is not None else None,
        "warning": views.warning(warning, clocks) if warning is not None else None,
        "kept_until": views.maybe(service.kept_until(), clocks),
        "policy": views.policy(service.policy),
        "busy": views.busy(account.busy, clocks),
        "mail": {
            "configured": away is not None,
            "sent": views.maybe(away.sent(warning), clocks) if away is not None else None,
        },
    }
