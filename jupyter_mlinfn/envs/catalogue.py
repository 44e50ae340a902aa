"""All environments as they are now, with their kernels on disk in step with them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import NotFoundError
from ..uninterrupted import in_thread
from .coexistence import Registry
from .kernelspecs import KernelspecWriter
from .models import Environment
from .prefix import disk_usage, environment_id
from .scan import EnvironmentScanner, ScanResult

_log = logging.getLogger(__name__)


class Catalogue:
    """Looks when asked, in a thread; lives on the event loop's thread.

    Args:
        scanner: finds the environments.
        writer: keeps the kernelspecs equal to what they offer.
        changed: called when kernels came, went or changed, or a size became known.
        refresh_others: makes other providers of kernels look again, see `coexistence`.
    """

    def __init__(
        self,
        scanner: EnvironmentScanner,
        writer: KernelspecWriter,
        changed: Callable[[], None],
        refresh_others: Callable[[], None],
    ) -> None:
        self._scanner = scanner
        self._writer = writer
        self._changed = changed
        self._refresh_others = refresh_others
        self._turn = asyncio.Lock()
        self._logged: set[str] = set()
        self._sizes: dict[str, _Size] = {}
        self._registry = Registry()
        self._measuring: asyncio.Task[None] | None = None

    async def look(self) -> ScanResult:
        """Scan, bring the kernelspecs in step, and give what was found, with known sizes."""
        async with self._turn:
            # To its end: a thread left alone would write kernels of what was removed meanwhile.
            result, stamps, kernels_changed, warnings = await in_thread(self._scan_and_sync)
        if kernels_changed:
            self._refresh_others()
            self._changed()
        environments = [self._with_size(each, stamps[each.id]) for each in result.environments]
        return replace(result, environments=environments, warnings=[*result.warnings, *warnings])

    async def find(self, environment_id: str) -> Environment:
        """One environment.

        Raises:
            NotFoundError: there is none of that id.
        """
        for environment in (await self.look()).environments:
            if environment.id == environment_id:
                return environment
        raise NotFoundError(
            "There is no such environment.",
            reason="It may have been removed meanwhile.",
            hint="Look at the list of environments.",
        )

    async def measure(self, environment: Environment) -> Environment:
        """The environment with its size on disk, if it can be told; walks all its files, in a thread."""
        measured = await asyncio.to_thread(_measured, environment)
        self._sizes[environment.id] = measured
        return replace(environment, size=measured.size, size_own=measured.own)

    def measure_missing(self, environments: list[Environment]) -> None:
        """Measure the user's own environments whose size is not known, one after the other."""
        missing = [e for e in environments if e.origin == "private" and e.id not in self._sizes]
        if missing and self._measuring is None:
            self._measuring = asyncio.ensure_future(self._measure_all(missing))

    def forget_size(self, prefix: Path) -> None:
        """The environment has grown or shrunk without a package having come or gone."""
        self._sizes.pop(environment_id(prefix), None)
        self._changed()

    async def close(self) -> None:
        if self._measuring is not None:
            self._measuring.cancel()

    async def _measure_all(self, environments: list[Environment]) -> None:
        try:
            for environment in environments:
                await self.measure(environment)
        finally:
            self._measuring = None
        self._changed()

    def _scan_and_sync(self) -> tuple[ScanResult, dict[str, int], bool, list[str]]:
        result = self._scanner.scan()
        stamps = {environment.id: _stamp(environment) for environment in result.environments}
        self._registry.keep([e.prefix for e in result.environments if e.origin == "private"])
        try:
            synced = self._writer.sync(result.environments, unreachable=result.unreachable)
        except OSError as error:
            return (
                result,
                stamps,
                False,
                [f"The kernels could not be written to {self._writer.kernels_dir}: {error}"],
            )
        for warning in set(synced.warnings) - self._logged:
            _log.warning(warning)
        self._logged = set(synced.warnings)
        changed = bool(synced.added or synced.changed or synced.removed)
        return result, stamps, changed, list(synced.warnings)

    def _with_size(self, environment: Environment, stamp: int) -> Environment:
        known = self._sizes.get(environment.id)
        if known is None:
            return environment
        if known.stamp != stamp:
            del self._sizes[environment.id]
            return environment
        return replace(environment, size=known.size, size_own=known.own)


@dataclass(frozen=True)
class _Size:
    stamp: int
    size: int | None
    """None where a part cannot be looked into: then it is not asked for again and again."""
    own: int | None


def _measured(environment: Environment) -> _Size:
    stamp = _stamp(environment)
    try:
        return _Size(stamp, *disk_usage(environment.prefix))
    except OSError as error:
        _log.info("Could not measure an environment: %s", error)
        return _Size(stamp, None, None)


def _stamp(environment: Environment) -> int:
    """Changes whenever packages come or go; reads the disk."""
    try:
        return (environment.prefix / "conda-meta").stat().st_mtime_ns
    except OSError:
        return -1
