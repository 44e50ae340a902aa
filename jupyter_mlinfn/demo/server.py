"""The JupyterLab of the demo: a process of its own, apart from the user's own Jupyter."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import BadInputError, DependencyError
from .layout import Layout

_FIRST_PORT = 8888
_PORTS = 200
_START_SECONDS = 60
_STOP_SECONDS = 15
_FOREIGN = ("JUPYTER", "CONDA_", "XDG_", "MLINFN_", "IPYTHONDIR")


class DemoServer:
    """A running JupyterLab on a layout, as a context manager.

    `environment` is added to what its process is given; None takes a variable away.

    Attributes:
        url: where it is, with its token.
    """

    def __init__(
        self, layout: Layout, channels: Sequence[str], port: int, environment: Mapping[str, str | None]
    ) -> None:
        self._layout = layout
        self._channels = list(channels)
        self._port = port
        self._added = dict(environment)
        self._token = secrets.token_urlsafe(24)
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{port}/lab?token={self._token}"

    def __enter__(self) -> DemoServer:
        self._configure()
        log = self._log.open("wb")
        try:
            # A session of its own: Ctrl-C reaches us alone, and we end it in good order.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab"],
                cwd=self._layout.work,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        finally:
            log.close()
        try:
            self._wait_until_it_answers()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def wait(self) -> int:
        """Wait until it ends by itself; 1, for nobody asked for that, unless it was shut from its menu."""
        process = self._running()
        return 0 if process.wait() == 0 else 1

    @property
    def _log(self) -> Path:
        return self._layout.own / "server.log"

    def _configure(self) -> None:
        layout = self._layout
        folder = layout.own / "config"
        folder.mkdir(exist_ok=True)
        configuration: dict[str, Any] = {
            "ServerApp": {
                "root_dir": str(layout.work),
                "ip": "127.0.0.1",
                "port": self._port,
                "port_retries": 0,
                "open_browser": False,
                "allow_root": os.geteuid() == 0,
            },
            "IdentityProvider": {"token": self._token},
            "MlinfnApp": {
                "shared_environments": [str(layout.environments)],
                "channels": self._channels,
                "start_command": shlex.join(sys.argv),
                # No container: what is emptied at each start is said here, not by the table of mounts.
                "ephemeral_folders": [str(layout.work)],
                "persistent_folders": [str(layout.private), str(layout.shared)],
            },
        }
        target = folder / "jupyter_server_config.json"
        target.touch(mode=0o600)
        target.write_text(json.dumps(configuration, indent=1))
        # Neither news nor updates are looked for: the demo asks nobody on the network.
        settings = layout.private / ".jupyter" / "lab" / "user-settings" / "@jupyterlab"
        notification = settings / "apputils-extension" / "notification.jupyterlab-settings"
        if not notification.exists():
            notification.parent.mkdir(parents=True, exist_ok=True)
            notification.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))

    def _environment(self) -> dict[str, str]:
        layout = self._layout
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        condarc = os.environ.get("CONDARC") or str(Path.home() / ".condarc")
        if Path(condarc).is_file():
            environment["CONDARC"] = condarc  # proxies and certificates of the user hold here too
        given: dict[str, str | None] = {
            **environment,
            "HOME": str(layout.private),
            "SHELL": os.environ.get("SHELL") or "/bin/bash",
            "JUPYTER_CONFIG_PATH": str(layout.own / "config"),
            "JUPYTER_RUNTIME_DIR": str(layout.own / "runtime"),
            **self._added,
        }
        return {name: value for name, value in given.items() if value is not None}

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        address = f"http://127.0.0.1:{self._port}/api"
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through a proxy
        while time.monotonic() < deadline:
            if self._running().poll() is not None:
                break
            try:
                with direct.open(address, timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        last_lines = self._log.read_text(errors="replace").splitlines()[-15:]
        raise DependencyError(
            "JupyterLab did not start.", reason="\n".join(last_lines), hint=f"Its log: {self._log}"
        )

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise DependencyError("JupyterLab is not running.", hint="Start it with `jupyter mlinfn demo`.")
        return self._process

    def _stop(self) -> None:
        process = self._running()
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def choose_port(wanted: int | None) -> int:
    """`wanted`, or the first free port from 8888 on.

    Raises:
        BadInputError: it is taken, or no port.
    """
    if wanted is None:
        for port in range(_FIRST_PORT, _FIRST_PORT + _PORTS):
            if _is_free(port):
                return port
        raise BadInputError("No port from 8888 on is free.", hint="Name one with --port.")
    if not 1 <= wanted <= 65535:
        raise BadInputError(f"{wanted} is no port.", hint="Ports are 1 to 65535.")
    if not _is_free(wanted):
        raise BadInputError(f"Port {wanted} is taken.", hint="Name another one, or leave out --port.")
    return wanted


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
