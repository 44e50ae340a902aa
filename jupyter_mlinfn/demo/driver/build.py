"""Compiles the library, once per version of its source."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from ...errors import DependencyError

SONAME = "libnvidia-ml.so.1"
SOURCE = Path(__file__).parent / "source"

_COMPILERS = ("cc", "gcc", "clang")
OPTIONS = (
    "-std=gnu11",
    "-O2",
    "-shared",
    "-fPIC",
    "-fvisibility=hidden",
    "-fno-sanitize=undefined",  # zig turns it on, and would link a library for it
    "-Wall",
    "-Wextra",
    "-pthread",
    f"-Wl,-soname,{SONAME}",
)
"""For any of the compilers."""
_KEPT_BUILDS = 4


def default_folder() -> Path:
    """Where builds are kept for this user: `jupyter-mlinfn/drivers` in the cache folder of XDG."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache, "jupyter-mlinfn", "drivers")


def compiler() -> list[str] | None:
    """The command of a C compiler: that of the system, or Zig's from PyPI; None where there is none."""
    for name in _COMPILERS:
        found = shutil.which(name)
        if found is not None:
            return [found]
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc"]
    return None


def built_library(folder: Path | None = None) -> Path:
    """The library below `folder` (default: `default_folder()`), compiled if it is not there.

    Raises:
        DependencyError: there is no C compiler, or it fails.
    """
    folder = folder or default_folder()
    sources = sorted(SOURCE.glob("*.c"))
    library = folder / f"libnvidia-ml-{_key()}.so"
    if library.is_file():
        return library
    command = compiler()
    if command is None:
        raise DependencyError(
            "There is no C compiler here to make the simulated GPU driver with.",
            hint="Install gcc with the system's packages, or ziglang with pip.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if not library.is_file():
            _compile(command, sources, library)
            _remove_old_builds(folder)
    return library


def _compile(command: Sequence[str], sources: Sequence[Path], library: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="build-", dir=library.parent) as scratch_name:
        scratch = Path(scratch_name)
        unfinished = scratch / SONAME
        done = subprocess.run(
            [*command, *OPTIONS, *map(str, sources), "-o", str(unfinished)],
            env=os.environ | {"ZIG_LOCAL_CACHE_DIR": scratch_name, "ZIG_GLOBAL_CACHE_DIR": scratch_name},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode != 0:
            raise DependencyError(
                "The simulated GPU driver cannot be compiled here.",
                reason="\n".join(done.stderr.splitlines()[-15:]),
                hint=f"The compiler is {' '.join(command)}.",
            )
        unfinished.replace(library)


def _key() -> str:
    """A digest of what the library is made from."""
    total = hashlib.sha256("\0".join((*OPTIONS, sys.platform, os.uname().machine)).encode())
    for path in sorted(SOURCE.glob("*.[ch]")):
        total.update(path.name.encode())
        total.update(path.read_bytes())
    return total.hexdigest()[:16]


def _remove_old_builds(folder: Path) -> None:
    by_age = sorted(folder.glob("libnvidia-ml-*.so"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in by_age[_KEPT_BUILDS:]:
        path.unlink(missing_ok=True)
