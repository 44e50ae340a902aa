"""Installed Python distributions, turned into conda packages.

What is packaged is what lies in the interpreter's `site-packages`, found through its recorded
files (https://packaging.python.org/en/latest/specifications/recording-installed-packages/).
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from ..errors import DependencyError
from .interpreter import Interpreter
from .package import PLACEHOLDER, PackageDefinition, PackageFile

_CONDA_FORGE_NAMES = {
    "ipython-pygments-lexers": "ipython_pygments_lexers",
    "jupyter-client": "jupyter_client",
    "jupyter-core": "jupyter_core",
    "pure-eval": "pure_eval",
    "stack-data": "stack_data",
    "typing-extensions": "typing_extensions",
}
"""Where conda-forge's name is not the normalised one of PyPI."""

_WHEEL_FOLDERS = ("/usr/share/python-wheels", "/usr/share/python3-wheels")
"""Where Debian and its derivatives keep the wheels that their ensurepip installs."""

_NOT_PACKAGED = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})
"""Metadata that tells of the installation that we copy; RECORD and INSTALLER are written anew."""


def conda_name(name: str) -> str:
    """The name that a distribution has as a conda package."""
    normalised = canonicalize_name(name)
    return _CONDA_FORGE_NAMES.get(normalised, normalised)


def closure(interpreter: Interpreter, names: Sequence[str], scratch: Path) -> list[Distribution]:
    """The distributions `names` and all that they require in this interpreter, by name.

    pip is taken from the wheel inside the interpreter where it is not installed.

    Raises:
        DependencyError: one of them is not installed.
    """
    installed: dict[str, Distribution] = {}
    for distribution in distributions(path=list(interpreter.search_path)):
        installed.setdefault(canonicalize_name(distribution.metadata["Name"]), distribution)
    if "pip" in names and "pip" not in installed:
        installed["pip"] = _bundled_pip(interpreter, scratch)
    chosen: dict[str, Distribution] = {}
    queue = [canonicalize_name(name) for name in names]
    while queue:
        name = queue.pop()
        if name in chosen:
            continue
        if name not in installed:
            raise DependencyError(
                f"The demo's channel needs {name}, which is not installed.",
                reason=f"Looked in {os.pathsep.join(interpreter.search_path)}",
                hint=f"Install it with `{interpreter.executable} -m pip install {name}`.",
            )
        chosen[name] = installed[name]
        queue += [canonicalize_name(item.name) for item in _requirements(installed[name], interpreter)]
    return [chosen[name] for name in sorted(chosen)]


def distribution_package(
    distribution: Distribution, interpreter: Interpreter, subdir: str
) -> PackageDefinition:
    """The conda package of one distribution: noarch where it is pure Python.

    Raises:
        DependencyError: its installation does not record its files.
    """
    name = distribution.metadata["Name"]
    if not distribution.files:
        raise DependencyError(
            f"{name} cannot be packaged for the demo's channel.",
            reason="Its installation has no list of its files, as packages of the system have none.",
            hint=f"Install {name} with pip in a virtual environment and run the demo from there.",
        )
    pure = _is_pure(distribution)
    scripts = [
        f"{entry.name} = {entry.value.partition('[')[0].strip()}"
        for entry in distribution.entry_points
        if entry.group in ("console_scripts", "gui_scripts")
    ]
    script_names = {script.partition(" = ")[0] for script in scripts}
    library = "" if pure else f"lib/python{interpreter.short_version}/"
    files = list(_files(distribution, f"{library}site-packages", script_names))
    if pure:
        depends = [_spec("python", _field(distribution, "Requires-Python"))]
    else:
        major, minor = interpreter.short_version.split(".")
        depends = [f"python >={major}.{minor},<{major}.{int(minor) + 1}.0a0"]
        files += [_script(script) for script in scripts]
    depends += [
        _spec(conda_name(item.name), str(item.specifier)) for item in _requirements(distribution, interpreter)
    ]
    return PackageDefinition(
        name=conda_name(name),
        version=distribution.version,
        subdir="noarch" if pure else subdir,
        build_prefix="py" if pure else f"py{interpreter.short_version.replace('.', '')}",
        noarch_python=pure,
        depends=sorted(set(depends)),
        summary=_field(distribution, "Summary"),
        license=_field(distribution, "License-Expression"),
        home=_field(distribution, "Home-page"),
        files=files,
        entry_points=sorted(scripts) if pure else (),
    )


def _field(distribution: Distribution, name: str) -> str:
    """A field of the metadata, empty where it has none."""
    return str((distribution.metadata.get_all(name) or [""])[0])


