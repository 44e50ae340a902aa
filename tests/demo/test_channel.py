"""The channel that is built from what is at hand, with real interpreters, installs and kernels."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager
from rattler import (
    Channel,
    Gateway,
    MatchSpec,
    Subdir,
    VirtualPackage,
    VirtualPackageOverrides,
    install,
    solve,
)
from rattler.exceptions import SolverError

from jupyter_mlinfn.demo.channel import build_channel, default_folder
from jupyter_mlinfn.demo.interpreter import describe
from jupyter_mlinfn.demo.package import PLACEHOLDER, PackageDefinition, PackageFile, write_package

from ..support.patience import PATIENCE

SPECS = ("python", "ipykernel", "pip", "mlinfn-hello", "mlinfn-units", "mlinfn-echo", "mlinfn-registered")
DEBIAN = Path("/usr/bin/python3")
KEPT = default_folder().with_name("tests")
"""What takes long to make, and is the same the next time."""

LOOK_INSIDE = """
import bz2, ctypes, decimal, json, lzma, site, sqlite3, ssl, sys, sysconfig, uuid, zlib
import ipykernel
ssl.create_default_context()
sqlite3.connect(":memory:").execute("select 1")
print(json.dumps({
    "prefix": sys.prefix, "base_prefix": sys.base_prefix, "path": sys.path,
    "scheme": sysconfig.get_default_scheme(), "paths": sysconfig.get_paths(),
    "prefix_variable": sysconfig.get_config_var("prefix"), "site": site.getsitepackages(),
    "modules": [ssl.__file__, ipykernel.__file__],
    "version": list(sys.version_info[:2]),
}))
"""


@pytest.fixture(scope="module")
def debian_python() -> Path:
    """A virtual environment on the system's Python, with ipykernel: made once, and kept as the channel is."""
    if not Path("/etc/debian_version").exists() or not DEBIAN.exists():
        pytest.skip("this system has no Debian Python")
    version = _run(DEBIAN, "-c", "import platform; print(platform.python_version())").strip()
    KEPT.mkdir(parents=True, exist_ok=True)
    folder, done = KEPT / f"debian-{version}", KEPT / f"debian-{version}.done"
    with FileLock(KEPT / ".lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            made = subprocess.run([str(DEBIAN), "-m", "venv", str(folder)], capture_output=True, text=True)
            if made.returncode != 0:
                pytest.skip("the system's Python has no venv (Debian: python3-venv)")
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "ipykernel"]
            subprocess.run(pip, check=True)
            done.touch()
    return folder / "bin" / "python"


@pytest.fixture(scope="module", params=["running", "debian"])
def channel(request: pytest.FixtureRequest) -> Path:
    """The running interpreter's channel, then that of Debian's Python."""
    if request.param == "running":
        found: Path = request.getfixturevalue("demo_channel")
        return found
    python = request.getfixturevalue("debian_python")
    return build_channel(KEPT, python=python)


