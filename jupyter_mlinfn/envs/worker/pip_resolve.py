"""What pip would install: its own resolver's answer, with nothing changed.

``pip install --dry-run --report``: https://pip.pypa.io/en/stable/reference/installation-report/.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ...errors import BadInputError
from ..redact import redact
from . import pip_packages, pip_run
from .pip_failures import translate
from .pip_models import PlannedWheel
from .pip_requirements import check, check_held

WHAT = "pip could not work out what to install."
_LIMIT = 900.0


def resolve(
    prefix: Path,
    requirements: Sequence[str],
    *,
    upgrade: bool,
    held: Mapping[str, str],
    log: pip_run.Log,
    python_version: str | None = None,
    temporary: Path | None = None,
) -> list[PlannedWheel]:
    """What pip would install into a prefix, in its order; empty where nothing is to be done.

    Blocks, for seconds to minutes; call it on a thread that lives until it returns.

    Args:
        requirements: PEP 508, see `check`.
        upgrade: whether what is named is brought to its newest version.
        held: distributions that have to stay as they are (conda's): normalized name → version.
        python_version: for a prefix whose Python is about to become another (``"3.13"``): what
            of `requirements`, each ``name==version``, there is for that one as a ready wheel,
            without dependencies; `held` is not looked at.
        temporary: folder for what pip downloads on the way; the system's by default.

    Raises:
        BadInputError: a requirement is none, or a source that must not be.
        UnsolvableError: conda holds what would have to change; no versions fit; a build failed.
        NotFoundError: there is no such distribution.
        ConflictError: the prefix has no Python, or one that no pip here can serve.
        DependencyError: the index does not answer as it should.
        NoSpaceError: the disk is full.
    """
    read = check(requirements)
    if not read:
        return []
    if python_version is None:
        check_held(read, held, upgrade=upgrade)
    with tempfile.TemporaryDirectory(prefix="mlinfn-pip-", dir=temporary) as name:
        work = Path(name)
        report = work / "report.json"
        arguments = ["install", "--dry-run", "--report", str(report), "--no-user", "--progress-bar", "off"]
        if upgrade:
            arguments.append("--upgrade")
        if python_version is None:
            constraints = work / "constraints.txt"
            constraints.write_text("".join(_pin(*item) for item in sorted(held.items())))
            arguments += ["--constraint", str(constraints)]
        else:
            arguments += ["--python-version", python_version, "--only-binary=:all:", "--no-deps"]
            arguments += ["--ignore-installed", "--target", str(work / "nothing")]
        outcome = pip_run.run(
            prefix if python_version is None else None,
            [*arguments, "--", *map(str, read)],
            log=log,
            what=WHAT,
            temporary=temporary,
            limit=_LIMIT,
        )
        if outcome.code != 0:
            raise translate(outcome.text, WHAT, held, temporary)
        body = json.loads(report.read_bytes())
    now = {one.name: one.version for one in pip_packages.distributions(prefix, with_files=False)}
    asked = {canonicalize_name(requirement.name) for requirement in read}
    for entry in body["install"]:
        if entry.get("is_yanked"):
            log(f"{entry['metadata']['name']} {entry['metadata']['version']} was withdrawn by its author")
    return [_planned(entry, now, asked) for entry in body["install"]]


def _pin(name: str, version: str) -> str:
    try:
        return f"{name}=={Version(version)}\n"
    except InvalidVersion:
        return f"{name}==={version}\n"  # of before PEP 440


def _planned(entry: Mapping[str, Any], now: Mapping[str, str], asked: set[Any]) -> PlannedWheel:
    metadata, download = entry["metadata"], entry["download_info"]
    name = canonicalize_name(metadata["name"])
    url = redact(str(download["url"]))
    archive = download.get("archive_info")
    if archive is None:
        raise BadInputError(
            f"{name} cannot be installed from a folder or a repository.",
            reason=f"It is required from {url}, of which no copy can be kept.",
            hint="Build a wheel of it and give its URL.",
        )
    hashes = archive.get("hashes") or dict(
        [str(archive["hash"]).split("=", 1)] if archive.get("hash") else []
    )
    path = unquote(urlsplit(url).path)
    return PlannedWheel(
        name=name,
        version=str(metadata["version"]),
        url=url,
        sha256=hashes.get("sha256"),
        size=Path(path).stat().st_size if url.startswith("file:") else None,
        is_wheel=path.endswith(".whl"),
        requested=name in asked,
        replaces=now.get(name),
        direct_url={**download, "url": url} if entry.get("is_direct") else None,
    )
