"""A channel whose Python runs and is a handful of files: a link to the interpreter of the tests.

An environment of the demo's channel has ten thousand files, and takes seconds to make and to remove.
One of this channel takes a tenth of that: its Python, its kernel and its pip are those of the tests, under
the names and versions that they have in the demo's channel, and the samples are the demo's own.
"""

from __future__ import annotations

import asyncio
import json
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from rattler import Subdir
from rattler.index import index_fs

from jupyter_mlinfn.demo.package import PLACEHOLDER, PackageDefinition, PackageFile, write_package
from jupyter_mlinfn.demo.samples import sample_packages

_SHORT = f"{sys.version_info.major}.{sys.version_info.minor}"
_SITE = f"lib/python{_SHORT}/site-packages"


def build_slim_channel(folder: Path) -> Path:
    """Write the channel; gives the folder."""
    for subdir in ("noarch", str(Subdir.current())):
        (folder / subdir).mkdir(parents=True)
    summaries = {}
    for definition in (*_python_and_kernel(), *sample_packages()):
        write_package(definition, folder)
        # Versions come in ascending order: the newest one's summary stays.
        summaries[definition.name] = {"summary": definition.summary, "version": definition.version}
    (folder / "channeldata.json").write_text(json.dumps({"channeldata_version": 1, "packages": summaries}))
    # In a thread of its own: the caller may be inside an event loop already.
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(asyncio.run, index_fs(folder, write_zst=True, write_shards=False)).result()
    return folder


def _python_and_kernel() -> Iterator[PackageDefinition]:
    executable = Path(sys.executable).resolve()
    release = ".".join(map(str, sys.version_info[:3]))
    # With this file Python takes the folder above its own for its prefix, as in a virtual environment.
    settings = f"home = {executable.parent}\ninclude-system-site-packages = false\nversion = {release}\n"
    yield _package(
        "python",
        release,
        [
            PackageFile(f"bin/python{_SHORT}", link_to=str(executable)),
            PackageFile("bin/python3", link_to=f"python{_SHORT}"),
            PackageFile("bin/python", link_to=f"python{_SHORT}"),
            _text("pyvenv.cfg", settings),
            _text(f"{_SITE}/README.txt", "Packages of this environment are installed here.\n"),
        ],
    )
    yield _distribution("traitlets", ["python"])
    yield _distribution("pip", ["python"])
    kernel = {
        "argv": [f"{PLACEHOLDER}/bin/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "metadata": {"debugger": True},
    }
    yield _distribution(
        "ipykernel",
        ["python", "traitlets"],
        # It sees the packages of this test run, but not the editable install of jupyter_mlinfn.
        _text(f"{_SITE}/borrowed.pth", sysconfig.get_path("purelib") + "\n"),
        _text("share/jupyter/kernels/python3/kernel.json", json.dumps(kernel)),
    )


def _distribution(name: str, depends: Sequence[str], *files: PackageFile) -> PackageDefinition:
    """One that is installed where the tests run: its metadata only."""
    number = version(name)
    metadata = f"{_SITE}/{name}-{number}.dist-info"
    return _package(
        name,
        number,
        [
            _text(f"{metadata}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n"),
            _text(f"{metadata}/INSTALLER", "conda\n"),
            *files,
        ],
        depends,
    )


def _package(
    name: str, number: str, files: Sequence[PackageFile], depends: Sequence[str] = ()
) -> PackageDefinition:
    return PackageDefinition(
        name=name,
        version=number,
        subdir=str(Subdir.current()),
        build_prefix=f"py{_SHORT.replace('.', '')}",
        depends=depends,
        summary="Of the tests",
        files=files,
    )


def _text(path: str, content: str) -> PackageFile:
    return PackageFile(path, content.encode())
