"""Tiny real wheels and source distributions, for pip to find in a folder (``--find-links``) or
in an index (`simple`)."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path


def wheel(
    folder: Path, name: str, version: str, *, requires: Sequence[str] = (), script: bool = False
) -> Path:
    """A wheel with one module that knows its version, and where asked for a command of its name."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"__version__ = {version!r}\n\n\ndef main():\n    print({name!r}, __version__)\n",
        f"{info}/METADATA": _metadata(name, version, requires),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if script:
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{name} = {name}:main\n"
        files[f"{name}-{version}.data/data/share/{name}.txt"] = version
    record = "".join(f"{path},{_hash(text)},{len(text)}\n" for path, text in files.items())
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    target = folder / f"{name}-{version}-py3-none-any.whl"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return target


def source(folder: Path, name: str, version: str) -> Path:
    """A source distribution whose build backend lies within it and needs nothing."""
    backend = (
        "import pathlib, sys\n"
        "sys.path.insert(0, str(pathlib.Path(__file__).parent))\n"
        "from wheels import wheel\n"
        "def build_wheel(directory, config_settings=None, metadata_directory=None):\n"
        f"    return wheel(pathlib.Path(directory), {name!r}, {version!r}).name\n"
    )
    project = (
        f"[project]\nname = '{name}'\nversion = '{version}'\n"
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
    )
    files = {
        "PKG-INFO": _metadata(name, version, ()),
        "pyproject.toml": project,
        "backend.py": backend,
        "wheels.py": Path(__file__).read_text(),
    }
    target = folder / f"{name}-{version}.tar.gz"
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(target, "w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{name}-{version}/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return target


def simple(folder: Path) -> None:
    """Pages of an index of the archives in `folder`: ``simple/NAME/index.html`` (PEP 503)."""
    names = {file.name.split("-")[0].lower().replace("_", "-") for file in folder.glob("*-*")}
    for name in names:
        files = [
            f for f in sorted(folder.glob("*-*")) if f.name.lower().replace("_", "-").startswith(f"{name}-")
        ]
        links = [
            f'<a href="/{file.name}#sha256={hashlib.sha256(file.read_bytes()).hexdigest()}">{file.name}</a>'
            for file in files
        ]
        page = folder / "simple" / name / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("<!DOCTYPE html><html><body>" + "\n".join(links) + "</body></html>")


def _metadata(name: str, version: str, requires: Sequence[str]) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    return "\n".join([*lines, *(f"Requires-Dist: {each}" for each in requires), ""])


def _hash(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    return "sha256=" + digest.rstrip(b"=").decode()
