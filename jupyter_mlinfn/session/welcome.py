"""What happened before this start: the record of the stop, until somebody has seen it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..threads import in_own_thread
from ..times import iso_of
from .around import LastStop

READ_WITHIN = 5.0
"""Seconds that the storage has to tell; after that it is told to who asks later."""

_MOST = 500


class Welcome:
    """Lives on the event loop's thread; the storage is read once.

    Args:
        started: when this server did, seconds since the epoch.
    """

    def __init__(
        self,
        last_stop: LastStop,
        started: float,
        log: logging.Logger | logging.LoggerAdapter[Any],
    ) -> None:
        self._last_stop = last_stop
        self._started = started
        self._log = log
        self._reading: asyncio.Task[dict[str, Any] | None] | None = None
        self._record: Mapping[str, Any] | None = None
        self._seen = False

    async def stopped(self) -> dict[str, Any] | None:
        """`#/components/schemas/SessionStopped`; None where there is nothing to tell, or no more."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._read())
        done, _ = await asyncio.wait([self._reading], timeout=READ_WITHIN)
        return self._reading.result() if done and not self._seen else None

    async def seen(self) -> None:
        """It is not told again, here or after another start.

        Raises:
            OSError: that cannot be written down; here it is not told again.
        """
        self._seen = True
        record = self._record
        if record is not None:
            await in_own_thread("mlinfn-welcome", lambda: self._last_stop.note(record, seen=True))

    def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()

    async def _read(self) -> dict[str, Any] | None:
        try:
            record = await in_own_thread("mlinfn-welcome", self._last_stop.read)
            if record is None or record.get("seen"):
                return None
            told = tell(record, self._started)
        except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
            self._log.warning("Why this server was stopped before cannot be read: %s", error)
            return None
        if told is None:
            return None
        self._record = record
        if "started_again" not in record:
            await self._note_start(record)
        return told

    async def _note_start(self, record: Mapping[str, Any]) -> None:
        """What was free until now is no longer: the next start, after a crash, must not count it again."""
        at = iso_of(self._started)
        try:
            await in_own_thread("mlinfn-welcome", lambda: self._last_stop.note(record, started_again=at))
        except OSError as error:
            self._log.info("The start could not be noted: %s", error)


def tell(record: Mapping[str, Any], started: float) -> dict[str, Any] | None:
    """What a record tells a server that started then; None where it is of a later stop.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: it is not as it is written.
    """
    at = _epoch(record["time"])
    if at > started:
        return None
    freed = record["freed"] or {}
    again = _epoch(record["started_again"]) if "started_again" in record else started
    seconds = max(0, round(again - at))
    gpu, slices = _texts(freed.get("gpu", [])), freed.get("slices")
    pages = record["pages"]
    lost, rescue = record["lost"], record["rescue"]
    return {
        "time": iso_of(at),
        "why": _text(record["why"]),
        "sentence": _text(record["sentence"]),
        "server": _text(record["server"]),
        "freed": {
            "gpu": gpu,
            "seconds_free": seconds,
            "slice_hours": round(seconds * _count(slices) / 3600, 3) if slices is not None else None,
        },
        "rescue": _rescue(rescue) if rescue is not None else None,
        "open": _texts(record["open"]),
        "saved": _texts(pages["saved"]),
        "failed": _failures(pages["failed"]),
        "silent": _count(pages["silent"]),
        "lost": {name: _count(lost[name]) for name in ("files", "bytes")} if lost is not None else None,
    }


def _rescue(told: Mapping[str, Any]) -> dict[str, Any]:
    """`#/components/schemas/RescueResult`."""
    return {
        **{name: _maybe_text(told[name]) for name in ("folder", "root_path", "manifest", "problem")},
        **{name: _count(told[name]) for name in ("files", "bytes")},
        **{name: _maybe_count(told[name]) for name in ("left_count", "left_bytes")},
        "changed": _texts(told["changed"])[:100],
        "left": [
            {
                "path": _text(each["path"]),
                "size": _maybe_count(each["size"]),
                "reason": _text(each["reason"]),
            }
            for each in told["left"][:100]
        ],
    }


def _epoch(text: Any) -> float:
    # Python 3.10 does not read the Z.
    return datetime.fromisoformat(_text(text).replace("Z", "+00:00")).timestamp()


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.100} is no text")
    return value


def _maybe_text(value: Any) -> str | None:
    return None if value is None else _text(value)


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r:.100} is no number of anything")
    return value


def _maybe_count(value: Any) -> int | None:
    return None if value is None else _count(value)


def _texts(values: Any) -> list[str]:
    if not isinstance(values, list):
        raise TypeError(f"{values!r:.100} is no list")
    return [_text(each) for each in values[:_MOST]]


def _failures(values: Any) -> list[dict[str, str]]:
    if not isinstance(values, list):
        raise TypeError(f"{values!r:.100} is no list")
    return [{"path": _text(each["path"]), "reason": _text(each["reason"])} for each in values[:_MOST]]
