"""Check GPU: every failure of a framework that pretends it, in words; the true one where it can be had."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_mlinfn import wiring
from jupyter_mlinfn.config import MlinfnConfig
from jupyter_mlinfn.envs.commands import NoKernels
from jupyter_mlinfn.envs.gpu_check import record
from jupyter_mlinfn.envs.gpu_check.service import GpuCheck
from jupyter_mlinfn.envs.prefix import environment_id
from jupyter_mlinfn.errors import ConflictError, DependencyError

from ..support import command
from ..support.frameworks import add_distribution, add_jax, add_module, add_torch, site_packages
from ..support.patience import PATIENCE, until
from ..support.prefixes import add_activation, make_python_prefix
from ..support.processes import is_at_work
from ..support.proof import PROOF, note
from ..support.server import SECRET, Platform, running

DRIVER = ("12.4", "550.54.15")
SLICE = "NVIDIA A100-PCIE-40GB MIG 1g.5gb"
CRASH = "os.kill(os.getpid(), signal.SIGSEGV)"
TOO_OLD = (
    "The NVIDIA driver on your system is too old (found version 12040). Please update your GPU driver by "
    "downloading and installing a new version from the URL: http://www.nvidia.com/Download/index.aspx"
)
NO_DRIVER = (
    "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and installed a driver "
    "from http://www.nvidia.com/Download/index.aspx"
)
NO_IMAGE = "CUDA error: no kernel image is available for execution on the device"
NO_MEMORY = "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 4.75 GiB"
NO_PLUGIN = (
    "Unknown backend: 'gpu' requested, but no platforms that are instances of gpu are present. "
    "Platforms present are: cpu"
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that works, to be copied: nothing but links and a few small files."""
    return make_python_prefix(tmp_path_factory.mktemp("template") / "env")


