"""Whose the processes are that the driver lists: on real processes, the driver's list made up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.gpu.models import Board, Device, DriverProcess, GpuProcess, Processes, Program
from jupyter_mlinfn.gpu.ownership import NO_SERVER
from jupyter_mlinfn.gpu.processes import ProcessMap
from tests.support.patience import PATIENCE, wait_for

GIB = 2**30
MIG = "MIG-1"
BOARD = Board(0, "GPU-1", "NVIDIA A100-PCIE-40GB", mig=True, slices=7)
SLICE = Device(MIG, "mig", BOARD)
NEW = "570.86.15"
OLD = "525.60.13"
NO_DEVICES = Path("/nonexistent")

SLEEP = "import sys; print(flush=True); sys.stdin.read()"
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "--token=secret"])
print(child.pid, flush=True)
sys.stdin.read()
"""
DETACHING = """
import subprocess, sys
shell = "%s sleep 600 >/dev/null 2>&1 </dev/null & echo $!"
print(subprocess.run(["sh", "-c", shell], stdout=subprocess.PIPE, text=True).stdout, flush=True)
sys.stdin.read()
"""


class Trees:
    """Processes that are ended with the test."""

    def __init__(self) -> None:
        self._roots: list[subprocess.Popen[str]] = []
        self._others: list[int] = []

    def start(self, code: str, **more: Any) -> subprocess.Popen[str]:
        """Python that is a leader of its own session, as kernels and terminals are."""
        root = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **{"start_new_session": True, **more},
        )
        self._roots.append(root)
        return root

    def ready(self, code: str = SLEEP, **more: Any) -> subprocess.Popen[str]:
        """One that has said a line."""
        root = self.start(code, **more)
        assert root.stdout is not None
        assert root.stdout.readline()
        return root

    def with_child(self, code: str, **more: Any) -> tuple[subprocess.Popen[str], int]:
        """One that tells the number of a process that it started."""
        root = self.start(code, **more)
        assert root.stdout is not None
        child = int(root.stdout.readline())
        self._others.append(child)
        wait_for(lambda: Path(f"/proc/{child}/cmdline").read_bytes())
        if "sleep 600" in code:
            # No longer the shell, nor nohup or setsid, and the shell is gone.
            wait_for(lambda: called(child) == "sleep" and called(parent(child)) not in ("sh", "dash", "bash"))
        return root, child

    def end(self) -> None:
        for pid in self._others:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue
        for root in self._roots:
            root.kill()
            root.communicate()


@pytest.fixture
def trees() -> Iterator[Trees]:
    started = Trees()
    yield started
    started.end()


def notebook(pid: int | None, name: str = "train.ipynb") -> Program:
    return Program("notebook", f"kernel-{name}", pid, name, f"work/{name}")


def resolve(
    listed: Sequence[DriverProcess] | None,
    programs: Sequence[Program] = (),
    *,
    driver: str | None = NEW,
    devices: Sequence[Device] = (SLICE,),
    used: Mapping[str, int | None] | None = None,
    why: str = "",
    **more: Any,
) -> Processes:
    return ProcessMap(**{"dev": NO_DEVICES, **more}).resolve(
        listed,
        programs,
        driver_version=driver,
        devices=devices,
        used={MIG: 4 * GIB} if used is None else used,
        why_not_listed=why,
    )


def one(processes: Processes) -> GpuProcess:
    assert len(processes.list) == 1, processes
    return processes.list[0]


