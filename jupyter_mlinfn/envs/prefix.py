"""What one conda prefix says about itself. Everything here reads a disk: call it in a thread."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from ..errors import NotFoundError
from .cuda import is_choice
from .marker import MARKER, Marker, read_marker
from .models import InstalledPackage
from .names import package_name
from .worker import pip_packages

_POST_LINK = re.compile(r"^\.(?P<package>.+)-post-link\.sh$")
_SPECS_LINE = re.compile(
    r"^# (?P<action>update|install|create|remove|uninstall|neutered) specs: *(?P<specs>\[.*\])"
)
_SPEC_NAME = re.compile(r"(?:.*::)?(?P<name>[A-Za-z0-9_.-]+)")
_HISTORY_DATE = re.compile(r"^==> (?P<date>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) <==")


@dataclass(frozen=True)
class OwnKernel:
    """A kernelspec inside the prefix, as its packages installed it."""

    raw_name: str
    spec_dir: Path
    spec: Mapping[str, Any]


@dataclass(frozen=True)
class PrefixFacts:
    """What a listing needs to know of a prefix, without opening the package records."""

    name: str
    label: str
    ready: bool
    """False while it is being made."""
    python: str | None
    package_count: int
    created: datetime | None
    kernels: Sequence[OwnKernel]
    requested_specs: Sequence[str]
    channels: Sequence[str]
    pip_specs: Sequence[str]
    adopted: bool
    cuda: str
    link_scripts_not_run: Sequence[str]
    warnings: Sequence[str]


def environment_id(prefix: Path) -> str:
    """Opaque key of an environment: 16 hexadecimal digits of the resolved prefix's SHA-256.

    Not its name: names depend on what else exists, and a removal must never hit another.
    """
    return hashlib.sha256(os.fsencode(os.path.realpath(prefix))).hexdigest()[:16]


def is_prefix(path: Path) -> bool:
    """Whether conda takes the folder for an environment: it has ``conda-meta/history``.

    Raises `OSError` where that cannot be told (no permission, a stale mount).
    """
    try:
        (path / "conda-meta" / "history").stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


Fingerprint = tuple[tuple[int, int, int] | None, ...]


def fingerprint(prefix: str, kernels: Sequence[OwnKernel] = ()) -> Fingerprint:
    """Changes when `read_prefix` would answer something else: (mtime, inode, size) of the sources.

    Each kernel.json is among them: rewriting one in place leaves its folder's time alone.
    """
    meta = f"{prefix}/conda-meta"
    # Not conda-meta/history: whatever changes an environment touches the folder too.
    sources = [meta, f"{meta}/{MARKER}", f"{prefix}/share/jupyter/kernels"]
    sources += [f"{kernel.spec_dir}/kernel.json" for kernel in kernels]
    return tuple(_stamp(source) for source in sources)


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - several hundred a listing, and a Path costs as much again
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def read_prefix(prefix: Path, *, ours: bool) -> PrefixFacts:
    """Read what a listing shows. Raises `OSError` when the prefix is gone or unreadable.

    Args:
        ours: whether our engine made it, which does not run post-link scripts; for other
            prefixes `link_scripts_not_run` stays empty, since whoever made them ran them.
    """
    records = [entry for entry in _names(prefix / "conda-meta") if entry.endswith(".json")]
    python = next(
        (version for record in records for name, version, _ in [_split(record)] if name == "python"), None
    )
    marker = read_marker(prefix)
    kernels, warnings = _own_kernels(prefix)
    if marker is None:
        specs, channels, created = _read_history(prefix)
    else:
        specs, channels = tuple(marker.specs), tuple(marker.channels)
        created = _parse_time(marker.created)
    name = marker.name if marker else prefix.name
    return PrefixFacts(
        name=name,
        label=marker.label if marker else name,
        ready=marker is None or marker.state != "creating",
        python=python,
        package_count=len(records),
        created=created,
        kernels=kernels,
        requested_specs=specs,
        channels=channels,
        pip_specs=tuple(marker.pip_specs) if marker else (),
        adopted=marker is not None,
        cuda=marker.cuda if marker is not None and is_choice(marker.cuda) else "",
        link_scripts_not_run=_post_link_scripts(prefix) if ours else (),
        warnings=warnings,
    )


def _names(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def _split(record: str) -> tuple[str, str, str]:
    """Name, version and build of ``name-version-build.json``."""
    parts = record.removesuffix(".json").rsplit("-", 2)
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else (parts[0], "", "")


def _parse_time(value: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.astimezone()


def _read_history(prefix: Path) -> tuple[tuple[str, ...], tuple[str, ...], datetime | None]:
    """Specs, channels and time of creation from conda's own log of the environment.

    Format: conda/history.py. Its times are local and have no zone: taken for this host's.
    """
    try:
        lines = (prefix / "conda-meta" / "history").read_text("utf-8", "replace").splitlines()
    except OSError:
        return (), (), None
    specs: dict[str, str] = {}
    channels: dict[str, None] = {}
    created: datetime | None = None
    for line in lines:
        if line.startswith("+"):
            channel, found, _ = line[1:].partition("::")
            if found:
                channels[channel.rpartition("/")[0] or channel] = None
        elif created is None and (date := _HISTORY_DATE.match(line)):
            created = _parse_time(date["date"])
        elif wanted := _SPECS_LINE.match(line):
            for spec in _quoted(wanted["specs"]):
                name = _SPEC_NAME.match(spec)
                if name and wanted["action"] in ("remove", "uninstall"):
                    specs.pop(name["name"], None)
                elif name:
                    specs[name["name"]] = spec
    return tuple(specs.values()), tuple(channels), created


def _quoted(specs: str) -> list[str]:
    # Written by conda as the repr of a list of strings: either kind of quote.
    return [single or double for single, double in re.findall(r"'([^']*)'|\"([^\"]*)\"", specs)]


def _own_kernels(prefix: Path) -> tuple[tuple[OwnKernel, ...], tuple[str, ...]]:
    kernels: list[OwnKernel] = []
    warnings: list[str] = []
    folder = prefix / "share" / "jupyter" / "kernels"
    try:
        names = sorted(name for name in _names(folder) if not name.startswith("."))
    except OSError:
        return (), ()
    for name in names:
        spec_dir = folder / name
        try:
            spec = json.loads((spec_dir / "kernel.json").read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            warnings.append(f"Kernel {spec_dir} cannot be read: {error}")
            continue
        if not (
            isinstance(spec, dict)
            and isinstance(spec.get("display_name"), str)
            and _is_command(spec.get("argv"))
        ):
            warnings.append(f"Kernel {spec_dir} is left out: its kernel.json has no display_name or no argv.")
            continue
        kernels.append(OwnKernel(name, spec_dir, spec))
    return tuple(kernels), tuple(warnings)


def _is_command(argv: object) -> bool:
    return isinstance(argv, list) and bool(argv) and all(isinstance(word, str) for word in argv)


def _post_link_scripts(prefix: Path) -> tuple[str, ...]:
    try:
        files = _names(prefix / "bin")
    except OSError:
        return ()
    return tuple(sorted(found["package"] for file in files if (found := _POST_LINK.match(file))))


def packages(prefix: Path) -> list[InstalledPackage]:
    """The package records of a prefix, sorted by name. Slow (it reads every record): a thread.

    A record that cannot be read is listed with what its file name says. Of an environment of ours the
    marker knows what was asked for: the records keep what was once.
    Raises `NotFoundError` when there is no environment any more.
    """
    try:
        records = sorted(entry for entry in _names(prefix / "conda-meta") if entry.endswith(".json"))
    except OSError as error:
        raise NotFoundError(
            f"The environment in {prefix} cannot be read.",
            reason=str(error),
            hint="It may have been removed meanwhile: refresh the list.",
        ) from error
    marker = read_marker(prefix)
    found = []
    owned: set[str] = set()
    for record in records:
        content = _content(prefix / "conda-meta" / record)
        found.append(_installed(record, content))
        owned.update(str(path) for path in content.get("files") or ())
    if marker is not None:
        wanted = {package_name(spec) for spec in marker.specs}
        found = [replace(package, requested=package.name in wanted) for package in found]
    return sorted([*found, *_of_pip(prefix, owned, marker)], key=lambda package: package.name)


def _of_pip(prefix: Path, owned: set[str], marker: Marker | None) -> list[InstalledPackage]:
    """What pip installed; nothing of conda's is among it."""
    wanted = {canonicalize_name(package_name(spec)) for spec in marker.pip_specs} if marker else set()
    distributions = pip_packages.distributions(prefix, with_files=False)
    names = pip_packages.conda_owned(distributions, owned)
    return [
        InstalledPackage(
            name=one.written,
            version=one.version,
            build="",
            channel="PyPI" if one.direct_url is None else str(one.direct_url.get("url", "")),
            size=None,
            requested=one.name in wanted or (marker is None and one.requested),
            manager="pip",
        )
        for one in distributions
        if one.name not in names
    ]


