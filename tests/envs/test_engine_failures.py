"""Bad days: each fault is made to happen, and has to end in a clear message with a next step."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from certipy import Certipy

from jupyter_mlinfn.disk import Need
from jupyter_mlinfn.envs.condarc import Condarc
from jupyter_mlinfn.envs.engine import Engine
from jupyter_mlinfn.envs.models import Plan
from jupyter_mlinfn.envs.sources import EngineSettings
from jupyter_mlinfn.envs.worker.failures import Place, translate
from jupyter_mlinfn.envs.worker_process import command
from jupyter_mlinfn.errors import (
    BadInputError,
    DependencyError,
    MlinfnError,
    NoSpaceError,
    NotAllowedError,
)
from tests.support.channel_server import ChannelServer, Fault
from tests.support.packages import PLACEHOLDER, Channel, Package

from ..support.patience import until

KERNEL = Package("ipykernel", files={"share/jupyter/kernels/python3/kernel.json": b"{}"})


@pytest.fixture
def channel(tmp_path: Path) -> Channel:
    channel = Channel(tmp_path / "channel")
    channel.add(
        KERNEL,
        Package("alpha", files={"share/alpha": os.urandom(300_000)}),
        Package(
            "binary",
            files={"bin/tool": b"\0\x7fELF\0" + PLACEHOLDER.encode() + b"\0"},
            prefix_files={"bin/tool": "binary"},
        ),
    )
    channel.write()
    return channel


@pytest.fixture
def server(channel: Channel) -> Iterator[ChannelServer]:
    with ChannelServer(channel.folder) as server:
        yield server


@pytest.fixture
def engine(
    tmp_path: Path, server: ChannelServer, jp_asyncio_loop: asyncio.AbstractEventLoop
) -> Iterator[Engine]:
    engine = make(tmp_path / "envs" / ".mlinfn", server.url)
    yield engine
    jp_asyncio_loop.run_until_complete(engine.close())


def make(state: Path, *channels: str, condarc: Condarc | None = None, **more: object) -> Engine:
    settings = EngineSettings(channels, state / "pkgs", state / "repodata", **more)  # type: ignore[arg-type]
    return Engine(settings, condarc=condarc or Condarc())


async def install(engine: Engine, prefix: Path, *specs: str) -> list[str]:
    log: list[str] = []
    await engine.install(prefix, specs, on_progress=lambda progress: None, on_log=log.append)
    return log


def check(error: MlinfnError, kind: type[MlinfnError], *words: str) -> None:
    """Of that kind, with those words somewhere, and complete."""
    assert type(error) is kind
    assert error.message
    assert error.reason
    assert error.hint
    for word in words:
        assert word in str(error)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("404", "not a channel"),
        ("403", "refuses access"),
        ("500", "HTTP 500"),
        ("truncate", "broke off half way"),
        ("corrupt", "cannot be read"),
    ],
)
async def test_a_broken_channel(engine: Engine, server: ChannelServer, fault: Fault, words: str) -> None:
    server.faults["repodata"] = fault
    with pytest.raises(DependencyError) as caught:
        await engine.plan(["alpha"])
    check(caught.value, DependencyError, words, server.url)
    server.faults.clear()
    assert (await engine.plan(["alpha"])).packages


async def test_a_channel_that_is_not_there(engine: Engine, server: ChannelServer) -> None:
    server.refuse()
    with pytest.raises(DependencyError) as caught:
        await engine.plan(["alpha"])
    check(caught.value, DependencyError, "connection refused", server.url)
    server.listen()
    assert (await engine.plan(["alpha"])).packages


async def test_a_host_without_a_name_and_a_folder_that_is_missing(tmp_path: Path) -> None:
    for url, word in (
        ("http://nowhere.invalid/c", "not known in this network"),
        ((tmp_path / "none").as_uri(), "not a channel"),
    ):
        engine = make(tmp_path / "state", url)
        with pytest.raises(DependencyError) as caught:
            await engine.plan(["alpha"])
        check(caught.value, DependencyError, word)
        await engine.close()


async def test_a_channel_that_never_answers(server: ChannelServer, tmp_path: Path) -> None:
    engine = make(tmp_path / "state", server.url, stall_timeout=0.5)
    server.faults["repodata"] = "hang"
    with pytest.raises(DependencyError) as caught:
        await engine.plan(["alpha"])
    check(caught.value, DependencyError, "Nothing has arrived", server.url)
    server.faults.clear()
    assert await until_planned(engine)
    await engine.close()


async def until_planned(engine: Engine) -> Plan:
    """A plan of an engine that waits so briefly that a busy machine may be too slow for it at first."""
    while True:
        try:
            return await engine.plan(["alpha"])
        except DependencyError as error:
            check(error, DependencyError, "Nothing has arrived")


async def test_a_download_that_stops_half_way(server: ChannelServer, tmp_path: Path) -> None:
    engine = make(tmp_path / "state", server.url, stall_timeout=0.5)
    server.faults["alpha-"] = "stall"
    # A busy machine may be too slow for so short a time before it comes to the package.
    while not server.hanging.is_set():
        with pytest.raises(DependencyError) as caught:
            await install(engine, tmp_path / "envs" / "e", "alpha")
        check(caught.value, DependencyError, "Nothing has arrived")
    await engine.close()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("404", "there is no such file"),
        ("500", "HTTP 500"),
        ("truncate", "arrived only in part"),
        ("corrupt", "arrived damaged"),
    ],
)
async def test_a_package_that_does_not_arrive(
    engine: Engine, server: ChannelServer, tmp_path: Path, fault: Fault, words: str
) -> None:
    server.faults["alpha-"] = fault
    with pytest.raises(DependencyError) as caught:
        await install(engine, tmp_path / "envs" / "e", "alpha")
    check(caught.value, DependencyError, words, "alpha-1.0-0")


async def test_a_wrong_hash(engine: Engine, channel: Channel, tmp_path: Path) -> None:
    other = Package("alpha", files={"share/alpha": os.urandom(300_000)})
    (channel.folder / "noarch" / other.file_name).write_bytes(other.archive())
    with pytest.raises(DependencyError) as caught:
        await install(engine, tmp_path / "envs" / "e", "alpha")
    check(caught.value, DependencyError, "wrong checksum", "alpha-1.0-0")
    assert not (tmp_path / "envs" / "e" / "share" / "alpha").exists()


async def test_a_retry_is_told(engine: Engine, server: ChannelServer, tmp_path: Path) -> None:
    server.faults["alpha-"] = "truncate"
    log: list[str] = []

    def on_log(line: str) -> None:
        log.append(line)
        if line.startswith("retrying"):
            server.faults.clear()

    await engine.install(tmp_path / "envs" / "e", ["alpha"], on_progress=lambda progress: None, on_log=on_log)
    assert any(line.startswith("retrying alpha 1.0") for line in log)


async def test_a_prefix_too_long_for_a_placeholder(engine: Engine, tmp_path: Path) -> None:
    prefix = tmp_path / ("x" * 200) / ("y" * 100)
    with pytest.raises(BadInputError) as caught:
        await install(engine, prefix, "binary")
    check(caught.value, BadInputError, "too long", "binary-1.0-0")
    assert "name" in caught.value.fields


async def test_a_file_in_the_way(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInputError) as caught:
        await install(engine, tmp_path / "file" / "e", "alpha")
    check(caught.value, BadInputError, "in the way")


def mount(folder: Path, options: str) -> None:
    """A tmpfs of our own, where the system lets us have one."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.decode().strip()}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    mount(folder, "size=200k")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_too_little_space_is_seen_before(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_disk: Path
) -> None:
    with pytest.raises(NoSpaceError) as caught:
        await install(engine, small_disk / "e", "alpha")
    check(caught.value, NoSpaceError, "not enough space", "are missing")
    assert not (small_disk / "e").exists()


