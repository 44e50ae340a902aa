"""What this room asks of Jupyter Server: what it would stop by itself, and to end."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from .clocks import Clocks
from .deadlines import IdleKernel, ServerRules
from .ending import Limits

_log = logging.getLogger(__name__)

EXIT_LIMIT = 2.0
"""Seconds for the interpreter to exit when all has ended in order."""


class ServerSide:
    """Reads the managers only: no disk is looked at.

    Args:
        server: the `ServerApp`; None: there is none.
        title_of: what the user knows a kernel by; None where that is not known.
        end_limit: seconds that it has to end in order.
    """

    def __init__(
        self,
        server: Any,
        clocks: Clocks | None = None,
        title_of: Callable[[str], str | None] = lambda _: None,
        *,
        end_limit: float = Limits.end,
    ) -> None:
        self._server = server
        self._title_of = title_of
        self._end_limit = end_limit
        self._clocks = clocks or Clocks()

    def rules(self) -> ServerRules:
        """What Jupyter Server would stop by itself, as now."""
        server = self._server
        if server is None:
            return ServerRules()
        manager = server.kernel_manager
        culling = getattr(manager, "cull_idle_timeout", 0)
        timeout = float(server.shutdown_no_activity_timeout)
        return ServerRules(
            timeout=timeout,
            last=self._moment(server.web_app.last_activity()),
            kernels=len(manager),
            occupied=timeout > 0 and self._is_occupied(),
            idle_kernels=tuple(self._kernels(manager, culling)) if culling > 0 else (),
            cull_busy=bool(getattr(manager, "cull_busy", False)),
            cull_connected=bool(getattr(manager, "cull_connected", False)),
        )

    def end(self) -> None:
        """End in order: extensions, kernels, exit status 0; by force when that takes too long."""
        threading.Thread(target=self._end_by_force, name="mlinfn-end", daemon=True).start()
        self._server.stop()

    def _kernels(self, manager: Any, culling: float) -> Iterator[IdleKernel]:
        for kernel_id in manager.list_kernel_ids():
            try:
                kernel = manager.get_kernel(kernel_id)
                timeout = _culling_of(kernel, culling)
                title = self._title_of(kernel_id)
                yield IdleKernel(
                    title=f"the kernel of {title}" if title else f"a kernel ({kernel.kernel_name})",
                    last=self._moment(kernel.last_activity),
                    timeout=timeout,
                    busy=kernel.execution_state == "busy",
                    connected=bool(manager._kernel_connections.get(kernel_id, 0)),
                )
            except (KeyError, AttributeError):
                continue  # Gone since it was listed, or not started yet.

    def _is_occupied(self) -> bool:
        try:
            return bool(self._server.extension_manager.any_activity())
        except Exception:  # noqa: BLE001 - of whatever extension: Jupyter Server's own look fails as well
            return True

    def _moment(self, at: datetime) -> float:
        return self._clocks.moment(at.timestamp())

    def _end_by_force(self) -> None:
        main = threading.main_thread()
        main.join(self._end_limit)
        if main.is_alive():
            _log.warning("This server did not end in %.0f s: it ends now.", self._end_limit)
        else:
            # Python waits at its exit for threads of others, which may wait for work for ever.
            threading.Event().wait(EXIT_LIMIT)
        # A server that exits with an error is started again where the restart policy is OnFailure.
        os._exit(0)


def _culling_of(kernel: Any, default: float) -> float:
    """A kernelspec may say it of its kernels (`metadata.cull_idle_timeout`)."""
    spec = getattr(kernel, "kernel_spec", None)
    return float((spec.metadata if spec is not None else {}).get("cull_idle_timeout", default))
