"""The guard of the package cache, with real packages linked by rattler."""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_mlinfn.envs.condarc import Condarc
from jupyter_mlinfn.envs.engine import Engine
from jupyter_mlinfn.envs.sources import EngineSettings
from jupyter_mlinfn.envs.worker import cache_guard
from tests.support.channel_server import ChannelServer
from tests.support.packages import PLACEHOLDER, Channel, Package, tiny_kernel_stack

from ..support.patience import until

NUMPY = "numpy-2.1.0-0"
FILE = "share/numpy.txt"
CONTENT = b"N" * 3000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ChannelServer]:
    channel = Channel(tmp_path / "channel")
    channel.add(*tiny_kernel_stack())
    channel.add(
        Package(
            "tool",
            files={"bin/tool": b"#!/bin/sh\necho tool\n", "etc/tool": PLACEHOLDER.encode()},
            prefix_files={"etc/tool": "text"},
            executable=["bin/tool"],
        ),
    )
    channel.write()
    with ChannelServer(channel.folder) as server:
        yield server


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "envs" / ".mlinfn"


@pytest.fixture
def cache(state: Path) -> Path:
    return state / "pkgs"


@pytest.fixture
def engine(
    state: Path, server: ChannelServer, jp_asyncio_loop: asyncio.AbstractEventLoop
) -> Iterator[Engine]:
    engine = Engine(EngineSettings([server.url], state / "pkgs", state / "repodata"), condarc=Condarc())
    yield engine
    jp_asyncio_loop.run_until_complete(engine.close())


async def install(engine: Engine, prefix: Path, *specs: str) -> Path:
    await engine.install(prefix, specs or ("numpy", "tool"), on_progress=_ignore, on_log=_ignore)
    return prefix


def _ignore(_: object) -> None:
    """Neither progress nor log are looked at here."""


def stems(cache: Path) -> list[str]:
    return sorted(entry.name for entry in cache.iterdir() if (entry / "info").is_dir())


@pytest.fixture(params=["stamped", "not stamped"])
def prepare(request: pytest.FixtureRequest, cache: Path) -> Callable[[], None]:
    """What has happened to the cache before somebody does something to it."""
    return (lambda: cache_guard.remember(cache, stems(cache))) if request.param == "stamped" else lambda: None


async def test_what_was_unpacked_is_good(engine: Engine, tmp_path: Path, cache: Path) -> None:
    await install(engine, tmp_path / "envs" / "a")

    assert cache_guard.verify(cache, stems(cache)) == []
    assert all((cache / stem / cache_guard.STAMP).is_file() for stem in stems(cache))
    assert cache_guard.verify(cache, stems(cache)) == []


async def test_a_file_edited_in_an_environment_does_not_reach_the_next(
    engine: Engine, tmp_path: Path, cache: Path, state: Path, prepare: Callable[[], None]
) -> None:
    a = await install(engine, tmp_path / "envs" / "a")
    prepare()
    (a / FILE).write_bytes(b"E" * 3000)
    assert (cache / NUMPY / FILE).read_bytes() == b"E" * 3000, "rattler made no hard link"

    assert cache_guard.ensure(cache, stems(cache), state / "trash") == [NUMPY]

    b = await install(engine, tmp_path / "envs" / "b")
    assert (b / FILE).read_bytes() == CONTENT
    assert (cache / NUMPY / FILE).read_bytes() == CONTENT
    assert (a / FILE).read_bytes() == b"E" * 3000
    assert not (b / FILE).samefile(a / FILE)
    assert cache_guard.verify(cache, stems(cache)) == []
    assert len(list((state / "trash").iterdir())) == 1


def _delete(cache: Path) -> None:
    (cache / NUMPY / FILE).unlink()


def _truncate(cache: Path) -> None:
    os.truncate(cache / NUMPY / FILE, 10)


def _remove_half(cache: Path) -> None:
    (cache / NUMPY / "info" / "paths.json").unlink()
    (cache / NUMPY / "info" / "index.json").unlink()


def _empty(cache: Path) -> None:
    subprocess.run(["rm", "-r", str(cache / NUMPY)], check=True)
    (cache / NUMPY).mkdir()


def _folder_for_file(cache: Path) -> None:
    (cache / NUMPY / FILE).unlink()
    (cache / NUMPY / FILE).mkdir()


def _index_cut_off(cache: Path) -> None:
    os.truncate(cache / NUMPY / "info" / "index.json", 5)


def _escaping(cache: Path) -> None:
    (cache / NUMPY / "info" / "paths.json").write_text('{"paths": [{"_path": "../../x"}]}')


@pytest.mark.parametrize(
    "damage", [_delete, _truncate, _remove_half, _empty, _folder_for_file, _index_cut_off, _escaping]
)
async def test_a_damaged_package_is_fetched_anew(
    damage: Callable[[Path], None],
    engine: Engine,
    tmp_path: Path,
    cache: Path,
    state: Path,
    prepare: Callable[[], None],
) -> None:
    await install(engine, tmp_path / "envs" / "a")
    prepare()
    damage(cache)

    assert cache_guard.ensure(cache, [*stems(cache), NUMPY], state / "trash") == [NUMPY]

    b = await install(engine, tmp_path / "envs" / "b")
    assert (b / FILE).read_bytes() == CONTENT


async def test_a_lost_right_to_run_is_found(engine: Engine, tmp_path: Path, cache: Path) -> None:
    a = await install(engine, tmp_path / "envs" / "a")
    cache_guard.remember(cache, stems(cache))
    (a / "bin" / "tool").chmod(0o644)

    assert cache_guard.verify(cache, stems(cache)) == ["tool-1.0-0"]


