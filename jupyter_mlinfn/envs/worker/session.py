"""Rattler as the settings want it: client, repodata gateway, package cache, virtual packages."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rattler import (
    Channel,
    ChannelPriority,
    Client,
    Config,
    Gateway,
    MatchSpec,
    Override,
    PackageCache,
    VirtualPackage,
    VirtualPackageOverrides,
)
from rattler.exceptions import InvalidMatchSpecError

from ...errors import BadInputError
from .protocol import WorkerSettings

MAX_RETRIES = 2
"""A dead channel is named after about 2 s, a hiccup is survived."""

CONCURRENT_REQUESTS = 10
"""Ten keep a link busy; a hundred, rattler's own figure, is hard on a proxy."""


class Session:
    """What requests with the same settings share, so that repodata stays warm."""

    def __init__(self, settings: WorkerSettings) -> None:
        self.settings = settings
        _apply_environment(settings)
        self.config = Config.from_toml(_toml(settings))
        self.client = Client.from_config(self.config, max_retries=MAX_RETRIES)
        for folder in (settings.repodata_dir, settings.pkgs_dir):
            Path(folder).mkdir(parents=True, exist_ok=True)
        self._folders = self._inodes()
        self.gateway = Gateway(
            cache_dir=Path(settings.repodata_dir),
            client=self.client,
            max_concurrent_requests=CONCURRENT_REQUESTS,
        )
        self.channels = [Channel(url) for url in settings.channels]
        self.choose_cuda(None)
        self.pins = [_pin(text) for text in settings.pinned_packages]
        self.priority = {
            "strict": ChannelPriority.Strict,
            "flexible": ChannelPriority.Flexible,
            "disabled": ChannelPriority.Disabled,
        }[settings.channel_priority]

    def choose_cuda(self, version: str | None) -> None:
        """Say for which CUDA the next solves are; None: for none. Never asks a driver, see `envs.cuda`."""
        overrides = VirtualPackageOverrides.from_env()
        overrides.cuda = Override.string(version or "")
        self.virtual_packages = VirtualPackage.detect(overrides)
        self.cuda = version

    def package_cache(self) -> PackageCache:
        """The user's folder first, it is written to; the site's layers are used in place."""
        shared = [folder for folder in self.settings.shared_pkgs if Path(folder).is_dir()]
        return PackageCache.new_layered([Path(self.settings.pkgs_dir), *map(Path, shared)])

    def is_whole(self) -> bool:
        """Whether its folders are still those that it opened, and not deleted or made anew."""
        return None not in self._folders and self._inodes() == self._folders

    def _inodes(self) -> list[int | None]:
        found: list[int | None] = []
        for folder in (self.settings.repodata_dir, self.settings.pkgs_dir):
            try:
                found.append(Path(folder).stat().st_ino)
            except OSError:
                found.append(None)
        return found

    def cache_folders(self) -> list[Path]:
        return [Path(self.settings.pkgs_dir), *map(Path, self.settings.shared_pkgs)]


def _pin(text: str) -> MatchSpec:
    try:
        return MatchSpec(text)
    except InvalidMatchSpecError as error:
        raise BadInputError(
            f"Not a package and version: {text!r} in `pinned_packages` of a .condarc.",
            reason=str(error).splitlines()[0],
            hint="Correct or remove that line: `conda config --show-sources` tells its file.",
        ) from error


def _toml(settings: WorkerSettings) -> str:
    """The part of rattler's configuration that .condarc decides."""
    if settings.ssl_verify is False:
        return "tls-no-verify = true\n"
    if settings.ssl_verify is True and "SSL_CERT_FILE" not in os.environ:
        return ""
    return 'tls-root-certs = "system"\n'


def _apply_environment(settings: WorkerSettings) -> None:
    """Proxies, certificates and logins reach rattler through the process's environment."""
    for name, url in settings.proxies.items():
        if name not in os.environ and name.lower() not in os.environ:
            os.environ[name] = url
    if isinstance(settings.ssl_verify, str) and settings.ssl_verify != "truststore":
        # rustls-native-certs reads these two instead of the system's store.
        bundle = Path(settings.ssl_verify)
        os.environ["SSL_CERT_DIR" if bundle.is_dir() else "SSL_CERT_FILE"] = str(bundle)
    if settings.credentials:
        os.environ["RATTLER_AUTH_FILE"] = _memory_file(settings.credentials)


def _memory_file(credentials: Mapping[str, Any]) -> str:
    """A file that only this process can see, with its logins: rattler asks it before its own
    stores, which go on to serve the other hosts."""
    merged: dict[str, Any] = {}
    if named := os.environ.get("RATTLER_AUTH_FILE"):
        try:
            merged = json.loads(Path(named).read_text())
        except (OSError, ValueError):
            merged = {}  # rattler would have ignored an unreadable one as well
    descriptor = os.memfd_create("logins")
    os.write(descriptor, json.dumps({**merged, **credentials}).encode())
    return f"/proc/self/fd/{descriptor}"
