"""Starts single-user servers for the tests' hub, each in a folder of its own and as the tests say.

Imported by the hub's process.
"""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

from jupyterhub.spawner import SimpleLocalProcessSpawner
from traitlets import Unicode

OWN_SERVER = ("users:activity!user", "access:servers!server", "read:servers!server", "delete:servers!server")
"""Scopes with which a server may see itself and stop itself; the first two are JupyterHub's own."""


class FolderSpawner(SimpleLocalProcessSpawner):
    """No system user is needed. What a server is to be like is read from `servers/USER@NAME.json`,
    which `tests.support.hub` writes before it asks for the server."""

    folder = Unicode(help="The hub's.").tag(config=True)

    @property
    def _said(self) -> dict[str, Any]:
        file = Path(self.folder) / "servers" / f"{self.user.name}@{self.name}.json"
        return dict(json.loads(file.read_text()))

    @property
    def _output(self) -> Path:
        return Path(self.folder) / "servers" / f"{self.user.name}@{self.name}.log"

    async def start(self) -> Any:
        said = self._said
        self.home_dir = said["home"]
        self.notebook_dir = said["root"]
        self.environment = said["environment"]
        self.args = ["--allow-root", *said["arguments"]]
        with self._output.open("ab") as output:
            self.popen_kwargs = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
            return await super().start()

    async def stop(self, now: bool = False) -> None:
        """By SIGINT as JupyterHub's local spawner does, or as Kubernetes does: SIGTERM, a time of
        grace, SIGKILL."""
        said = self._said
        if said["stop_signal"] != "SIGTERM":
            self.interrupt_timeout = said["grace"]
            await super().stop(now)
            return
        if await self.poll() is not None:
            return
        await self._signal(signal.SIGTERM)
        await self.wait_for_death(said["grace"])
        if await self.poll() is None:
            await self._signal(signal.SIGKILL)
            await self.wait_for_death(10)


def scopes(spawner: FolderSpawner) -> list[str]:
    """Of the server's token: JupyterHub's default is the first two."""
    return list(OWN_SERVER if spawner._said["own_server"] else OWN_SERVER[:2])
