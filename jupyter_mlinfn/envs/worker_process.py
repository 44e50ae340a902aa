"""A worker process from the server's side: start, talk, kill. Nothing here knows packages."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import DependencyError, from_json
from .redact import redact

Event = dict[str, Any]

_PASSED = frozenset(
    """HOME USER LOGNAME PATH LANG LC_ALL LC_CTYPE TMPDIR TZ XDG_CONFIG_HOME XDG_CACHE_HOME
    XDG_RUNTIME_DIR HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY SSL_CERT_FILE SSL_CERT_DIR NETRC
    RATTLER_AUTH_FILE DBUS_SESSION_BUS_ADDRESS LD_LIBRARY_PATH NVIDIA_VISIBLE_DEVICES
    CUDA_VISIBLE_DEVICES PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_NO_INDEX PIP_FIND_LINKS PIP_CERT
    PIP_CLIENT_CERT PIP_TRUSTED_HOST PIP_PROXY PIP_CONFIG_FILE PIP_CACHE_DIR PIP_NO_CACHE_DIR PIP_PRE
    PIP_KEYRING_PROVIDER PIP_CONSTRAINT""".split()  # noqa: SIM905 - shorter to read than 24 quoted lines
)
"""What the worker's job needs of the server's environment. A list of what may pass, since what
must not (JUPYTERHUB_API_TOKEN and whatever else a site put there) cannot be listed."""

_UNPROBED = {
    "CONDA_OVERRIDE_CUDA": "",
    "CONDA_OVERRIDE_CUDA_ARCH": "",
    "CONDA_OVERRIDE_AMDGPU": "",
    "CONDA_OVERRIDE_AMDGPU_ARCH": "",
}
"""What rattler would otherwise find out by loading drivers' libraries and running `nvidia-smi`, also where
the version of CUDA is given (seen with strace, 0.28): a sick driver would hang it."""

_OWN = {
    "MALLOC_ARENA_MAX": "2",
    # One shared core is what the small flavour has. With the line above, 5 to 9 % less memory.
    "TOKIO_WORKER_THREADS": "2",
}

_LINE_LIMIT = 64 * 1024 * 1024
"""A plan of 1,000 packages is 300 kB; asyncio's own limit is 64 kB."""


def environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a worker."""
    passed = {
        name: value
        for name, value in environ.items()
        if name in _PASSED
        or (name.islower() and name.upper() in _PASSED)
        or (name.startswith("CONDA_OVERRIDE_") and "TOKEN" not in name)
    }
    return _UNPROBED | passed | _OWN


def command(*, files: bool = False) -> list[str]:
    """The command line of a worker: isolated, and with the very packages that this process has.

    Args:
        files: one that measures and clears (`space.work`), not one that solves and installs.
    """
    package = Path(__file__).resolve().parent
    rattler = importlib.util.find_spec("rattler")
    if rattler is None or rattler.origin is None:
        raise DependencyError(
            "The package engine is not installed.",
            reason="There is no module `rattler`.",
            hint="Reinstall jupyter-mlinfn: python -m pip install --force-reinstall jupyter-mlinfn",
        )
    found = [importlib.util.find_spec(name) for name in ("installer", "packaging", "pip")]
    modules = [rattler.origin, *(spec.origin for spec in found if spec is not None and spec.origin)]
    homes = [str(Path(module).parent.parent) for module in modules]
    folders = dict.fromkeys((str(package.parent.parent), *homes))
    kind = ["--files"] if files else []
    return [sys.executable, "-I", "-S", str(package / "worker" / "__main__.py"), *kind, *folders]


class WorkerProcess:
    """One worker. Requests are answered one after the other, in order."""

    def __init__(self, process: asyncio.subprocess.Process, note: Callable[[str], None]) -> None:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise ValueError("a worker needs three pipes")
        self._process = process
        self._stdin, self._stdout, self._errors = process.stdin, process.stdout, process.stderr
        self._note = note
        self._stderr = asyncio.create_task(self._read_stderr())
        self._lock = asyncio.Lock()
        self._count = 0
        self._ending = False
        self.peak_memory: int | None = None
        """VmHWM in bytes after the last answer: file pages included, which the kernel can take back."""
        self.peak_anonymous: int | None = None
        """Highest memory in bytes that it could not, during the last request."""

    @classmethod
    async def start(cls, note: Callable[[str], None], *, files: bool = False) -> WorkerProcess:
        """Start one. Must be called on a thread that lives as long as the worker is to: the
        kernel kills it when that thread ends (prctl(2), PR_SET_PDEATHSIG).

        Args:
            note: takes what a worker writes to stderr, redacted.
            files: see `command`.
        """
        process = await asyncio.create_subprocess_exec(
            *command(files=files),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(),
            cwd="/",
            start_new_session=True,
            limit=_LINE_LIMIT,
        )
        return cls(process, note)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.returncode is None and not self._ending

    async def ask(self, request: Mapping[str, Any], on_event: Callable[[Event], None]) -> Event:
        """Send a request; its result.

        A caller that is cancelled while waiting leaves the worker in the middle of an answer:
        it then has to `kill` it.

        Raises:
            MlinfnError: what the worker reported; DependencyError when it died without a word.
        """
        async with self._lock:
            self._count += 1
            line = json.dumps({"id": self._count, **request}) + "\n"
            try:
                self._stdin.write(line.encode())
                await self._stdin.drain()
            except (BrokenPipeError, ConnectionResetError):
                raise await self._death() from None
            while answer := await self._stdout.readline():
                event: Event = json.loads(answer)
                if event["type"] == "result":
                    self.peak_memory = event.get("peak_memory")
                    self.peak_anonymous = event.get("peak_anonymous")
                    result: Event = event["result"]
                    return result
                if event["type"] == "error":
                    self._ending = bool(event.get("ends"))
                    raise from_json(event["error"])
                on_event(event)
            raise await self._death()

    async def kill(self) -> None:
        """End the whole process group at once, and wait until it is gone."""
        if self._process.returncode is None:
            # The group may outlive its leader for a moment; then there is nothing left to do.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        self._stderr.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._stderr
        self._stdin.close()

    async def _death(self) -> DependencyError:
        code = await self._process.wait()
        if code == -signal.SIGKILL:
            return DependencyError(
                "The package engine was killed.",
                reason="Something ended its process: probably the memory of the server ran out.",
                hint="Shut down kernels that you do not need and try again.",
            )
        return DependencyError(
            "The package engine ended without an answer.",
            reason=f"Signal {-code}." if code < 0 else f"Exit code {code}.",
            hint="Try again; if it stays, tell your administrator: details are in the server's log.",
        )

    async def _read_stderr(self) -> None:
        while line := await self._errors.readline():
            self._note(redact(line.decode(errors="replace").rstrip()))
