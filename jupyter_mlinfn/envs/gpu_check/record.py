"""The verdict on an environment, kept: with one's own environment, for a shared one in the user's state.

All functions here block on the file system.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ...files import write_json
from ..cuda import Driver
from ..models import Environment
from ..places import Places
from .findings import Finding, Verdict

FILE = "mlinfn-gpu-check"
"""In conda-meta, beside our marker; without ``.json``, since conda parses every ``*.json`` there."""

FOLDER = "gpu-check"
"""In the user's state: the verdicts on environments that are not theirs, by their ids."""


@dataclass(frozen=True)
class Record:
    """One check: ``#/components/schemas/GpuCheck`` but for what is only known now.

    Attributes:
        time: ISO 8601 in UTC.
        revision: of the environment, where it has revisions.
        fingerprint: of what was in it, see `fingerprint`.
        driver: what this server's driver said; None where it was not heard.
        server: that checked it, as the user knows it.
        others: what may use a GPU and is not checked, in words.
        notes: what else there is to know.
    """

    verdict: Verdict
    summary: str
    time: str
    fingerprint: str
    server: str
    revision: int | None = None
    driver: Driver | None = None
    frameworks: Sequence[Finding] = ()
    others: Sequence[str] = ()
    notes: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Record:
        """The record of a file, which anybody may have written.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        if body["verdict"] not in ("ok", "problem", "nothing", "unchecked"):
            raise ValueError(body["verdict"])
        time, driver, revision = str(body["time"]), body.get("driver"), body.get("revision")
        datetime.fromisoformat(time.replace("Z", "+00:00"))
        if driver is not None:
            cuda, version = driver.get("cuda"), driver.get("version")
            told = driver.get("simulated") is True
            driver = Driver(str(cuda) if cuda else None, str(version) if version else None, told)
        return cls(
            verdict=body["verdict"],
            summary=str(body["summary"]),
            time=time,
            fingerprint=str(body["fingerprint"]),
            server=str(body["server"]),
            revision=revision if isinstance(revision, int) else None,
            driver=driver,
            frameworks=[Finding.from_json(each) for each in body["frameworks"]],
            others=[str(each) for each in body["others"]],
            notes=[str(each) for each in body["notes"]],
        )


def fingerprint(prefix: Path) -> str:
    """What packages an environment has, conda's and pip's: another one after any change of them."""
    digest = hashlib.sha256()
    folders = [f"{prefix}/conda-meta"]
    with suppress(OSError):
        folders += sorted(f"{folder}/site-packages" for folder in (prefix / "lib").glob("python3*"))
    for folder in folders:
        try:
            names = os.listdir(folder)  # noqa: PTH208 - for each environment at every listing
        except OSError:
            continue
        for name in sorted(names):
            if name.endswith((".json", ".dist-info", ".egg-info", ".egg-link")):
                digest.update(f"{name}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


def place(places: Places, environment: Environment) -> Path:
    """Where the verdict on an environment is kept."""
    if environment.origin == "private":
        return environment.prefix / "conda-meta" / FILE
    return places.state / FOLDER / f"{environment.id}.json"


def write(places: Places, environment: Environment, record: Record) -> None:
    """Keep a verdict.

    Raises:
        MlinfnError: the private storage will not do.
        OSError: the storage is gone, full or read-only.
    """
    file = place(places, environment)
    if environment.origin != "private":
        places.prepare()
        file.parent.mkdir(exist_ok=True)
    write_json(file, record.to_json(), indent=1)


def read(places: Places, environment: Environment) -> Record | None:
    """The last verdict; None where there is none, or it is not readable as one."""
    try:
        return Record.from_json(json.loads(place(places, environment).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def stale(record: Record, prefix: Path, driver: Driver | None) -> str | None:
    """Why it need not hold any more: ``environment`` or ``driver``; None where it does.

    Args:
        driver: what this server's driver says now.
    """
    if record.fingerprint != fingerprint(prefix):
        return "environment"
    if driver is not None and driver.cuda is not None and record.driver != driver:
        return "driver"
    return None
