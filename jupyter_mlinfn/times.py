"""Moments as the files and the REST contract write them."""

from __future__ import annotations

from datetime import datetime, timezone


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC, to the millisecond, with a Z; for a moment with a time zone."""
    moment = moment.astimezone(timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_now() -> datetime:
    return datetime.now(timezone.utc)


def now() -> str:
    return iso(utc_now())


def iso_of(seconds: float) -> str:
    """`iso` of seconds since the epoch."""
    return iso(datetime.fromtimestamp(seconds, timezone.utc))