async def test_a_disk_that_fills_during_the_work(
    server: ChannelServer, tmp_path: Path, small_disk: Path
) -> None:
    # The prefix has room, the package cache lies on the small disk.
    engine = Engine(
        EngineSettings([server.url], small_disk / "pkgs", tmp_path / "repodata"), condarc=Condarc()
    )
    with pytest.raises(NoSpaceError) as caught:
        await install(engine, tmp_path / "envs" / "e", "alpha")
    check(caught.value, NoSpaceError, "disk is full")


async def test_a_disk_that_fills_while_a_record_is_written(engine: Engine, tmp_path: Path) -> None:
    prefix = tmp_path / "envs" / "e"
    prefix.mkdir(parents=True)
    records = prefix / "conda-meta"
    mount(records, "size=4k")
    try:
        (records / "others").write_bytes(bytes(4096))
        with pytest.raises(NoSpaceError) as caught:
            await install(engine, prefix, "alpha")
        check(caught.value, NoSpaceError, "full", "are free")
        left = [each.name for each in records.iterdir() if each.name.endswith(".json")]
        assert left
        assert not any((records / name).stat().st_size for name in left)
        # Once there is room, what it left is no obstacle.
        (records / "others").unlink()
        subprocess.run(["mount", "-o", "remount,size=1m", str(records)], check=True)
        log = await install(engine, prefix, "alpha")
        assert any("cut off" in line for line in log)
        assert {json.loads(each.read_bytes())["name"] for each in records.glob("*.json")} >= {"alpha"}
        assert (prefix / "share" / "alpha").stat().st_size == 300_000
    finally:
        subprocess.run(["umount", "-l", str(records)], check=True)


