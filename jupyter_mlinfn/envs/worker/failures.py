"""Rattler's, Rust's and the system's errors, in words for a person.

Rattler's errors are texts with their causes appended, a line each ("Caused by: …"); the texts
below were collected by making each fault happen (tests/envs/test_engine_failures.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ...disk import MAKE_ROOM, Need, full, missing
from ...errors import (
    BadInputError,
    DependencyError,
    MlinfnError,
    NoSpaceError,
    NotAllowedError,
)
from ..redact import redact

_URL = re.compile(r"(?:https?|file|s3|oci|gcs)://[^\s'\")]+")
_AFTER_CHANNEL = re.compile(r"/(?:noarch|(?:linux|osx|win)-[a-z0-9_]+)(?:/[^/]*)?/?$")
_PACKAGE = re.compile(r"failed to (?:fetch|link) (\S+?)(?:\.conda|\.tar\.bz2)?$", re.MULTILINE)
_PATH = re.compile(r"`(/[^`]+)`")

ASK_ADMIN = "Try again in a few minutes; if it stays, tell your administrator."


class Place(NamedTuple):
    """Where work goes on, and what it takes: for the message when there is no room for it."""

    folder: Path
    need: Need | None = None


def translate(
    error: BaseException, what: str, place: Place | None = None, channels: Sequence[str] = ()
) -> MlinfnError:
    """What an error of the engine means.

    Args:
        what: what failed, one sentence.
        place: where files were written, if they were.
        channels: those that were asked, for errors that do not name theirs.
    """
    if isinstance(error, MlinfnError):
        return error
    text = redact(str(error)).strip()
    return (
        _space(text, what, place)
        or _cut_record(text, what, place)
        or _prefix_too_long(text)
        or _storage(text, what, place)
        or _package(text, what)
        or _channel(text, what, channels)
        or DependencyError(what, reason=text or type(error).__name__, hint=ASK_ADMIN)
    )


def _space(text: str, what: str, place: Place | None) -> MlinfnError | None:
    no_room = "No space left on device" in text or "(os error 28)" in text
    quota = "quota exceeded" in text.lower() or "(os error 122)" in text
    if not (no_room or quota):
        return None
    reason = full(place.folder if place else None, place.need if place else None, quota=quota)
    return NoSpaceError(what, reason=reason, hint=MAKE_ROOM)


def _cut_record(text: str, what: str, place: Place | None) -> MlinfnError | None:
    """A record of conda-meta that has less in it than was written: rattler (0.28) does not see that its
    last write fails, and reads the record right after."""
    if "determine the currently installed packages" not in text or "EOF while parsing" not in text:
        return None
    reason = "A package's record was cut off while it was written: the disk or your quota was full."
    left = missing(place.folder, place.need) if place else ""
    return NoSpaceError(what, reason=f"{reason} {left}".rstrip(), hint=MAKE_ROOM)


def _prefix_too_long(text: str) -> MlinfnError | None:
    if "longer than the placeholder prefix" not in text:
        return None
    package = _name(text)
    return BadInputError(
        "The path of the environment is too long.",
        reason=f"{package or 'A package'} has room for a shorter path only.",
        hint="Choose a shorter name, or a folder nearer to the root.",
        fields={"name": [{"value": "", "message": "too long for this package's placeholder"}]},
    )


def _storage(text: str, what: str, place: Place | None) -> MlinfnError | None:
    match = _PATH.search(text)
    where = match.group(1) if match else str(place.folder) if place else "the folder"
    if "Read-only file system" in text or "(os error 30)" in text:
        return NotAllowedError(
            what, reason=f"{where} is read-only.", hint="Choose a folder that you may write to."
        )
    if "Permission denied" in text or "(os error 13)" in text or "(os error 1)" in text:
        return NotAllowedError(
            what, reason=f"You may not write to {where}.", hint="Choose a folder that you may write to."
        )
    if "Not a directory" in text or "(os error 20)" in text or "File exists" in text:
        return BadInputError(
            what, reason=f"A file is in the way: {where}", hint="Remove it or choose another name."
        )
    gone = any(f"(os error {number})" in text for number in (5, 107, 112, 116))
    if not gone and place and "(os error 2)" in text and "://" not in text:
        gone = True
    if gone:
        return DependencyError(
            what,
            reason=f"The storage went away during the work: {text.splitlines()[-1]}",
            hint="Wait until your private storage is there again, then try again.",
        )
    return None


def _package(text: str, what: str) -> MlinfnError | None:
    package = _name(text)
    if package is None or "failed to fetch" not in text:
        return None
    if "hash mismatch" in text or "does not match" in text:
        reason = (
            f"{package} arrived with a wrong checksum: the channel's copy is not what its index promises."
        )
        hint = "Try again; if it stays, the channel (or a proxy on the way) is broken: tell its maintainers."
    elif "nvalid zip" in text or "nvalid Zip" in text or "nvalid gzip" in text or "bzip2" in text:
        reason = f"{package} arrived damaged: it is not a readable package."
        hint = "Try again; if it stays, the channel (or a proxy on the way) is broken: tell its maintainers."
    elif "end of file before message length" in text or "error decoding response body" in text:
        reason = f"{package} arrived only in part, also when tried again."
        hint = ASK_ADMIN
    else:
        reason, hint = f"{package}: {_network(text)}", ASK_ADMIN
    return DependencyError(what, reason=reason, hint=hint)


def _channel(text: str, what: str, channels: Sequence[str]) -> MlinfnError | None:
    match = _URL.search(text)
    if match is None and "repodata" not in text:
        return None
    if match:
        channel = _AFTER_CHANNEL.sub("", match.group(0).rstrip("/"))
    else:
        channel = " or ".join(map(redact, channels)) or "the channel"
    missing = re.search(r"could not find subdir '([^']+)'", text)
    if missing:
        return DependencyError(
            f"{channel} is not a channel, or has nothing for this system.",
            reason=f"There is no list of packages at {channel}/{missing.group(1)}.",
            hint="Check the name of the channel.",
        )
    if "failed to parse" in text:
        reason = f"{channel} sent a list of packages that cannot be read."
    else:
        reason = f"{channel}: {_network(text)}"
    return DependencyError(what, reason=reason, hint=f"Check the channel's name. {ASK_ADMIN}")


def _network(text: str) -> str:
    """Why a request failed, in a few words, and the system's own last word."""
    status = re.search(r"HTTP status \w+ error \((\d{3}) ([^)]*)\)", text)
    if status:
        code = int(status.group(1))
        meaning = {401: "it asks for a login", 403: "it refuses access", 404: "there is no such file"}
        return f"{meaning.get(code, 'it answered with an error')} (HTTP {code} {status.group(2)})"
    if "Connection refused" in text:
        return "nothing answers there (connection refused)"
    if "dns error" in text:
        return "its name is not known in this network"
    if "timed out" in text:
        return "it does not answer in time"
    if "certificate" in text.lower():
        return f"its certificate is not accepted ({text.splitlines()[-1].removeprefix('Caused by: ')})"
    if "end of file before message length" in text or "error decoding response body" in text:
        return "its answer broke off half way, also when tried again"
    if "proxy" in text.lower():
        return "the proxy refused the connection"
    return text.splitlines()[-1].removeprefix("Caused by: ")


def _name(text: str) -> str | None:
    match = _PACKAGE.search(text)
    return match.group(1) if match else None


def stalled(what: str, seconds: float, channels: list[str]) -> DependencyError:
    """Nothing has moved for a while."""
    return DependencyError(
        what,
        reason=f"Nothing has arrived for {seconds:.0f} seconds from {', '.join(map(redact, channels))}.",
        hint=ASK_ADMIN,
    )
