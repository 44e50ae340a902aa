"""Which notebooks have a kernel, for who comes back to a server that was stopped with no page open."""

from __future__ import annotations

from typing import Any

from jupyter_server.utils import ensure_async


async def notebooks(server: Any) -> list[str]:
    """Paths as JupyterLab names them.

    Args:
        server: the `ServerApp`.
    """
    sessions = await ensure_async(server.session_manager.list_sessions())
    return [each["path"] for each in sessions if each.get("type") == "notebook" and each.get("path")]
