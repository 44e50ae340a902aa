"""What runs in this server: kernels and terminals, as its own managers know them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from jupyter_server.utils import ensure_async
from tornado.web import HTTPError

from .envs.service import RunningKernel
from .errors import NotFoundError

if TYPE_CHECKING:
    from .gpu.models import Program, ProgramKind


class ServerKernels:
    """The kernels of this server (`envs.service.Kernels`)."""

    def __init__(self, server: Any) -> None:
        self._server = server

    async def running(self) -> list[RunningKernel]:
        paths = {_kernel_id(session): session["path"] for session in await self.sessions()}
        return [
            RunningKernel(kernel["id"], kernel["name"], paths.get(kernel["id"]))
            for kernel in await self.models()
        ]

    async def shut_down(self, kernel_id: str) -> None:
        for session in await self.sessions():
            if _kernel_id(session) == kernel_id:
                await ensure_async(self._server.session_manager.delete_session(session["id"]))
                return
        await ensure_async(self._server.kernel_manager.shutdown_kernel(kernel_id))

    async def sessions(self) -> list[Mapping[str, Any]]:
        """As the REST call of Jupyter Server gives them."""
        return list(await ensure_async(self._server.session_manager.list_sessions()))

    async def models(self) -> list[Mapping[str, Any]]:
        """As the REST call of Jupyter Server gives kernels."""
        return list(await ensure_async(self._server.kernel_manager.list_kernels()))


class ServerPrograms:
    """Kernels and terminals of this server with the process at the root of each
    (`gpu.release.Programs`). Asks the managers only: no disk, no process is looked at.

    Args:
        server: the `ServerApp`; its terminals are those of `jupyter_server_terminals`, if any.
    """

    def __init__(self, server: Any) -> None:
        self._server = server
        self._kernels = ServerKernels(server)

    async def running(self) -> list[Program]:
        sessions: dict[str | None, Mapping[str, Any]] = {}
        for session in await self._kernels.sessions():
            # A console may share the kernel of a notebook, which is what the user knows it by.
            if (kernel_id := _kernel_id(session)) not in sessions or _kind(session) == "notebook":
                sessions[kernel_id] = session
        kernels = await self._kernels.models()
        return [*(self._kernel(kernel, sessions.get(kernel["id"])) for kernel in kernels), *self._terminals()]

    async def shut_down(self, kernel_id: str) -> None:
        """Shut a kernel and whatever session it has; a terminal is none.

        Raises:
            NotFoundError: there is no such kernel, or no longer.
        """
        try:
            await self._kernels.shut_down(kernel_id)
        except (HTTPError, KeyError) as error:
            if isinstance(error, HTTPError) and error.status_code != NotFoundError.status:
                raise
            raise NotFoundError(
                "The kernel was not shut down.",
                reason="There is no such kernel in this server: it may have ended already.",
            ) from error

    def _kernel(self, kernel: Mapping[str, Any], session: Mapping[str, Any] | None) -> Program:
        # Not at the top: a server that starts needs nothing of the GPU's room.
        from .gpu.models import Program

        path = session["path"] if session is not None else None
        return Program(
            kind=_kind(session),
            id=kernel["id"],
            pid=self._pid(kernel["id"]),
            title=_title(session) or kernel["name"],
            path=path or None,
            busy=kernel.get("execution_state") == "busy",
        )

    def _pid(self, kernel_id: str) -> int | None:
        """None for a kernel elsewhere: behind a gateway, or of a provisioner that starts it on
        another machine, where its number would be of some other process here."""
        try:
            manager = self._server.kernel_manager.get_kernel(kernel_id)
        except (HTTPError, KeyError):
            return None  # Gone since it was listed.
        provisioner = getattr(manager, "provisioner", None)
        if isinstance(provisioner, LocalProvisioner) and provisioner.has_process:
            return provisioner.pid
        return None

    def _terminals(self) -> Iterator[Program]:
        from .gpu.models import Program

        # Read at each call: the terminals' extension may be loaded after ours.
        manager = self._server.web_app.settings.get("terminal_manager")
        for name, terminal in list(getattr(manager, "terminals", {}).items()):
            pid = getattr(getattr(terminal, "ptyproc", None), "pid", None)
            # As JupyterLab names its tab.
            yield Program("terminal", str(name), pid, f"Terminal {name}", None)


def _kernel_id(session: Mapping[str, Any]) -> str | None:
    return (session.get("kernel") or {}).get("id")


def _kind(session: Mapping[str, Any] | None) -> ProgramKind:
    if session is None:
        return "kernel"
    if session.get("type") == "notebook" or session["path"].endswith(".ipynb"):
        return "notebook"
    return "console" if session.get("type") == "console" else "kernel"


def _title(session: Mapping[str, Any] | None) -> str:
    if session is None:
        return ""
    name: str = session.get("name") or ""
    return name.rpartition("/")[2] or session["path"].rpartition("/")[2]
