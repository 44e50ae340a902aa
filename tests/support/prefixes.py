"""Conda prefixes that work, made without conda: for what is around environments, not the engine."""

import json
import subprocess
import sys
import sysconfig
from pathlib import Path


def make_prefix(prefix: Path, *, kernels=None, packages=("python-3.11.9-h_0",), marker=None) -> Path:
    """A prefix with package records and kernelspecs: ``{raw name: kernel.json}``."""
    meta = prefix / "conda-meta"
    meta.mkdir(parents=True)
    for package in packages:
        name, version, build = package.rsplit("-", 2)
        record = {"name": name, "version": version, "build": build, "channel": "test", "size": 10}
        (meta / f"{package}.json").write_text(json.dumps(record))
    (meta / "history").touch()
    if marker is not None:
        (meta / "mlinfn").write_text(json.dumps(marker))
    if kernels is None:
        kernels = {"python3": python_spec("python")}
    for raw_name, spec in kernels.items():
        folder = prefix / "share" / "jupyter" / "kernels" / raw_name
        folder.mkdir(parents=True)
        (folder / "kernel.json").write_text(json.dumps(spec))
    return prefix


def python_spec(program: str) -> dict:
    return {
        "argv": [program, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "metadata": {"debugger": True},
    }


def make_python_prefix(prefix: Path) -> Path:
    """A prefix whose Python runs a kernel: the running interpreter's, under the prefix' name.

    It sees the packages of this test run but not the editable install of jupyter_mlinfn.
    """
    command = [sys.executable, "-m", "venv", "--without-pip", str(prefix)]
    subprocess.run(command, check=True, capture_output=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = prefix / "lib" / version / "site-packages"
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return make_prefix(prefix)


def add_activation(prefix: Path, name: str, script: str) -> Path:
    path = prefix / "etc" / "conda" / "activate.d" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script)
    return path
