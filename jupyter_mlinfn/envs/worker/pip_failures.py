"""pip's errors, in words for a person.

The texts were collected by making each fault happen (tests/envs/test_pip_failures.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from ...disk import MAKE_ROOM, Need, full
from ...errors import (
    BadInputError,
    DependencyError,
    MlinfnError,
    NoSpaceError,
    NotFoundError,
    UnsolvableError,
)
from . import pip_run
from .failures import ASK_ADMIN
from .pip_requirements import instead

_SAID = re.compile(r"^ERROR: (.*)$", re.MULTILINE)
_HELD = re.compile(r"\(constraint\) ([A-Za-z0-9._-]+)===?(\S+)")
_UNREACHED = re.compile(rf"^.*{pip_run.UNREACHED}.*$", re.MULTILINE)
_NETWORK = {
    "Name or service not known": "its name is not known in this network",
    "Temporary failure in name resolution": "its name is not known in this network",
    "Connection refused": "nothing answers there (connection refused)",
    "Read timed out": "it does not answer in time",
    "ConnectTimeoutError": "it does not answer in time",
    "timed out": "it does not answer in time",
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not accepted",
    "ProxyError": "the proxy refused the connection",
    "not enough bytes were received": "its answer broke off half way, also when tried again",
    "IncompleteRead": "its answer broke off half way, also when tried again",
    "Connection reset": "it closed the connection",
    "Network is unreachable": "this server has no network",
    "No route to host": "this server has no way to it",
}


def translate(
    text: str,
    what: str,
    held: Mapping[str, str] | None = None,
    folder: Path | None = None,
    need: Need | None = None,
) -> MlinfnError:
    """What pip's last lines mean.

    Args:
        text: its lines, without credentials.
        what: what failed, one sentence.
        held: conda's distributions, which pip was told to leave alone.
        folder: where pip wrote.
        need: what is to be fetched into it.
    """
    return (
        _space(text, what, folder, need)
        or _conflict(text, held or {})
        or _hash(text, what)
        or _http(text, what)
        or _not_found(text, what)
        or _wheel(text, what)
        or _build(text)
        or DependencyError(what, reason="\n".join(_SAID.findall(text)) or _last(text), hint=ASK_ADMIN)
    )


def _space(text: str, what: str, folder: Path | None, need: Need | None) -> MlinfnError | None:
    quota = "[Errno 122]" in text or "Disk quota exceeded" in text
    if not (quota or "[Errno 28]" in text or "No space left on device" in text):
        return None
    return NoSpaceError(what, reason=full(folder, need, quota=quota), hint=MAKE_ROOM)


def _conflict(text: str, held: Mapping[str, str]) -> MlinfnError | None:
    if "ResolutionImpossible" not in text and "conflicting dependencies" not in text:
        return None
    block = re.search(r"The conflict is caused by:\n(.*?)(?:\n\s*\n|\Z)", text, re.DOTALL)
    causes = [line.strip() for line in block.group(1).splitlines()] if block else []
    limits = {canonicalize_name(name): name for name, _ in _HELD.findall("\n".join(causes))}
    ours = [name for name in limits if name in held]
    said = "\n".join(
        re.sub(r"^The user requested \(constraint\) (\S+?)===?(\S+)", r"\1 \2 is conda's here", cause)
        for cause in causes
    )
    if not ours:
        return UnsolvableError(
            "pip finds no set of packages that fits together.",
            reason=said or "\n".join(_SAID.findall(text)),
            hint="Ask for fewer or other versions.",
        )
    name = ours[0]
    wanted = re.search(rf"depends on ({re.escape(limits[name])}\S*)", said, re.IGNORECASE)
    specifier = wanted.group(1)[len(limits[name]) :].rstrip(";,") if wanted else ""
    return UnsolvableError(
        f"That needs another {limits[name]}, and {limits[name]} {held[name]} is conda's here.",
        reason=said,
        hint=instead(limits[name], held[name], specifier),
    )


def _hash(text: str, what: str) -> MlinfnError | None:
    if "DO NOT MATCH THE HASHES" not in text.upper() and "hash mismatch" not in text.lower():
        return None
    found = re.search(r"^\s+(\S+) .*?:?\n\s+Expected sha256", text, re.MULTILINE)
    return DependencyError(
        what,
        reason=f"{found.group(1) if found else 'A package'} arrived with a wrong checksum: "
        "it is not what the index promises.",
        hint="Try again; if it stays, the index (or a proxy on the way) is broken: tell its maintainers.",
    )


def _http(text: str, what: str) -> MlinfnError | None:
    if "No matching distribution found" in text:
        # pip says the same where an index is away; that one has no such package is a 404 as well.
        text = "\n".join(line for line in _UNREACHED.findall(text) if "404 Client Error" not in line)
    if refused := re.search(r"host='([^']+)'.*too many (\d{3}) error responses", text):
        return DependencyError(
            what,
            reason=f"{refused.group(1)}: it answered with an error (HTTP {refused.group(2)}), "
            "also when tried again.",
            hint=ASK_ADMIN,
        )
    status = re.search(r"(\d{3}) (?:Client|Server) Error: (.*?) for url: (\S+)", text)
    if status:
        code = int(status.group(1))
        meaning = {401: "it asks for a login", 403: "it refuses access", 404: "there is no such file"}
        return DependencyError(
            what,
            reason=f"{status.group(3)}: {meaning.get(code, 'it answered with an error')} "
            f"(HTTP {code} {status.group(2)})",
            hint=ASK_ADMIN,
        )
    if "No such file or directory" in text and (missing := re.search(r"'(/[^']+)'", text)):
        return BadInputError(what, reason=f"There is no file {missing.group(1)}.", hint="Check the path.")
    for sign, problem in _NETWORK.items():
        if sign in text:
            host = re.search(r"host='([^']+)'", text) or re.search(r"https?://([^/\s'\"]+)", text)
            return DependencyError(
                what,
                reason=f"{host.group(1) if host else 'The package index'}: {problem}.",
                hint=ASK_ADMIN,
            )
    return None


def _not_found(text: str, what: str) -> MlinfnError | None:
    found = re.search(r"No matching distribution found for ([^\n(]+)", text)
    if found is None:
        return None
    wanted = found.group(1).strip()
    name = re.split(r"[^A-Za-z0-9._-]", wanted, maxsplit=1)[0]
    field: dict[str, list[dict[str, Any]]]
    versions = re.search(r"\(from versions: ([^)]*)\)", text)
    python = re.search(r"Requires-Python ([^;\n]*)", text)
    if versions is None or versions.group(1) in ("", "none"):
        field = {"specs": [{"value": wanted, "message": "was not found"}]}
        reason = (
            f"Its versions need another Python ({python.group(1).strip()})."
            if python
            else "The package index has no such package, or nothing of it that runs here."
        )
        hint = "Check the name; if it is right, another Python in the environment may help."
        return NotFoundError(f"pip found no {name}.", reason=reason, hint=hint, fields=field)
    newest = versions.group(1).split(", ")
    field = {"specs": [{"value": wanted, "message": "no such version"}]}
    reason = "There are " + ("… " if len(newest) > 8 else "") + ", ".join(newest[-8:]) + "."
    if python:
        reason += f" Others need another Python ({python.group(1).strip()})."
    return UnsolvableError(
        f"pip found no {wanted} that runs here.",
        reason=reason,
        hint="Ask for one of these versions.",
        fields=field,
    )


def _wheel(text: str, what: str) -> MlinfnError | None:
    found = re.search(r"(\S+\.whl) is not a supported wheel on this platform", text)
    if found:
        return UnsolvableError(
            f"{found.group(1)} does not fit this environment.",
            reason="It was made for another system or another Python; the last parts of its name say which.",
            hint="Give the wheel for this Python and system.",
        )
    found = re.search(r"Wheel '([^']+)' located at \S+ is invalid|has an invalid wheel, (.*)", text)
    if found or "BadZipFile" in text or "zipfile" in text:
        return DependencyError(
            what,
            reason="A package arrived damaged: it is not a readable wheel.",
            hint="Try again; if it stays, the index (or a proxy on the way) is broken.",
        )
    return None


def _build(text: str) -> MlinfnError | None:
    signs = (
        "Failed to build",
        "metadata-generation-failed",
        "subprocess-exited-with-error",
        "Failed building wheel",
    )
    if not any(sign in text for sign in signs):
        return None
    found = re.search(r"Failed to build '?([A-Za-z0-9._-]+)'?", text) or re.search(
        r"Failed building wheel for ([A-Za-z0-9._-]+)", text
    )
    name = found.group(1) if found else "A package"
    output = re.search(r"\[\d+ lines? of output\]\n(.*?)\n\s*\[end of output\]", text, re.DOTALL)
    lines = [line.strip() for line in output.group(1).splitlines() if line.strip()] if output else []
    return UnsolvableError(
        f"{name} could not be built.",
        reason="There is no ready wheel of it for this Python, and building it here failed"
        + (":\n" + "\n".join(lines[-5:]) if lines else "."),
        hint="Install it with conda where it exists, or ask for another version; the log has all of it.",
    )


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "pip ended without a word."
