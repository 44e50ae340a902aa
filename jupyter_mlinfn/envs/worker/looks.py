"""A look at an environment: what was changed outside, and what an earlier writer left half done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import from_os_error
from ..history import revisions
from ..history.layout import History
from ..history.transaction import recover
from .change import newest_known, read


def inspect(prefix: Path, history: Path) -> dict[str, Any]:
    """What was changed outside since the newest revision. Changes nothing.

    Returns:
        ``{"revision": number or None, "drift": `#/components/schemas/Drift` or None}``
    Raises:
        MlinfnError: the environment is not ours, or cannot be read.
    """
    folder = History(history)
    try:
        marker = read(prefix)
        known = folder.current() if folder.belongs_to(marker.job) else None
        if known is None:
            return {"revision": None, "drift": None}
        drift = revisions.look(folder, prefix, newest_known(folder, prefix, marker))
    except OSError as error:
        raise from_os_error("The environment cannot be read.", error) from error
    return {"revision": known, "drift": drift.to_json() if drift.matters else None}


def settle(prefix: Path, history: Path) -> dict[str, Any]:
    """Finish or discard what was left half done, and see that there is a first revision. Only for
    who holds the environment's lease.

    Returns:
        ``{"revision": number, "job": that made it, "outcomes": [...]}``, see `transaction.recover`.
    Raises:
        MlinfnError: the environment is not ours, or cannot be read or written.
    """
    folder = History(history)
    try:
        marker = read(prefix)
        outcomes = recover(folder, prefix) if folder.belongs_to(marker.job) else []
        revision = revisions.newest(folder, prefix, marker)
    except OSError as error:
        raise from_os_error("What was left half done cannot be finished now.", error) from error
    return {"revision": revision["number"], "job": revision["job"], "outcomes": outcomes}
