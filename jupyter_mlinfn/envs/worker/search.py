"""Finding packages by name: hits in order, newest versions, one-line summaries."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from rattler import RepoDataRecord
from rattler.exceptions import GatewayError
from rattler.package_streaming import download_to_path

from ...errors import NotFoundError
from .failures import translate
from .session import Session
from .solve import Solver, nearest

_DAY = 24 * 3600.0
_PATIENCE = 0.3
"""Seconds that the first search waits for summaries; later ones find them on the disk."""
_CHUNK = 1 << 16


def ranked(query: str, names: Sequence[str], limit: int) -> list[str]:
    """Names that hold `query`: the same, then those that begin with it, then the others; short
    names first."""
    wanted = query.strip().lower()
    if not wanted:
        return []
    hits = [name for name in names if wanted in name]
    hits.sort(key=lambda name: (name != wanted, not name.startswith(wanted), len(name), name))
    return hits[:limit]


class Search:
    """Searches within one session."""

    def __init__(self, session: Session, solver: Solver) -> None:
        self._session = session
        self._solver = solver
        self._summaries = Summaries(session)

    async def hits(self, query: str, limit: int) -> list[dict[str, Any]]:
        """`models.PackageHit`s as JSON.

        Raises:
            DependencyError: a channel does not deliver.
        """
        names = ranked(query, await self._solver.names(), limit)
        newest: dict[str, RepoDataRecord] = {}
        for record in await self._records(names):
            name = record.name.normalized
            if name not in newest or record.version > newest[name].version:
                newest[name] = record
        summaries = await self._summaries.get()
        return [
            {
                "name": name,
                "version": str(newest[name].version),
                "summary": summaries.get(name, ""),
                "channel": newest[name].channel.rstrip("/"),
            }
            for name in names
            if name in newest
        ]

    async def versions(self, name: str) -> dict[str, Any]:
        """``{"summary", "versions"}``, newest first.

        Raises:
            NotFoundError: with the nearest names.
            DependencyError: a channel does not deliver.
        """
        wanted = name.strip().lower()
        names = await self._solver.names()
        if wanted not in names:
            alike = nearest(wanted, names)
            raise NotFoundError(
                f"There is no package {name}.",
                reason="Looked in " + ", ".join(self._session.settings.channels) + ".",
                hint=f"Did you mean {', '.join(alike)}?" if alike else "Check the name.",
            )
        versions = {str(record.version): record.version for record in await self._records([wanted])}
        ordered = sorted(versions, key=lambda text: versions[text], reverse=True)
        summaries = await self._summaries.get()
        return {"summary": summaries.get(wanted, ""), "versions": ordered}

    async def _records(self, names: Sequence[str]) -> list[RepoDataRecord]:
        if not names:
            return []
        try:
            found = await self._session.gateway.query(
                self._session.channels, self._solver.platforms, names, recursive=False
            )
        except GatewayError as error:
            what = "The packages could not be looked up."
            raise translate(error, what, channels=self._session.settings.channels) from error
        return [record for records in found for record in records]


class Summaries:
    """Of every package, one line, from the channels' ``channeldata.json``.

    The file is large (conda-forge's: tens of MB) and a convenience: it is loaded in the
    background, read piece by piece, and kept as name → summary for a day.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._loading: asyncio.Task[dict[str, str]] | None = None

    async def get(self) -> dict[str, str]:
        """What is known by now."""
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())
        done, _ = await asyncio.wait({self._loading}, timeout=_PATIENCE)
        return self._loading.result() if done else {}

    async def _load(self) -> dict[str, str]:
        merged: dict[str, str] = {}
        for channel in reversed(self._session.settings.channels):
            merged.update(await self._of_channel(channel))
        return merged

    async def _of_channel(self, channel: str) -> dict[str, str]:
        key = hashlib.sha256(channel.encode()).hexdigest()[:16]
        folder = Path(self._session.settings.repodata_dir)
        kept = folder / f"{key}.summaries"
        with contextlib.suppress(OSError, ValueError):
            if time.time() - kept.stat().st_mtime < _DAY:
                return dict(json.loads(await asyncio.to_thread(kept.read_text)))
        summaries = await self._fetch(channel, folder / f"{key}.channeldata.{os.getpid()}")
        fresh = kept.with_name(f"{kept.name}.{os.getpid()}")
        with contextlib.suppress(OSError):  # a full disk must not cost the search
            fresh.write_text(json.dumps(summaries))
            fresh.replace(kept)
        return summaries

    async def _fetch(self, channel: str, target: Path) -> dict[str, str]:
        """Empty where the channel has no channeldata.json or does not deliver it."""
        url = f"{channel}/channeldata.json"
        parts = urlsplit(url)
        try:
            if parts.scheme == "file":
                return await asyncio.to_thread(_read_summaries, Path(unquote(parts.path)))
            await download_to_path(self._session.client, url, target)
            return await asyncio.to_thread(_read_summaries, target)
        except Exception:  # noqa: BLE001 - rattler raises several bare kinds; a summary is never worth an error
            return {}
        finally:
            await asyncio.to_thread(_remove, target)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _read_summaries(path: Path) -> dict[str, str]:
    return dict(summaries_of(path))


def summaries_of(path: Path) -> Iterator[tuple[str, str]]:
    """(name, summary) pairs of a channeldata.json, one package at a time in memory.

    Raises:
        ValueError: it is not such a file.
    """
    decoder = json.JSONDecoder()
    with path.open(encoding="utf-8") as source:
        buffer = ""
        while '"packages"' not in buffer:
            piece = source.read(_CHUNK)
            if not piece:
                return
            buffer = buffer[-20:] + piece
        buffer = buffer.partition('"packages"')[2].lstrip(" \t\r\n:")
        buffer = buffer.removeprefix("{")
        while True:
            buffer = buffer.lstrip(" \t\r\n,")
            try:
                name, end = decoder.raw_decode(buffer)
                value, end = decoder.raw_decode(buffer, _skip_colon(buffer, end))
            except ValueError:
                if buffer.startswith("}"):
                    return
                piece = source.read(_CHUNK)
                if not piece:
                    raise
                buffer += piece
                continue
            buffer = buffer[end:]
            if isinstance(value, dict) and isinstance(summary := value.get("summary"), str):
                yield str(name), " ".join(summary.split())


def _skip_colon(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n:":
        position += 1
    return position
