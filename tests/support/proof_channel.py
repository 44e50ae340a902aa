"""A channel of packages that make a change hard: many files, folders that become files, links."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rattler.index import index_fs

from jupyter_mlinfn.demo.package import PLACEHOLDER, PackageDefinition, PackageFile, write_package

MODULES = 1200
"""Of `proof-many`: its files take long enough to be put in place for somebody to be killed meanwhile."""

VERSIONS = dict.fromkeys(("proof-many", "proof-base", "proof-shape", "proof-small"), ("1.0", "2.0"))


def build_proof_channel(folder: Path) -> Path:
    """Write the channel. Each package is there in versions 1.0 and 2.0; a module of each tells its own.

    `proof-many` needs `proof-base` of the same version. `proof-shape` has at one path a file, a folder
    and a link in turn, a script by entry point, and the prefix in a text.
    """
    for subdir in ("noarch", "linux-64"):
        (folder / subdir).mkdir(parents=True)
    for definition in _definitions():
        write_package(definition, folder)
    # In a thread of its own: the caller may be inside an event loop already.
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(asyncio.run, index_fs(folder, write_zst=True, write_shards=False)).result()
    return folder


def _definitions() -> Iterator[PackageDefinition]:
    for version in ("1.0", "2.0"):
        first = version == "1.0"
        library = "site-packages/proof_many"
        # Of six, two stay, two change, one goes and one comes.
        modules = [
            _text(f"{library}/part{number % 40:02}/module_{number:04}.py", _module(number, version))
            for number in range(MODULES)
            if number % 6 != (5 if first else 4)
        ]
        yield _package(
            "proof-many", version, modules, package=True, depends=(f"proof-base ={version}",), pad=400_000
        )
        yield _package("proof-base", version, [], pad=60_000)
        yield _package("proof-small", version, [])
        yield _package(
            "proof-shape",
            version,
            [
                _text("share/proof-shape/place.txt", f"{PLACEHOLDER}/share {version}\n"),
                *(
                    [
                        _text("share/proof-shape/thing", "a file"),
                        _text("share/proof-shape/other/inner.txt", "in a folder"),
                        PackageFile("share/proof-shape/link", link_to="thing"),
                        _text("share/proof-shape/was-file", "will be a link"),
                    ]
                    if first
                    else [
                        _text("share/proof-shape/thing/inner.txt", "in a folder"),
                        _text("share/proof-shape/other", "a file"),
                        PackageFile("share/proof-shape/link", link_to="place.txt"),
                        PackageFile("share/proof-shape/was-file", link_to="other"),
                    ]
                ),
            ],
            entry_points=(
                "proof-shape = proof_shape:main",
                f"proof-shape-{version} = proof_shape:main",
            ),
        )


def _module(number: int, version: str) -> str:
    content = version if number % 6 in (2, 3) else "any"
    return f'"""Module {number}."""\n\nMADE_FOR = "{content}"\nTEXT = "{"-" * (number % 97)}"\n'


def _package(
    name: str,
    version: str,
    files: list[PackageFile],
    *,
    package: bool = False,
    depends: tuple[str, ...] = (),
    entry_points: tuple[str, ...] = (),
    pad: int = 0,
) -> PackageDefinition:
    module = name.replace("-", "_")
    code = f'__version__ = "{version}"\n\n\ndef main() -> None:\n    print(__version__)\n'
    metadata = f"site-packages/{module}-{version}.dist-info"
    place = f"site-packages/{module}/__init__.py" if package else f"site-packages/{module}.py"
    padding = [PackageFile(f"share/{name}/padding", _noise(pad, version))] if pad else []
    return PackageDefinition(
        name=name,
        version=version,
        subdir="noarch",
        build_prefix="py",
        noarch_python=True,
        depends=["python >=3.10", *depends],
        summary="Made to be changed while somebody pulls the plug",
        license="BSD-3-Clause",
        files=[
            _text(place, code),
            _text(f"{metadata}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"),
            _text(f"{metadata}/INSTALLER", "conda\n"),
            *padding,
            *files,
        ],
        entry_points=entry_points,
    )


def _noise(size: int, version: str) -> bytes:
    """Bytes that do not compress, so that they take their time on a slow line; the same each time."""
    return random.Random(version).randbytes(size)  # noqa: S311 - no secret


def _text(path: str, content: str) -> PackageFile:
    return PackageFile(path, content.encode())