def called(pid: int) -> str:
    """Empty for one that is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


# Whose it is


def test_a_kernel_is_named_with_its_notebook(trees: Trees) -> None:
    first, second = trees.ready(), trees.ready()
    programs = [notebook(first.pid), notebook(second.pid, "idle.ipynb")]
    row = one(resolve([DriverProcess(first.pid, MIG, 3 * GIB)], programs))
    assert (row.pid, row.device, row.memory) == (first.pid, MIG, 3 * GIB)
    assert (row.owner.kind, row.owner.id, row.owner.title) == (
        "notebook",
        "kernel-train.ipynb",
        "train.ipynb",
    )
    assert row.owner.path == "work/train.ipynb"
    assert (row.command, row.note, row.memory_note) == ("train.ipynb", "", "")


def test_a_child_belongs_to_its_kernel(trees: Trees) -> None:
    root, child = trees.with_child(PARENT)
    row = one(resolve([DriverProcess(child, MIG, GIB)], [notebook(root.pid)]))
    assert (row.owner.id, row.owner.title) == ("kernel-train.ipynb", "train.ipynb")
    assert row.command == Path(sys.executable).name
    assert row.note == ""


def test_a_program_in_a_terminal_is_named_with_the_terminal(trees: Trees, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("import time; time.sleep(600)")
    code = PARENT.replace('"-c", "import time; time.sleep(600)"', repr(str(script)))
    root, child = trees.with_child(code)
    terminal = Program("terminal", "2", root.pid, "Terminal 2", None)
    row = one(resolve([DriverProcess(child, MIG, GIB)], [terminal]))
    assert (row.owner.kind, row.owner.id, row.owner.title) == ("terminal", "2", "Terminal 2")
    assert row.command == f"{Path(sys.executable).name} train.py"


def test_a_nohup_in_a_terminal_still_belongs_to_it(trees: Trees) -> None:
    root, child = trees.with_child(DETACHING % "nohup")
    terminal = Program("terminal", "1", root.pid, "Terminal 1", None)
    assert one(resolve([DriverProcess(child, MIG, GIB)], [terminal])).owner.id == "1"


@pytest.mark.parametrize("how", ["nohup", "setsid"])
def test_what_is_detached_from_a_kernel_names_it_and_is_not_ended_with_it(trees: Trees, how: str) -> None:
    marks = {"JPY_SESSION_NAME": "/home/me/work/train.ipynb", "JPY_PARENT_PID": str(os.getpid())}
    root, child = trees.with_child(DETACHING % how, env=os.environ | marks)
    other = trees.ready(SLEEP, env=os.environ | marks | {"JPY_SESSION_NAME": "/home/me/work/idle.ipynb"})
    programs = [notebook(other.pid, "idle.ipynb"), notebook(root.pid)]
    row = one(resolve([DriverProcess(child, MIG, GIB)], programs))
    assert (row.owner.kind, row.owner.title) == ("notebook", "train.ipynb")
    assert row.owner.id is None  # Nothing to shut down.
    assert row.command == "sleep"
    assert row.note == (
        "Detached from its kernel: shutting the kernel down does not end it. "
        f"To end it, type “kill {child}” in a terminal."
    )


def test_what_a_kernel_left_that_has_ended_is_named_with_its_document(trees: Trees) -> None:
    marks = {"JPY_SESSION_NAME": "/home/me/work/train.ipynb", "JPY_PARENT_PID": str(os.getpid())}
    root, child = trees.with_child(DETACHING % "setsid", env=os.environ | marks)
    root.communicate()
    row = one(resolve([DriverProcess(child, MIG, GIB)], [notebook(None)]))
    assert (row.owner.kind, row.owner.id, row.owner.title) == ("other", None, "sleep")
    assert row.note.startswith("Started by train.ipynb, and detached from it.")


def test_what_another_server_started_is_told(trees: Trees) -> None:
    marks = {"JPY_SESSION_NAME": "/home/me/work/train.ipynb", "JPY_PARENT_PID": "1"}
    root, child = trees.with_child(DETACHING % "setsid", env=os.environ | marks)
    row = one(resolve([DriverProcess(child, MIG, GIB)], [notebook(root.pid)]))
    assert (row.owner.kind, row.owner.title) == ("other", "sleep")
    assert row.note == "Started by a kernel of another or an earlier server."


@pytest.mark.parametrize(
    ("marks", "kind", "title"),
    [
        (
            {"JPY_SESSION_NAME": "/home/me/work/train.ipynb", "JPY_PARENT_PID": "1"},
            "notebook",
            "train.ipynb",
        ),
        ({"JPY_PARENT_PID": "1"}, "kernel", "python"),
        ({"PYXTERM_DIMENSIONS": "80x25"}, "terminal", "a terminal"),
        ({}, "other", "python"),
    ],
)
def test_a_command_line_names_programs_by_what_they_were_started_for(
    trees: Trees, marks: Mapping[str, str], kind: str, title: str
) -> None:
    root = trees.ready(env=os.environ | marks)
    # Run in a cell of that notebook, it has inherited the same.
    row = one(resolve([DriverProcess(root.pid, MIG, GIB)], server=NO_SERVER, environment=marks))
    assert (row.owner.kind, row.owner.id) == (kind, None)
    assert row.owner.title.rstrip("0123456789.") == title
    assert row.note == ""


def test_what_is_detached_from_a_terminal_is_told(trees: Trees) -> None:
    _, child = trees.with_child(DETACHING % "setsid", env=os.environ | {"PYXTERM_DIMENSIONS": "80x25"})
    row = one(resolve([DriverProcess(child, MIG, GIB)]))
    assert row.owner.kind == "other"
    assert row.note.startswith("Started in a terminal, and detached from it.")


def test_what_the_server_started_otherwise_and_the_server_itself(trees: Trees) -> None:
    root = trees.ready()
    listed = [DriverProcess(root.pid, MIG, GIB), DriverProcess(os.getpid(), MIG, 2 * GIB)]
    rows = resolve(listed).list
    assert [(row.owner.kind, row.note) for row in rows] == [
        ("other", "This server itself."),
        ("other", "Started by this server."),
    ]


# Which are shown


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user takes root")
def test_another_users_process_is_no_row_and_its_memory_is_the_rest(trees: Trees) -> None:
    mine = trees.ready()
    theirs = trees.ready("import os, sys; os.setuid(65534); print(flush=True); sys.stdin.read()")
    listed = [DriverProcess(theirs.pid, MIG, 2 * GIB), DriverProcess(mine.pid, MIG, GIB)]
    processes = resolve(listed, [notebook(mine.pid), notebook(theirs.pid, "theirs.ipynb")])
    assert one(processes).pid == mine.pid
    assert processes.other == 3 * GIB


def test_a_process_that_is_gone_or_never_was_here_is_no_row(trees: Trees) -> None:
    ended = subprocess.Popen(["true"])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    never = int(Path("/proc/sys/kernel/pid_max").read_text()) + 1
    listed = [DriverProcess(ended.pid, MIG, GIB), DriverProcess(never, MIG, None)]
    try:
        processes = resolve(listed, [notebook(ended.pid)])
    finally:
        ended.wait()
    assert (processes.list, processes.other, processes.note) == ((), 4 * GIB, "")


def test_processes_that_die_during_the_look_raise_nothing(trees: Trees) -> None:
    stop = threading.Event()
    current: list[int] = []

    def come_and_go() -> None:
        while not stop.is_set():
            child = subprocess.Popen(["true"])
            current.append(child.pid)
            child.wait()

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        wait_for(lambda: len(current) > 2)
        steady = trees.ready()
        looks, first = 0, len(current)
        while looks < 200 or len(current) < first + 20:
            looks += 1
            listed = [DriverProcess(pid, MIG, GIB) for pid in [*current[-3:], current[-1] + 1, steady.pid]]
            rows = resolve(listed, [notebook(steady.pid), notebook(current[-1], "dying.ipynb")]).list
            assert steady.pid in {row.pid for row in rows}
    finally:
        stop.set()
        thread.join()


def test_a_number_that_another_process_has_by_now_is_no_row(trees: Trees, tmp_path: Path) -> None:
    (tmp_path / "nvidiactl").touch()
    (tmp_path / "nvidia-uvm").touch()
    holds = f"import sys; file = open({str(tmp_path / 'nvidia-uvm')!r}); print(flush=True); sys.stdin.read()"
    holder, other = trees.ready(holds), trees.ready()
    listed = [DriverProcess(holder.pid, MIG, GIB), DriverProcess(other.pid, MIG, 2 * GIB)]
    processes = resolve(listed, [notebook(holder.pid), notebook(other.pid)], dev=tmp_path)
    assert one(processes).pid == holder.pid
    assert processes.other == 3 * GIB


@pytest.mark.parametrize("later", [True, False])
def test_a_process_that_was_started_after_the_list_is_another_one(elsewhere: Elsewhere, later: bool) -> None:
    # With the machine, or in a thousand days.
    started = time.clock_gettime(time.CLOCK_BOOTTIME) + 86_400_000 if later else 1
    folder = elsewhere.proc / "42"
    folder.mkdir()
    ticks = int(started * os.sysconf("SC_CLK_TCK"))
    (folder / "stat").write_text(f"42 (train) S {' '.join(['1'] * 18)} {ticks}")
    (folder / "status").write_text(f"Uid:\t1\t{os.geteuid()}\t1\t1\n")
    processes = elsewhere.resolve([DriverProcess(42, MIG, GIB)])
    assert [row.pid for row in processes.list] == ([] if later else [42])
    assert processes.other == (4 * GIB if later else 3 * GIB)


# How much


def test_one_row_per_process_and_device_with_the_most_it_was_listed_with(trees: Trees) -> None:
    root = trees.ready()
    sizes = [(MIG, GIB), (MIG, 3 * GIB), (MIG, None), (MIG, 0), ("MIG-2", 2 * GIB)]
    listed = [DriverProcess(root.pid, device, size) for device, size in sizes]
    processes = resolve(listed, [notebook(root.pid)], used={MIG: 4 * GIB, "MIG-2": 3 * GIB})
    assert [(row.device, row.memory) for row in processes.list] == [(MIG, 3 * GIB), ("MIG-2", 2 * GIB)]
    assert processes.other == 2 * GIB


@pytest.mark.parametrize("size", [0, None])
def test_a_size_of_nothing_is_not_reported(trees: Trees, size: int | None) -> None:
    known, unknown = trees.ready(), trees.ready()
    listed = [DriverProcess(unknown.pid, MIG, size), DriverProcess(known.pid, MIG, GIB)]
    processes = resolve(listed, [notebook(known.pid), notebook(unknown.pid, "b.ipynb")])
    assert [row.pid for row in processes.list] == [known.pid, unknown.pid]
    assert processes.list[1].memory is None
    assert processes.list[1].memory_note == "Holds a GPU context; the driver does not report its size."
    assert processes.other is None
    assert processes.note == (
        "The share of the driver and others cannot be told: the size of one process is not known."
    )


def test_a_foreign_process_of_unknown_size_does_not_hide_the_rest(trees: Trees) -> None:
    root = trees.ready()
    listed = [DriverProcess(root.pid, MIG, GIB), DriverProcess(2**22 + 1, MIG, None)]
    assert resolve(listed, [notebook(root.pid)]).other == 3 * GIB


def test_the_rest_is_never_negative(trees: Trees) -> None:
    root = trees.ready()
    processes = resolve([DriverProcess(root.pid, MIG, 5 * GIB)], [notebook(root.pid)])
    assert processes.other == 0
    assert processes.note.startswith("Memory and processes were read one after the other")


def test_the_rest_is_not_known_where_memory_is_not() -> None:
    processes = resolve([], used={MIG: 4 * GIB, "MIG-2": None})
    assert processes.other is None
    assert processes.note == "The driver does not report how much memory is in use."
    assert resolve([], used={}).other is None


# What it sees


def test_a_kernel_that_may_see_another_device_is_told(trees: Trees) -> None:
    same = {**os.environ, "CUDA_VISIBLE_DEVICES": MIG}
    first = trees.ready(SLEEP, env=same)
    second = trees.ready(SLEEP, env=same | {"CUDA_VISIBLE_DEVICES": "MIG-2"})
    third = trees.ready(SLEEP, env=same | {"CUDA_VISIBLE_DEVICES": ""})
    listed = [DriverProcess(process.pid, MIG, GIB) for process in (first, second, third)]
    programs = [notebook(process.pid) for process in (first, second, third)]
    rows = resolve(listed, programs, environment={"CUDA_VISIBLE_DEVICES": MIG}).list
    end = f"this server's is {MIG}: it may see another device."
    assert {row.pid: row.note for row in rows} == {
        first.pid: "",
        second.pid: f"Its CUDA_VISIBLE_DEVICES is MIG-2, {end}",
        third.pid: f"Its CUDA_VISIBLE_DEVICES is empty, {end}",
    }


# Where the driver's numbers are not those of processes here


class Elsewhere:
    """Folders as a process in a container sees them, on the real processes of here."""

    def __init__(self, folder: Path) -> None:
        self.dev = folder / "dev"
        self.proc = folder / "proc"
        (self.dev / "nvidia-caps").mkdir(parents=True)
        for name in ("nvidiactl", "nvidia0", "nvidia-uvm", "nvidia-caps/nvidia-cap1"):
            (self.dev / name).touch()
        (self.proc / "self" / "ns").mkdir(parents=True)
        (self.proc / "self" / "ns" / "pid").symlink_to("pid:[4026532999]")
        self.show(os.getpid())

    def show(self, pid: int) -> None:
        (self.proc / str(pid)).symlink_to(f"/proc/{pid}")

    def holder(self, trees: Trees, *files: str) -> int:
        """A process that holds these device files."""
        names = [str(self.dev / name) for name in files]
        process = trees.ready(
            f"import sys; files = [open(name) for name in {names}]; print(flush=True); sys.stdin.read()"
        )
        self.show(process.pid)
        return process.pid

    def resolve(self, listed: Sequence[DriverProcess] | None, *programs: Program, **more: Any) -> Processes:
        return resolve(listed, programs, dev=self.dev, proc=self.proc, **more)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Elsewhere:
    return Elsewhere(tmp_path)


def test_host_numbers_are_not_used_and_holders_are_found(elsewhere: Elsewhere, trees: Trees) -> None:
    first = elsewhere.holder(trees, "nvidiactl", "nvidia0", "nvidia-uvm")
    second = elsewhere.holder(trees, "nvidia-uvm")
    watching = elsewhere.holder(trees, "nvidiactl", "nvidia0", "nvidia-caps/nvidia-cap1")
    # By chance the host's number of somebody's process is that of the one that only watches.
    listed = [DriverProcess(watching, MIG, GIB), DriverProcess(999_999, MIG, 2 * GIB)]
    processes = elsewhere.resolve(listed, notebook(first), notebook(second, "b.ipynb"), driver=OLD)
    assert [(row.pid, row.device, row.memory) for row in processes.list] == [
        (pid, MIG, None) for pid in sorted((first, second))
    ]
    assert {row.owner.title for row in processes.list} == {"train.ipynb", "b.ipynb"}
    assert processes.list[0].memory_note == (
        f"Driver {OLD} lists processes by the host's numbers, which do not fit this container, "
        "so its size is not known."
    )
    assert processes.other is None
    assert "which process holds how much is not known" in processes.note


def test_the_only_listed_one_and_the_only_holder_are_matched_and_labelled(
    elsewhere: Elsewhere, trees: Trees
) -> None:
    holder = elsewhere.holder(trees, "nvidia-uvm")
    processes = elsewhere.resolve([DriverProcess(999_999, MIG, 3 * GIB)], notebook(holder), driver=OLD)
    row = one(processes)
    assert (row.pid, row.memory) == (holder, 3 * GIB)
    assert row.note.startswith("Inferred: the driver lists one process")
    assert processes.other == GIB
    assert processes.note.startswith(f"Driver {OLD} lists processes by the host's numbers")


def test_with_several_devices_it_is_not_told_which_one_a_holder_has(
    elsewhere: Elsewhere, trees: Trees
) -> None:
    elsewhere.holder(trees, "nvidia-uvm")
    elsewhere.holder(trees, "nvidia-uvm")
    devices = (SLICE, Device("MIG-2", "mig", BOARD))
    processes = elsewhere.resolve([DriverProcess(999_999, MIG, GIB)], driver=OLD, devices=devices)
    assert [row.device for row in processes.list] == [None, None]


def test_container_numbers_without_sizes_say_which_driver_gives_them(
    elsewhere: Elsewhere, trees: Trees
) -> None:
    holder = elsewhere.holder(trees, "nvidia-uvm")
    processes = elsewhere.resolve([DriverProcess(holder, MIG, 0)], notebook(holder), driver="550.54.15")
    row = one(processes)
    assert row.memory is None
    assert row.memory_note == (
        "Holds a GPU context; the driver does not report its size. "
        "Driver 550.54.15 does not do so in a container; 565.57 and later do."
    )


@pytest.mark.parametrize("driver", ["535.113.01", NEW, None])
def test_container_numbers_are_used(elsewhere: Elsewhere, trees: Trees, driver: str | None) -> None:
    holder = elsewhere.holder(trees, "nvidia-uvm")
    processes = elsewhere.resolve([DriverProcess(holder, MIG, GIB)], notebook(holder), driver=driver)
    assert (one(processes).memory, processes.other, processes.note) == (GIB, 3 * GIB, "")


def test_an_empty_list_in_a_container_is_doubted(elsewhere: Elsewhere, trees: Trees) -> None:
    assert elsewhere.resolve([]).other == 4 * GIB
    holder = elsewhere.holder(trees, "nvidia-uvm")
    processes = elsewhere.resolve([], notebook(holder))
    assert (one(processes).pid, one(processes).memory, processes.other) == (holder, None, None)
    assert processes.note.startswith("The driver lists no process to this container.")
    assert elsewhere.resolve([], notebook(holder), used={MIG: 0}).list == ()


def test_a_driver_that_refuses_says_why(elsewhere: Elsewhere, trees: Trees) -> None:
    why = "The driver does not let you list the processes of this device."
    empty = elsewhere.resolve(None, why=why)
    assert (empty.list, empty.other) == ((), None)
    assert empty.note == f"{why} The share of the driver and others cannot be told."
    holder = elsewhere.holder(trees, "nvidia-uvm")
    processes = elsewhere.resolve(None, notebook(holder), why=why)
    assert (one(processes).memory, one(processes).memory_note, processes.other) == (None, why, None)
    assert processes.note.startswith(why)


def test_one_of_two_devices_that_is_not_listed_leaves_the_rest_unknown(trees: Trees) -> None:
    root = trees.ready()
    why = "The driver does not list the processes of one device."
    used = {MIG: 4 * GIB, "MIG-2": 4 * GIB}
    processes = resolve([DriverProcess(root.pid, MIG, GIB)], [notebook(root.pid)], used=used, why=why)
    assert (one(processes).memory, processes.other) == (GIB, None)
    assert processes.note == f"{why} The share of the driver and others cannot be told."


def test_in_a_real_namespace_of_its_own(tmp_path: Path) -> None:
    """An old driver's list in a container: what it lists is the host's, what holds is here."""
    inside = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", IN_A_NAMESPACE, tmp_path],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    if "unshare" in inside.stderr:
        pytest.skip(f"no PID namespace can be made here: {inside.stderr}")
    assert inside.returncode == 0, inside.stderr
    told = json.loads(inside.stdout)
    assert told["old"] == [[told["kernel"], 2 * GIB, "train.ipynb", True]]
    assert told["new"] == [[told["kernel"], GIB, "train.ipynb", False]]
    # The host's number of this test's own process is nobody's in there.
    assert told["foreign"] == []


IN_A_NAMESPACE = f"""
import json, subprocess, sys
from pathlib import Path
from tests.gpu.test_processes import *
dev = Path(sys.argv[1])
for name in ("nvidiactl", "nvidia-uvm"):
    (dev / name).touch()
