"""Every environment's kernels as ordinary kernelspecs on disk.

Written to the user's kernel folder, they make the name that a notebook stores work wherever
that folder is seen: in this server, in `jupyter nbconvert --execute`, in papermill, in a batch
job on another host. Nothing of jupyter_mlinfn is needed there.

A kernelspec of ours bears our mark in its metadata. Only such are changed or removed, and
removed only when the environment is known to be gone, not merely out of sight.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_data_dir

from .activation import Activation, ActivationCache
from .models import Environment, EnvironmentKernel
from .prefix import is_prefix

MARK = "mlinfn"
OWNER = "jupyter_mlinfn"

_LOGO_LIMIT = 1 << 20
_RUNNER = "nb_conda_kernels.runner"
_unique = itertools.count()
_UNREADABLE: dict[str, Any] = {}
_SETTLED_NS = 2_000_000_000  # See `scan`.


@dataclass(frozen=True)
class SyncResult:
    """What a `KernelspecWriter.sync` did; the names are those of folders, lower case."""

    added: Sequence[str] = ()
    changed: Sequence[str] = ()
    removed: Sequence[str] = ()
    warnings: Sequence[str] = ()


@dataclass
class _Changes:
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class WrittenKernelspec:
    """A kernelspec on disk that bears our mark."""

    folder: Path
    spec: Mapping[str, Any]

    @property
    def prefix(self) -> Path:
        return Path(str(self.spec["metadata"][MARK]["prefix"]))

    @property
    def environment_id(self) -> str:
        return str(self.spec["metadata"][MARK].get("id", ""))

    @property
    def raw_name(self) -> str:
        return str(self.spec["metadata"].get("conda_raw_kernel_name", ""))


class KernelspecWriter:
    """Keeps the kernelspecs of a folder equal to what the environments offer.

    Args:
        kernels_dir: default the user's, ``jupyter_data_dir()/kernels``; need not exist yet.
        activations: where the environments' activations come from; default a cache that lives
            as long as this object.
    """

    def __init__(
        self, kernels_dir: Path | None = None, *, activations: ActivationCache | None = None
    ) -> None:
        self.kernels_dir = Path(jupyter_data_dir()) / "kernels" if kernels_dir is None else kernels_dir
        self._activations = activations or ActivationCache()
        self._last: Mapping[str, dict[str, Any]] = {}
        # Both only spare work: what was read, until the file changes, and what was rendered,
        # as long as the scan and the activation hand over the same objects.
        self._read: dict[str, tuple[tuple[int, int, int], dict[str, Any]]] = {}
        self._rendered: dict[str, tuple[Environment, Activation, dict[str, Any]]] = {}

    def sync(self, environments: Iterable[Environment], *, unreachable: Sequence[Path] = ()) -> SyncResult:
        """Write what is missing or differs, remove what belongs to environments that are gone.

        Reads and writes disks and may run activation scripts: call it in a thread. What is
        equal already is not touched. Safe while another server does the same: each file
        appears whole, and both write the same. A kernelspec somebody deleted comes back.

        Args:
            environments: all that a scan found.
            unreachable: folders whose content the scan does not know.
        """
        changes = _Changes()
        environments = list(environments)
        wanted = self._wanted(environments, changes.warnings)
        try:
            written = self.written()
            current: dict[str, dict[str, Any]] = {}
            for name, (environment, kernel) in wanted.items():
                spec = self._write(name, environment, kernel, changes)
                if spec is not None:
                    current[name] = spec
            self._last = current  # Before anything is removed: `restore` must not bring that back.
            self._remove_gone(environments, wanted, written, unreachable, changes)
        except OSError as error:
            changes.warnings.append(f"The kernels in {self.kernels_dir} cannot be kept up to date: {error}")
        return SyncResult(
            tuple(changes.added),
            tuple(changes.changed),
            tuple(changes.removed),
            tuple(dict.fromkeys(changes.warnings)),  # Kernels of one environment share its activation.
        )

    def restore(self) -> list[str]:
        """Write again what the last `sync` wanted and somebody has deleted since; their names.

        Costs one look at the folder when nothing is missing. Logos follow at the next sync.
        """
        restored: list[str] = []
        for name, spec in self._last.items():
            path = self.kernels_dir / name / "kernel.json"
            if not path.exists():
                with contextlib.suppress(OSError):
                    if is_prefix(Path(spec["metadata"][MARK]["prefix"])):
                        _replace(path, _to_bytes(spec))
                        restored.append(name)
        return restored

    def written(self) -> dict[str, WrittenKernelspec]:
        """Kernelspecs of ours in the folder, by the lower-case name of their folders."""
        found: dict[str, WrittenKernelspec] = {}
        try:
            with os.scandir(self.kernels_dir) as entries:
                names = sorted(entry.name for entry in entries)
        except FileNotFoundError:
            return found
        for name in names:
            spec = self._read_spec(name)
            if spec is not None and _is_ours(spec):
                found[name.lower()] = WrittenKernelspec(self.kernels_dir / name, spec)
        return found

    def prefixes(self) -> list[Path]:
        """Prefixes of all kernelspecs of ours: for the scanner's ``remembered``."""
        return [written.prefix for written in self.written().values()]

    def _wanted(
        self, environments: Sequence[Environment], warnings: list[str]
    ) -> dict[str, tuple[Environment, EnvironmentKernel]]:
        """By folder name, which is lower case, as the stock manager compares names.

        Of kernels that share a name the last in conda's order is offered, as by nb_conda_kernels.
        """
        in_order = sorted(environments, key=lambda environment: str(environment.prefix))
        wanted: dict[str, tuple[Environment, EnvironmentKernel]] = {}
        for environment in in_order:
            for kernel in sorted(environment.kernels, key=lambda kernel: kernel.raw_name):
                name = kernel.name.lower()
                if name in wanted:
                    warnings.append(
                        f"Two kernels are called {name}: the one in {environment.prefix} is offered, "
                        f"the one in {wanted[name][0].prefix} is not."
                    )
                wanted[name] = (environment, kernel)
        return wanted

    def _write(
        self, name: str, environment: Environment, kernel: EnvironmentKernel, changes: _Changes
    ) -> dict[str, Any] | None:
        present = self._read_spec(name)
        activation = self._activations.of(environment.prefix)
        before = self._rendered.get(name)
        if before is not None and before == (environment, activation, present):
            changes.warnings += activation.warnings
            return before[2]
        folder = self.kernels_dir / name
        if present == _UNREADABLE:
            changes.warnings.append(
                f"The kernelspec {folder} is not ours and cannot be read; it was left alone."
            )
            return None
        if (
            present is not None
            and not _is_ours(present)
            and not _is_made_again_by_nb_conda(present, environment)
        ):
            changes.warnings.append(
                f"A kernelspec called {name} that is not ours is in {self.kernels_dir}; it was left alone."
            )
            return None
        changes.warnings += activation.warnings
        spec = render(environment, kernel, activation.variables)
        logos_changed = _copy_logos(kernel.spec_dir, folder)
        if spec != present:
            _replace(folder / "kernel.json", _to_bytes(spec))
        if present is None:
            changes.added.append(name)
        elif spec != present or logos_changed:
            changes.changed.append(name)
        self._rendered[name] = (environment, activation, spec)
        return spec

    def _read_spec(self, name: str) -> dict[str, Any] | None:
        """The kernel.json in a folder; None where there is none."""
        path = f"{self.kernels_dir}/{name}/kernel.json"
        try:
            status = os.stat(path)  # noqa: PTH116 - one for each kernel at every listing
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            return _UNREADABLE
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        known = self._read.get(name)
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            spec = json.loads(Path(path).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            spec = None
        content = spec if isinstance(spec, dict) else _UNREADABLE
        if time.time_ns() - status.st_mtime_ns > _SETTLED_NS:  # Else it may change without a trace.
            self._read[name] = (stamp, content)
        return content

    def _remove_gone(
        self,
        environments: Sequence[Environment],
        wanted: Mapping[str, object],
        written: Mapping[str, WrittenKernelspec],
        unreachable: Sequence[Path],
        changes: _Changes,
    ) -> None:
        listed = {environment.id for environment in environments}
        for name, kernelspec in written.items():
            if name in wanted:
                continue
            # A listed environment has another name now, or lost this kernel. Of one that is not
            # listed here (another server may have other folders configured) only the disk tells.
            if kernelspec.environment_id in listed or _is_gone(kernelspec.prefix, unreachable):
                _remove(kernelspec.folder)
                changes.removed.append(name)


def render(
    environment: Environment, kernel: EnvironmentKernel, variables: Mapping[str, str]
) -> dict[str, Any]:
    """The content of kernel.json.

    Args:
        variables: the activation, as `activation.Activation.variables`.
    """
    own_variables = {str(name): str(value) for name, value in _mapping(kernel.spec.get("env")).items()}
    merged = own_variables | dict(variables)
    if "PATH" in own_variables:
        # Both add to it: activation happens last, its folders come first.
        merged["PATH"] = variables.get("PATH", "${PATH}").replace("${PATH}", own_variables["PATH"])
    own_metadata = {
        name: value for name, value in _mapping(kernel.spec.get("metadata")).items() if name != MARK
    }
    return {
        **kernel.spec,
        "argv": _command(environment.prefix, kernel),
        "display_name": kernel.display_name,
        "language": kernel.language,
        "env": merged,
        "metadata": {
            **own_metadata,
            **kernel.metadata,
            MARK: {
                "owner": OWNER,
                "id": environment.id,
                "prefix": str(environment.prefix),
                "label": environment.label,
                "origin": environment.origin,
            },
        },
    }


def _command(prefix: Path, kernel: EnvironmentKernel) -> list[str]:
    """The environment's own command, independent of who starts it.

    jupyter_client (manager.py, ``format_kernel_cmd``) would replace a bare ``python`` by its own
    interpreter, ``{prefix}`` by its own prefix and ``{resource_dir}`` by our folder.
    """
    placed = [
        word.replace("{prefix}", str(prefix)).replace("{resource_dir}", str(kernel.spec_dir))
        for word in kernel.spec["argv"]
    ]
    program = Path(placed[0])
    inside = prefix / "bin" / program.name
    # An absolute path may be that of the place where the environment was built, before it was
    # published elsewhere.
    if (not program.is_absolute() and program.parent == Path()) or (
        program.is_absolute() and not program.exists()
    ):
        return [str(inside), *placed[1:]] if inside.exists() else placed
    return [str(program if program.is_absolute() else prefix / program), *placed[1:]]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _to_bytes(spec: Mapping[str, Any]) -> bytes:
    return json.dumps(spec, indent=1).encode()


def _is_ours(spec: Mapping[str, Any]) -> bool:
    mark = _mapping(_mapping(spec.get("metadata")).get(MARK))
    return mark.get("owner") == OWNER and "prefix" in mark


def _is_made_again_by_nb_conda(spec: Mapping[str, Any], environment: Environment) -> bool:
    """Whether nb_conda_kernels wrote it (``kernelspec_path``) for this very environment.

    It writes over ours whenever it looks; ours, which needs neither it nor conda, comes back
    at the next sync. Nothing is lost: it makes them from the same source as we do.
    """
    return _RUNNER in (spec.get("argv") or ()) and _mapping(spec.get("metadata")).get(
        "conda_env_path"
    ) == str(environment.prefix)


def _is_gone(prefix: Path, unreachable: Sequence[Path]) -> bool:
    if any(folder == prefix or folder in prefix.parents for folder in unreachable):
        return False
    try:
        if is_prefix(prefix):
            return False
        # A volume that is not mounted leaves no folder, or an empty one.
        with os.scandir(prefix.parent) as siblings:
            return next(siblings, None) is not None
    except OSError:
        return False


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{next(_unique)}")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def _copy_logos(source: Path, folder: Path) -> bool:
    """Copy the logos that differ; before kernel.json, with which the folder becomes a kernel."""
    changed = False
    for logo in sorted(source.glob("logo-*")):
        try:
            if logo.suffix not in (".png", ".svg") or logo.stat().st_size > _LOGO_LIMIT:
                continue
            content = logo.read_bytes()
        except OSError:
            continue  # A kernel without a logo is still a kernel.
        target = folder / logo.name
        if not target.is_file() or target.read_bytes() != content:
            _replace(target, content)
            changed = True
    return changed


def _remove(folder: Path) -> None:
    # kernel.json goes first: without it the folder is no kernel, whatever happens then.
    (folder / "kernel.json").unlink(missing_ok=True)
    for leftover in list(folder.iterdir()):
        with contextlib.suppress(OSError):
            leftover.unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()
