"""The kernels really run: outside this server, activated, and with no secret in them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from jupyter_mlinfn.envs.kernelspecs import KernelspecWriter
from jupyter_mlinfn.envs.scan import EnvironmentScanner
from tests.support.prefixes import add_activation, make_prefix, make_python_prefix

from ..support.patience import PATIENCE

SECRETS = {
    "JUPYTERHUB_API_TOKEN": "planted-hub-token",
    "JPY_API_TOKEN": "planted-jpy-token",
    "AWS_SECRET_ACCESS_KEY": "planted-aws-key",
    "OIDC_REFRESH_TOKEN": "planted-refresh-token",
}

# Without jupyter_mlinfn: importing it fails here, as on a host that does not have it.
TOOLS = {
    "nbconvert": "import sys; sys.modules['jupyter_mlinfn'] = None; "
    "from nbconvert.nbconvertapp import main; main()",
    "papermill": "import sys; sys.modules['jupyter_mlinfn'] = None; "
    "from papermill.cli import papermill; papermill()",
}

CELL = """
import json, os, sys
try:
    import jupyter_mlinfn
    ours = True
except ImportError:
    ours = False
names = ("PATH", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "NEEDS_IT")
print(json.dumps({"prefix": sys.prefix, "ours": ours, **{name: os.environ.get(name) for name in names}}))
"""

SHELL_KERNEL = """#!/bin/sh
# Another language's interpreter: it writes what it was started with where the test looks.
printf '%s\\n' "$0" "$@" "$CONDA_PREFIX" "$NEEDS_IT" > "$SEEN"
"""


@pytest.fixture
def own(tmp_path):
    return tmp_path / "private" / "environments"


@pytest.fixture
def data_dir(tmp_path):
    return tmp_path / "data"


def write_kernels(own: Path, data_dir: Path, *shared: Path) -> list[str]:
    changes = KernelspecWriter(data_dir / "kernels").sync(EnvironmentScanner(own, shared).scan().environments)
    assert changes.warnings == ()
    return list(changes.added)


def notebook(path: Path, kernel: str, language: str = "python") -> Path:
    cells = [nbformat.v4.new_code_cell(CELL)]
    metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": language}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
    return path


@pytest.mark.parametrize("tool", TOOLS)
def test_the_same_name_runs_without_this_server(tool, own, data_dir, tmp_path):
    prefix = make_python_prefix(own / "torch")
    add_activation(prefix, "needs.sh", 'export NEEDS_IT="$CONDA_PREFIX/share/it"')
    assert write_kernels(own, data_dir) == ["conda-env-torch-py"]
    source = notebook(tmp_path / "in.ipynb", "conda-env-torch-py")
    done = tmp_path / "out.ipynb"
    arguments = {
        "nbconvert": ["--to", "notebook", "--execute", str(source), "--output", str(done)],
        "papermill": [str(source), str(done), "--no-progress-bar"],
    }[tool]
    kept = ("HOME", "PATH", "LANG", "TMPDIR")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {"JUPYTER_DATA_DIR": str(data_dir), "JUPYTER_PLATFORM_DIRS": "1"}
    command = [sys.executable, "-c", TOOLS[tool], *arguments]
    ran = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE
    )
    assert ran.returncode == 0, ran.stderr
    (output,) = nbformat.read(done, as_version=4).cells[-1].outputs
    said = json.loads(output["text"])
    assert said["prefix"] == str(prefix)
    assert said["CONDA_PREFIX"] == said["CONDA_DEFAULT_ENV"] == str(prefix)
    assert said["PATH"] == f"{prefix}/bin:{os.environ['PATH']}"
    assert said["NEEDS_IT"] == f"{prefix}/share/it"
    assert not said["ours"]


@pytest.fixture
def jp_environ(jp_environ, monkeypatch):
    """The server starts with secrets, as under a hub."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def jp_server_config(own, tmp_path):
    return {
        "ServerApp": {"jpserver_extensions": {"jupyter_mlinfn": False}},
    }


async def test_another_language_in_a_shared_folder_gets_a_card_and_starts(
    own, tmp_path, jp_environ, jp_fetch, jp_data_dir, jp_serverapp, monkeypatch
):
    shared = tmp_path / "shared"
    spec = {"argv": ["R", "--slave", "--args", "{connection_file}"], "display_name": "R", "language": "R"}
    prefix = make_prefix(shared / "stats", kernels={"ir": spec})
    (prefix / "bin").mkdir()
    (prefix / "bin" / "R").write_text(SHELL_KERNEL)
    (prefix / "bin" / "R").chmod(0o755)
    add_activation(prefix, "needs.sh", "export NEEDS_IT=yes")
    prefix.chmod(0o555)
    assert write_kernels(own, jp_data_dir, shared) == ["conda-env-stats-r"]
    card = json.loads((await jp_fetch("api", "kernelspecs")).body)["kernelspecs"]["conda-env-stats-r"]["spec"]
    assert (card["display_name"], card["language"]) == ("R [conda env:stats]", "R")

    seen = tmp_path / "seen"
    monkeypatch.setenv("SEEN", str(seen))
    manager = jp_serverapp.kernel_manager.kernel_manager_factory(
        kernel_name="conda-env-stats-r", kernel_spec_manager=jp_serverapp.kernel_spec_manager
    )
    await manager.start_kernel()
    # The stand-in for R writes what it got, and ends.
    await manager.provisioner.wait()
    await manager.cleanup_resources()
    program, *arguments, conda_prefix, needed = seen.read_text().splitlines()
    assert program == f"{prefix}/bin/R"
    assert arguments[:2] == ["--slave", "--args"]
    assert (conda_prefix, needed) == (str(prefix), "yes")


async def test_no_secret_of_the_server_in_any_kernelspec(own, tmp_path, jp_environ, jp_fetch, jp_data_dir):
    prefix = make_prefix(own / "torch")
    greedy = 'export ALL="$(env)" TOKEN="$JUPYTERHUB_API_TOKEN" AWS_KEY="$AWS_SECRET_ACCESS_KEY"'
    add_activation(prefix, "greedy.sh", greedy)
    make_prefix(tmp_path / "shared" / "stats")
    names = write_kernels(own, jp_data_dir, tmp_path / "shared")
    answer = (await jp_fetch("api", "kernelspecs")).body.decode()
    files = {path: path.read_text() for path in (jp_data_dir / "kernels").glob("conda-*/kernel.json")}
    assert len(files) == len(names) == 2
    assert set(names) < set(json.loads(answer)["kernelspecs"])
    for text in (answer, *files.values()):
        assert [name for name, value in SECRETS.items() if value in text] == []
    assert "ALL" in json.loads(files[jp_data_dir / "kernels" / "conda-env-torch-py" / "kernel.json"])["env"]
