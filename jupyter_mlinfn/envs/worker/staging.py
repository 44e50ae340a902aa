"""Packages, linked by rattler into the staging folder of a change as if it were the prefix."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import rattler
from rattler import MatchSpec, PrefixRecord, RepoDataRecord
from rattler.exceptions import InstallerError, IoError, LinkError, TransactionError
from rattler.install import InstallerReporter

from ...disk import Need
from ...errors import from_os_error
from ..history.contents import CondaEntry
from . import cache_guard
from .failures import Place, translate
from .install import in_use, wait_for_cache
from .progress import Reporter
from .protocol import Output
from .session import Session
from .solve import stem

WHAT = "The environment could not be changed; it is as it was."

_NOT_STAGED = ("CACHEDIR.TAG", "conda-meta/history")
_LINK_ERRORS = (InstallerError, IoError, LinkError, TransactionError)


class Stager:
    """Fills staging folders; `reporter` is there while packages move."""

    def __init__(self, session: Session, output: Output, trash: Path) -> None:
        self._session = session
        self._output = output
        self._trash = trash
        self.reporter: Reporter | None = None

    async def stage(
        self,
        records: Sequence[RepoDataRecord],
        *,
        into: Path,
        prefix: Path,
        python: Mapping[str, Any] | None,
        specs: Sequence[str] = (),
        need: Need | None = None,
    ) -> None:
        """Link packages into a folder, with the paths of the prefix written into them.

        Args:
            records: the packages that come.
            python: the channel's record of the environment's Python where it is not among them:
                packages without architecture go into its site-packages.
            specs: what was asked for, for the records in conda-meta.
            need: what it takes, for the message when they are not there.

        Raises:
            DependencyError: a channel does not deliver.
            NoSpaceError: the disk or the quota does not suffice.
        """
        if not records:
            return
        kept: list[RepoDataRecord] = []
        python_file: Path | None = None
        if python is not None and not any(record.name.normalized == "python" for record in records):
            python_file = await asyncio.to_thread(_stand_in, into, python)
            kept.append(PrefixRecord.from_path(python_file))
        cache = Path(self._session.settings.pkgs_dir)
        try:
            await asyncio.to_thread(self._guard, cache, records)
            await wait_for_cache(cache, self._output)
            with in_use(cache):
                index = await self._session.package_cache().index()
                uncached = {r.name.normalized for r in records if not index.contains_record(r)}
                self.reporter = Reporter(self._output, [*kept, *records], uncached)
                self.reporter.start()
                try:
                    await rattler.install(
                        [*kept, *records],
                        into,
                        alternative_target_prefix=prefix,
                        package_cache=self._session.package_cache(),
                        client=self._session.client,
                        config=self._session.config,
                        execute_link_scripts=False,
                        requested_specs=[MatchSpec(spec)._match_spec for spec in specs],
                        reporter=cast(InstallerReporter, self.reporter),
                    )
                finally:
                    await asyncio.to_thread(self.reporter.stop)
                await asyncio.to_thread(cache_guard.remember, cache, [stem(record) for record in records])
        except _LINK_ERRORS as error:
            raise translate(error, WHAT, Place(prefix, need)) from error
        except OSError as error:
            raise from_os_error(WHAT, error, prefix, need) from error
        await asyncio.to_thread(_tidy, into, python_file)

    def _guard(self, cache: Path, records: Sequence[RepoDataRecord]) -> None:
        """Have packages that were tampered with in the cache fetched anew."""
        for bad in cache_guard.ensure(cache, [stem(record) for record in records], self._trash):
            self._output.log(f"the cache's copy of {bad} is not what it was: it is fetched anew")


def records_of(entries: Sequence[CondaEntry]) -> list[RepoDataRecord]:
    """Rattler's records of what a revision remembers; it reads them from files only."""
    with tempfile.TemporaryDirectory() as folder:
        files = [_write_record(Path(folder), entry["record"]) for entry in entries]
        return [PrefixRecord.from_path(file) for file in files]


def _stand_in(into: Path, python: Mapping[str, Any]) -> Path:
    meta = into / "conda-meta"
    meta.mkdir(parents=True, exist_ok=True)
    return _write_record(meta, python)


def _write_record(folder: Path, record: Mapping[str, Any]) -> Path:
    """A record of conda-meta without any file."""
    name = f"{record['name']}-{record['version']}-{record['build']}.json"
    body = {**record, "files": [], "paths_data": {"paths_version": 1, "paths": []}}
    file = folder / name
    file.write_text(json.dumps(body), encoding="utf-8")
    return file


def _tidy(into: Path, python_file: Path | None) -> None:
    if python_file is not None:
        python_file.unlink(missing_ok=True)
    for name in _NOT_STAGED:
        (into / name).unlink(missing_ok=True)
    for leftover in (into / "conda-meta").glob("prefix_record_*"):
        leftover.unlink(missing_ok=True)
    for leftover in into.glob(".trash*"):
        shutil.rmtree(leftover, ignore_errors=True)
