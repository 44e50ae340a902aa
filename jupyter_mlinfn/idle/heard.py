"""What has to be heard from a server's start on: a cell that runs says so once, when it begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_server.utils import ensure_async

from .clocks import Clocks
from .observers.kernels import observe
from .sources.gateway import GatewayKernelSource
from .sources.kernels import KernelSource, Name


@dataclass(frozen=True)
class Heard:
    """The kernels of a server.

    Attributes:
        end: hears no more.
    """

    source: KernelSource | GatewayKernelSource
    end: Callable[[], None]


def hear_kernels(server: Any, clocks: Clocks) -> Heard:
    """Begin to hear the kernels of a `ServerApp`; those behind a gateway are asked instead."""
    manager = server.kernel_manager

    async def names() -> Mapping[str, Name]:
        sessions = await ensure_async(server.session_manager.list_sessions())
        return {
            each["kernel"]["id"]: (each.get("name") or each["path"].rpartition("/")[2], each["path"])
            for each in sessions
            if each.get("kernel")
        }

    async def models() -> Sequence[Mapping[str, Any]]:
        return list(await ensure_async(manager.list_kernels()))

    if server.gateway_config.gateway_enabled:
        behind = GatewayKernelSource(models, names, clock=clocks.monotonic, wall=clocks.wall)
        return Heard(behind, behind.close)
    # The user is told which ones Jupyter Server will shut.
    culled = getattr(manager, "cull_idle_timeout", 0) > 0
    here = KernelSource(
        lambda kernel_id: kernel_id in manager, names, clock=clocks.monotonic, always_named=culled
    )
    return Heard(here, observe(manager, here))
