"""Real kernels and terminals of the server that a test has in its own process."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyter_server.utils import ensure_async

from .patience import PATIENCE, until

__all__ = ["Kernels", "until"]


class Ahead:
    """Puts the clock of an event loop forward: it goes on as the machine's does, and what waits there for
    seconds has them behind it when a test says so."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._machines = loop.time
        self._seconds = 0.0
        loop.time = self  # type: ignore[method-assign]

    def __call__(self) -> float:
        return self._machines() + self._seconds

    def pass_time(self, seconds: float) -> None:
        self._seconds += seconds


class Kernels:
    """Starts them through the server's own managers, as its REST calls do.

    Args:
        name: of their kernelspec.
    """

    def __init__(self, server: Any, name: str = "python3") -> None:
        self._server = server
        self._name = name

    async def session(self, path: str, kind: str = "notebook", name: str | None = None, **more: Any) -> str:
        """The id of the kernel of a new session."""
        model = await self._server.session_manager.create_session(
            path=path, name=name or path.rpartition("/")[2], type=kind, **{"kernel_name": self._name, **more}
        )
        return str(model["kernel"]["id"])

    async def bare(self) -> str:
        return str(await ensure_async(self._server.kernel_manager.start_kernel(kernel_name=self._name)))

    def terminal(self) -> tuple[str, Any]:
        """Name and process of a new one."""
        manager = self._server.web_app.settings["terminal_manager"]
        name = manager.create()["name"]
        return name, manager.terminals[name].ptyproc

    def manager(self, kernel_id: str) -> Any:
        return self._server.kernel_manager.get_kernel(kernel_id)

    def pid(self, kernel_id: str) -> int:
        return int(self.manager(kernel_id).provisioner.pid)

    async def run(self, kernel_id: str, code: str) -> str:
        """What the code prints."""
        client = self.manager(kernel_id).client()
        client.start_channels()
        printed = []

        def note(message: dict[str, Any]) -> None:
            assert message["msg_type"] != "error", message["content"]
            printed.append(message["content"].get("text", ""))

        try:
            await client.wait_for_ready(timeout=PATIENCE)
            await client.execute_interactive(code, store_history=False, output_hook=note, timeout=PATIENCE)
        finally:
            client.stop_channels()
        return "".join(printed)

    def here(self, kernel_id: str) -> bool:
        return kernel_id in self._server.kernel_manager
