"""Python programs that start in a tenth of a second: forked from a process that has imported them.

    process = start([sys.executable, "-m", "jupyter_server", "--port=8888"], env=…, cwd=…, stdout=log)
    process.wait()

A Jupyter server takes two to five seconds of a processor to start, of which nearly all are imports.
The nursery is a process of its own that has them behind it; it is started by the first who needs
it, is shared by all workers of a run and by the hubs that they start, and ends with the run. What is
forked from it has its own environment, folder, arguments and output, and ends as any other
interpreter does. It differs from a process of its own in this: `/proc/PID/cmdline` and `environ` are
the nursery's (`command_of` and `environment_of` tell its own). What else is decided when an
interpreter starts cannot be had by a fork: such a command is started as usual
(`_needs_its_own_interpreter`).

A command that is about starting itself uses `subprocess`, or `running(…, fresh=True)`.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import psutil

ADDRESS = "MLINFN_TEST_NURSERY"
"""The variable with the path of the nursery's socket."""

REPOSITORY = Path(__file__).parents[2]

PRELOADED = (
    "jupyter_server.serverapp",
    "jupyter_server.services.contents.largefilemanager",
    "jupyter_server.services.kernels.connection.channels",
    "jupyter_server_proxy",
    "jupyter_server_terminals.app",
    "jupyter_lsp.serverextension",
    "jupyterlab.commands",
    "jupyterlab.coreconfig",
    "jupyterlab.debuglog",
    "jupyterlab.extensions",
    "jupyterlab.handlers.build_handler",
    "jupyterlab.handlers.error_handler",
    "jupyterlab.handlers.plugin_manager_handler",
    "jupyterlab_server.config",
    "notebook_shim.shim",
    "nbconvert.exporters",
    "jupyterhub.app",
    "jupyterhub.auth",
    "jupyterhub.httpclient",
    "dateutil.parser",
    "alembic",
    "rich.progress",
    "jupyter_mlinfn.cli",
)
"""Besides all of `jupyter_mlinfn` that a server imports. Not what looks into the environment while it is
imported: `jupyterlab.labapp` (for the folders of settings and workspaces), `jupyterhub.services.auth`,
`jupyterhub.singleuser` (which changes Jupyter's handlers as well) and `jupyterhub_idle_culler`."""

PATIENCE_WITH_CLIENTS = 60.0
"""Seconds for which the nursery waits for a request that was begun, and for nobody else meanwhile."""

LOG = "nursery.log"
"""Beside its socket."""

_LIBRARY = "libnvidia-ml.so.1"


class Forked:
    """As `subprocess.Popen`, as far as tests need it.

    Attributes:
        returncode: None until somebody has seen that it ended; negative for a signal.
    """

    def __init__(self, connection: socket.socket, command: Sequence[str]) -> None:
        self.args = list(command)
        self.returncode: int | None = None
        self.stdin = self.stdout = self.stderr = None
        self._connection = connection
        self.pid = self._hear()

    def _hear(self) -> int:
        data = b""
        while not data.endswith(b"\n"):
            piece = self._connection.recv(64)
            if not piece:
                # The nursery was killed, and all that came from it goes on without an exit code.
                raise EOFError("the nursery is gone")
            data += piece
        return int(data)

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """
        Raises:
            subprocess.TimeoutExpired: it has not ended in `timeout` seconds.
        """
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._connection, selectors.EVENT_READ)
                if not selector.select(timeout):
                    raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = self._hear()
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()


def start(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    stdin: int | IO[Any] | None = None,
    stdout: int | IO[Any] | None = None,
    stderr: int | IO[Any] | None = None,
    start_new_session: bool = False,
    **more: Any,
) -> Forked | subprocess.Popen[bytes]:
    """A process, as `subprocess.Popen` starts it; forked where that can be.

    Args:
        command: `[sys.executable, "-m", MODULE, …]` is forked, all else is started as usual.
        more: of `subprocess.Popen`; are dropped where the process is forked.
    """
    environment = dict(os.environ if env is None else env)
    streams = (stdin, stdout, stderr)
    if (
        list(command[:2]) != [sys.executable, "-m"]
        or ADDRESS not in os.environ
        or subprocess.PIPE in streams
        or _needs_its_own_interpreter(environment)
    ):
        return subprocess.Popen(
            command,
            env=environment,
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=start_new_session,
            **more,
        )
    request = {
        "command": list(command),
        "environment": environment,
        "folder": str(cwd or Path.cwd()),
        "session": start_new_session,
    }
    with ExitStack() as opened:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(os.environ[ADDRESS])
        socket.send_fds(connection, [b"."], _descriptors(streams, opened))
        connection.sendall(json.dumps(request).encode() + b"\n")
    return Forked(connection, command)


