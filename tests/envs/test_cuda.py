"""For which CUDA packages are chosen: who says so, what is remembered, and what an environment keeps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from traitlets import TraitError

from jupyter_mlinfn.config import MlinfnConfig
from jupyter_mlinfn.demo.driver import SimulatedDriver, a100_mig
from jupyter_mlinfn.envs import cuda as room
from jupyter_mlinfn.envs.condarc import Condarc
from jupyter_mlinfn.envs.cuda import Cuda, Driver
from jupyter_mlinfn.envs.engine import Engine
from jupyter_mlinfn.envs.marker import read_marker
from jupyter_mlinfn.envs.places import Places
from jupyter_mlinfn.envs.sources import EngineSettings
from jupyter_mlinfn.errors import BadInputError

from ..support import command
from ..support.gpu import MINE
from ..support.packages import Channel, Package, tiny_kernel_stack
from ..support.server import Platform, Server, running, wait_for

Make = Callable[..., Cuda]


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "private").mkdir()
    return Places.find(tmp_path)


@pytest.fixture
def make(places: Places) -> Make:
    def make(environ: dict[str, str] | None = None, **more: Any) -> Cuda:
        return Cuda(places, environ=environ or {}, who=more.pop("who", "your server cpu"), **more)

    return make


async def seen(make: Make, cuda: str = "12.4", who: str = "your server gpu") -> None:
    """A server with a GPU was here before."""
    earlier = make(who=who)
    earlier.saw(cuda, "550.54.15")
    await earlier.close()


async def test_who_says_for_which_cuda(make: Make) -> None:
    """Each in turn is left out, and the next one has the word."""
    await seen(make, "12.1")
    override = {"CONDA_OVERRIDE_CUDA": "12.6"}

    async def decide(environ: dict[str, str], site: str, driver: str | None, *args: str) -> tuple[str, str]:
        cuda = make(environ, site=site)
        if driver:
            cuda.saw(driver, "570.86.15")
        choice = await cuda.decide(*args)
        await cuda.close()
        return choice.text, choice.source

    assert await decide(override, "12.5", "12.8", "12.2", "12.3") == ("12.2", "asked")
    assert await decide(override, "12.5", "12.8", "none", "12.3") == ("none", "asked")
    assert await decide(override, "12.5", "12.8", "", "12.3") == ("12.3", "environment")
    assert await decide(override, "12.5", "12.8", "auto", "12.3") == ("12.6", "override")
    assert await decide(override, "12.5", "12.8") == ("12.6", "override")
    assert await decide({"CONDA_OVERRIDE_CUDA": ""}, "12.5", "12.8") == ("none", "override")
    assert await decide({}, "12.5", "12.8") == ("12.5", "site")
    assert await decide({}, "", "12.8") == ("12.8", "driver")


async def test_a_server_without_a_gpu_chooses_for_what_another_saw(make: Make) -> None:
    assert (await make().decide()).to_json() == {
        "version": None,
        "source": "none",
        "seen": None,
        "server": None,
        "driver": None,
        "here": None,
        "simulated": False,
    }
    await seen(make)
    cuda = make()
    cuda.saw(None)
    choice = await cuda.now()
    assert (choice.version, choice.source, choice.here) == ("12.4", "remembered", False)
    assert (choice.server, choice.driver) == ("your server gpu", "550.54.15")
    assert choice.seen is not None
    assert choice.seen.endswith("Z")


async def test_a_simulated_driver_is_told_from_a_real_one(make: Make) -> None:
    cuda = make()
    cuda.simulated = lambda: True
    cuda.saw("12.4", "550.54.15")
    assert (await cuda.now()).simulated
    await cuda.close()
    assert (await make().now()).simulated
    real = make()
    real.saw("12.4", "550.54.15")
    await real.close()
    assert not (await make().now()).simulated


async def test_what_is_remembered_is_whole_or_not_there(make: Make, places: Places) -> None:
    await seen(make)
    file = places.state / room.FILE
    assert json.loads(file.read_text())["cuda"] == "12.4"
    for damaged in ("", "[]", '{"cuda": "12.4"}', file.read_text().replace("12.4", "twelve")):
        file.write_text(damaged)
        assert (await make().decide()).source == "none"
    # The next that sees one writes it anew.
    await seen(make, "12.8")
    assert (await make().decide()).version == "12.8"


async def test_the_same_is_not_written_again_and_again(make: Make, places: Places) -> None:
    await seen(make)
    file = places.state / room.FILE
    first = file.stat().st_ino
    await seen(make)
    assert file.stat().st_ino == first
    body = json.loads(file.read_text())
    file.write_text(json.dumps(body | {"seen": "2026-01-01T00:00:00.000Z"}))
    await seen(make)
    assert json.loads(file.read_text())["seen"] > "2026-01-01T00:00:00.000Z"


async def test_storage_that_is_away_is_not_written_beside(make: Make, places: Places) -> None:
    places.anchor.rmdir()
    await seen(make)
    assert not places.anchor.exists()


async def test_a_change_of_the_driver_is_told_once(make: Make) -> None:
    told: list[str] = []
    cuda = make(changed=lambda: told.append("changed"))
    for version in ("12.4", "12.4", "12.8"):
        cuda.saw(version, "1")
    await cuda.close()
    assert len(told) == 2


async def test_the_driver_is_asked_where_it_was_not_heard_of(make: Make) -> None:
    cuda = make()

    async def answer() -> Driver:
        return Driver("12.8", "570.86.15")

    cuda.ask = answer
    assert (await cuda.decide()).source == "driver"
    # What needs no driver waits for none.
    assert cuda.driver == Driver("12.8", "570.86.15")
    await cuda.close()


async def test_a_driver_that_hangs_is_waited_for_once(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_PATIENCE", 0.05)
    await seen(make)
    cuda, asked = make(), []

    async def hang() -> None:
        asked.append(True)
        await asyncio.Event().wait()

    cuda.ask = hang
    assert (await cuda.decide("12.2")).source == "asked"
    assert asked == []
    assert (await cuda.decide()).source == "remembered"
    assert (await cuda.decide()).source == "remembered"
    assert len(asked) == 1


@pytest.mark.parametrize("text", ["12,4", "cuda12", "12.4.1.1", "-1", "12.4; rm", "１２"])
async def test_what_is_no_version_is_refused(make: Make, text: str) -> None:
    with pytest.raises(BadInputError) as caught:
        await make().decide(text)
    assert caught.value.fields["cuda"][0]["value"] == text
    assert make({"CONDA_OVERRIDE_CUDA": text}).warnings()
    assert (await make({"CONDA_OVERRIDE_CUDA": text}).decide()).source == "none"
    with pytest.raises(TraitError):
        MlinfnConfig(cuda_version=text)


def test_the_admin_may_say_a_version_or_none() -> None:
    assert MlinfnConfig(cuda_version=" None ").cuda_version == "none"
    assert MlinfnConfig(cuda_version="12.4").cuda_version == "12.4"


@pytest.fixture
def gpu_platform(tmp_path: Path) -> Platform:
    """A platform whose channel has a package in a build for CUDA and in one for the CPU."""
    channel = Channel(tmp_path / "channel")
    channel.add(
        *tiny_kernel_stack(),
        Package("tensors", build="cpu_0", depends=["python"]),
        Package("tensors", build="cuda126_0", build_number=1, depends=["python", "__cuda >=12"]),
        Package("more"),
    )
    channel.write()
    return Platform(tmp_path / "platform", [channel.url])


def builds(server: Server, job: dict[str, Any]) -> dict[str, str]:
    ended = server.ended(job["id"])
    assert ended["state"] == "done", ended
    packages = server.get(f"api/mlinfn/envs/{ended['result']['env_id']}")["packages"]
    return {package["name"]: package["build"] for package in packages}


def change(server: Server, environment: str, **body: Any) -> dict[str, Any]:
    status, answer = server.request("POST", f"api/mlinfn/envs/{environment}/changes", body)
    assert status == 202, answer
    return dict(answer["job"])


def test_an_environment_keeps_what_it_was_made_for(gpu_platform: Platform) -> None:
    with running(gpu_platform) as server:
        assert server.get("api/mlinfn/envs")["cuda"]["source"] == "none"
        job = server.create("Gpu", ["tensors"], cuda="12.6")
        assert builds(server, job)["tensors"] == "cuda126_0"
        prefix = gpu_platform.environments / "gpu"
        environment = server.ended(job["id"])["result"]["env_id"]
        assert read_marker(prefix).cuda == "12.6"  # type: ignore[union-attr]
        # Nobody says anything of CUDA, and there is no GPU: it stays what it was.
        path = f"api/mlinfn/envs/{environment}/changes"
        asked = {"action": "update", "specs": [], "dry_run": True}
        plan = server.request("POST", path, asked | {"cuda": "none"})[1]
        assert (plan["cuda"], plan["cuda_builds"][0]["build"]) == (None, "cpu")
        plan = server.request("POST", path, asked)[1]
        # Nothing comes: there is no build to speak of.
        assert (plan["cuda"], plan["cuda_builds"]) == ("12.6", [])
        job = change(server, environment, action="install", specs=["more"])
        assert builds(server, job)["tensors"] == "cuda126_0"
        # Until somebody does.
        job = change(server, environment, action="update", cuda="none")
        assert builds(server, job)["tensors"] == "cpu_0"
        assert server.get(f"api/mlinfn/envs/{environment}")["environment"]["cuda"] == "none"
        job = change(server, environment, action="update", cuda="auto")
        assert builds(server, job)["tensors"] == "cpu_0"
        assert server.get(f"api/mlinfn/envs/{environment}")["environment"]["cuda"] is None


def test_a_cpu_only_server_builds_for_the_gpu_of_another(gpu_platform: Platform) -> None:
    state = gpu_platform.environments / ".mlinfn"
    state.mkdir(parents=True)
    remembered = {
        "cuda": "12.8",
        "driver": "570.86.15",
        "seen": "2026-11-12T09:00:00.000Z",
        "server": "your server gpu",
    }
    (state / room.FILE).write_text(json.dumps(remembered))
    with running(gpu_platform) as server:
        told = server.get("api/mlinfn/envs")["cuda"]
        assert told == {
            "version": "12.8",
            "source": "remembered",
            "seen": "2026-11-12T09:00:00.000Z",
            "server": "your server gpu",
            "driver": "570.86.15",
            "here": told["here"],
            "simulated": False,
        }
        status, plan = server.request(
            "POST", "api/mlinfn/envs", {"label": "x", "specs": ["tensors"], "dry_run": True}
        )
        assert status == 200
        assert plan["cuda"]["version"] == "12.8"
        job = server.create("Gpu", ["tensors"])
        assert builds(server, job)["tensors"] == "cuda126_0"
        assert read_marker(gpu_platform.environments / "gpu").cuda == "12.8"  # type: ignore[union-attr]
        status, error = server.request("POST", "api/mlinfn/envs", {"label": "y", "cuda": "twelve"})
        assert status == 400
        assert "cuda" in error["fields"]


def test_what_one_server_sees_the_next_one_knows(gpu_platform: Platform, tmp_path: Path) -> None:
    """The driver of the tests on the first, none on the second; both are real servers."""
    driver = SimulatedDriver(tmp_path / "driver")
    driver.write(replace(a100_mig(), cuda="12.6"))
    asked = {"label": "x", "specs": ["tensors"], "dry_run": True}
    gpu_platform.environment = driver.environment() | MINE | {"JUPYTERHUB_SERVER_NAME": "gpu"}
    with running(gpu_platform) as server:
        status, plan = server.request("POST", "api/mlinfn/envs", asked)
        assert status == 200
        assert (plan["cuda"]["source"], plan["cuda"]["version"]) == ("driver", "12.6")
        assert plan["cuda_builds"][0]["build"] == "cuda"
        wait_for((gpu_platform.environments / ".mlinfn" / room.FILE).exists)
    gpu_platform.environment = {"JUPYTERHUB_SERVER_NAME": "cpu"}
    with running(gpu_platform) as server:
        status, plan = server.request("POST", "api/mlinfn/envs", asked)
        assert (plan["cuda"]["source"], plan["cuda"]["version"]) == ("remembered", "12.6")
        assert (plan["cuda"]["server"], plan["cuda"]["here"]) == ("your server gpu", False)
        assert plan["cuda"]["simulated"]
        assert plan["cuda_builds"][0]["build"] == "cuda"


def test_the_command_line_asks_for_a_version(gpu_platform: Platform) -> None:
    gpu_platform.write_config()

    def run(*arguments: str) -> str:
        done = command.run("env", *arguments, env=gpu_platform.variables(), cwd=gpu_platform.root)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "CUDA: none: no GPU was seen yet" in run("create", "gpu", "tensors", "--dry-run")
    told = run("create", "gpu", "tensors", "--dry-run", "--cuda", "12.6")
    assert "CUDA: 12.6, as asked" in told
    assert "tensors: a build for CUDA 12.6" in told
    told = run("create", "gpu", "tensors", "--dry-run", "--cuda", "11.8")
    assert "tensors: the build for the CPU; the one for CUDA needs CUDA 12 or newer" in told
    run("create", "gpu", "tensors", "--cuda", "12.6")
    told = run("update", "gpu", "--cuda", "none", "--dry-run")
    assert "tensors: the build for the CPU; there is one for CUDA 12 or newer" in told
    assert "CUDA: packages are chosen for 12.6" in run("show", "gpu")
    run("update", "gpu", "--cuda", "none")
    shown = json.loads(run("show", "gpu", "--json"))
    assert shown["environment"]["cuda"] == "none"
    assert {p["name"]: p["build"] for p in shown["packages"]}["tensors"] == "cpu_0"


@pytest.fixture
def builds_channel(tmp_path: Path) -> Channel:
    """Builds as conda-forge makes them: what they depend on and how they are named."""
    cuda12 = ["cuda-version >=12.6,<13", "cuda-cudart >=12.6.77,<13.0a0"]
    channel = Channel(tmp_path / "channel")
    channel.add(
        *tiny_kernel_stack(),
        Package("cuda-version", "12.6", constrains=["__cuda >=12"]),
        Package("cuda-cudart", "12.6.77", depends=["cuda-version >=12.6,<12.7.0a0"]),
        # pytorch: by its dependencies and its build string.
        Package("pytorch", "2.5.1", build="cpu_generic_py312_0"),
        Package("pytorch", "2.5.1", build="cuda126_py312_1", build_number=200, depends=["__cuda", *cuda12]),
        # Needs more than most drivers have.
        Package("flows", "1.0", build="cpu_0"),
        Package("flows", "1.0", build="h1_1", build_number=1, depends=["__cuda >=12.9"]),
        # Only an older version has one.
        Package("older", "2.0"),
        Package("older", "1.0", build="cuda118h2_0", depends=["cudatoolkit >=11.8,<12", "__cuda"]),
        # A build for CUDA is there and fits, but not with what else is wanted.
        Package("apart", "1.0", build="cpu_0"),
        Package("apart", "1.0", build="gpu_1", build_number=1, depends=["__cuda >=11", "numpy 1.*"]),
        # Works with and without: nothing is said of it.
        Package("numba", "0.60", constrains=["cuda-version >=11.2", "cudatoolkit >=11.2"]),
        # By what is constrained.
        Package("arrow", "17", build="h3_0"),
        Package("arrow", "17", build="h4_1", build_number=1, constrains=["__cuda >=12.0"]),
        # Its builds are those of another one.
        Package("jax", "0.4.35", depends=["jaxlib 0.4.34"]),
        Package("jaxlib", "0.4.34", build="cpu_py312_0"),
        Package("jaxlib", "0.4.34", build="cuda126py312_1", build_number=200, depends=["__cuda", *cuda12]),
    )
    channel.write()
    return channel


async def test_the_plan_marks_what_is_built_for_cuda(builds_channel: Channel, tmp_path: Path) -> None:
    state = tmp_path / "state"
    engine = Engine(
        EngineSettings([builds_channel.url], state / "pkgs", state / "repodata"), condarc=Condarc()
    )

    async def marks(cuda: str | None, *specs: str) -> dict[str, Any]:
        plan = await engine.plan(specs, cuda=cuda)
        return {mark["name"]: {k: v for k, v in mark.items() if k != "name"} for mark in plan.cuda_builds}

    def cpu(cuda: str | None, needs: str | None, version: str | None = None) -> dict[str, Any]:
        return {"build": "cpu", "cuda": cuda, "needs": needs, "version": version}

    def fits(cuda: str | None, needs: str | None) -> dict[str, Any]:
        return {"build": "cuda", "cuda": cuda, "needs": needs, "version": None}

    try:
        everything = ("pytorch", "flows", "older", "numba", "arrow", "jax", "traitlets")
        assert await marks("12.8", *everything) == {
            "pytorch": fits("12.6", "12.0"),
            "flows": cpu(None, "12.9"),
            "older": cpu("11.8", None, "1.0"),
            "arrow": fits(None, "12.0"),
            "jaxlib": fits("12.6", "12.0"),
        }
        assert await marks(None, *everything) == {
            "pytorch": cpu("12.6", "12.0"),
            "flows": cpu(None, "12.9"),
            "older": cpu("11.8", "11.0", "1.0"),
            "arrow": {"build": "cuda", "cuda": None, "needs": "12.0", "version": None},
            "jaxlib": cpu("12.6", "12.0"),
        }
        assert await marks("11.8", "pytorch") == {"pytorch": cpu("12.6", "12.0")}
        assert await marks("12.8", "apart", "numpy 2.*") == {"apart": cpu(None, None)}
        # Who asks for a build by its name knows what they do.
        assert await marks("12.8", "pytorch=*=cpu*") == {}
        assert await marks("12.8", "pytorch=2.5.1=cuda*") == {"pytorch": fits("12.6", "12.0")}
    finally:
        await engine.close()


def test_the_demo_has_packages_for_cuda(demo_server: Server) -> None:
    def marks(**more: Any) -> dict[str, Any]:
        body = {"label": "x", "specs": ["mlinfn-tensors", "mlinfn-flows"], "dry_run": True} | more
        status, plan = demo_server.request("POST", "api/mlinfn/envs", body)
        assert status == 200, plan
        return {mark["name"]: (mark["build"], mark["needs"]) for mark in plan["cuda_builds"]}

    assert marks(cuda="12.8") == {"mlinfn-tensors": ("cuda", "12.6"), "mlinfn-flows": ("cpu", "12.9")}
    assert marks(cuda="none") == {"mlinfn-tensors": ("cpu", "12.6"), "mlinfn-flows": ("cpu", "12.9")}
