"""What the steps of a pip installation hand to one another. All fields are plain JSON values or
paths, so that a plan can be kept and taken up again: ``PlannedWheel(**asdict(planned))``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PlannedWheel:
    """A distribution that is to be installed.

    Attributes:
        name: normalized; `version` as its metadata write it.
        url: where its archive is, without credentials; None where only name and version are known.
        sha256: of the archive, hex; None where the index gives none.
        size: bytes of the archive, None where they are not known.
        is_wheel: False for a source distribution, which is built first.
        requested: whether the user asked for it by name.
        replaces: the version that pip has installed now; None where there is none.
        direct_url: content of direct_url.json where the user gave a URL (PEP 610).
    """

    name: str
    version: str
    url: str | None
    sha256: str | None = None
    size: int | None = None
    is_wheel: bool = True
    requested: bool = False
    replaces: str | None = None
    direct_url: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Wheel:
    """A wheel in the store. `sha256` is the wheel's own, hex, also where it was built here."""

    name: str
    version: str
    file: Path
    sha256: str
    url: str | None = None
    requested: bool = False
    direct_url: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Staged:
    """A wheel unpacked. `files` are relative to the prefix, RECORD included → sha256 in hex."""

    name: str
    version: str
    wheel_sha256: str
    record_sha256: str
    files: Mapping[str, str | None]
