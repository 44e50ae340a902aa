"""Whether the channels that a user would have are to be reached from here."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..envs import condarc
from ..envs.redact import redact

_SECONDS = 4.0
_FALLBACK = ("conda-forge",)


def answering_channels(names: Sequence[str]) -> tuple[list[str], str | None]:
    """The URLs of `names` (default: those of .condarc, else conda-forge), and what is wrong with them.

    Returns:
        The URLs, and None where all answer within a few seconds, else one sentence.
    """
    settings = condarc.read()
    urls = settings.resolve_channels(names or settings.channels or _FALLBACK)
    for url in urls:
        if not _answers(url):
            return urls, f"The channel {redact(url)} does not answer."
    return urls, None


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Path(unquote(parts.path)).is_dir()
    if parts.scheme not in ("http", "https"):
        return True  # an object store: only the engine can ask it
    host = parts.netloc.rpartition("@")[2]
    address = f"{parts.scheme}://{host}{parts.path}/noarch/repodata.json"
    request = urllib.request.Request(address, method="HEAD")  # noqa: S310 - the scheme is checked above
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310 - the scheme is checked above
            return True
    except urllib.error.HTTPError as error:
        # It may want the credentials that are not sent here.
        return error.code == 401
    except (OSError, ValueError):
        return False
