"""A server extension that reports to the hub what a test says: `jupyter_mlinfn.idle.report` without an
account of its own.

A test writes seconds since the epoch to the file that `MLINFN_TEST_ACCOUNT` names; until then the
account stays at the server's start.
"""

from __future__ import annotations

import asyncio
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from jupyter_mlinfn.idle.report import install_activity_report

_FILE = Path(os.environ.get("MLINFN_TEST_ACCOUNT", ""))
_tasks: set[asyncio.Task[None]] = set()


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    return [{"module": "tests.support.reporting"}]


def _load_jupyter_server_extension(serverapp: Any) -> None:
    last = serverapp.web_app.settings["started"]

    def account() -> datetime:
        nonlocal last
        # It is empty while it is written anew.
        if _FILE.is_file() and (said := _FILE.read_text()):
            last = datetime.fromtimestamp(float(said), timezone.utc)
        return last

    report = install_activity_report(serverapp, account)
    assert report is not None, "not under a hub"

    async def tell() -> None:
        while True:
            await report.post_activity(account().timestamp())
            await asyncio.sleep(1)

    async def begin() -> None:
        _tasks.add(asyncio.ensure_future(tell()))

    serverapp.io_loop.add_callback(begin)
