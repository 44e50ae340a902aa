"""A real Jupyter server in a process of its own, on a small platform in a folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import nursery
from .evidence import shown_if_red
from .patience import PATIENCE, wait_for
from .ports import reserved_port

__all__ = ["Platform", "Server", "running", "wait_for"]

Process = subprocess.Popen[bytes] | nursery.Forked

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
            # Seconds of a processor for each environment, of which few tests need anything.
            "compile_environments": False,
            # What a busy machine is not to reach.
            "solve_timeout": 3600.0,
            "stall_timeout": 3600.0,
            "channels": list(self.channels),
            "shared_environments": [str(path) for path in self.shared_environments],
            **self.traits,
        }
        # The tests' folders lie in /tmp, of which nobody knows whether it lasts: no word of it where that
        # is not what is tested. Traits, and the command line, go before it.
        config = {
            "MlinfnApp": traits,
            "StorageConfig": {"persistent_folders": [str(self.root)]},
            "MappingKernelManager": {"kernel_info_timeout": PATIENCE},
        }
        (self.folder / "config" / "jupyter_server_config.json").write_text(json.dumps(config))


@dataclass
class Server:
    """A running server, and the few words of HTTP that tests need."""

    platform: Platform
    url: str
    process: Process

    def request(
        self, method: str, path: str, body: Any = None, token: str | None = TOKEN
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON of an answer; `path` is below the server's base URL."""
        headers = {"Authorization": f"token {token}"} if token else {}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
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

    def ended(self, job_id: str) -> dict[str, Any]:
        """The job once it has ended."""
        return wait_for(
            lambda: (job := self.job(job_id))["state"] not in ("queued", "running", "cancelling") and job
        )

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)


@contextmanager
def running(
    platform: Platform,
    *,
    lab: bool = False,
    enabled: bool = True,
    arguments: Sequence[str] = (),
    port: int = 0,
    fresh: bool = False,
) -> Iterator[Server]:
    """Start a server on the platform and end it afterwards, however the test went.

    Args:
        enabled: with our extension.
        port: one it had before; 0 for any.
        fresh: in an interpreter of its own, as people start it; else see `tests.support.nursery`.
    """
    platform.write_config()
    log = platform.folder / "server.log"
    with ExitStack() as ends:
        port = port or ends.enter_context(reserved_port())
        output = ends.enter_context(log.open("ab"))
        ends.enter_context(shown_if_red("the server said", log))
        process = (subprocess.Popen if fresh else nursery.start)(
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
        ends.callback(_end, process)
        server = Server(platform, f"http://127.0.0.1:{port}", process)

        def up() -> bool:
            assert process.poll() is None, log.read_text()[-4000:]
            try:
                return server.request("GET", "api/status")[0] == 200
            except OSError:
                return False

        wait_for(up)
        yield server


def _end(process: Process) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(PATIENCE)
            raise


def hear_ends() -> None:
    """For `preexec_fn`: a shell's background job ignores Ctrl-C, and one under nohup its terminal's end, and
    so would all that a test run there starts."""
    for each in (signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)
