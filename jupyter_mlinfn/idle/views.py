"""The account and the deadlines as openapi.yaml describes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .clocks import Clocks
from .models import Busy, Deadline, Moment, Policy, Signal, Warning_


def signal(each: Signal, clocks: Clocks) -> dict[str, Any]:
    """`#/components/schemas/IdleSignal`."""
    return {
        "source": each.source,
        "time": maybe(each.last, clocks),
        "detail": each.detail,
        "counts": each.counts,
    }


def deadline(each: Deadline, clocks: Clocks) -> dict[str, Any]:
    """`#/components/schemas/IdleDeadline`."""
    return {
        "source": each.source,
        "time": clocks.iso(each.at),
        "certainty": each.certainty,
        "action": each.action,
        "extendable": each.extendable,
        "detail": each.detail,
    }


def warning(each: Warning_, clocks: Clocks) -> dict[str, Any]:
    """`#/components/schemas/IdleWarning`."""
    return {
        "id": each.id,
        "level": each.level,
        "last": each.last,
        "stops_at": clocks.iso(each.stops_at),
        "extendable": each.extendable,
        "reason": each.reason,
    }


def busy(kernels: Sequence[Busy], clocks: Clocks) -> list[dict[str, Any]]:
    return [{"title": each.title, "path": each.path, "since": clocks.iso(each.since)} for each in kernels]


def policy(each: Policy) -> dict[str, Any]:
    return {
        "timeout": each.timeout,
        "warnings": list(each.warnings),
        "longest_keep_alive": each.longest_keep_alive,
        "longest_life": each.longest_life,
    }


def maybe(moment: Moment | None, clocks: Clocks) -> str | None:
    return None if moment is None else clocks.iso(moment)
