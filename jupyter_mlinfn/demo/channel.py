"""A conda channel made of what is at hand: no network, no conda.

It holds CPython, ipykernel and pip with all that they need, and small packages to try things
out with. It is for the machine that it was made on: the binaries use the libraries of this system.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import Distribution
from pathlib import Path

from filelock import FileLock
from rattler import Subdir
from rattler.index import index_fs

from ..errors import DependencyError
from .distributions import closure, conda_name, distribution_package
from .interpreter import Interpreter, describe, python_package
from .package import PackageDefinition, write_package
from .samples import HOLD, sample_packages

PACKAGED = ("ipykernel", "pip")
"""What of the interpreter's distributions is packaged, with their requirements."""

_KEPT_CHANNELS = 4
"""Channels left in a folder: one is some 30 MB, and each update of a package makes a new one."""


def default_folder() -> Path:
    """Where channels are kept for this user: `jupyter-mlinfn/channels` in the cache folder of XDG."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache, "jupyter-mlinfn", "channels")


def build_channel(
    folder: Path, *, python: Path | None = None, log: Callable[[str], None] = lambda line: None
) -> Path:
    """The channel of `python` (default: the running one) below `folder`, built if it is not there.

    The name of the channel's folder is a digest of what it is made from: the interpreter, the
    versions of the distributions and this code. Several processes may ask at once.

    Returns:
        The channel's folder: `noarch/`, the platform's folder and `channeldata.json`.

    Raises:
        DependencyError: the interpreter or its packages cannot be packaged here.
    """
    if sys.platform != "linux":
        raise DependencyError(
            "The demo's own channel is built on Linux only.",
            hint="Name a channel that answers with --channel.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    interpreter = describe(python or Path(sys.executable))
    with (
        tempfile.TemporaryDirectory(prefix="jupyter-mlinfn-channel-") as scratch_name,
        FileLock(folder / ".lock"),
    ):
        scratch = Path(scratch_name)
        found = closure(interpreter, PACKAGED, scratch)
        channel = folder / f"channel-{_key(interpreter, found)}"
        if channel.is_dir():
            channel.touch()
            return channel
        log(f"Building a conda channel from Python {interpreter.version} and {len(found)} packages at hand…")
        unfinished = folder / f".{channel.name}"
        shutil.rmtree(unfinished, ignore_errors=True)
        _build(unfinished, interpreter, found, scratch)
        unfinished.rename(channel)
        _remove_old_channels(folder)
    log(f"The channel is in {channel}")
    return channel


def _build(channel: Path, interpreter: Interpreter, found: Iterable[Distribution], scratch: Path) -> None:
    subdir = str(Subdir.current())
    definitions = [
        python_package(interpreter, subdir, scratch),
        *(distribution_package(distribution, interpreter, subdir) for distribution in found),
        *sample_packages(),
    ]
    for place in ("noarch", subdir):
        (channel / place).mkdir(parents=True)
    for definition in definitions:
        write_package(definition, channel)
    _write_channeldata(channel, definitions)
    # In a thread of its own: the caller may be inside an event loop already.
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(asyncio.run, index_fs(channel, write_zst=True, write_shards=False)).result()


def _write_channeldata(channel: Path, definitions: Iterable[PackageDefinition]) -> None:
    packages: dict[str, dict[str, object]] = {}
    subdirs: dict[str, set[str]] = {}
    for definition in definitions:  # versions come in ascending order: the newest one's summary stays
        subdirs.setdefault(definition.name, set()).add(definition.subdir)
        packages[definition.name] = {
            "summary": definition.summary,
            "license": definition.license,
            "home": definition.home,
            "version": definition.version,
            "subdirs": sorted(subdirs[definition.name]),
        }
    document = {
        "channeldata_version": 1,
        "packages": packages,
        "subdirs": sorted(set().union(*subdirs.values())),
    }
    (channel / "channeldata.json").write_text(json.dumps(document, indent=1, sort_keys=True))


def _key(interpreter: Interpreter, found: Iterable[Distribution]) -> str:
    """A digest of everything that the channel is made from."""
    binary = interpreter.executable.stat()
    own_code = [path.read_text() for path in (*sorted(Path(__file__).parent.glob("*.py")), HOLD)]
    parts = [
        interpreter.version,
        str(interpreter.base_prefix),
        [binary.st_size, binary.st_mtime_ns],
        [(conda_name(item.metadata["Name"]), item.version) for item in found],
        own_code,
    ]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return f"{interpreter.short_version}-{digest[:12]}"


def _remove_old_channels(folder: Path) -> None:
    by_use = sorted(folder.glob("channel-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in by_use[_KEPT_CHANNELS:]:
        shutil.rmtree(path, ignore_errors=True)