@pytest.fixture(scope="module")
def prefix(channel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An environment of that channel."""
    folder = tmp_path_factory.mktemp("environment") / "env"
    asyncio.run(_install(channel, folder, SPECS))
    yield folder
    shutil.rmtree(folder)


async def _solve(channel: Path, specs: Sequence[str]) -> Any:
    virtual = [
        package.into_generic() for package in VirtualPackage.detect(VirtualPackageOverrides.from_env())
    ]
    return await solve(
        [Channel(channel.as_uri())],
        [MatchSpec(spec) for spec in specs],
        gateway=Gateway(),
        platforms=[Subdir.current(), "noarch"],
        virtual_packages=virtual,
    )


async def _install(channel: Path, prefix: Path, specs: Sequence[str]) -> None:
    records = await _solve(channel, specs)
    await install(records, target_prefix=prefix, cache_dir=prefix.parent / "cache", show_progress=False)


def _run(*command: str | Path, **variables: str) -> str:
    environment = {"PATH": "/usr/bin:/bin", "HOME": os.environ["HOME"], **variables}
    for name, value in os.environ.items():
        if name.startswith("PIP_"):
            environment[name] = value
    done = subprocess.run([str(part) for part in command], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_python_lives_in_the_prefix_alone(prefix: Path) -> None:
    found = json.loads(_run(prefix / "bin" / "python", "-c", LOOK_INSIDE))
    site_packages = str(prefix / "lib" / "python{}.{}".format(*found["version"]) / "site-packages")
    assert found["prefix"] == found["base_prefix"] == found["prefix_variable"] == str(prefix)
    assert found["scheme"] == "posix_prefix"
    assert found["paths"]["purelib"] == found["paths"]["platlib"] == site_packages
    assert found["paths"]["scripts"] == str(prefix / "bin")
    assert site_packages in found["site"]
    everything = [*filter(None, found["path"]), *found["site"], *found["paths"].values(), *found["modules"]]
    assert [path for path in everything if not path.startswith(str(prefix))] == []
    assert not any("dist-packages" in path for path in everything)


def test_nothing_of_the_distributions_layout_is_packaged(prefix: Path) -> None:
    names = {path.name for path in prefix.rglob("*")}
    assert names.isdisjoint({"EXTERNALLY-MANAGED", "dist-packages", "_distutils_system_mod.py"})


def test_no_place_of_the_builder_is_left(channel: Path, prefix: Path) -> None:
    # conda-meta records for each file which placeholder its package had.
    installed = [path for path in prefix.rglob("*") if "conda-meta" not in path.parts and path.is_file()]
    assert len(installed) > 1000
    assert [path for path in installed if PLACEHOLDER.encode() in path.read_bytes()] == []
    base = str(describe(Path(sys.executable)).base_prefix)
    if base != "/usr":
        variables = next(prefix.glob("lib/python3.*/_sysconfigdata*.py")).read_text()
        assert base not in variables


def test_pip_and_scripts_use_this_interpreter(prefix: Path) -> None:
    assert str(prefix) in _run(prefix / "bin" / "pip", "--version")
    assert "No broken requirements" in _run(prefix / "bin" / "pip", "check")
    assert _run(prefix / "bin" / "mlinfn-hello") == "Hello again, world\n"
    for name in ("pip", "ipython", "mlinfn-hello", "debugpy"):
        first = (prefix / "bin" / name).read_text().splitlines()[0]
        assert re.fullmatch(rf"#!{re.escape(str(prefix))}/bin/python[\d.]*", first)


def test_pip_installs_into_the_prefix(prefix: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    metadata = project / "tried_out-1.dist-info"
    metadata.mkdir(parents=True)
    (project / "tried_out.py").write_text("PLACE = __file__\n")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: tried-out\nVersion: 1\n")
    (metadata / "WHEEL").write_text("Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    (metadata / "RECORD").write_text("")
    shutil.make_archive(str(tmp_path / "wheel"), "zip", project)
    wheel = (tmp_path / "wheel.zip").rename(tmp_path / "tried_out-1-py3-none-any.whl")
    _run(prefix / "bin" / "pip", "install", "--no-index", wheel)
    place = _run(prefix / "bin" / "python", "-c", "import tried_out; print(tried_out.PLACE)").strip()
    assert re.fullmatch(rf"{re.escape(str(prefix))}/lib/python3\.\d+/site-packages/tried_out\.py", place)
    _run(prefix / "bin" / "pip", "uninstall", "--yes", "tried-out")
    assert not Path(place).exists()


def test_a_venv_can_be_made_on_it(prefix: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    _run(prefix / "bin" / "python", "-m", "venv", venv)
    assert str(venv) in _run(venv / "bin" / "pip", "--version")


@pytest.mark.parametrize(
    ("spec", "code", "answer"),
    [("python3", "import sys; print(sys.prefix)", "{prefix}"), ("echo", "what?", "what?")],
)
def test_its_kernels_run(
    prefix: Path, spec: str, code: str, answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    kernel = KernelManager()
    kernel._kernel_spec = KernelSpec.from_resource_dir(str(prefix / "share/jupyter/kernels" / spec))
    kernel.start_kernel()
    try:
        client = kernel.client()
        client.start_channels()
        client.wait_for_ready(timeout=PATIENCE)
        said: list[str] = []
        reply = client.execute_interactive(
            code,
            timeout=PATIENCE,
            output_hook=lambda message: said.append(message["content"].get("text", "")),
        )
        assert reply["content"]["status"] == "ok"
        assert "".join(said).strip() == answer.format(prefix=prefix)
        client.stop_channels()
    finally:
        kernel.shutdown_kernel(now=True)


def test_activation_and_link_scripts_are_there(prefix: Path) -> None:
    script = prefix / "etc/conda/activate.d/mlinfn-units.sh"
    said = _run(
        "sh", "-c", f'. "{script}"; echo "$MLINFN_UNITS $MLINFN_UNITS_HOME"', CONDA_PREFIX=str(prefix)
    )
    assert said.split() == ["SI", str(prefix / "share/mlinfn-units")]
    assert os.access(prefix / "bin/.mlinfn-registered-post-link.sh", os.X_OK)
    assert not (prefix / "share/mlinfn-registered.ran").exists()


def test_repodata_tells_the_truth(channel: Path) -> None:
    seen = 0
    for subdir in ("noarch", str(Subdir.current())):
        listed = json.loads((channel / subdir / "repodata.json").read_text())["packages.conda"]
        assert set(listed) == {path.name for path in (channel / subdir).glob("*.conda")}
        for name, entry in listed.items():
            content = (channel / subdir / name).read_bytes()
            assert entry["size"] == len(content)
            assert entry["sha256"] == hashlib.sha256(content).hexdigest()
            seen += 1
        assert (channel / subdir / "repodata.json.zst").stat().st_size > 0
    assert seen > 30
    summaries = json.loads((channel / "channeldata.json").read_text())["packages"]
    assert summaries["ipykernel"]["summary"]
    assert summaries["mlinfn-hello"]["version"] == "1.1.0"


def test_there_are_updates_and_conflicts(demo_channel: Path) -> None:
    older = asyncio.run(_solve(demo_channel, ["mlinfn-plots=1"]))
    newest = asyncio.run(_solve(demo_channel, ["mlinfn-plots"]))
    assert _version(older, "mlinfn-colours") == "1.4.0"
    assert _version(newest, "mlinfn-colours") == "2.0.0"
    with pytest.raises(SolverError, match="mlinfn-colours"):
        asyncio.run(_solve(demo_channel, ["mlinfn-plots=1", "mlinfn-colours=2"]))


def _version(records: Any, name: str) -> str:
    return next(str(record.version) for record in records if record.name.source == name)


def test_equal_input_gives_equal_packages_once(demo_channel: Path, tmp_path: Path) -> None:
    said: list[str] = []
    first = build_channel(tmp_path / "a", log=said.append)
    assert len(said) == 2
    files = sorted(path.relative_to(first) for path in first.rglob("*.conda"))
    assert len(files) > 30
    assert files == sorted(path.relative_to(demo_channel) for path in demo_channel.rglob("*.conda"))
    # That one was built before, by another process or for other tests.
    assert [path for path in files if (first / path).read_bytes() != (demo_channel / path).read_bytes()] == []
    said.clear()
    before = {path: path.stat().st_mtime_ns for path in first.rglob("*.conda")}
    assert build_channel(tmp_path / "a", log=said.append) == first
    assert said == []
    assert {path: path.stat().st_mtime_ns for path in first.rglob("*.conda")} == before


def test_a_prefix_in_text_is_recorded(tmp_path: Path) -> None:
    files = [
        PackageFile("share/place.txt", f"{PLACEHOLDER}/share\n".encode()),
        PackageFile("share/plain.txt", b"nothing\n"),
        PackageFile("share/link.txt", link_to="plain.txt"),
    ]
    definition = PackageDefinition("placed", "1.0", "noarch", files=files)
    (tmp_path / "noarch").mkdir()
    written = write_package(definition, tmp_path)
    again = write_package(definition, tmp_path / "again")
    assert len(PLACEHOLDER) == 255
    assert written.name == again.name
    assert written.read_bytes() == again.read_bytes()
