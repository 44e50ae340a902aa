"""Sizes and conda's own list, as the catalogue keeps them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_mlinfn.envs import catalogue as module
from jupyter_mlinfn.envs.bytecode import BytecodeCompiler
from jupyter_mlinfn.envs.catalogue import Catalogue
from jupyter_mlinfn.envs.coexistence import environments_file, unregister
from jupyter_mlinfn.envs.kernelspecs import KernelspecWriter
from jupyter_mlinfn.envs.prefix import disk_usage
from jupyter_mlinfn.envs.scan import EnvironmentScanner

from ..support.patience import PATIENCE
from ..support.prefixes import make_prefix, make_python_prefix


class Told:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jp_asyncio_loop: asyncio.AbstractEventLoop
) -> Callable[[Told], Catalogue]:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return lambda told: Catalogue(
        EnvironmentScanner(tmp_path / "own"), KernelspecWriter(tmp_path / "kernels"), told, lambda: None
    )


async def test_a_size_is_measured_again_when_byte_compiling_has_ended(
    catalogue: Callable[[Told], Catalogue], tmp_path: Path
) -> None:
    told = Told()
    looked = catalogue(told)
    prefix = make_python_prefix(tmp_path / "own" / "env")
    (next(prefix.glob("lib/python3*")) / "some.py").write_text("x = 1\n" * 5000)
    before = await looked.measure((await looked.look()).environments[0])
    assert (await looked.look()).environments[0].size == before.size
    ended = asyncio.Event()

    def compiled(path: Path) -> None:
        looked.forget_size(path)
        ended.set()

    times = told.times
    BytecodeCompiler(compiled).start(prefix)
    await asyncio.wait_for(ended.wait(), PATIENCE)
    after = (await looked.look()).environments[0]

    assert told.times == times + 1
    assert after.size is None
    measured = await looked.measure(after)
    assert measured.size == disk_usage(prefix)[0]
    assert before.size is not None
    assert measured.size > before.size


async def test_a_site_may_do_without_byte_code(tmp_path: Path) -> None:
    wanted, unwanted = (make_python_prefix(tmp_path / name) for name in ("wanted", "unwanted"))
    for prefix in (wanted, unwanted):
        (next(prefix.glob("lib/python3*")) / "some.py").write_text("x = 1\n")
    ended = asyncio.Event()
    never = BytecodeCompiler(wanted=False)
    never.start(unwanted)
    BytecodeCompiler(lambda _: ended.set()).start(wanted)
    await asyncio.wait_for(ended.wait(), PATIENCE)
    await never.stop()

    assert list(wanted.rglob("some.*.pyc"))
    assert not list(unwanted.rglob("*.pyc"))


async def test_an_environment_that_cannot_be_measured_is_not_measured_for_ever(
    catalogue: Callable[[Told], Catalogue], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each end of a measurement has clients list again, and a listing measures what is missing."""
    make_prefix(tmp_path / "own" / "a")
    make_prefix(tmp_path / "own" / "b")
    measured: list[Path] = []

    def usage(prefix: Path) -> tuple[int, int]:
        measured.append(prefix)
        if prefix.name == "a":
            raise PermissionError(13, "Permission denied", str(prefix))
        return disk_usage(prefix)

    monkeypatch.setattr(module, "disk_usage", usage)
    told = asyncio.Event()
    looked = Catalogue(
        EnvironmentScanner(tmp_path / "own"), KernelspecWriter(tmp_path / "kernels"), told.set, lambda: None
    )
    found = (await looked.look()).environments
    told.clear()
    looked.measure_missing([*found])
    await asyncio.wait_for(told.wait(), PATIENCE)
    again = (await looked.look()).environments
    looked.measure_missing([*again])
    await looked.close()

    assert [path.name for path in measured] == ["a", "b"]
    assert [each.size is None for each in again] == [True, False]


async def test_an_environment_that_conda_forgot_is_told_to_it_again(
    catalogue: Callable[[Told], Catalogue], tmp_path: Path
) -> None:
    looked = catalogue(Told())
    prefix = make_prefix(tmp_path / "own" / "env")
    await looked.look()
    assert str(prefix) in environments_file().read_text().splitlines()

    assert unregister(prefix)
    assert str(prefix) not in environments_file().read_text().splitlines()
    await looked.look()

    assert environments_file().read_text().splitlines() == [str(prefix)]