def _content(record: Path) -> dict[str, Any]:
    try:
        content = json.loads(record.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _installed(record: str, content: Mapping[str, Any]) -> InstalledPackage:
    name, version, build = _split(record)
    size = content.get("size")
    return InstalledPackage(
        name=str(content.get("name") or name),
        version=str(content.get("version") or version),
        build=str(content.get("build") or build),
        channel=str(content.get("channel") or ""),
        size=size if isinstance(size, int) else None,
        # conda writes `requested_spec`, with the text "None" for nothing; rattler writes a list.
        requested=bool(content.get("requested_specs"))
        or content.get("requested_spec") not in (None, "", "None"),
    )


def disk_usage(prefix: Path) -> tuple[int, int]:
    """Bytes on disk, and of these what removing the prefix would free. Slow: a thread.

    Allocated blocks, not lengths. A file linked several times within the prefix counts once;
    one that also has a link elsewhere (the package cache) counts for the first figure only.
    Raises `OSError` when the prefix itself cannot be read; what vanishes meanwhile is skipped.
    """
    total = own = 0
    linked: dict[tuple[int, int], list[int]] = {}
    folders = [os.fspath(prefix)]
    root = prefix.stat()
    total += root.st_blocks * 512
    own += root.st_blocks * 512
    while folders:
        try:
            entries = list(os.scandir(folders.pop()))
        except FileNotFoundError:
            continue
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            size = status.st_blocks * 512
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            elif status.st_nlink > 1:
                links = linked.setdefault((status.st_dev, status.st_ino), [0, status.st_nlink, size])
                links[0] += 1
                continue
            total += size
            own += size
    for found, links_altogether, size in linked.values():
        total += size
        own += size if found >= links_altogether else 0
    return total, own
