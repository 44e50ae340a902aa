"""A real Jupyter server in a process of its own, on a small platform in a folder."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TOKEN = "for-tests-only"
SECRET = "planted-secret-of-the-server"


@dataclass
class Platform:
    """Folders as on the platform: `private` and `shared` below the server's root."""

    folder: Path
    channels: Sequence[str]
    shared_environments: Sequence[Path] = ()
    traits: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("work/private", "work/shared", "config", "data", "runtime"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    @property
    def root(self) -> Path:
        return self.folder / "work"

    @property
    def environments(self) -> Path:
        return self.root / "private" / "environments"

    @property
    def kernels(self) -> Path:
        return self.folder / "data" / "kernels"

    def variables(self) -> dict[str, str]:
        """The environment of processes on this platform: nothing of the user's own Jupyter."""
        return os.environ | {
            "HOME": str(self.folder / "work" / "private"),
            "JUPYTER_CONFIG_DIR": str(self.folder / "config"),
            "JUPYTER_DATA_DIR": str(self.folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(self.folder / "runtime"),
            "JUPYTERHUB_API_TOKEN": SECRET,
            "MLINFN_ROOT": str(self.root),
            **self.environment,
        }

    def write_config(self) -> None:
        traits = {
            "channels": list(self.channels),
            "shared_environments": [str(path) for path in self.shared_environments],
            **self.traits,
        }
        # The tests' folders lie in /tmp, of which nobody knows whether it lasts: no word of it where that
        # is not what is tested. Traits, and the command line, go before it.
        config = {"MlinfnApp": traits, "StorageConfig": {"persistent_folders": [str(self.root)]}}
        (self.folder / "config" / "jupyter_server_config.json").write_text(json.dumps(config))


@dataclass
class Server:
    """A running server, and the few words of HTTP that tests need."""

    platform: Platform
    url: str
    process: subprocess.Popen[bytes]

    def request(
        self, method: str, path: str, body: Any = None, token: str | None = TOKEN
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON of an answer; `path` is below the server's base URL."""
        headers = {"Authorization": f"token {token}"} if token else {}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, text = error.code, error.read()
        return status, json.loads(text) if text else {}

    def get(self, path: str) -> dict[str, Any]:
        status, body = self.request("GET", path)
        assert status == 200, body
        return body

    def create(self, label: str, specs: Sequence[str] = (), **more: Any) -> dict[str, Any]:
        """Start a creation and answer its job."""
        status, body = self.request("POST", "api/mlinfn/envs", {"label": label, "specs": list(specs), **more})
        assert status == 202, body
        return dict(body["job"])

    def job(self, job_id: str) -> dict[str, Any]:
        return dict(self.get(f"api/mlinfn/jobs/{job_id}")["job"])

    def ended(self, job_id: str, timeout: float = 120) -> dict[str, Any]:
        """The job once it has ended."""
        return wait_for(
            lambda: (job := self.job(job_id))["state"] not in ("queued", "running", "cancelling") and job,
            timeout,
        )

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)


def wait_for(look: Callable[[], Any], timeout: float = 60) -> Any:
    """The first true thing that `look` gives; fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    pause = 0.01
    while not (found := look()):
        assert time.monotonic() < deadline, f"nothing in {timeout} s"
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)
    return found


@contextmanager
def running(
    platform: Platform,
    *,
    lab: bool = False,
    enabled: bool = True,
    arguments: Sequence[str] = (),
    port: int = 0,
) -> Iterator[Server]:
    """Start a server on the platform and end it afterwards, however the test went.

    Args:
        enabled: with our extension.
        port: one it had before; 0 for any.
    """
    platform.write_config()
    if not port:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    log = platform.folder / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab" if lab else "jupyter_server"),
                *("--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"),
                "--ServerApp.port_retries=0",
                f"--ServerApp.root_dir={platform.root}",
                f"--IdentityProvider.token={TOKEN}",
                f"--ServerApp.jpserver_extensions={{'jupyter_mlinfn': {enabled}}}",
                *arguments,
            ],
            env=platform.variables(),
            cwd=platform.root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(platform, f"http://127.0.0.1:{port}", process)
    try:

        def up() -> bool:
            assert process.poll() is None, log.read_text()[-4000:]
            try:
                return server.request("GET", "api/status")[0] == 200
            except OSError:
                return False

        wait_for(up, 60)
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)


def hear_ends() -> None:
    """For `preexec_fn`: a shell's background job ignores Ctrl-C, and one under nohup its terminal's end, and
    so would all that a test run there starts."""
    for each in (signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)