def _descriptors(streams: Sequence[int | IO[Any] | None], opened: ExitStack) -> list[int]:
    found: list[int] = []
    for number, stream in enumerate(streams):
        if stream is None:
            found.append(number)
        elif stream == subprocess.DEVNULL:
            null = os.open(os.devnull, os.O_RDWR)
            opened.callback(os.close, null)
            found.append(null)
        elif stream == subprocess.STDOUT:
            found.append(found[1])
        else:
            found.append(stream if isinstance(stream, int) else stream.fileno())
    return found


def command_of(process: psutil.Process) -> list[str]:
    """As it was started, forked or not.

    Raises:
        psutil.Error: it is gone, or somebody else's.
    """
    said = _said_of(process)
    return list(process.cmdline() if said is None else said["command"])


def environment_of(process: psutil.Process) -> dict[str, str]:
    """As it was started, forked or not.

    Raises:
        psutil.Error: it is gone, or somebody else's.
    """
    said = _said_of(process)
    return dict(process.environ() if said is None else said["environment"])


def _said_of(process: psutil.Process) -> Any:
    try:
        return json.loads(_record(process.pid).read_text())
    except FileNotFoundError:
        return None


def _record(pid: int) -> Path:
    return Path(os.environ[ADDRESS]).with_name(str(pid))


