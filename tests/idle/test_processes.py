"""Which programs work: real processes, whoever their parent is by now."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_mlinfn.idle.models import Signal
from jupyter_mlinfn.idle.sources import belonging
from jupyter_mlinfn.idle.sources.processes import ProcessSource
from jupyter_mlinfn.idle.sources.walk import MONITORS, Program, Walk
from tests.support.clock import Clock
from tests.support.server import wait_for

from ..support.patience import PATIENCE

WORKS = "while True: sum(range(100000))"
LITTLE = 0.1
"""Seconds of CPU time that are work here, in a minute."""


class Bench:
    """Processes as children of a server, which is the test's own process, and walks over them."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.folder = folder
        self.environment = dict(os.environ)
        self.marker = belonging.mark(self.environment)
        self.walk = self.new_walk()
        self._started: list[subprocess.Popen[bytes]] = []
        self._reparented: list[int] = []

    def new_walk(self, **more: Any) -> Walk:
        settings: dict[str, Any] = {"cpu_per_minute": LITTLE, "scope": "marked", **more}
        walk = Walk(os.getpid(), self.marker, clock=self.clock, **settings)
        assert walk() == []
        return walk

    def start(self, *command: str | Path, **more: Any) -> int:
        null = subprocess.DEVNULL
        options: dict[str, Any] = {"stdin": null, "stdout": null, "stderr": null, **more}
        process = subprocess.Popen(command, env=self.environment, cwd=self.folder, **options)
        self._started.append(process)
        return process.pid

    def leave(self, script: str) -> int:
        """What a shell starts that ends at once: the process of `echo $! > pid`."""
        file = self.folder / "pid"
        file.unlink(missing_ok=True)
        shell = subprocess.Popen(
            ["sh", "-c", script], env=self.environment, cwd=self.folder, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert shell.wait(PATIENCE) == 0
        pid = int(wait_for(lambda: file.exists() and file.read_text().strip()))
        self._reparented.append(pid)
        return pid

    def python(self, name: str, code: str) -> str:
        (self.folder / name).write_text(code)
        return f"{sys.executable} {name}"

    def minute(self, walk: Walk | None = None) -> list[Program]:
        self.clock.pass_time(60)
        return (walk or self.walk)()

    def pids(self, walk: Walk | None = None) -> set[int]:
        return {program.pid for program in self.minute(walk)}

    def close(self) -> None:
        for process in self._started:
            for child in psutil.Process(process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    child.kill()
            process.kill()
            process.wait(PATIENCE)
        for pid in self._reparented:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def taken(pid: int) -> float:
    """The CPU time that it has taken, itself and children that it waited for."""
    return sum(psutil.Process(pid).cpu_times()[:4])


def worked(pid: int, seconds: float = 2 * LITTLE) -> Callable[[], bool]:
    """Whether it has taken that much CPU time more."""
    before = taken(pid)
    return lambda: taken(pid) >= before + seconds


def test_a_program_that_computes_works_and_one_that_sleeps_does_not(bench: Bench) -> None:
    busy = bench.start(sys.executable, "-c", WORKS)
    bench.start("sleep", "1000000")
    wait_for(worked(busy))
    (program,) = bench.minute()
    assert (program.pid, program.name) == (busy, psutil.Process(busy).name())
    assert program.by_cpu
    assert program.cpu >= LITTLE / 60
    wait_for(worked(busy))
    assert bench.pids() == {busy}


def test_a_program_that_stopped_working_does_no_more(bench: Bench) -> None:
    code = "import signal\nsignal.signal(signal.SIGUSR1, lambda *_: signal.pause())\n" + WORKS
    pid = bench.start(sys.executable, "-c", code)
    wait_for(worked(pid))
    assert bench.pids() == {pid}
    os.kill(pid, signal.SIGUSR1)
    wait_for(lambda: psutil.Process(pid).status() == psutil.STATUS_SLEEPING)
    bench.minute()
    assert bench.minute() == []


@pytest.mark.parametrize("how", ["nohup {} & echo $! > pid", "setsid {} & echo $! > pid"])
def test_work_counts_when_its_shell_is_gone(bench: Bench, how: str) -> None:
    pid = bench.leave(how.format(bench.python("train.py", WORKS)))
    wait_for(lambda: os.getpid() not in [each.pid for each in psutil.Process(pid).parents()])
    wait_for(worked(pid))
    assert pid in bench.pids()


@pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")
def test_work_counts_in_tmux_with_the_terminal_closed(bench: Bench) -> None:
    train = bench.python("train.py", WORKS)
    socket = f"-S {bench.folder}/tmux"
    bench.leave(f"tmux {socket} -f /dev/null new-session -d 'echo $$ > pid; exec {train}'")
    pid = int((bench.folder / "pid").read_text())
    try:
        wait_for(worked(pid))
        assert bench.pids() == {pid}
    finally:
        subprocess.run(["tmux", "-S", bench.folder / "tmux", "kill-server"], check=True)


def test_somebody_elses_process_does_not_count(bench: Bench) -> None:
    train = bench.python("train.py", WORKS)
    others = bench.leave(f"setsid env {belonging.VARIABLE}={uuid.uuid4().hex} {train} & echo $! > pid")
    everybody = bench.new_walk(scope="namespace")
    wait_for(worked(others))
    assert bench.minute() == []
    assert others in {program.pid for program in everybody()}


def test_what_a_server_in_a_terminal_starts_is_the_outer_servers_too(bench: Bench) -> None:
    inner = belonging.mark(bench.environment)
    pid = bench.leave(f"setsid {bench.python('train.py', WORKS)} & echo $! > pid")
    wait_for(worked(pid))
    assert bench.pids() == {pid}
    of_inner = Walk(1 << 30, inner, "marked", cpu_per_minute=LITTLE, clock=bench.clock)
    of_inner()
    wait_for(worked(pid))
    assert bench.pids(of_inner) == {pid}


def test_in_a_container_of_its_own_every_process_is_the_servers(bench: Bench) -> None:
    walk = bench.new_walk(scope="namespace")
    bench.environment.pop(belonging.VARIABLE)
    pid = bench.leave(f"setsid {bench.python('train.py', WORKS)} & echo $! > pid")
    wait_for(worked(pid))
    assert pid in bench.pids(walk)
    assert os.getpid() not in bench.pids(walk)
    assert bench.minute() == []


def test_short_lived_processes_count_by_the_one_that_waits_for_them(bench: Bench) -> None:
    loop = f"while :; do {sys.executable} -S -c 'sum(range(3000000))'; done"
    shell = bench.start("sh", "-c", loop, start_new_session=True)
    wait_for(worked(shell))
    assert [program.by_cpu for program in bench.minute()] == [True]


def test_time_that_was_counted_is_not_counted_again_when_the_process_ends(bench: Bench) -> None:
    code = "import signal, sys\nsignal.signal(signal.SIGUSR1, lambda *_: sys.exit())\n" + WORKS
    bench.python("train.py", code)
    script = f"{sys.executable} train.py & echo $! > pid; wait; sleep 1000"
    shell = bench.start("sh", "-c", script, start_new_session=True)
    pid = int(
        wait_for(lambda: (bench.folder / "pid").exists() and (bench.folder / "pid").read_text().strip())
    )
    os.kill(shell, 0)
    wait_for(worked(pid, 4 * LITTLE))
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    assert bench.pids() == {pid}
    counted = taken(pid)
    os.kill(pid, signal.SIGUSR1)
    os.kill(pid, signal.SIGCONT)
    wait_for(lambda: not psutil.pid_exists(pid))
    # The shell has waited for it, and has its time as of children.
    assert taken(shell) >= counted >= 4 * LITTLE
    assert bench.minute() == []


@pytest.mark.parametrize("name", ["watch", "top"])
def test_what_only_shows_something_never_works(bench: Bench, name: str) -> None:
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    arguments = {"watch": ["-n", "0.1", "date"], "top": ["-d", "0.1"]}[name]
    master, slave = os.openpty()
    bench.environment |= {"TERM": "xterm", "LINES": "24", "COLUMNS": "80"}
    little = LITTLE / 4
    stops = bench.new_walk(cpu_per_minute=little)
    keeps = bench.new_walk(cpu_per_minute=little, monitors=())
    pid = bench.start(name, *arguments, stdin=slave, stdout=slave, start_new_session=True)
    os.set_blocking(master, False)

    def shown() -> bool:
        """What is not read stops it."""
        with suppress(BlockingIOError):
            while os.read(master, 65536):
                continue
        return works()

    works = worked(pid, 2 * little)
    try:
        wait_for(shown)
        assert bench.minute(stops) == []
        assert pid in {program.pid for program in keeps()}
        assert name in MONITORS
    finally:
        os.close(master)
        os.close(slave)


def test_a_download_works_that_takes_hardly_any_time(bench: Bench) -> None:
    out, into = os.pipe()
    code = (
        "import os\nwith open('data', 'wb', buffering=0) as file:\n"
        "    while part := os.read(0, 65536): file.write(part), sum(range(20000))"
    )
    walk = bench.new_walk(cpu_per_minute=1e6)
    pid = bench.start(sys.executable, "-c", code, stdin=out)
    os.close(out)
    data = bench.folder / "data"
    with open(into, "wb", buffering=0) as server:  # noqa: PTH123
        for loaded in range(1, 9):
            server.write(bytes(1_000_000))
            wait_for(lambda size=loaded * 1_000_000: data.exists() and data.stat().st_size == size)
        (program,) = bench.minute(walk)
        assert program.pid == pid
        assert not program.by_cpu
        assert program.bytes_per_second == pytest.approx(8e6 / 60, rel=0.1)
        server.write(bytes(10_000))
        wait_for(lambda: data.stat().st_size == 8_010_000)
        assert bench.minute(walk) == []


def test_work_of_one_session_is_taken_together(bench: Bench) -> None:
    code = "import time\n" + WORKS
    one = bench.python("one.py", code)
    shell = bench.start("sh", "-c", f"{one} & {one} & {one} & wait", start_new_session=True)
    wait_for(lambda: len(psutil.Process(shell).children()) == 3)
    for child in psutil.Process(shell).children():
        wait_for(worked(child.pid, LITTLE / 2))
    for child in psutil.Process(shell).children():
        child.suspend()
    (program,) = bench.minute()
    assert program.cpu * 60 >= 1.5 * LITTLE


def test_a_number_that_is_another_process_now_is_not_taken_for_the_old_one(tmp_path: Path) -> None:
    clock = Clock()
    walk = Walk(1, "m", "namespace", cpu_per_minute=LITTLE, clock=clock, proc=tmp_path)
    folder = tmp_path / "77"
    folder.mkdir()

    def is_now(ticks: int, started: int) -> None:
        fields = ["S", "50", "77", "77", *["0"] * 7, str(ticks), "0", "0", "0", *["0"] * 4, str(started)]
        (folder / "stat").write_text(f"77 (a) b) {' '.join(fields)} 0 0 0\n")

    is_now(1000, 5)
    walk()
    clock.pass_time(60)
    is_now(900, 99)
    (program,) = walk()
    assert (program.pid, program.name, program.cpu) == (77, "a) b", pytest.approx(9 / 60))


class TestScope:
    """Whether what can be seen is the server's alone."""

    @pytest.fixture
    def proc(self, tmp_path: Path) -> Path:
        (tmp_path / "self" / "ns").mkdir(parents=True)
        (tmp_path / "self" / "ns" / "pid").symlink_to("pid:[4026532999]")
        (tmp_path / "1").mkdir()
        (tmp_path / "1" / "environ").write_bytes(b"PATH=/bin\0JUPYTERHUB_SERVICE_PREFIX=/user/me/\0")
        return tmp_path

    def test_a_container_whose_first_process_it_is_or_that_started_it(self, proc: Path) -> None:
        assert belonging.scope({}, 1, 0, proc=proc) == "namespace"
        assert belonging.scope({}, 7, 1, proc=proc) == "namespace"

    def test_a_container_that_was_started_for_it(self, proc: Path) -> None:
        mine = {"JUPYTERHUB_SERVICE_PREFIX": "/user/me/"}
        assert belonging.scope(mine, 30, 7, proc=proc) == "namespace"
        others = {"JUPYTERHUB_SERVICE_PREFIX": "/user/you/"}
        assert belonging.scope(others, 30, 7, proc=proc) == "marked"
        assert belonging.scope({}, 30, 7, proc=proc) == "marked"

    def test_the_machine_itself(self, proc: Path) -> None:
        link = proc / "self" / "ns" / "pid"
        link.unlink()
        link.symlink_to("pid:[4026531836]")
        assert belonging.scope({}, 1, 0, proc=proc) == "marked"
        assert belonging.scope({}, 1, 0, proc=proc / "no") == "marked"


class TestSource:
    async def test_it_tells_of_the_last_walk_and_walks_where_one_is_due(self, bench: Bench) -> None:
        source = ProcessSource(bench.walk)
        assert await source.look(bench.clock()) == Signal("processes", None)
        await source.refresh()
        busy = bench.start(sys.executable, "-c", WORKS)
        wait_for(worked(busy))
        bench.clock.pass_time(60)
        walked = bench.clock()
        await source.look(walked)
        await source.refresh()
        bench.clock.pass_time(10)
        signal = await source.look(bench.clock())
        assert signal.last == walked
        assert f"(process {busy}) is working: " in signal.detail
        source.close()

    async def test_looking_does_not_wait(self, bench: Bench) -> None:
        source = ProcessSource(bench.walk, walk_every=1e9)
        await source.refresh()
        again = await source.look(bench.clock())
        await source.refresh()
        assert again == Signal("processes", None)

    async def test_a_walk_that_fails_is_told(self, tmp_path: Path) -> None:
        clock = Clock()
        source = ProcessSource(Walk(1, "m", "marked", clock=clock, proc=tmp_path / "no"))
        await source.refresh()
        with pytest.raises(FileNotFoundError):
            await source.look(clock())


async def test_a_walk_that_hangs_is_told_as_one_that_fails() -> None:
    """So the account takes it for activity: what cannot be seen may be somebody's work."""
    clock, release = Clock(), threading.Event()

    class Hanging(Walk):
        """As where the kernel waits for a storage before it tells of a process."""

        def __call__(self) -> list[Program]:
            release.wait()
            return []

    source = ProcessSource(Hanging(os.getpid(), "x", "marked", clock=clock))
    await source.look(clock())
    clock.pass_time(100)
    assert (await source.look(clock())).last is None
    clock.pass_time(100)
    with pytest.raises(TimeoutError):
        await source.look(clock())
    release.set()
    await source.refresh()
    assert (await source.look(clock())).last is None
