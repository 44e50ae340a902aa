"""Which environments there are: one's own folder and the shared ones.

A shared folder may lie on a file server that has stopped answering, and a thread that asks it
then hangs for as long as that lasts. So each folder is looked at by a thread of its own, which
is given a moment and then left alone; what was known of the folder before is shown meanwhile,
with a warning.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .kernel_names import NamedKernel, name_kernels
from .models import Environment, EnvironmentKernel, Origin
from .prefix import (
    Fingerprint,
    PrefixFacts,
    disk_usage,
    environment_id,
    fingerprint,
    is_prefix,
    packages,
    read_prefix,
)

__all__ = [
    "EnvironmentScanner",
    "ScanResult",
    "disk_usage",
    "environment_id",
    "find_base_prefix",
    "is_prefix",
    "packages",
]

_SETTLED_NS = 2_000_000_000
"""A source changed so recently may change again within the same tick of a coarse clock
(NFS: up to a second) without getting another time: what was read is not kept."""


@dataclass(frozen=True)
class ScanResult:
    """One look at all folders."""

    environments: Sequence[Environment]
    """Own ones first, each group by name."""
    warnings: Sequence[str] = ()
    unreachable: Sequence[Path] = ()
    """Folders whose present content is not known: nothing in them may be taken for removed."""


@dataclass(frozen=True)
class _Known:
    """A prefix as it was last read."""

    prefix: Path
    stamps: Fingerprint
    facts: PrefixFacts
    id: str
    settled: bool


@dataclass
class _Look:
    """What one thread finds in one folder; complete once `thread` has ended."""

    thread: threading.Thread
    found: dict[str, _Known] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    reachable: bool = True


class _Folder:
    """One folder of environments (or one prefix) and what is known of it."""

    def __init__(self, path: Path, origin: Origin) -> None:
        self.path = path
        self.origin = origin
        self.known: Mapping[str, _Known] = {}  # By the path; a Path as the key costs as much as a stat.
        self._look: _Look | None = None

    def start(self) -> None:
        if self._look is not None and self._look.thread.is_alive():
            return  # Still hanging from last time: one thread at most waits for a dead folder.
        look = _Look(threading.Thread(target=lambda: self._fill(look), daemon=True, name=f"scan {self.path}"))
        self._look = look
        look.thread.start()

    def finish(self, deadline: float) -> tuple[list[str], bool]:
        """Warnings, and whether the folder answered until then (`time.monotonic`)."""
        look = self._look
        if look is None:
            return [], True
        look.thread.join(max(0.0, deadline - time.monotonic()))
        if look.thread.is_alive():
            return [f"{self.path} does not answer; its environments are shown as they were last seen."], False
        if look.reachable:
            self.known = look.found
        return look.warnings, look.reachable

    def _fill(self, look: _Look) -> None:
        try:
            candidates = self._candidates()
        except FileNotFoundError:
            if self.origin == "shared":
                look.warnings.append(f"The folder of shared environments {self.path} does not exist.")
                look.reachable = False
            return
        except OSError as error:
            look.warnings.append(f"The environments in {self.path} cannot be listed: {error.strerror}.")
            look.reachable = False
            return
        for prefix in candidates:
            try:
                known = self._read(prefix)
            except (FileNotFoundError, NotADirectoryError):
                continue  # Not an environment, or no longer.
            except OSError as error:
                look.warnings.append(f"The environment {prefix} cannot be read: {error.strerror}.")
                continue
            look.found[prefix] = known
            look.warnings += known.facts.warnings

    def _candidates(self) -> list[str]:
        if self.origin == "shared" and is_prefix(self.path):
            return [str(self.path)]
        return [
            entry.path
            for entry in sorted(os.scandir(self.path), key=lambda entry: entry.name)
            if not entry.name.startswith(".") and (entry.is_dir(follow_symlinks=False) or entry.is_symlink())
        ]

    def _read(self, path: str) -> _Known:
        before = self.known.get(path)
        if before is not None and before.settled and fingerprint(path, before.facts.kernels) == before.stamps:
            return before
        prefix = Path(path)
        (prefix / "conda-meta" / "history").stat()
        # Stamped before it is read: a change in between shows at the next scan.
        first = fingerprint(path)
        facts = read_prefix(prefix, ours=self.origin == "private")
        stamps = fingerprint(path, facts.kernels)
        newest = max((stamp[0] for stamp in stamps if stamp), default=0)
        settled = stamps[: len(first)] == first and abs(time.time_ns() - newest) > _SETTLED_NS
        return _Known(prefix, stamps, facts, environment_id(prefix), settled)


class EnvironmentScanner:
    """Lists environments; remembers what it has read, so that a second look is cheap.

    Args:
        own_folder: the folder of one's own environments; need not exist yet.
        shared_folders: read-only folders, each one of environments or itself a prefix.
        base_prefix: where conda is, as `find_base_prefix` finds it; it takes part in the naming.
        current_prefix: where this server runs.
        patience: seconds to wait for folders that do not answer, all together.
        remembered: prefixes known from elsewhere (the kernelspecs on disk). Those that lie in a
            folder that cannot be reached keep their names reserved.
    """

    def __init__(
        self,
        own_folder: Path,
        shared_folders: Sequence[Path] = (),
        *,
        base_prefix: Path | None = None,
        current_prefix: Path | None = None,
        patience: float = 3.0,
        remembered: Callable[[], Iterable[Path]] = tuple,
    ) -> None:
        self._folders = [_Folder(_absolute(own_folder), "private")]
        for folder in dict.fromkeys(_absolute(folder) for folder in shared_folders):
            if folder != self._folders[0].path:
                self._folders.append(_Folder(folder, "shared"))
        self._base_prefix = base_prefix
        self._current_prefix = Path(sys.prefix) if current_prefix is None else current_prefix
        self._patience = patience
        self._remembered = remembered
        self._lock = threading.Lock()
        self._last: tuple[list[_Known], frozenset[Path], ScanResult] | None = None

    def scan(self) -> ScanResult:
        """Look at all folders. It reads disks: call it in a thread, never on an event loop.

        It returns after `patience` seconds at the latest. Safe to call from several threads.
        """
        with self._lock:
            for folder in self._folders:
                folder.start()
            deadline = time.monotonic() + self._patience
            warnings: list[str] = []
            unreachable: list[Path] = []
            for folder in self._folders:
                folder_warnings, answered = folder.finish(deadline)
                warnings += folder_warnings
                if not answered:
                    unreachable.append(folder.path)
            return self._result(warnings, unreachable)

    def _result(self, warnings: list[str], unreachable: list[Path]) -> ScanResult:
        seen: set[str] = set()
        listed: list[_Known] = []
        origins: list[Origin] = []
        for folder in self._folders:
            for known in folder.known.values():
                # One prefix may be reached through two folders, or through a link.
                if known.facts.ready and known.id not in seen:
                    seen.add(known.id)
                    listed.append(known)
                    origins.append(folder.origin)
        names_only = self._names_only(unreachable)
        if self._last is not None and self._last[:2] == (listed, names_only):
            environments = self._last[2].environments
        else:
            environments = self._environments(listed, origins, names_only)
        result = ScanResult(environments, tuple(warnings), tuple(unreachable))
        self._last = (listed, names_only, result)
        return result

    def _names_only(self, unreachable: Sequence[Path]) -> frozenset[Path]:
        """Prefixes that are not listed here but have their share in the naming."""
        prefixes: set[Path] = set()
        if self._base_prefix is not None:
            prefixes.add(self._base_prefix)
        if unreachable:
            prefixes |= {
                prefix
                for prefix in self._remembered()
                if any(prefix == folder or folder in prefix.parents for folder in unreachable)
            }
        return frozenset(prefixes)

    def _environments(
        self, listed: Sequence[_Known], origins: Sequence[Origin], names_only: Iterable[Path]
    ) -> tuple[Environment, ...]:
        own_kernels: dict[str, list[tuple[str, str]]] = {str(prefix): [] for prefix in names_only}
        for known in listed:
            own_kernels[str(known.prefix)] = [
                (kernel.raw_name, str(kernel.spec["display_name"])) for kernel in known.facts.kernels
            ]
        named = name_kernels(
            own_kernels,
            base_prefix=str(self._base_prefix) if self._base_prefix else None,
            current_prefix=str(self._current_prefix),
        )
        by_kernel = {(kernel.prefix, kernel.raw_name): kernel for kernel in named}
        environments = [
            _environment(known, origin, by_kernel) for known, origin in zip(listed, origins, strict=True)
        ]
        return tuple(
            sorted(environments, key=lambda each: (each.origin != "private", each.name, str(each.prefix)))
        )


def _environment(known: _Known, origin: Origin, named: Mapping[tuple[str, str], NamedKernel]) -> Environment:
    facts, prefix = known.facts, known.prefix
    kernels: list[EnvironmentKernel] = []
    for own in facts.kernels:
        kernel = named.get((str(prefix), own.raw_name))
        if kernel is None:
            continue  # In conda-bld, which nb_conda_kernels leaves out.
        kernels.append(
            EnvironmentKernel(
                name=kernel.name,
                display_name=kernel.display_name,
                language=str(own.spec.get("language") or kernel.language),
                raw_name=own.raw_name,
                spec_dir=own.spec_dir,
                spec=own.spec,
                metadata=kernel.metadata,
            )
        )
    return Environment(
        id=known.id,
        name=facts.name,
        label=facts.label,
        prefix=prefix,
        origin=origin,
        python=facts.python,
        package_count=facts.package_count,
        created=facts.created,
        kernels=tuple(kernels),
        requested_specs=facts.requested_specs,
        channels=facts.channels,
        pip_specs=facts.pip_specs,
        adopted=facts.adopted,
        cuda=facts.cuda,
        link_scripts_not_run=facts.link_scripts_not_run,
    )


def _absolute(path: Path) -> Path:
    # Not resolved: conda and notebooks know an environment by the path that people use.
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100


def find_base_prefix(
    current_prefix: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Path | None:
    """Where conda itself is installed, if this server runs in one of its environments.

    The base environment counts in the naming: what lies in its ``envs`` keeps its plain name.
    """
    current = Path(sys.prefix) if current_prefix is None else current_prefix
    if not (current / "conda-meta").is_dir():
        return None
    if current.parent.name == "envs" and (current.parent.parent / "conda-meta").is_dir():
        return current.parent.parent
    if conda := environ.get("CONDA_EXE"):
        candidate = Path(conda).parent.parent
        if (candidate / "conda-meta").is_dir():
            return candidate
    return current