def _requirements(distribution: Distribution, interpreter: Interpreter) -> Iterator[Requirement]:
    environment = {**interpreter.markers, "extra": ""}
    for line in distribution.requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            yield requirement


def _spec(name: str, specifier: str) -> str:
    """A conda match spec; the operators of PEP 440 mean the same there."""
    parts = sorted(str(part).replace("===", "==") for part in SpecifierSet(specifier))
    return f"{name} {','.join(parts)}" if parts else name


def _is_pure(distribution: Distribution) -> bool:
    wheel = distribution.read_text("WHEEL") or ""
    has_binaries = any(".so" in path.suffixes for path in distribution.files or ())
    return "Root-Is-Purelib: true" in wheel and not has_binaries


def _files(distribution: Distribution, library: str, script_names: set[str]) -> Iterator[PackageFile]:
    kept: list[str] = []
    metadata_folder = ""
    for path in distribution.files or ():
        place = PurePosixPath(path)
        if place.parts[0].endswith(".dist-info"):
            metadata_folder = place.parts[0]
            if place.name in _NOT_PACKAGED and len(place.parts) == 2:
                continue
        source = Path(str(path.locate()))
        if place.suffix == ".pyc" or not source.is_file():
            continue
        outside = ".." in place.parts
        if outside:
            # `../../../share/…` of a record: the place below the prefix
            place = PurePosixPath(*(part for part in place.parts if part != ".."))
            if place.parts[0] == "bin" and place.name in script_names | _pip_aliases(script_names):
                continue
        yield _file(str(place) if outside else f"{library}/{place}", source)
        recorded = path.hash.mode + "=" + path.hash.value if path.hash else ""
        kept.append(f"{path},{recorded},{path.size if path.size is not None else ''}")
    if metadata_folder:
        kept += [f"{metadata_folder}/INSTALLER,,", f"{metadata_folder}/RECORD,,"]
        record = "".join(f"{line}\n" for line in sorted(kept))
        yield PackageFile(f"{library}/{metadata_folder}/INSTALLER", b"conda\n")
        yield PackageFile(f"{library}/{metadata_folder}/RECORD", record.encode())


def _pip_aliases(script_names: set[str]) -> set[str]:
    """`pip3.11` beside `pip3`: made by the installer, not recorded as an entry point."""
    return {f"pip3.{minor}" for minor in range(100)} if "pip3" in script_names else set()


def _file(place: str, source: Path) -> PackageFile:
    """`source` at `place`, with the environment's interpreter where it names one."""
    parts = PurePosixPath(place).parts
    if parts[:3] == ("share", "jupyter", "kernels") and parts[-1] == "kernel.json":
        specification = json.loads(source.read_text())
        if Path(specification["argv"][0]).name.startswith("python"):
            specification["argv"][0] = f"{PLACEHOLDER}/bin/python"
        return PackageFile(place, (json.dumps(specification, indent=1) + "\n").encode())
    if parts[0] == "bin":
        first, newline, rest = source.read_bytes().partition(b"\n")
        if first.startswith(b"#!") and b"python" in first:
            first = f"#!{PLACEHOLDER}/bin/python".encode()
        return PackageFile(place, first + newline + rest, executable=True)
    return PackageFile(place, source, executable=os.access(source, os.X_OK))


def _script(entry_point: str) -> PackageFile:
    """What an installer writes for a console script: platform packages carry theirs ready-made."""
    name, _, target = entry_point.partition(" = ")
    module, _, function = target.partition(":")
    root = function.partition(".")[0]
    text = (
        f"#!{PLACEHOLDER}/bin/python\n"
        f"import sys\n\nfrom {module} import {root}\n\n"
        f'if __name__ == "__main__":\n    sys.exit({function}())\n'
    )
    return PackageFile(f"bin/{name}", text.encode(), executable=True)


def _bundled_pip(interpreter: Interpreter, scratch: Path) -> Distribution:
    folders = [interpreter.stdlib / "ensurepip" / "_bundled", *map(Path, _WHEEL_FOLDERS)]
    wheels = [wheel for folder in folders for wheel in sorted(folder.glob("pip-*.whl"))]
    if not wheels:
        raise DependencyError(
            "The demo's channel needs pip, which is not installed.",
            hint=f"Install it with `{interpreter.executable} -m ensurepip`.",
        )
    target = scratch / "pip-wheel"
    with zipfile.ZipFile(wheels[-1]) as archive:
        archive.extractall(target)
    return Distribution.at(next(target.glob("pip-*.dist-info")))
