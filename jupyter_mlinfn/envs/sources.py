"""Where packages come from and how they are got: channels, logins, caches, limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import BadInputError
from . import condarc as condarc_files
from .condarc import Condarc
from .redact import Credentials, redact, split_credentials
from .worker.protocol import WorkerSettings

FALLBACK_CHANNELS = ("conda-forge",)
"""Where neither our settings nor a .condarc names one."""


@dataclass(frozen=True)
class EngineSettings:
    """What a site decides.

    Attributes:
        channels: names or URLs; empty: those of .condarc, else conda-forge.
        pkgs_dir: package cache, on the file system of the environments (hard links).
        repodata_dir: cache of the channels' lists.
        shared_pkgs: package caches of the site, read-only, used in place.
        memory_budget: bytes that a worker may take; None: whatever is free.
        solve_timeout: seconds for the solver.
        idle_timeout: seconds after which an unused helper ends.
        stall_timeout: seconds without anything arriving after which a channel has failed.
    """

    channels: Sequence[str]
    pkgs_dir: Path
    repodata_dir: Path
    shared_pkgs: Sequence[Path] = ()
    memory_budget: int | None = None
    solve_timeout: float = 120.0
    idle_timeout: float = 60.0
    stall_timeout: float = 30.0


class Sources:
    """What .condarc, the site and the user say together; logins stay in this process."""

    def __init__(self, settings: EngineSettings, condarc: Condarc) -> None:
        self._settings = settings
        self._condarc = condarc
        self._logins: dict[str, Any] = {}

    def take_logins(self, channels: Sequence[str]) -> list[str]:
        """Channels as they may be stored, logged and shown: without user, password or token.

        What was taken out is kept in this process only, for all requests to that host: a job
        that another server takes up again needs it in a .condarc, or typed once more. It looks
        at the disk where a channel is a path: call it in a thread.

        Raises:
            BadInputError: one cannot be a channel; ``fields["channels"]`` says which.
        """
        clean = []
        for channel in channels:
            try:
                if not channel.isprintable():
                    raise ValueError("it has control characters")
                for url in self._condarc.resolve_channels([channel]):
                    parts = urlsplit(url)
                    _ = parts.port  # Complains of one that is no number.
                    if parts.scheme != "file" and (not parts.hostname or " " in url):
                        raise ValueError("it names no host" if not parts.hostname else "it has a space")
                    self._logins |= _login(split_credentials(url)[1])
            except (ValueError, RuntimeError, OSError) as error:
                shown = redact(channel)
                raise BadInputError(
                    f"Not a channel: {shown!r}.",
                    reason=redact(str(error)),
                    hint="Give the name of a channel, such as conda-forge, or its URL.",
                    fields={"channels": [{"value": shown, "message": "no name or URL of a channel"}]},
                ) from error
            clean.append(split_credentials(channel)[0] if "://" in channel else channel)
        return clean

    def channels(self) -> list[str]:
        """URLs of the channels in use, without credentials."""
        return [split_credentials(url)[0] for url in self._urls(None)]

    def warnings(self) -> list[str]:
        """What is wrong with, or not honoured of, the .condarc files."""
        return list(self._condarc.warnings)

    def _urls(self, channels: Sequence[str] | None) -> list[str]:
        names = channels or self._settings.channels or self._condarc.channels or FALLBACK_CHANNELS
        return self._condarc.resolve_channels(names)

    def for_worker(self, channels: Sequence[str] | None) -> dict[str, Any]:
        """`worker.protocol.WorkerSettings`, as JSON."""
        condarc = self._condarc
        known = [*self._urls(None), *(f"{base}/x" for base in condarc.custom_channels.values())]
        credentials: dict[str, Any] = {}
        for url in known:
            credentials |= _login(split_credentials(url)[1])
        credentials |= self._logins
        clean = []
        for url in self._urls(channels):
            bare, login = split_credentials(url)
            credentials |= _login(login)
            clean.append(bare)
        settings = WorkerSettings(
            channels=clean,
            pkgs_dir=str(self._settings.pkgs_dir),
            repodata_dir=str(self._settings.repodata_dir),
            shared_pkgs=[str(folder) for folder in self._settings.shared_pkgs],
            channel_priority=condarc.channel_priority,
            pinned_packages=list(condarc.pinned_packages),
            ssl_verify=condarc.ssl_verify,
            credentials=credentials,
            proxies=condarc_files.proxy_environment(condarc),
            memory_budget=self._settings.memory_budget,
            solve_timeout=self._settings.solve_timeout,
            stall_timeout=self._settings.stall_timeout,
        )
        return settings.to_json()


def _login(credentials: Credentials | None) -> dict[str, Any]:
    """An entry of rattler's authentication file; names of the kinds as in
    rattler_networking's `Authentication`."""
    if credentials is None:
        return {}
    if credentials.token is not None:
        return {credentials.host: {"CondaToken": credentials.token}}
    login = {"username": credentials.user or "", "password": credentials.password or ""}
    return {credentials.host: {"BasicHTTP": login}}
