"""Small packages of our own in the demo's channel, to try things out with.

Each in two versions, so that updates exist. `mlinfn-plots` is bound to a version of
`mlinfn-colours`, so that a conflict can be asked for: `mlinfn-plots=1 mlinfn-colours=2`. `mlinfn-tensors`
and `mlinfn-flows` have builds for CUDA, of which most drivers fit the first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from .package import PLACEHOLDER, PackageDefinition, PackageFile

HOLD = Path(__file__).parent / "driver" / "hold.py"
"""The code of `mlinfn-gpu`."""

_ECHO_KERNEL = '''"""A kernel that answers with what it was told."""

from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel


class EchoKernel(Kernel):
    implementation = "mlinfn_echo"
    implementation_version = __version__ = "{version}"
    language_info = {{"name": "echo", "mimetype": "text/plain", "file_extension": ".txt"}}
    banner = "Echo"

    async def do_execute(self, code, silent, *arguments, **more):
        if not silent:
            self.send_response(self.iopub_socket, "stream", {{"name": "stdout", "text": code}})
        answer = {{"status": "ok", "execution_count": self.execution_count}}
        return answer | {{"payload": [], "user_expressions": {{}}}}


if __name__ == "__main__":
    IPKernelApp.launch_instance(kernel_class=EchoKernel)
'''


def sample_packages() -> Iterator[PackageDefinition]:
    """All of them, in all their versions."""
    for version in ("1.0.0", "1.1.0"):
        greeting = '"Hello"' if version == "1.0.0" else '"Hello again"'
        yield _python(
            "mlinfn-hello",
            version,
            "Says hello; has a newer version to update to",
            f'def greet(name: str = "world") -> str:\n    return {greeting} + ", " + name\n\n\n'
            "def main() -> None:\n    print(greet())\n",
            entry_points=["mlinfn-hello = mlinfn_hello:main"],
        )
    for version in ("1.4.0", "2.0.0"):
        yield _python(
            "mlinfn-colours",
            version,
            "Colours for plots; version 2 does not fit mlinfn-plots 1",
            'PALETTE = ["#2a6fdb", "#e0782f", "#3a9a5b"]\n',
        )
    for version, bounds in (("1.2.0", ">=1,<2"), ("2.1.0", ">=2,<3")):
        yield _python(
            "mlinfn-plots",
            version,
            "Plots as text, in the colours of mlinfn-colours",
            "from mlinfn_colours import PALETTE\n\n\n"
            'def bar(value: int) -> str:\n    return "#" * value + " " + PALETTE[value % len(PALETTE)]\n',
            depends=[f"mlinfn-colours {bounds}"],
        )
    for name, cuda in (("mlinfn-tensors", "12.6"), ("mlinfn-flows", "12.9")):
        for version in ("1.0.0", "2.0.0"):
            yield from _with_cuda(name, version, cuda)
    for version in ("0.9.0", "1.0.0"):
        yield _python(
            "mlinfn-units",
            version,
            "Units of measurement; sets MLINFN_UNITS when the environment is activated",
            'import os\n\nSYSTEM = os.environ.get("MLINFN_UNITS", "unknown")\n',
            files=[
                _text(
                    "etc/conda/activate.d/mlinfn-units.sh",
                    'export MLINFN_UNITS="SI"\nexport MLINFN_UNITS_HOME="$CONDA_PREFIX/share/mlinfn-units"\n',
                ),
                _text(
                    "etc/conda/deactivate.d/mlinfn-units.sh",
                    "unset MLINFN_UNITS\nunset MLINFN_UNITS_HOME\n",
                ),
                _text("share/mlinfn-units/units.txt", "m\nkg\ns\n"),
            ],
        )
        yield _python(
            "mlinfn-registered",
            version,
            "Has a post-link script, which is listed and not run",
            "",
            files=[
                PackageFile(
                    "bin/.mlinfn-registered-post-link.sh",
                    b'#!/bin/sh\ntouch "$PREFIX/share/mlinfn-registered.ran"\n',
                    executable=True,
                )
            ],
        )
        yield _python("mlinfn-gpu", version, "Holds memory of the demo's simulated GPU", HOLD.read_text())
        yield _echo_kernel(version)


def _echo_kernel(version: str) -> PackageDefinition:
    specification = {
        "argv": [f"{PLACEHOLDER}/bin/python", "-m", "mlinfn_echo", "-f", "{connection_file}"],
        "display_name": "Echo",
        "language": "echo",
    }
    return _python(
        "mlinfn-echo",
        version,
        "A kernel of another language, which answers with what it was told",
        _ECHO_KERNEL.format(version=version),
        depends=["ipykernel"],
        files=[_text("share/jupyter/kernels/echo/kernel.json", json.dumps(specification, indent=1) + "\n")],
    )


def _with_cuda(name: str, version: str, cuda: str) -> Iterator[PackageDefinition]:
    """One build for the CPU and one for CUDA, with what conda-forge's depend on."""
    summary = f"Comes in a build for the CPU and in one for CUDA {cuda}"
    yield replace(_python(name, version, summary, 'BUILT_FOR = "CPU"\n'), build_prefix="cpu_py")
    yield replace(
        _python(name, version, summary, f'BUILT_FOR = "CUDA {cuda}"\n', depends=[f"__cuda >={cuda}"]),
        build_prefix=f"cuda{cuda.replace('.', '')}_py",
        build_number=200,
    )


def _python(
    name: str,
    version: str,
    summary: str,
    code: str,
    *,
    depends: tuple[str, ...] | list[str] = (),
    files: tuple[PackageFile, ...] | list[PackageFile] = (),
    entry_points: tuple[str, ...] | list[str] = (),
) -> PackageDefinition:
    """A noarch package of one module, with the metadata that pip wants to see."""
    module = name.replace("-", "_")
    metadata = f"site-packages/{module}-{version}.dist-info"
    if not code.startswith('"""'):
        code = f'"""{summary}."""\n\n__version__ = "{version}"\n\n{code}'
    return PackageDefinition(
        name=name,
        version=version,
        subdir="noarch",
        build_prefix="py",
        noarch_python=True,
        depends=["python >=3.10", *depends],
        summary=summary,
        license="BSD-3-Clause",
        files=[
            _text(f"site-packages/{module}.py", code),
            _text(
                f"{metadata}/METADATA",
                f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: {summary}\n",
            ),
            _text(f"{metadata}/INSTALLER", "conda\n"),
            *files,
        ],
        entry_points=entry_points,
    )


def _text(path: str, content: str) -> PackageFile:
    return PackageFile(path, content.encode())
