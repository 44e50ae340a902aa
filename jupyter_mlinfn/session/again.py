"""How this server is started again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from urllib.parse import quote

_NAMES = r"(?:token|passw|pwd|secret|credential|api_?key|private_?key|cookie|auth|notify)"
"""The last is our own `idle_notify`: addresses of services with their keys."""
_SECRET = re.compile(_NAMES, re.IGNORECASE)
_INSIDE = re.compile(_NAMES + r"\w*[\"']?\s*[=:]", re.IGNORECASE)
"""In a value: of a dictionary, of a URL's query."""
_WITH_CREDENTIALS = re.compile(r"\w://[^/\s]*@")
_TRAIT = re.compile(r"--\w+\.[\w.]+")
_INTERPRETER = re.compile(r"python[\d.]*")


def url(environment: Mapping[str, str]) -> str | None:
    """Of the hub's page that starts this very server; None outside a hub.

    https://jupyterhub.readthedocs.io/en/stable/reference/urls.html#hub-spawn-username-servername
    """
    if not under_hub(environment):
        return None
    base = environment.get("JUPYTERHUB_BASE_URL") or "/"
    names = [environment["JUPYTERHUB_USER"], environment.get("JUPYTERHUB_SERVER_NAME", "")]
    path = "/".join(quote(each, safe="@") for each in names if each)
    return f"{environment.get('JUPYTERHUB_HOST', '')}{base.rstrip('/')}/hub/spawn/{path}"


def under_hub(environment: Mapping[str, str]) -> bool:
    return all(environment.get(f"JUPYTERHUB_{name}") for name in ("API_URL", "USER", "SERVICE_PREFIX"))


def command(started_with: Sequence[str]) -> str | None:
    """For a shell; whatever may be a secret is left out. None where nothing is known.

    Args:
        started_with: `sys.orig_argv`.
    """
    words = [*started_with]
    if not words:
        return None
    program = PurePath(words[0]).name
    if _INTERPRETER.fullmatch(program) and len(words) > 1:
        if words[1] == "-m" and len(words) > 2:
            shown, rest = [program, "-m", words[2]], words[3:]
        elif words[1].startswith("-"):
            return None
        else:
            # As installed: python /venv/bin/jupyter-lab
            shown, rest = _script(words[1]), words[2:]
    else:
        shown, rest = _script(words[0]), words[1:]
    return shlex.join([*shown, *_without_secrets(rest)])


def _script(path: str) -> list[str]:
    name = PurePath(path).name
    return name.split("-", 1) if name.startswith("jupyter-") else [name]


def _without_secrets(arguments: Sequence[str]) -> list[str]:
    """Options with such names go with their values, whether after `=` or in the next word."""
    kept: list[str] = []
    secret = False
    for each in arguments:
        if secret and not each.startswith("-"):
            secret = False
            continue
        name, equals, _ = each.partition("=")
        secret = bool(each.startswith("-") and _SECRET.search(name) and not equals)
        if secret or (equals and _SECRET.search(name)):
            continue
        if _INSIDE.search(each) or _WITH_CREDENTIALS.search(each):
            # With the trait that it is the value of, which is nothing without one.
            if not each.startswith("-") and kept and _TRAIT.fullmatch(kept[-1]):
                kept.pop()
            continue
        kept.append(each)
    return kept