async def test_a_read_only_folder(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "readonly"
    mount(folder, "ro")
    try:
        with pytest.raises((NotAllowedError, NoSpaceError)) as caught:
            await install(engine, folder / "e", "alpha")
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
    check(caught.value, NotAllowedError, "read-only")


async def test_a_full_cache_folder_that_cannot_be_made(server: ChannelServer, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    engine = make(tmp_path / "state", server.url)
    with pytest.raises(MlinfnError) as caught:
        await engine.plan(["alpha"])
    assert "cache" in caught.value.message
    assert caught.value.reason
    await engine.close()


async def test_storage_that_goes_away_during_the_work(
    engine: Engine, server: ChannelServer, tmp_path: Path
) -> None:
    server.faults["alpha-"] = "stall"
    prefix = tmp_path / "envs" / "e"
    task = asyncio.create_task(install(engine, prefix, "alpha"))
    await until(server.hanging.is_set)
    (tmp_path / "envs").rename(tmp_path / "away")
    server.faults.clear()
    server.release.set()
    with pytest.raises(DependencyError) as caught:
        await task
    check(caught.value, DependencyError)


async def test_a_solve_that_would_not_fit_is_refused_in_words(
    engine: Engine, server: ChannelServer, tmp_path: Path
) -> None:
    tight = make(tmp_path / "tight", server.url, memory_budget=20_000_000)
    with pytest.raises(NoSpaceError) as caught:
        await tight.plan(["alpha"])
    check(caught.value, NoSpaceError, "memory", "Shut down kernels")
    assert (await engine.plan(["alpha"])).packages
    await tight.close()


async def test_a_certificate_that_nobody_vouches_for(
    server: ChannelServer, channel: Channel, tmp_path: Path
) -> None:
    certificates = Certipy(store_dir=str(tmp_path / "certificates"))
    authority = certificates.create_ca("authority")["files"]["cert"]
    pair = certificates.create_signed_pair(
        "localhost", "authority", alt_names=["DNS:localhost", "IP:127.0.0.1"]
    )["files"]
    certificate, key = Path(pair["cert"]), Path(pair["key"])
    with ChannelServer(channel.folder, certificate=certificate, key=key) as secure:
        refused = make(tmp_path / "a", secure.url)
        with pytest.raises(DependencyError) as caught:
            await refused.plan(["alpha"])
        check(caught.value, DependencyError, "certificate")
        await refused.close()
        for verify in (False, authority):
            engine = make(tmp_path / "b", secure.url, condarc=Condarc(ssl_verify=verify))
            assert (await engine.plan(["alpha"])).packages
            await engine.close()


@pytest.mark.parametrize(
    ("text", "kind", "word"),
    [
        ("failed to link x\nCaused by: Disk quota exceeded (os error 122)", NoSpaceError, "quota"),
        ("failed to open `/p/e`: Stale file handle (os error 116)", DependencyError, "went away"),
        ("failed to open `/p/e`: Input/output error (os error 5)", DependencyError, "went away"),
        ("failed to create `/p/e`: Permission denied (os error 13)", NotAllowedError, "/p/e"),
        ("called `Option::unwrap()` on a `None` value", DependencyError, "unwrap"),
    ],
)
def test_what_cannot_be_made_to_happen_here(text: str, kind: type[MlinfnError], word: str) -> None:
    error = translate(RuntimeError(text), "It failed.", Place(Path("/p/e"), Need(5)))
    check(error, kind, word)


def test_a_full_disk_says_how_much_is_missing(tmp_path: Path) -> None:
    needed = shutil.disk_usage(tmp_path).free + 3 * 10**9
    error = translate(OSError(28, "No space left on device"), "It failed.", Place(tmp_path, Need(needed)))
    check(error, NoSpaceError, "3.0 GB more")


def test_no_credentials_in_any_translation() -> None:
    text = "error sending request for url (https://me:pw@h/t/tk-1/c/noarch/repodata.json)"
    error = translate(RuntimeError(text), "It failed.")
    assert "pw" not in str(error)
    assert "tk-1" not in str(error)


def test_what_a_library_prints_does_not_get_between_the_messages(tmp_path: Path) -> None:
    (tmp_path / "rattler.py").write_text(
        "import os, sys\n"
        "print('noise of Python', flush=True)\n"
        "os.write(1, b'noise of C')\n"
        "del sys.path[1], sys.modules['rattler']\n"
        "import rattler\n"
    )
    begin = command()
    begin.insert(begin.index("-S") + 2, str(tmp_path))
    pipe = subprocess.PIPE
    with subprocess.Popen(begin, stdin=pipe, stdout=pipe, stderr=pipe) as worker:
        assert worker.stdin
        assert worker.stdout
        worker.stdin.write(b'{"id": 1, "op": "none"}\n')
        worker.stdin.flush()
        said = worker.stdout.readline()
        rest, noise = worker.communicate()
    assert b"noise of Python" in noise
    assert b"noise of C" in noise
    assert [json.loads(line)["type"] for line in (said + rest).splitlines()] == ["error"]


async def test_a_pin_that_cannot_be_read(server: ChannelServer, tmp_path: Path) -> None:
    engine = make(tmp_path / "state", server.url, condarc=Condarc(pinned_packages=["numpy ><2"]))
    with pytest.raises(BadInputError) as caught:
        await engine.plan(["alpha"])
    check(caught.value, BadInputError, "numpy ><2", "pinned_packages")
    await engine.close()
