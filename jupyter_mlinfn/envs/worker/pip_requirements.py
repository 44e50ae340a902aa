"""Which requirements we give to pip: those of PEP 508, and nothing else that pip would take."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ...errors import BadInputError, UnsolvableError
from ..redact import redact

if TYPE_CHECKING:
    from packaging.requirements import InvalidRequirement, Requirement

_ARCHIVES = (".whl", ".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tar.xz")
_SCHEMES = ("https", "http", "file")


def check(requirements: Sequence[str]) -> list[Requirement]:
    """The requirements, read.

    Raises:
        BadInputError: with ``fields["specs"]``: what is none, options of pip, folders, editable
            installs, credentials in a URL.
    """
    # Not at the top: 5 ms that the server's start need not pay for.
    from packaging.requirements import InvalidRequirement, Requirement

    read, wrong = [], []
    for text in requirements:
        try:
            read.append(Requirement(text))
        except InvalidRequirement as error:
            wrong.append(_entry(text, _why(text.strip(), error)))
            continue
        if problem := _url_problem(read[-1].url):
            wrong.append(_entry(text, problem))
    if wrong:
        raise BadInputError(
            "pip cannot install that: " + ", ".join(entry["value"] for entry in wrong),
            reason="\n".join(f"{entry['value']}: {entry['message']}" for entry in wrong),
            hint="Write a name and versions, as in scipy>=1.11, or NAME @ https://…/NAME-1.0-py3-none-any.whl.",
            fields={"specs": wrong},
        )
    return read


def check_held(requirements: Sequence[Requirement], held: Mapping[str, str], *, upgrade: bool) -> None:
    """Refuse what would replace a distribution of conda's, before pip is asked.

    Args:
        held: conda's distributions, normalized name → version.

    Raises:
        UnsolvableError: with ``fields["specs"]``.
    """
    for requirement in requirements:
        name = canonicalize_name(requirement.name)
        version = held.get(name)
        if version is None or (requirement.marker is not None and not requirement.marker.evaluate()):
            continue
        if requirement.url is None and not upgrade and _contains(requirement, version):
            continue
        raise UnsolvableError(
            f"{requirement.name} {version} is conda's here, so pip must not replace it.",
            reason="Two package managers would overwrite each other's files.",
            hint=instead(requirement.name, version, str(requirement.specifier)),
            fields={"specs": [_entry(str(requirement), f"{version} is conda's")]},
        )


def instead(name: str, version: str, specifier: str) -> str:
    """What to do about a distribution that conda holds."""
    return (
        f"Change it with conda (install {name}{specifier} as a conda package), "
        f"or leave {name} {version} as it is."
    )


def _contains(requirement: Requirement, version: str) -> bool:
    try:
        return requirement.specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return not requirement.specifier


def _entry(text: str, message: str) -> dict[str, Any]:
    return {"value": redact(text), "message": message}


def _why(text: str, error: InvalidRequirement) -> str:
    if text.startswith("-"):
        return "is an option of pip; only packages can be named here"
    if re.match(r"(git|hg|svn|bzr)\+", text) or "://" in text:
        return "needs a name before it: NAME @ URL"
    if text.startswith((".", "/", "~")) or ("/" in text and "@" not in text):
        return "is a folder or file; give a wheel as NAME @ file:///…"
    return str(error).splitlines()[0]


def _url_problem(url: str | None) -> str | None:
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        secret = parts.username is not None or parts.password is not None
    except ValueError:
        return "is not a URL"
    if secret:
        return "has a password in its URL, which would be kept for all to read: put it into ~/.netrc"
    if parts.scheme not in _SCHEMES:
        return "can only be given as an archive at an https, http or file URL"
    if parts.scheme == "file" and ".." in PurePosixPath(parts.path).parts:
        return "has .. in its path"
    if not parts.path.lower().endswith(_ARCHIVES):
        return "is no archive: its URL has to end in .whl, .tar.gz or .zip"
    return None