code = "import sys; file = open(sys.argv[1]); print(flush=True); sys.stdin.read()"
kernel = subprocess.Popen(
    [sys.executable, "-c", code, dev / "nvidia-uvm"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
)
kernel.stdout.readline()
def look(driver, pid, size):
    rows = resolve([DriverProcess(pid, MIG, size)], [notebook(kernel.pid)], driver=driver, dev=dev).list
    return [[row.pid, row.memory, row.owner.title, row.note.startswith("Inferred")] for row in rows]
told = {{
    "kernel": kernel.pid,
    "old": look(OLD, {os.getpid()}, 2 * GIB),
    "new": look(NEW, kernel.pid, GIB),
    "foreign": look(NEW, {os.getpid()}, GIB),
}}
kernel.communicate()
print(json.dumps(told))
"""


# How much it takes


LOOKS = """
import json, sys
from tests.gpu.test_processes import *
looked = []
sys.addaudithook(lambda event, given: looked.append(event) if str(given[:1]).startswith("('/proc/") else None)
pids = json.loads(sys.argv[1])
told = []
for some in (pids[:len(pids) // 2], pids):
    programs = [notebook(root, f"{root}.ipynb") for root, _ in some]
    listed = [DriverProcess(pid, MIG, GIB) for pair in some for pid in pair]
    looked.clear()
    rows = resolve(listed, programs).list
    told.append([len(rows), len(looked)])
print(json.dumps(told))
"""


def test_twice_as_many_processes_take_twice_as_many_looks(trees: Trees) -> None:
    code = PARENT.replace("[sys.executable, ", '["sleep", "600"] or [')
    pids = [(root.pid, child) for root, child in (trees.with_child(code) for _ in range(20))]
    done = subprocess.run(
        [sys.executable, "-c", LOOKS, json.dumps(pids)], capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    (fewer, looks), (all_of_them, more_looks) = json.loads(done.stdout)

    assert (fewer, all_of_them) == (20, 40)
    assert 0 < more_looks <= 2 * looks < 8 * all_of_them
