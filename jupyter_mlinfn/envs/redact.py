"""Credentials of channels and proxies: kept out of every text that somebody may read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

_USER_INFO = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)[^/@\s]*@")
_TOKEN_PATH = re.compile(r"/t/[^/\s'\")]+")


def redact(text: str) -> str:
    """`text` with ``user:password@`` and ``/t/TOKEN`` in its URLs replaced by stars.

    The two are the places where conda puts credentials in a channel's URL:
    https://docs.conda.io/projects/conda/en/stable/user-guide/configuration/settings.html
    """
    return _TOKEN_PATH.sub("/t/***", _USER_INFO.sub(r"\g<scheme>***@", text))


@dataclass(frozen=True)
class Credentials:
    """What a channel's URL said about who asks."""

    host: str
    user: str | None = None
    password: str | None = None
    token: str | None = None


def split_credentials(url: str) -> tuple[str, Credentials | None]:
    """A channel's URL without credentials, and the credentials.

    The first goes into records and `conda-meta`; the second only to the HTTP client.
    """
    parts = urlsplit(url)
    if not parts.hostname:
        return url, None
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    token = None
    path = parts.path
    if match := re.match(r"/t/([^/]+)(/.*|$)", path):
        token, path = match.group(1), match.group(2)
    if user is None and token is None:
        return url, None
    host = parts.netloc.rpartition("@")[2]
    clean = urlunsplit((parts.scheme, host, path, parts.query, parts.fragment))
    return clean, Credentials(parts.hostname, user, password, token)