async def test_a_file_made_unreadable_is_found(engine: Engine, tmp_path: Path, cache: Path) -> None:
    a = await install(engine, tmp_path / "envs" / "a")
    cache_guard.remember(cache, stems(cache))
    (a / FILE).chmod(0)

    assert cache_guard.verify(cache, stems(cache)) == [NUMPY]


async def test_a_file_only_touched_is_good(engine: Engine, tmp_path: Path, cache: Path) -> None:
    a = await install(engine, tmp_path / "envs" / "a")
    cache_guard.remember(cache, stems(cache))
    before = (cache / NUMPY / cache_guard.STAMP).read_bytes()
    os.utime(a / FILE)
    os.utime(cache / NUMPY / "info" / "index.json")

    assert cache_guard.verify(cache, stems(cache)) == []
    assert (cache / NUMPY / cache_guard.STAMP).read_bytes() != before, "it would be hashed each time"


async def test_a_changed_list_of_files_is_found(engine: Engine, tmp_path: Path, cache: Path) -> None:
    await install(engine, tmp_path / "envs" / "a")
    cache_guard.remember(cache, stems(cache))
    paths = cache / NUMPY / "info" / "paths.json"
    paths.write_text(paths.read_text().replace("numpy.txt", "other.txt"))
    (cache / NUMPY / FILE).rename(cache / NUMPY / "share" / "other.txt")
    (cache / NUMPY / FILE).write_bytes(CONTENT)

    assert cache_guard.verify(cache, stems(cache)) == [NUMPY]


async def test_remembering_again_does_not_hide_an_edit(engine: Engine, tmp_path: Path, cache: Path) -> None:
    a = await install(engine, tmp_path / "envs" / "a")
    cache_guard.remember(cache, stems(cache))
    (a / FILE).write_bytes(b"E" * 3000)
    cache_guard.remember(cache, stems(cache))

    assert cache_guard.verify(cache, stems(cache)) == [NUMPY]


async def test_a_stamp_cut_off_is_none(engine: Engine, tmp_path: Path, cache: Path) -> None:
    a = await install(engine, tmp_path / "envs" / "a")
    cache_guard.remember(cache, stems(cache))
    for text in ("", '{"version": 1', '{"version": 1, "files": [], "info": 1}', "[]"):
        (cache / NUMPY / cache_guard.STAMP).write_text(text)
        assert cache_guard.verify(cache, [NUMPY]) == []
    (cache / NUMPY / cache_guard.STAMP).write_text("")
    (a / FILE).write_bytes(b"e")

    assert cache_guard.verify(cache, [NUMPY]) == [NUMPY]


async def test_a_deleted_cache_is_nothing_to_worry_about(
    engine: Engine, tmp_path: Path, cache: Path, state: Path
) -> None:
    await install(engine, tmp_path / "envs" / "a")
    known = stems(cache)
    subprocess.run(["rm", "-r", str(cache)], check=True)

    cache_guard.remember(cache, known)
    assert cache_guard.ensure(cache, known, state / "trash") == []
    cache_guard.evict(cache, known, state / "trash")

    b = await install(engine, tmp_path / "envs" / "b")
    assert (b / FILE).read_bytes() == CONTENT


async def test_nothing_is_moved_while_an_installation_links(
    engine: Engine, tmp_path: Path, cache: Path, state: Path, server: ChannelServer
) -> None:
    await install(engine, tmp_path / "envs" / "a", "python")
    server.faults["numpy"] = "hold"
    installing = asyncio.ensure_future(install(engine, tmp_path / "envs" / "b", "numpy"))
    await until(server.hanging.is_set)

    # In a process of its own: what waits for a lock cannot be stopped otherwise.
    evicting = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _EVICT, str(cache), str(state / "trash")), stdout=asyncio.subprocess.PIPE
    )
    assert evicting.stdout is not None
    assert await evicting.stdout.readline() == b"held\n"
    with (cache / ".cache.lock").open() as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert evicting.returncode is None
    assert (cache / "python-3.12.4-0").is_dir()

    server.release.set()
    b = await installing
    assert await evicting.wait() == 0
    assert not (cache / "python-3.12.4-0").exists()
    assert (b / FILE).read_bytes() == CONTENT
    assert (b / "bin" / "python").exists(), "it was torn by the eviction"


_EVICT = f"""
import fcntl, sys
from pathlib import Path
from {cache_guard.__name__} import evict

def tell(descriptor, how, lock=fcntl.flock):
    try:
        lock(descriptor, how | fcntl.LOCK_NB)
        print("free", flush=True)
    except BlockingIOError:
        print("held", flush=True)
        lock(descriptor, how)

fcntl.flock = tell
evict(Path(sys.argv[1]), ["python-3.12.4-0"], Path(sys.argv[2]))
"""
"""Says whether somebody holds the lock that it needs."""


@pytest.mark.parametrize("stem", ["", ".x", "../a-1-0", "a/b-1-0"])
def test_only_packages_are_looked_at(tmp_path: Path, stem: str) -> None:
    with pytest.raises(ValueError, match="no name of a package"):
        cache_guard.verify(tmp_path, [stem])


def test_a_trash_on_another_volume_will_do(tmp_path: Path) -> None:
    cache = tmp_path / "pkgs"
    (cache / NUMPY / "info").mkdir(parents=True)
    (cache / f"{NUMPY}.lock").touch()
    other = Path("/dev/shm") / f"trash-{os.getpid()}"  # noqa: S108 - a second volume
    try:
        cache_guard.evict(cache, [NUMPY], other)
    finally:
        other.rmdir()

    assert [entry.name[: len(NUMPY) + 1] for entry in cache.iterdir() if entry.name != ".cache.lock"] == [
        f".{NUMPY}"
    ]
