"""Shared environments, and the same kernel name outside the server, with packages of a real channel."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager

from ..support import command
from ..support.patience import PATIENCE
from ..support.server import Platform, Server, running
from .test_environments import run_in_kernel

CODE = "import sys, os; print(sys.prefix, os.environ['MLINFN_UNITS'])"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, slim_channel: Path) -> Platform:
    """With a read-only folder of environments for everybody, in which one has two kernels."""
    folder = tmp_path_factory.mktemp("shared")
    admin = Platform(folder / "admin", [slim_channel.as_uri()])
    admin.write_config()
    made = command.run(
        *("env", "create", "physics", "python", "ipykernel", "mlinfn-units", "mlinfn-echo"),
        env=admin.variables(),
    )
    assert made.returncode == 0, made.stderr
    for path in admin.environments.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o555)
    return Platform(folder / "user", [slim_channel.as_uri()], shared_environments=[admin.environments])


@pytest.fixture(scope="module")
def server(platform: Platform) -> Iterator[Server]:
    with running(platform) as server:
        server.get("api/mlinfn/envs")
        yield server


def test_a_shared_environment_has_its_kernels_in_every_language(server: Server) -> None:
    environments = server.get("api/mlinfn/envs")["environments"]
    specs = server.get("api/kernelspecs")["kernelspecs"]

    assert [(env["name"], env["origin"]) for env in environments] == [("physics", "shared")]
    assert specs["conda-env-physics-py"]["spec"]["language"] == "python"
    assert specs["conda-env-physics-echo"]["spec"]["language"] == "echo"
    assert run_in_kernel(server.platform, "conda-env-physics-echo", "pion") == "pion"
    assert run_in_kernel(server.platform, "conda-env-physics-py", CODE).endswith("physics SI\n")


def test_a_shared_environment_cannot_be_changed(server: Server) -> None:
    shared = server.get("api/mlinfn/envs")["environments"][0]
    path = f"api/mlinfn/envs/{shared['id']}"

    assert server.request("DELETE", path)[0] == 403
    assert server.request("PATCH", path, {"label": "mine"})[0] == 403
    assert Path(shared["prefix"], "bin", "python").exists()


@pytest.mark.parametrize("tool", ["nbconvert", "papermill"])
def test_what_a_notebook_names_is_what_runs_it_elsewhere(server: Server, tmp_path: Path, tool: str) -> None:
    """As a batch job runs it: the user's files, another process, no jupyter_mlinfn."""
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "conda-env-physics-py", "display_name": "physics"}}
    )
    notebook.cells.append(nbformat.v4.new_code_cell(CODE))
    nbformat.write(notebook, tmp_path / "in.ipynb")
    arguments = {
        "nbconvert": ["--to", "notebook", "--execute", "in.ipynb", "--output", "out.ipynb"],
        "papermill": ["in.ipynb", "out.ipynb"],
    }[tool]
    program = (
        "import runpy, sys; sys.modules['jupyter_mlinfn'] = None; "
        f"sys.argv = [{tool!r}, *{arguments!r}]; "
        f"runpy.run_module({tool!r}, run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env=server.platform.variables(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    output = json.loads((tmp_path / "out.ipynb").read_text())["cells"][-1]["outputs"][0]["text"]
    assert "".join(output).endswith("physics SI\n")


def test_a_kernelspec_of_ours_needs_nothing_of_ours(server: Server) -> None:
    specs = KernelSpecManager(kernel_dirs=[str(server.platform.kernels)])
    spec = specs.get_kernel_spec("conda-env-physics-py")

    assert Path(spec.argv[0]).is_relative_to(spec.metadata["conda_env_path"])
    assert "jupyter_mlinfn" not in " ".join(spec.argv)