def _needs_its_own_interpreter(environment: Mapping[str, str]) -> bool:
    """Whether something is asked for that Python or the loader reads only when a process starts."""

    def differs(name: str) -> bool:
        return environment.get(name) != os.environ.get(name)

    python = {name for name in (*environment, *os.environ) if name.startswith("PYTHON")}
    as_started = {"PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}  # the last: see `become`
    if any(differs(name) for name in python - as_started):
        return True
    folders = [folder for folder in environment.get("PYTHONPATH", "").split(os.pathsep) if folder]
    return bool(set(folders) - set(sys.path)) or differs("LD_PRELOAD")


# The nursery itself


@contextmanager
def nursery(folder: Path) -> Iterator[None]:
    """It can be used from now on by this process and by those that it starts.

    It is not started before somebody needs it.

    Args:
        folder: for the socket; its name has to be short (108 characters with the socket's).
    """
    address = folder / "nursery"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen(64)
        os.environ[ADDRESS] = str(address)
        ended_read, ended_write = os.pipe()
        waiting = threading.Thread(target=_start_when_needed, args=(listener, ended_read), daemon=True)
        waiting.start()
        try:
            yield
        finally:
            del os.environ[ADDRESS]
            os.close(ended_write)
            waiting.join()
            os.close(ended_read)


def _start_when_needed(listener: socket.socket, ended: int) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(ended, selectors.EVENT_READ)
        asked = {key.fileobj for key, _ in selector.select()}
    if ended in asked:
        return
    command = [sys.executable, "-m", __name__, str(listener.fileno()), str(ended)]
    # Of a session of its own: Ctrl-C is for the tests, which then end what they have started.
    log = Path(os.environ[ADDRESS]).with_name(LOG)
    with (
        log.open("ab") as said,
        subprocess.Popen(
            command,
            cwd=REPOSITORY,
            pass_fds=(listener.fileno(), ended),
            stdin=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        ),
    ):
        pass
    # Who asks one that died is refused, and does not wait for ever.
    listener.close()


def _preload() -> None:
    for name in PRELOADED:
        with suppress(ImportError):
            importlib.import_module(name)
    import jupyterlab.commands

    import jupyter_mlinfn

    # Half a second of Node for each JupyterLab, to learn which registry a build would ask: there is none.
    jupyterlab.commands._yarn_config = lambda logger: {"yarn config": {}, "npm config": {}}
    for folder in jupyter_mlinfn.__path__:
        for file in Path(folder).rglob("*.py"):
            parts = file.relative_to(folder).with_suffix("").parts
            # Programs of their own, and what is for the hub or a demo only.
            if {"worker", "__main__", "demo", "_version"}.isdisjoint(parts):
                with suppress(ImportError):
                    importlib.import_module(".".join(("jupyter_mlinfn", *parts)).removesuffix(".__init__"))


def serve(listener: socket.socket, ended: int) -> dict[str, Any]:
    """Fork whenever somebody asks.

    Returns:
        In each child: what it is to do. The nursery itself never returns.
    """
    children: dict[int, socket.socket] = {}
    woken, wake = os.pipe()
    for each in (woken, wake):
        os.set_blocking(each, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    with selectors.DefaultSelector() as selector:
        for source in (listener, woken, ended):
            selector.register(source, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if ended in ready:
                os._exit(0)
            if woken in ready:
                os.read(woken, 65536)
                _tell_of_ends(children)
            if listener not in ready:
                continue
            connection, _ = listener.accept()
            streams, said = _request_of(connection)
            if said is None:
                connection.close()
                _close(streams)
                continue
            pid = os.fork()
            if pid:
                children[pid] = connection
                _write_record(pid, said)
                # Who asked may have been killed; what it asked for is ended by whoever looks after it.
                with suppress(OSError):
                    connection.sendall(f"{pid}\n".encode())
                _close(streams)
                continue
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
            _close((*streams, woken, wake, ended))
            for open_one in (listener, connection, *children.values()):
                open_one.close()
            return said


def _close(descriptors: Iterable[int]) -> None:
    for each in descriptors:
        os.close(each)


def _request_of(connection: socket.socket) -> tuple[list[int], dict[str, Any] | None]:
    """Streams, and what is asked for: None of who was killed, or stopped, while asking."""
    streams: list[int] = []
    connection.settimeout(PATIENCE_WITH_CLIENTS)
    try:
        _, streams, _, _ = socket.recv_fds(connection, 1, 3)
        with connection.makefile("rb") as request:
            said = dict(json.loads(request.readline()))
    except (OSError, ValueError):
        return streams, None
    connection.settimeout(None)
    return streams, said


def _write_record(pid: int, said: Mapping[str, Any]) -> None:
    """Whole from the beginning: others look at all processes at any time."""
    record = _record(pid)
    unfinished = record.with_suffix(".new")
    unfinished.write_text(json.dumps(said))
    unfinished.replace(record)


def _tell_of_ends(children: dict[int, socket.socket]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        connection = children.pop(pid)
        _record(pid).unlink()
        with suppress(OSError), connection:
            connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def become(said: Mapping[str, Any]) -> None:
    """The process that was asked for; as an interpreter that has just been started."""
    if said["session"]:
        os.setsid()
    # Where the tests run in the background, or under nohup, it would not hear of them.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(said["environment"])
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    time.tzset()
    os.chdir(said["folder"])
    # What the loader would find; it has read the variable long ago.
    for folder in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep):
        library = Path(folder, _LIBRARY)
        if folder and library.exists():
            ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
            break
    _, _, module, *arguments = said["command"]
    sys.orig_argv[:] = said["command"]
    sys.argv[:] = [module, *arguments]
    # Else runpy warns of it: one of `PRELOADED` that is a program itself.
    if not hasattr(sys.modules.get(module), "__path__"):
        sys.modules.pop(module, None)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def main() -> None:
    listener_number, ended = map(int, sys.argv[1:])
    os.set_inheritable(listener_number, False)
    os.set_inheritable(ended, False)
    _preload()
    assert threading.active_count() == 1, "a process with threads cannot be forked"
    gc.collect()
    gc.freeze()
    said = serve(socket.socket(fileno=listener_number), ended)
    become(said)


if __name__ == "__main__":
    main()
