"""What the services of this room hand to each other and to the outside.

Sizes are bytes, times aware datetimes in UTC, paths absolute. `to_json` gives what
openapi.yaml describes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from ..jobs.models import Progress

__all__ = [
    "Environment",
    "EnvironmentKernel",
    "InstalledPackage",
    "Origin",
    "PackageHit",
    "Phase",
    "Plan",
    "PlannedPackage",
    "Progress",
]

Origin = Literal["private", "shared"]

Phase = Literal["preparing", "solving", "downloading", "linking", "checking", "finishing"]


@dataclass(frozen=True)
class PlannedPackage:
    """One package of a solution."""

    name: str
    version: str
    build: str
    channel: str
    url: str
    size: int | None
    """Bytes of the archive; None where the channel does not say."""
    cached: bool
    """Whether it need not be downloaded."""


@dataclass(frozen=True)
class Plan:
    """What creating an environment would do: the answer to a dry run."""

    packages: Sequence[PlannedPackage]
    download_bytes: int
    """Archives that are not in a package cache, summed."""
    installed_bytes: int
    """Space needed on the volume of the environments: an estimate unless all is cached."""
    installed_files: int
    """Inodes needed there: an estimate unless all is cached."""
    estimated: bool
    """Whether `installed_bytes` and `installed_files` are estimates."""
    specs: Sequence[str]
    """The match specs that were solved, added ones included."""
    added_specs: Sequence[str] = ()
    """Those that the user did not ask for (``ipykernel``)."""
    warnings: Sequence[str] = ()
    cuda_builds: Sequence[Mapping[str, Any]] = ()
    """Of the packages asked for, those that have builds for CUDA: see `worker.cuda_builds`."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"package_count": len(self.packages)}


@dataclass(frozen=True)
class PackageHit:
    """One package found by a search in the channels."""

    name: str
    version: str
    """The newest version for this platform, as conda orders versions."""
    summary: str
    """One line; empty where the channel has none (no channeldata.json)."""
    channel: str


@dataclass(frozen=True)
class EnvironmentKernel:
    """A kernel that an environment offers, under the name that nb_conda_kernels gives it."""

    name: str
    display_name: str
    language: str
    raw_name: str
    """Name of the kernelspec's folder inside the prefix, e.g. ``python3``."""
    spec_dir: Path
    """``<prefix>/share/jupyter/kernels/<raw_name>``."""
    spec: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The environment's own kernel.json, unchanged."""
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What nb_conda_kernels adds to the kernelspec's metadata (``conda_env_path`` and others)."""


@dataclass(frozen=True)
class InstalledPackage:
    """One record of conda-meta."""

    name: str
    version: str
    build: str
    channel: str
    size: int | None
    requested: bool
    """Whether the user asked for it by name."""
    manager: Literal["conda", "pip"] = "conda"


@dataclass(frozen=True)
class Environment:
    """A conda prefix, ours or a shared one."""

    id: str
    """Opaque, made from the resolved prefix; see `prefix.environment_id`."""
    name: str
    label: str
    prefix: Path
    origin: Origin
    python: str | None
    package_count: int
    created: datetime | None
    kernels: Sequence[EnvironmentKernel] = ()
    requested_specs: Sequence[str] = ()
    channels: Sequence[str] = ()
    pip_specs: Sequence[str] = ()
    """Requirements that pip was asked for."""
    adopted: bool = False
    """Whether it is managed here: made by us, or taken under revisions since."""
    cuda: str = ""
    """As its marker has it: a version, ``none``, or empty where nobody decided."""
    link_scripts_not_run: Sequence[str] = ()
    """Packages with a post-link script, which was not run."""
    size: int | None = None
    """Bytes on disk, hard links within the prefix counted once; None until measured."""
    size_own: int | None = None
    """Of these, what removing it would free: files with no link elsewhere; None until measured."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
