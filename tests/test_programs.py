"""What runs in a server: real kernels and terminals."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.errors import NotFoundError
from jupyter_mlinfn.gpu.models import DriverProcess, GpuProcess, Program
from jupyter_mlinfn.gpu.processes import ProcessMap
from jupyter_mlinfn.programs import ServerPrograms

from .support.kernels import Kernels, until
from .support.small_kernel import NAME, kernelspec

MIB = 2**20
NOTEBOOK = "work/train.ipynb"


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    extensions = {"jupyter_mlinfn": True, "jupyter_server_terminals": True}
    return {"ServerApp": {"jpserver_extensions": extensions, "allow_unauthenticated_access": False}}


@pytest.fixture
def kernels(jp_serverapp: Any, jp_root_dir: Path, jp_data_dir: Path) -> Kernels:
    """Of a kind that is started and shut as any, and runs nothing."""
    (jp_root_dir / "work").mkdir()
    return Kernels(jp_serverapp, kernelspec(jp_data_dir / "kernels", busy_for=100_000))


@pytest.fixture
def pythons(jp_serverapp: Any, jp_root_dir: Path) -> Kernels:
    """Those that run what they are told."""
    (jp_root_dir / "work").mkdir()
    return Kernels(jp_serverapp)


@pytest.fixture
def programs(jp_serverapp: Any) -> ServerPrograms:
    return ServerPrograms(jp_serverapp)


def row_of(pid: int, running: list[Program]) -> GpuProcess:
    """How a process would be shown that the driver lists."""
    found = ProcessMap().resolve(
        [DriverProcess(pid, "GPU-1", MIB)], running, driver_version=None, devices=(), used={"GPU-1": MIB}
    )
    assert len(found.list) == 1
    return found.list[0]


async def test_kernels_and_terminals_with_their_processes(kernels: Kernels, programs: ServerPrograms) -> None:
    assert await programs.running() == []
    notebook = await kernels.session(NOTEBOOK)
    console = await kernels.session("work/console-1-4f2a", "console", "Console 1")
    bare = await kernels.bare()
    name, shell = kernels.terminal()
    assert await programs.running() == [
        Program("notebook", notebook, kernels.pid(notebook), "train.ipynb", NOTEBOOK, busy=False),
        Program("console", console, kernels.pid(console), "Console 1", "work/console-1-4f2a", busy=False),
        Program("kernel", bare, kernels.pid(bare), NAME, None, busy=False),
        Program("terminal", name, shell.pid, f"Terminal {name}", None),
    ]


async def test_a_console_on_a_notebooks_kernel_is_the_notebook(
    kernels: Kernels, programs: ServerPrograms
) -> None:
    kernel = await kernels.session("work/console-1-4f2a", "console", "Console 1")
    await kernels.session(NOTEBOOK, kernel_id=kernel)
    assert [(program.kind, program.title) for program in await programs.running()] == [
        ("notebook", "train.ipynb")
    ]


async def test_a_busy_kernel_is_busy(kernels: Kernels, programs: ServerPrograms) -> None:
    kernel = await kernels.session(NOTEBOOK)
    kernels.manager(kernel).execution_state = "busy"
    assert [program.busy for program in await programs.running()] == [True]


async def test_a_kernel_elsewhere_has_no_process_here(kernels: Kernels, programs: ServerPrograms) -> None:
    kernel = await kernels.session(NOTEBOOK)
    manager = kernels.manager(kernel)
    provisioner, manager.provisioner = manager.provisioner, None
    try:
        assert [(program.id, program.pid) for program in await programs.running()] == [(kernel, None)]
    finally:
        manager.provisioner = provisioner


async def test_shutting_a_kernel_down_ends_its_session(
    kernels: Kernels, programs: ServerPrograms, jp_serverapp: Any
) -> None:
    notebook, bare = await kernels.session(NOTEBOOK), await kernels.bare()
    await programs.shut_down(notebook)
    await programs.shut_down(bare)
    assert await programs.running() == []
    assert await jp_serverapp.session_manager.list_sessions() == []


async def test_what_is_no_kernel_of_this_server_is_not_found(
    kernels: Kernels, programs: ServerPrograms
) -> None:
    name, shell = kernels.terminal()
    for kernel_id in (name, "no-such-kernel"):
        with pytest.raises(NotFoundError, match="There is no such kernel in this server"):
            await programs.shut_down(kernel_id)
    assert shell.isalive()


# What Jupyter really gives what it starts, which `gpu.ownership` goes by.

CHILD = "import subprocess; child = subprocess.Popen(['sleep', '600']); print(child.pid)"
DETACHED = """
import subprocess
shell = "%s sleep 600 >/dev/null 2>&1 </dev/null & echo $!"
print(subprocess.run(["sh", "-c", shell], stdout=subprocess.PIPE, text=True).stdout)
"""


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


async def test_a_child_of_a_kernel(pythons: Kernels, programs: ServerPrograms) -> None:
    kernel = await pythons.session(NOTEBOOK)
    child = int(await pythons.run(kernel, CHILD))
    row = row_of(child, await programs.running())
    assert (row.owner.kind, row.owner.id, row.owner.path) == ("notebook", kernel, NOTEBOOK)
    assert (row.command, row.note) == ("sleep", "")
    await programs.shut_down(kernel)
    await until(lambda: not Path(f"/proc/{child}").exists())


@pytest.mark.parametrize("how", ["nohup", "setsid"])
async def test_what_a_kernel_detached_outlives_it(
    pythons: Kernels, programs: ServerPrograms, how: str
) -> None:
    other, kernel = await pythons.session("work/idle.ipynb"), await pythons.session(NOTEBOOK)
    child = int(await pythons.run(kernel, DETACHED % how))
    try:
        await until(lambda: name_of(child) == "sleep")
        row = row_of(child, await programs.running())
        assert (row.owner.kind, row.owner.id, row.owner.title) == ("notebook", None, "train.ipynb")
        assert row.note.startswith("Detached from its kernel: shutting the kernel down does not end it.")
        await programs.shut_down(kernel)
        assert name_of(child) == "sleep"
        row = row_of(child, await programs.running())
        assert (row.owner.kind, row.owner.id) == ("other", None)
        assert row.note.startswith("Started by train.ipynb, and detached from it.")
    finally:
        os.kill(child, 9)
    assert pythons.here(other)


@pytest.mark.parametrize("how", ["", "nohup"])
async def test_a_program_in_a_terminal(
    kernels: Kernels, programs: ServerPrograms, tmp_path: Path, how: str
) -> None:
    name, shell = kernels.terminal()
    note = tmp_path / "pid"
    shell.write(f"{how} sleep 600 & echo $! > {note}.part; mv {note}.part {note}\n")
    await until(note.exists)
    child = int(note.read_text())
    await until(lambda: name_of(child) == "sleep")
    row = row_of(child, await programs.running())
    assert (row.owner.kind, row.owner.id, row.owner.title) == ("terminal", name, f"Terminal {name}")
    assert (row.command, row.note) == ("sleep", "")
