"""The engine against real packages from a channel over HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jupyter_mlinfn.envs.condarc import Condarc
from jupyter_mlinfn.envs.engine import Engine, Superseded
from jupyter_mlinfn.envs.models import Progress
from jupyter_mlinfn.envs.sources import EngineSettings
from jupyter_mlinfn.envs.worker_process import environment
from jupyter_mlinfn.errors import BadInputError, DependencyError, NotFoundError, UnsolvableError
from tests.support.channel_server import ChannelServer
from tests.support.packages import PLACEHOLDER, Channel, Package, tiny_kernel_stack

from ..support.patience import until
from ..support.processes import children_with, is_at_work
from ..support.proof import note

SECRET = "s3cretpassw0rd"


@pytest.fixture
def channel(tmp_path: Path) -> Channel:
    channel = Channel(tmp_path / "channel")
    channel.add(*tiny_kernel_stack())
    channel.add(
        Package("xeus-lua", files={"share/jupyter/kernels/lua/kernel.json": b'{"argv": ["lua"]}'}),
        Package("scripted", files={"bin/.scripted-post-link.sh": b"exit 1\n", "share/s": b"s"}),
        Package("big", files={"share/big": os.urandom(2_000_000)}),
        Package("notebook", depends=["ipykernel"]),
        Package("lua-suite", depends=["xeus-lua"]),
        Package("old", "0.9", format=".tar.bz2", files={"share/old.txt": b"old"}),
    )
    channel.write()
    return channel


@pytest.fixture
def server(channel: Channel) -> Iterator[ChannelServer]:
    with ChannelServer(channel.folder) as server:
        yield server


def settings(tmp_path: Path, *channels: str, **more: object) -> EngineSettings:
    state = tmp_path / "envs" / ".mlinfn"
    return EngineSettings(list(channels), state / "pkgs", state / "repodata", **more)  # type: ignore[arg-type]


@pytest.fixture
def engine(
    tmp_path: Path, server: ChannelServer, jp_asyncio_loop: asyncio.AbstractEventLoop
) -> Iterator[Engine]:
    engine = Engine(settings(tmp_path, server.url), condarc=Condarc())
    yield engine
    jp_asyncio_loop.run_until_complete(engine.close())


def nothing(_: object) -> None:
    """For callbacks that a test does not look at."""


async def test_a_plan_says_what_would_be_done(engine: Engine) -> None:
    plan = await engine.plan(["numpy"])
    assert {package.name: package.version for package in plan.packages} == {
        "ipykernel": "6.29.5",
        "numpy": "2.1.0",
        "python": "3.12.4",
        "traitlets": "5.14.3",
    }
    assert plan.added_specs == ["ipykernel"]
    assert plan.specs == ["numpy", "ipykernel"]
    assert plan.download_bytes == sum(package.size or 0 for package in plan.packages)
    assert plan.estimated
    assert plan.installed_bytes > plan.download_bytes
    assert not any(package.cached for package in plan.packages)
    assert plan.to_json()["package_count"] == 4


@pytest.mark.parametrize(
    ("specs", "added"),
    [
        (["ipykernel"], []),
        (["xeus-lua"], []),
        (["python=3.11"], ["ipykernel"]),
        ([], ["ipykernel"]),
        (["old"], ["ipykernel"]),
        (["notebook"], []),
        (["lua-suite"], []),
    ],
)
async def test_ipykernel_is_added_where_no_kernel_is(
    engine: Engine, specs: list[str], added: list[str]
) -> None:
    plan = await engine.plan(specs)
    assert plan.added_specs == added
    assert ("python" in {package.name for package in plan.packages}) == (
        specs not in (["xeus-lua"], ["lua-suite"])
    )


async def test_install_makes_a_prefix_that_conda_takes_for_its_own(
    engine: Engine, server: ChannelServer, tmp_path: Path
) -> None:
    prefix = tmp_path / "envs" / "work"
    result = await engine.install(prefix, ["numpy", "old"], on_progress=nothing, on_log=nothing)
    assert result.link_scripts_not_run == []
    assert (prefix / "share" / "numpy.txt").read_bytes() == b"N" * 3000
    assert (prefix / "share" / "old.txt").read_bytes() == b"old"
    assert (prefix / "lib" / "prefix.txt").read_text() == str(prefix)
    assert (prefix / "bin" / "python").stat().st_mode & stat.S_IXUSR
    assert sorted(path.name for path in prefix.iterdir()) == ["bin", "conda-meta", "lib", "share"]
    assert not list((prefix / "conda-meta").glob("prefix_record_*"))
    records = {
        record["name"]: record
        for record in (json.loads(path.read_text()) for path in (prefix / "conda-meta").glob("*.json"))
    }
    assert records["numpy"]["requested_specs"] == ["numpy"]
    assert records["ipykernel"]["requested_specs"] == ["ipykernel"]
    assert not records["traitlets"].get("requested_specs")
    history = (prefix / "conda-meta" / "history").read_text().splitlines()
    assert re.fullmatch(r"==> \d{4}-\d\d-\d\d \d\d:\d\d:\d\d <==", history[0])
    assert history[1] == "# cmd: jupyter mlinfn env create work numpy old ipykernel"
    assert f"+{server.url}/noarch::numpy-2.1.0-0" in history
    assert f"+{server.url}/linux-64::python-3.12.4-0" in history
    assert history[-1] == "# update specs: ['numpy', 'old', 'ipykernel']"


async def test_a_second_one_is_hard_linked_and_costs_what_the_plan_says(
    engine: Engine, server: ChannelServer, tmp_path: Path
) -> None:
    await engine.install(tmp_path / "envs" / "one", ["big"], on_progress=nothing, on_log=nothing)
    server.requests.clear()
    two = tmp_path / "envs" / "two"
    plan = await engine.plan(["big"], prefix=two)
    assert not plan.estimated
    assert plan.download_bytes == 0
    assert all(package.cached for package in plan.packages)
    await engine.install(two, ["big"], on_progress=nothing, on_log=nothing)
    assert not [path for _, path in server.requests if path.endswith(".conda")]
    assert (two / "share" / "big").stat().st_nlink == 3
    own = [path for path in two.rglob("*") if path.is_dir() or path.stat().st_nlink == 1]
    size = sum(path.stat().st_size for path in own if path.is_file())
    assert plan.installed_bytes < 10_000
    assert size / 3 < plan.installed_bytes < size * 3
    assert len(own) / 2 < plan.installed_files < len(own) * 2


async def test_progress_is_true_and_the_log_can_be_read(
    engine: Engine, server: ChannelServer, tmp_path: Path
) -> None:
    await engine.plan(["big"])
    # It comes in four parts, each when what was told of the one before has been seen.
    server.faults["big-"] = "quarters"
    (package,) = (tmp_path / "channel" / "noarch").glob("big-*")
    quarter = package.stat().st_size // 4
    seen: list[Progress] = []
    log: list[str] = []
    asked = 0

    def on_progress(progress: Progress) -> None:
        nonlocal asked
        seen.append(progress)
        arrived = (progress.bytes_done or 0) >= (asked + 1) * quarter
        if asked < 3 and arrived and (asked < 2 or progress.seconds_left):
            asked += 1
            server.step.release()

    result = await engine.install(
        tmp_path / "envs" / "e", ["big"], on_progress=on_progress, on_log=log.append
    )
    assert asked == 3
    phases = list(dict.fromkeys(progress.phase for progress in seen))
    assert phases == ["preparing", "solving", "downloading", "linking", "finishing"]
    downloading = [progress for progress in seen if progress.phase == "downloading"]
    amounts = [progress.bytes_done or 0 for progress in downloading]
    assert amounts == sorted(amounts)
    assert len({amount for amount in amounts if 0 < amount < result.plan.download_bytes}) >= 3
    assert {progress.bytes_total for progress in downloading} == {result.plan.download_bytes}
    assert any(progress.seconds_left for progress in downloading)
    last = [progress for progress in seen if progress.phase == "linking"][-1]
    assert (last.packages_done, last.packages_total) == (4, 4)
    assert last.bytes_done == result.plan.download_bytes
    assert "downloading big 1.0 (2.0 MB)" in log
    assert "linked big 1.0" in log


async def test_a_folder_as_channel_counts_its_bytes_too(channel: Channel, tmp_path: Path) -> None:
    engine = Engine(settings(tmp_path, channel.url), condarc=Condarc())
    seen: list[Progress] = []
    result = await engine.install(tmp_path / "envs" / "e", ["big"], on_progress=seen.append, on_log=nothing)
    linking = [progress for progress in seen if progress.phase == "linking"]
    assert linking[-1].bytes_done == result.plan.download_bytes > 2_000_000
    await engine.close()


async def test_link_scripts_are_listed_and_not_run(engine: Engine, tmp_path: Path) -> None:
    result = await engine.install(tmp_path / "envs" / "e", ["scripted"], on_progress=nothing, on_log=nothing)
    assert result.link_scripts_not_run == ["scripted"]


async def test_cancelling_kills_the_whole_group(
    engine: Engine, server: ChannelServer, tmp_path: Path
) -> None:
    before = set(psutil.Process().children(recursive=True))
    server.faults["big-"] = "stall"
    task = asyncio.create_task(
        engine.install(tmp_path / "envs" / "e", ["big"], on_progress=nothing, on_log=nothing)
    )
    await until(server.hanging.is_set)
    workers = set(psutil.Process().children(recursive=True)) - before
    assert workers
    assert all(os.getpgid(worker.pid) != os.getpgid(0) for worker in workers)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(worker.is_running() for worker in workers)


async def test_after_a_kill_the_next_installation_repairs_and_sweeps(
    engine: Engine, server: ChannelServer, tmp_path: Path
) -> None:
    prefix = tmp_path / "envs" / "e"
    server.faults["big-"] = "stall"
    task = asyncio.create_task(engine.install(prefix, ["big"], on_progress=nothing, on_log=nothing))
    await until(server.hanging.is_set)
    cache = tmp_path / "envs" / ".mlinfn" / "pkgs"
    await until(lambda: any(path.name.startswith(".big") for path in cache.iterdir()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (prefix / "conda-meta" / "prefix_record_left").write_text("x")
    server.faults.clear()
    server.release.set()
    await engine.install(prefix, ["big"], on_progress=nothing, on_log=nothing)
    assert (prefix / "share" / "big").stat().st_size == 2_000_000
    assert not [path for path in cache.iterdir() if path.name.startswith(".") and path.is_dir()]
    assert not (prefix / "conda-meta" / "prefix_record_left").exists()


async def test_a_shared_cache_is_used_in_place(engine: Engine, server: ChannelServer, tmp_path: Path) -> None:
    await engine.install(tmp_path / "envs" / "e", ["big"], on_progress=nothing, on_log=nothing)
    server.requests.clear()
    other = tmp_path / "other"
    second = Engine(
        settings(other, server.url, shared_pkgs=[tmp_path / "envs" / ".mlinfn" / "pkgs"]), condarc=Condarc()
    )
    await second.install(other / "envs" / "e", ["big"], on_progress=nothing, on_log=nothing)
    assert not [path for _, path in server.requests if path.endswith(".conda")]
    assert (other / "envs" / "e" / "share" / "big").stat().st_nlink == 3
    await second.close()


async def test_search_ranks_and_knows_newest_versions_and_summaries(engine: Engine) -> None:
    hits = await engine.search("py")
    assert [hit.name for hit in hits] == ["python", "ipykernel", "numpy"][:1] + [hit.name for hit in hits[1:]]
    assert {hit.name for hit in hits} == {"python", "ipykernel", "numpy"}
    (numpy,) = await engine.search("numpy")
    assert (numpy.version, numpy.summary) == ("2.1.0", "Arrays, the fundamental package")
    assert len(await engine.search("t", limit=2)) == 2
    assert await engine.search("no such thing") == []
    assert await engine.search("  ") == []


async def test_versions_are_in_condas_order(engine: Engine, channel: Channel) -> None:
    channel.add(*(Package("v", version) for version in ("1.9", "1.10", "2.0rc1", "1!0.1")))
    channel.write()
    assert await engine.versions("v") == ("", ["1!0.1", "2.0rc1", "1.10", "1.9"])
    with pytest.raises(NotFoundError) as caught:
        await engine.versions("nunpy")
    assert "numpy" in caught.value.hint


async def test_a_channel_without_summaries_is_searched_all_the_same(engine: Engine, channel: Channel) -> None:
    (channel.folder / "channeldata.json").unlink()
    (hit,) = await engine.search("numpy")
    assert hit.summary == ""


async def test_a_newer_plan_takes_the_place_of_an_older(engine: Engine) -> None:
    first = asyncio.create_task(engine.plan(["numpy"]))
    second = asyncio.create_task(engine.plan(["python"]))
    third = asyncio.create_task(engine.plan(["traitlets"]))
    plan = await third
    assert plan.specs == ["traitlets", "ipykernel"]
    for older in (first, second):
        with pytest.raises(Superseded):
            await older


def helpers() -> list[psutil.Process]:
    return children_with("envs/worker/__main__.py")


async def test_one_helper_serves_all_and_ends_when_nobody_asks(tmp_path: Path, server: ChannelServer) -> None:
    engine = Engine(settings(tmp_path, server.url, idle_timeout=0.2), condarc=Condarc())
    server.faults["repodata"] = "hold"
    asking = asyncio.gather(engine.plan(["numpy"]), engine.search("num"), engine.versions("numpy"))
    await until(server.hanging.is_set)
    (helper,) = helpers()
    server.release.set()
    await asking
    await until(lambda: not helper.is_running())
    assert (await engine.plan(["numpy"])).packages
    await engine.close()
    assert helpers() == []


async def test_a_killed_helper_is_one_clear_error(engine: Engine, server: ChannelServer) -> None:
    server.faults["repodata"] = "hang"
    task = asyncio.create_task(engine.plan(["numpy"]))
    await until(server.hanging.is_set)
    (helper,) = helpers()
    helper.send_signal(signal.SIGKILL)
    with pytest.raises(DependencyError) as caught:
        await task
    assert "killed" in caught.value.message
    assert "memory" in caught.value.reason
    server.faults.clear()
    assert (await engine.plan(["numpy"])).packages


async def test_a_worker_dies_with_its_server_and_offers_itself_to_the_kernel(
    engine: Engine, server: ChannelServer, tmp_path: Path
) -> None:
    await engine.search("numpy")
    (helper,) = helpers()
    assert Path(f"/proc/{helper.pid}/oom_score_adj").read_text().strip() == "1000"
    script = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from jupyter_mlinfn.envs.condarc import Condarc\n"
        "from jupyter_mlinfn.envs.engine import Engine\n"
        "from jupyter_mlinfn.envs.sources import EngineSettings\n"
        "state = Path(sys.argv[2])\n"
        "settings = EngineSettings([sys.argv[1]], state / 'pkgs', state / 'repodata')\n"
        "asyncio.run(Engine(settings, condarc=Condarc()).plan(['numpy']))\n"
    )
    # In the middle of its work.
    server.faults["repodata"] = "hang"
    own = subprocess.Popen([sys.executable, "-c", script, server.url, str(tmp_path / "own")])
    await until(server.hanging.is_set)
    (worker,) = psutil.Process(own.pid).children()
    own.kill()
    await asyncio.to_thread(own.wait)
    await until(lambda: not is_at_work(worker))


def test_only_what_is_needed_of_the_environment_is_passed() -> None:
    passed = environment(
        {
            "HOME": "/h",
            "https_proxy": "http://p",
            "CONDA_OVERRIDE_CUDA": "12.4",
            "JUPYTERHUB_API_TOKEN": SECRET,
            "GITHUB_TOKEN": SECRET,
            "CONDA_OVERRIDE_TOKEN": SECRET,
            "PYTHONPATH": "/evil",
        }
    )
    assert SECRET not in json.dumps(passed)
    assert passed["HOME"] == "/h"
    assert passed["https_proxy"] == "http://p"
    assert passed["CONDA_OVERRIDE_CUDA"] == "12.4"
    assert "PYTHONPATH" not in passed


async def test_packages_are_chosen_for_the_cuda_that_is_told(engine: Engine, channel: Channel) -> None:
    channel.add(Package("needs-cuda", depends=["__cuda >=12", "__glibc >=2.17"]))
    channel.write()
    plan = await engine.plan(["needs-cuda"], cuda="12.4")
    assert "needs-cuda" in {package.name for package in plan.packages}
    for cuda, said in ((None, "chosen for the CPU"), ("11.8", "chosen for CUDA 11.8")):
        with pytest.raises(UnsolvableError) as caught:
            await engine.plan(["needs-cuda"], cuda=cuda)
        assert said in caught.value.hint


async def test_no_driver_is_asked_by_the_engine(
    tmp_path: Path, server: ChannelServer, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """rattler runs nvidia-smi where no library tells a version: a sick driver would hang it."""
    asked, programs = tmp_path / "asked", tmp_path / "programs"
    programs.mkdir()
    (programs / "nvidia-smi").write_text(f"#!/bin/sh\ntouch {asked}\n")
    (programs / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    channel.add(
        Package("either", build="cpu_0"),
        Package("either", build="cuda_1", build_number=1, depends=["__cuda"]),
    )
    channel.write()
    engine = Engine(settings(tmp_path, server.url), condarc=Condarc())
    try:
        for cuda, build in (("12.4", "cuda_1"), (None, "cpu_0")):
            plan = await engine.plan(["either"], cuda=cuda)
            assert [package.build for package in plan.packages if package.name == "either"] == [build]
    finally:
        await engine.close()
    assert not asked.exists()


@pytest.mark.parametrize("kind", ["basic", "token", "custom"])
async def test_credentials_reach_the_channel_and_nothing_else(
    server: ChannelServer, tmp_path: Path, kind: str
) -> None:
    host = server.url.removeprefix("http://")
    condarc, channels = Condarc(), [f"http://me:{SECRET}@{host}"]
    if kind == "token":
        channels = [f"http://{host}/t/{SECRET}"]
    elif kind == "custom":
        (tmp_path / "channel" / "lab").symlink_to(tmp_path / "channel")
        condarc, channels = Condarc(custom_channels={"lab": f"http://me:{SECRET}@{host}"}), ["lab"]
    engine = Engine(settings(tmp_path, *channels), condarc=condarc)
    log: list[str] = []
    prefix = tmp_path / "envs" / "e"
    if kind == "token":
        # The server of the tests knows no /t/ paths: what counts is that they are asked for.
        with pytest.raises(DependencyError) as caught:
            await engine.install(prefix, ["old"], on_progress=nothing, on_log=log.append)
        assert any(path.startswith(f"/t/{SECRET}/") for _, path in server.requests)
        log.append(str(caught.value))
    else:
        result = await engine.install(prefix, ["old"], on_progress=nothing, on_log=log.append)
        sent = {headers.get("authorization") for headers in server.headers}
        assert sent == {"Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()}
        log.append(repr(result))
        assert (prefix / "conda-meta" / "history").exists()
    log += engine.channels()
    assert SECRET not in "\n".join(log)
    files = [path for path in (tmp_path / "envs").rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert SECRET.encode() not in path.read_bytes(), path
    await engine.close()


async def test_a_proxy_of_condarc_is_used(
    server: ChannelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    condarc = Condarc(proxy_servers={"http": server.url})
    engine = Engine(settings(tmp_path, "http://nowhere.invalid/channel"), condarc=condarc)
    with pytest.raises(DependencyError):
        await engine.plan(["numpy"])
    assert any("nowhere.invalid" in headers.get("host", "") for headers in server.headers)
    await engine.close()


async def test_pins_and_priority_of_condarc_hold(
    channel: Channel, server: ChannelServer, tmp_path: Path
) -> None:
    other = Channel(tmp_path / "other")
    other.add(Package("old", "5.0"))
    other.write()
    pinned = Engine(settings(tmp_path, server.url), condarc=Condarc(pinned_packages=["numpy <2"]))
    assert {p.name: p.version for p in (await pinned.plan(["numpy"])).packages}["numpy"] == "1.26.4"
    await pinned.close()
    for priority, version in (("strict", "0.9"), ("disabled", "5.0")):
        engine = Engine(
            settings(tmp_path, server.url, other.url),
            condarc=Condarc(channel_priority=priority),  # type: ignore[arg-type]
        )
        assert {p.name: p.version for p in (await engine.plan(["old"])).packages}["old"] == version
        await engine.close()


async def test_the_loop_goes_on_while_packages_are_installed(
    engine: Engine, channel: Channel, server: ChannelServer, tmp_path: Path
) -> None:
    channel.add(*(Package(f"part-{n:03d}", files={f"share/p{n}": b"x" * 100}) for n in range(150)))
    channel.add(Package("all", depends=[f"part-{n:03d}" for n in range(150)]))
    channel.write()
    lags: list[float] = []

    async def measure() -> None:
        loop = asyncio.get_running_loop()
        while True:
            start = loop.time()
            await asyncio.sleep(0.005)
            lags.append(loop.time() - start - 0.005)

    server.faults["part-"] = "hold"
    installing = asyncio.create_task(
        engine.install(tmp_path / "envs" / "e", ["all"], on_progress=nothing, on_log=nothing)
    )
    await until(server.hanging.is_set)
    measuring = asyncio.create_task(measure())
    # Others are answered while it waits.
    assert await engine.search("num")
    await until(lambda: len(lags) > 20)
    assert not installing.done()
    server.release.set()
    await installing
    measuring.cancel()
    late = sorted(lags)[int(len(lags) * 0.99)]
    note(f"while 150 packages are installed the loop is late by {1000 * late:.1f} ms in one of 100 turns")


async def test_bad_specs_are_named(engine: Engine) -> None:
    with pytest.raises(BadInputError) as caught:
        await engine.plan(["numpy", "=", "-x", "../x", "numpy[", "https://u:pw@h/x.conda"])
    assert [entry["value"] for entry in caught.value.fields["specs"]] == [
        "=",
        "-x",
        "../x",
        "numpy[",
        "https://u:pw@h/x.conda",
    ]


async def test_unknown_packages_come_with_the_nearest_names(engine: Engine) -> None:
    with pytest.raises(UnsolvableError) as caught:
        await engine.plan(["nunpy >1", "python"])
    assert caught.value.fields["specs"] == [
        {
            "value": "nunpy >1",
            "message": "there is no package nunpy in the channels",
            "suggestions": ["numpy"],
        }
    ]


async def test_a_conflict_is_explained_and_the_guilty_are_marked(engine: Engine) -> None:
    with pytest.raises(UnsolvableError) as caught:
        await engine.plan(["python 3.11.*", "numpy 2.*", "old"])
    assert [entry["value"] for entry in caught.value.fields["specs"]] == ["python 3.11.*", "numpy 2.*"]
    assert "numpy 2.1.0 would require" in caught.value.reason
    assert PLACEHOLDER not in caught.value.reason


async def test_a_version_that_is_not_there(engine: Engine) -> None:
    with pytest.raises(UnsolvableError) as caught:
        await engine.plan(["numpy >9"])
    assert caught.value.message == "There is no such version."
    assert caught.value.fields["specs"][0]["value"] == "numpy >9"


async def test_a_channel_without_any_kernel_is_told(tmp_path: Path) -> None:
    bare = Channel(tmp_path / "bare")
    bare.add(Package("data"))
    bare.write()
    engine = Engine(settings(tmp_path, bare.url), condarc=Condarc())
    with pytest.raises(UnsolvableError) as caught:
        await engine.plan(["data"])
    assert "no kernel" in caught.value.message
    assert "conda-forge" in caught.value.hint
    await engine.close()


async def test_memory_is_reported(engine: Engine, tmp_path: Path) -> None:
    result = await engine.install(tmp_path / "envs" / "e", [], on_progress=nothing, on_log=nothing)
    assert result.peak_memory is not None
    assert 10_000_000 < result.peak_memory < 300_000_000


async def test_an_idle_helper_installs_and_serves_on(engine: Engine, tmp_path: Path) -> None:
    await engine.plan([])
    (helper,) = helpers()
    seen: list[list[psutil.Process]] = []
    await engine.install(
        tmp_path / "envs" / "e", [], on_progress=lambda _: seen.append(helpers()), on_log=nothing
    )
    assert seen
    assert all(processes == [helper] for processes in seen)
    await engine.search("num")
    assert helpers() == [helper]


async def test_an_installation_gets_the_memory_of_a_big_idle_helper(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_mlinfn.envs.engine._SMALL", 1)
    await engine.plan([])
    (helper,) = helpers()
    await engine.install(tmp_path / "envs" / "e", [], on_progress=nothing, on_log=nothing)
    await until(lambda: not helper.is_running())
    assert helpers() == []


async def test_a_helper_that_becomes_of_an_installation_ends_when_nobody_asks(
    tmp_path: Path, server: ChannelServer
) -> None:
    engine = Engine(settings(tmp_path, server.url, idle_timeout=0.2), condarc=Condarc())
    await engine.install(tmp_path / "envs" / "e", [], on_progress=nothing, on_log=nothing)
    assert len(helpers()) == 1
    await until(lambda: not helpers())
    await engine.close()