@pytest.fixture
def prefix(tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment of the user's own."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    prefix = tmp_path / "private" / "environments" / "science"
    shutil.copytree(template, prefix, symlinks=True)
    # Only what the test puts there: the machine of the tests may have a framework.
    (site_packages(prefix) / "borrowed.pth").unlink()
    return prefix


Check = Callable[..., Any]


@pytest.fixture
def check(tmp_path: Path, prefix: Path) -> Check:
    """Check the environment on a server whose driver supports 12.4, and give the verdict."""

    async def check(
        gpu: bool = True, limit: float = PATIENCE, cancel: asyncio.Event | None = None, **traits: Any
    ) -> dict[str, Any]:
        config = MlinfnConfig(**traits)
        rooms = wiring.build(config, tmp_path, NoKernels(), who="your server gpu")
        limit_gpu(rooms.gpu_check, limit, tmp_path)
        rooms.envs.cuda.saw(*(DRIVER if gpu else (None, None)))
        try:
            environments = (await rooms.envs.list()).environments
            mine = next(e for e in environments if e.prefix.name == prefix.name)
            job = await rooms.gpu_check.check(mine.id)
            if cancel is not None:
                await cancel.wait()
                await rooms.jobs.cancel(job.id)
            ended = await rooms.jobs.wait(job.id)
            if ended.state != "done":
                return {"state": ended.state, "error": ended.error}
            known = await rooms.gpu_check.known([mine])
            assert known[mine.id] == ended.result["check"]  # type: ignore[index]
            return dict(known[mine.id])
        finally:
            await rooms.close()

    return check


def limit_gpu(service: GpuCheck, limit: float, dev: Path) -> None:
    """Another time than users have, and no devices but those that the test says."""
    service._limit, service._dev = limit, dev


def shortly(value: object) -> str:
    return str(value)[:40]


TORCH_FAILURES = [
    # knobs, reason, what the sentence says, what the hint says
    ({}, "fine", f"PyTorch 2.5.1 computes on {SLICE}.", ""),
    (
        {"cuda": None, "version": "2.13.0+cpu"},
        "cpu_build",
        "2.13.0+cpu is a build for the CPU",
        "for CUDA 12.4",
    ),
    ({"cuda": None, "installer": "conda"}, "cpu_build", "build for the CPU", "'pytorch=*=cuda*' --cuda 12.4"),
    ({"cuda": None, "hip": "6.1"}, "rocm_build", "GPUs of AMD", "CUDA 12.4 or older"),
    (
        {"cuda": "13.0", "available": False, "at_init": f"raise RuntimeError({TOO_OLD!r})"},
        "cuda_too_new",
        "is built for CUDA 13.0; this server's driver supports CUDA 12.4.",
        "CUDA 12.4 or older",
    ),
    (
        {"available": False, "at_look": f"warnings.warn({TOO_OLD!r})", "at_init": "raise RuntimeError('no')"},
        "cuda_too_new",
        "built for CUDA 12.4",
        "CUDA 12.4 or older",
    ),
    (
        {"available": False, "at_init": "raise RuntimeError('No CUDA GPUs are available')"},
        "no_device",
        "sees no GPU, though this server has one",
        "GPU panel",
    ),
    (
        {"available": False, "at_init": f"raise RuntimeError({NO_DRIVER!r})"},
        "no_driver_library",
        "does not find the driver's library libcuda.so.1",
        "NVIDIA_DRIVER_CAPABILITIES needs compute",
    ),
    (
        {"at_import": "raise ImportError('libcuda.so.1: cannot open shared object file: No such file')"},
        "no_driver_library",
        "the driver's library libcuda.so.1 is not there",
        "NVIDIA_DRIVER_CAPABILITIES needs compute",
    ),
    (
        {"at_import": "raise ImportError('libcudnn.so.9: cannot open shared object file: No such file')"},
        "missing_library",
        "cannot be imported: the library libcudnn.so.9 is missing",
        "Install PyTorch again",
    ),
    (
        {"at_import": "import sympy_that_is_not_here"},
        "missing_library",
        "the package sympy_that_is_not_here is missing",
        "Install PyTorch again",
    ),
    (
        {"at_import": "raise OSError('undefined symbol: iJIT_NotifyEvent')"},
        "import_failed",
        "cannot be imported: undefined symbol",
        "update all",
    ),
    ({"at_compute": f"raise RuntimeError({NO_MEMORY!r})"}, "out_of_memory", "it is full", "free some"),
    (
        {"arches": ("sm_50", "sm_60"), "at_compute": f"raise RuntimeError({NO_IMAGE!r})"},
        "no_kernel_image",
        "has no code for this GPU (sm_80): it is built for sm_50, sm_60",
        "CUDA 12.4",
    ),
    ({"at_look": CRASH}, "crash", "crashed while it looked for a GPU (SIGSEGV)", "update all"),
    ({"at_import": CRASH}, "crash", "crashed while it was imported", "update all"),
    (
        {"at_compute": "os.kill(os.getpid(), signal.SIGKILL)"},
        "killed",
        "memory of the server",
        "Shut down kernels",
    ),
    ({"at_compute": "os._exit(3)"}, "ended", "exit code 3", "details"),
    ({"error": 1.0}, "wrong_result", f"computes wrongly on {SLICE}", "Do not trust"),
    (
        {"at_init": "raise RuntimeError('CUDA-capable device(s) is/are busy or unavailable')"},
        "busy",
        "busy, or not ready",
        "in a minute",
    ),
    (
        {"at_init": "raise RuntimeError('CUDA error: unspecified launch failure')"},
        "failed",
        "cannot use the GPU: CUDA error: unspecified launch failure",
        "details",
    ),
]


@pytest.mark.parametrize(("knobs", "reason", "said", "hint"), TORCH_FAILURES, ids=shortly)
async def test_what_pytorch_meets(
    check: Check, prefix: Path, knobs: dict[str, Any], reason: str, said: str, hint: str
) -> None:
    add_torch(prefix, **knobs)
    verdict = await check()
    [finding] = verdict["frameworks"]
    assert finding["reason"] == reason, finding
    assert said in finding["sentence"]
    assert hint in finding["hint"]
    assert (finding["hint"] == "") == (reason == "fine")
    assert finding["sentence"].startswith("PyTorch 2.")
    assert verdict["verdict"] == ("ok" if reason == "fine" else "problem")
    assert verdict["summary"] == finding["sentence"]
    assert verdict["driver"] == {"cuda": "12.4", "version": "550.54.15", "simulated": False}


JAX_FAILURES = [
    ({}, "fine", f"JAX 0.4.35 computes on {SLICE}.", "CUDA 12.6"),
    (
        {"plugin": None, "at_devices": f"raise RuntimeError({NO_PLUGIN!r})"},
        "no_plugin",
        "has no CUDA plugin",
        "CPU",
    ),
    (
        {"plugin": 13, "built_for": 13000, "at_devices": f"raise RuntimeError({NO_PLUGIN!r})"},
        "cuda_too_new",
        "is built for CUDA 13.0; this server's driver supports CUDA 12.4",
        "CUDA 13.0",
    ),
    (
        {"at_devices": "raise RuntimeError('INTERNAL: no supported devices found for platform CUDA')"},
        "no_device",
        "sees no GPU, though this server has one",
        "CUDA 12.6",
    ),
    (
        {"at_devices": "raise RuntimeError('cuInit: CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE')"},
        "cuda_too_new",
        "built for CUDA 12.6",
        "CUDA 12.6",
    ),
    (
        {"at_compute": "raise RuntimeError('RESOURCE_EXHAUSTED: Out of memory while trying to allocate')"},
        "out_of_memory",
        "it is full",
        "CUDA 12.6",
    ),
    (
        {"at_import": "raise ImportError('jax requires jaxlib to be installed')"},
        "import_failed",
        "jaxlib",
        None,
    ),
    ({"at_devices": CRASH}, "crash", "crashed while it looked for a GPU", "CUDA 12.6"),
]


@pytest.mark.parametrize(("knobs", "reason", "said", "build"), JAX_FAILURES, ids=shortly)
async def test_what_jax_meets(
    check: Check, prefix: Path, knobs: dict[str, Any], reason: str, said: str, build: str | None
) -> None:
    add_jax(prefix, **knobs)
    [finding] = (await check())["frameworks"]
    assert finding["reason"] == reason, finding
    assert said in finding["sentence"]
    assert finding["build"] == build
    assert (finding["hint"] == "") == (reason == "fine")


async def test_the_device_is_named_with_its_uuid(check: Check, prefix: Path) -> None:
    add_torch(prefix)
    [finding] = (await check())["frameworks"]
    assert finding["device"] == SLICE
    # Of which kind it is PyTorch does not say: of a MIG instance it may be either.
    assert finding["uuid"] == "8f3c2a91-0000-5a3b-9f5e-1d2c3b4a5968"
    assert finding["build"] == "CUDA 12.4"


@pytest.mark.parametrize(
    ("value", "reason"), [("", "hidden"), ("-1", "hidden"), ("MIG-of-another-day", "wrong_device")]
)
async def test_a_hidden_device_is_the_fault_of_who_hides_it(
    check: Check, prefix: Path, monkeypatch: pytest.MonkeyPatch, value: str, reason: str
) -> None:
    add_torch(prefix, available=False, at_init="raise RuntimeError('No CUDA GPUs are available')")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    [finding] = (await check())["frameworks"]
    assert finding["reason"] == reason
    assert f"CUDA_VISIBLE_DEVICES is {value!r}" in finding["sentence"]


async def test_it_runs_as_a_kernel_would_but_without_secrets(
    check: Check, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", SECRET)
    add_activation(prefix, "hide.sh", "export CUDA_VISIBLE_DEVICES=")
    told = prefix / "told"
    add_torch(
        prefix,
        available=False,
        at_import=f"open({str(told)!r}, 'w').write(repr(dict(os.environ)))",
        at_init="raise RuntimeError('No CUDA GPUs are available')",
    )
    [finding] = (await check())["frameworks"]
    assert finding["reason"] == "hidden"
    assert SECRET not in told.read_text()
    assert f"'CONDA_PREFIX': '{prefix}'" in told.read_text()


async def test_a_hang_ends_with_all_that_was_started(check: Check, prefix: Path) -> None:
    child = prefix / "child"
    start = f"import subprocess; open({str(child)!r}, 'w').write(str(subprocess.Popen(['sleep', '900']).pid))"
    add_torch(prefix, at_import=start, at_look="time.sleep(900)")
    # A machine may be too busy to come to the place of the hang within one second, or within ten.
    for limit in (1, 10, 100):
        [finding] = (await check(limit=float(limit)))["frameworks"]
        assert finding["reason"] == "hang"
        if "looked for a GPU" in finding["sentence"]:
            break
    assert f"gave no answer within {limit} s, while it looked for a GPU" in finding["sentence"]
    assert "GPU panel" in finding["hint"]
    await until(lambda: not _runs(int(child.read_text())))


def _runs(pid: int) -> bool:
    try:
        return is_at_work(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return False


async def test_a_cancelled_check_leaves_nothing_behind(check: Check, prefix: Path) -> None:
    pid = prefix / "pid"
    add_torch(prefix, at_import=f"open({str(pid)!r}, 'w').write(str(os.getpid()))", at_look="time.sleep(900)")
    begun = asyncio.Event()

    async def watch() -> None:
        await until(lambda: pid.exists() and pid.read_text())
        begun.set()

    watching = asyncio.ensure_future(watch())
    ended = await check(cancel=begun)
    await watching
    assert ended["state"] == "cancelled"
    await until(lambda: not _runs(int(pid.read_text())))
    assert not (prefix / "conda-meta" / record.FILE).exists()


async def test_without_a_gpu_a_build_for_one_is_not_blamed(check: Check, prefix: Path) -> None:
    add_torch(prefix, available=False, at_init=f"raise RuntimeError({NO_DRIVER!r})")
    verdict = await check(gpu=False)
    [finding] = verdict["frameworks"]
    assert (verdict["verdict"], finding["reason"]) == ("unchecked", "no_gpu_here")
    assert "this server has no GPU. It is built for CUDA 12.4." in finding["sentence"]
    # But what can be told without one is.
    add_torch(prefix, cuda=None, version="2.13.0+cpu")
    assert (await check(gpu=False))["frameworks"][0]["reason"] == "cpu_build"
    # And what the driver of the other server does not support.
    add_torch(prefix, cuda="13.0", available=False, at_init=f"raise RuntimeError({NO_DRIVER!r})")
    await check(gpu=True)
    finding = (await check(gpu=False))["frameworks"][0]
    assert finding["reason"] == "cuda_too_new"
    assert "had a driver that supports CUDA 12.4" in finding["sentence"]


async def test_the_others_are_named_and_not_checked(check: Check, prefix: Path) -> None:
    verdict = await check()
    assert verdict["verdict"] == "nothing"
    assert "no framework" in verdict["summary"]
    add_module(prefix, "tensorflow", "raise SystemExit('imported')")
    add_distribution(prefix, "tensorflow", "2.17.0")
    add_module(prefix, "cupy", "raise SystemExit('imported')")
    verdict = await check()
    assert verdict["verdict"] == "unchecked"
    assert verdict["others"] == ["TensorFlow 2.17.0", "CuPy"]
    # A folder that only bears the name is no framework.
    (site_packages(prefix) / "numba").mkdir()
    assert "Numba" not in (await check())["others"]
    add_torch(prefix)
    assert (await check())["verdict"] == "ok"


async def test_one_that_fails_does_not_hide_one_that_works(check: Check, prefix: Path) -> None:
    add_torch(prefix, at_look=CRASH)
    add_jax(prefix)
    verdict = await check()
    assert [one["verdict"] for one in verdict["frameworks"]] == ["problem", "ok"]
    assert verdict["verdict"] == "problem"
    assert verdict["summary"] == verdict["frameworks"][0]["sentence"]


async def test_an_environment_without_python_has_nothing_to_check(check: Check, prefix: Path) -> None:
    (prefix / "bin" / "python").unlink()
    verdict = await check()
    assert (verdict["verdict"], verdict["frameworks"]) == ("nothing", [])
    assert "no Python" in verdict["summary"]


async def test_a_python_that_does_not_work_says_so(check: Check, prefix: Path) -> None:
    python = prefix / "bin" / "python"
    python.unlink()
    python.write_text("#!/bin/sh\necho 'libpython3.so: cannot open' >&2; exit 127\n")
    python.chmod(0o755)
    ended = await check()
    assert ended["state"] == "failed"
    assert ended["error"]["kind"] == DependencyError.__name__
    assert "libpython3.so" in ended["error"]["reason"]
    python.write_text("no program\n")
    python.chmod(0o644)
    assert "cannot be started" in (await check())["error"]["message"]


async def test_what_pip_put_into_the_home_is_told(check: Check, prefix: Path, tmp_path: Path) -> None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    own = tmp_path / ".local" / "lib" / version / "site-packages" / "torch"
    own.mkdir(parents=True)
    verdict = await check()
    assert verdict["verdict"] == "nothing"
    assert str(own.parent) in verdict["notes"][0]


async def test_a_verdict_gets_old(tmp_path: Path, check: Check, prefix: Path) -> None:
    add_torch(prefix)
    assert (await check())["stale"] is None
    rooms = wiring.build(MlinfnConfig(), tmp_path, NoKernels())
    try:
        mine = (await rooms.envs.list()).environments[0]
        stale = [(await rooms.gpu_check.known([mine]))[mine.id]["stale"]]
        rooms.envs.cuda.saw("12.8", "570.86.15")
        stale.append((await rooms.gpu_check.known([mine]))[mine.id]["stale"])
        add_distribution(prefix, "sympy", "1.13")
        stale.append((await rooms.gpu_check.known([mine]))[mine.id]["stale"])
        assert stale == [None, "driver", "environment"]
        for damaged in ("", "[]", '{"verdict": "ok"}', '{"verdict": "splendid"}'):
            (prefix / "conda-meta" / record.FILE).write_text(damaged)
            assert await rooms.gpu_check.known([mine]) == {}
    finally:
        await rooms.close()


async def test_the_verdict_on_a_shared_environment_is_the_users_own(
    tmp_path: Path, check: Check, prefix: Path
) -> None:
    shared = tmp_path / "envs"
    prefix.parent.joinpath("science").rename(prefix.parent / "moved")
    (prefix.parent / "moved").rename(shared)
    folder = tmp_path / "folder"
    folder.mkdir()
    shared.rename(folder / "science")
    add_torch(folder / "science")
    verdict = await check(shared_environments=[str(folder)])
    assert verdict["verdict"] == "ok"
    assert not (folder / "science" / "conda-meta" / record.FILE).exists()
    kept = tmp_path / "private" / "environments" / ".mlinfn" / record.FOLDER
    assert [file.name for file in kept.iterdir()] == [f"{environment_id(folder / 'science')}.json"]


async def test_what_is_being_changed_is_not_checked(tmp_path: Path, prefix: Path) -> None:
    rooms = wiring.build(MlinfnConfig(), tmp_path, NoKernels())
    try:
        mine = (await rooms.envs.list()).environments[0]
        rooms.envs.places.prepare()
        async with rooms.gpu_check._writers.holding(prefix, "Install numpy"):
            with pytest.raises(ConflictError):
                await rooms.gpu_check.check(mine.id)
    finally:
        await rooms.close()


def test_over_rest_and_on_the_command_line(tmp_path: Path, prefix: Path) -> None:
    """The server's own process, its list and details; two requests are one job."""
    platform = Platform(tmp_path / "platform", ["https://conda.invalid/none"])
    mine = platform.environments / "science"
    mine.parent.mkdir(parents=True)
    shutil.copytree(prefix, mine, symlinks=True)
    # Until both requests were answered.
    answered = tmp_path / "answered"
    until_answered = f"while not os.path.exists({str(answered)!r}): time.sleep(0.01)"
    add_torch(mine, cuda=None, version="2.13.0+cpu", at_import=until_answered)
    with running(platform) as server:
        path = f"api/mlinfn/envs/{environment_id(mine)}"
        assert server.get(path)["gpu_check"] is None
        answers = [server.request("POST", f"{path}/gpu-check") for _ in range(2)]
        answered.touch()
        assert [status for status, _ in answers] == [202, 202]
        assert answers[0][1]["job"]["id"] == answers[1][1]["job"]["id"]
        job = server.ended(answers[0][1]["job"]["id"])
        assert job["state"] == "done", job
        assert job["result"]["check"]["verdict"] == "problem"
        [listed] = server.get("api/mlinfn/envs")["environments"]
        assert listed["gpu_check"]["verdict"] == "problem"
        assert listed["gpu_check"]["stale"] is None
        details = server.get(path)
        assert details["gpu_check"]["frameworks"][0]["reason"] == "cpu_build"
        assert server.request("POST", "api/mlinfn/envs/0000000000000000/gpu-check")[0] == 404

    def env(*arguments: str) -> subprocess.CompletedProcess[str]:
        return command.run("env", *arguments, env=platform.variables(), cwd=platform.root)

    told = env("check-gpu", "science")
    assert told.returncode == 1, told.stderr
    assert "PyTorch: problem. PyTorch 2.13.0+cpu is a build for the CPU" in told.stdout
    told = env("check-gpu", "science", "--json")
    assert json.loads(told.stdout)["gpu_check"]["verdict"] == "problem"
    assert "GPU: problem, checked on" in env("show", "science").stdout
    assert env("check-gpu", "nothing").returncode == 1


REAL = [
    (module, variable)
    for module, variable in (("torch", "MLINFN_TORCH"), ("jax", "MLINFN_JAX"))
    if PROOF or variable in os.environ
]
"""Installing one takes minutes: under `make proof`, or where the variable names a venv that has it."""

if REAL:

    @pytest.mark.proof
    @pytest.mark.parametrize(("module", "variable"), REAL)
    async def test_the_true_sentence_of_a_build_for_the_cpu(
        check: Check, prefix: Path, tmp_path: Path, module: str, variable: str
    ) -> None:
        """With the real framework; a proof without it would be none."""
        venv = Path(os.environ.get(variable) or tmp_path / "venv")
        if variable not in os.environ:
            wanted = ["torch==2.13.0"] if module == "torch" else ["jax", "jaxlib"]
            for step in (
                [sys.executable, "-m", "venv", str(venv)],
                [str(venv / "bin" / "pip"), "install", *wanted],
            ):
                done = subprocess.run(step, capture_output=True, text=True, check=False)
                why = done.stderr.strip().splitlines()[-1:]
                assert done.returncode == 0, f"{module} cannot be had here: {why}"
        borrowed = site_packages(venv)
        (site_packages(prefix) / "borrowed.pth").write_text(f"{borrowed}\n")
        [finding] = (await check())["frameworks"]
        note(f"{module} in a build for the CPU: {finding['sentence']} {finding['hint']}")
        assert finding["verdict"] == "problem"
        assert finding["reason"] == ("cpu_build" if module == "torch" else "no_plugin")
        assert finding["build"] == "CPU"
