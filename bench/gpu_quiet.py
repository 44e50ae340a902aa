"""A server at which nobody looks, and how often it asks the driver all the same."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_mlinfn.demo.driver import SimulatedDriver
from tests.support.server import Platform, running, wait_for

from . import gpu_contestants

_MINUTE = 60.0


class Quiet:
    """Looked at now and then, cheaply; the first look when the last reader has been forgotten."""

    def __init__(self, driver: SimulatedDriver) -> None:
        self._driver = driver
        self._looks: list[tuple[float, int]] = []

    def look(self) -> None:
        self._looks.append((time.monotonic(), self._driver.calls().total()))

    def busiest(self) -> int:
        """Calls of NVML in the busiest minute, as far as the looks tell."""
        return max(
            calls - earlier
            for (start, earlier), (end, calls) in itertools.combinations(self._looks, 2)
            if end - start <= _MINUTE
        )


@contextmanager
def read_once(folder: Path, *, gpu_accounting: bool) -> Iterator[Quiet]:
    """Our server, without a page; somebody has looked until a moment ago."""
    platform, driver = gpu_contestants.ours().platform(folder)
    traits = {"gpu_accounting": gpu_accounting}
    quiet = Platform(folder, platform.channels, traits=traits, environment=platform.environment)
    with running(quiet) as server:
        wait_for(lambda: server.get("api/mlinfn/gpu")["view"]["state"]["kind"] == "fine")
        yield Quiet(driver)
