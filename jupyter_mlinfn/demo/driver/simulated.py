"""A simulated driver in a folder: its library, the file that says what it tells, and what was asked."""

from __future__ import annotations

import math
import os
import struct
import tempfile
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from .build import SONAME, built_library
from .hold import claims_folder
from .models import Code, Driver
from .state_file import state_text

VARIABLE = "MLINFN_SIMULATED_DRIVER"
"""The environment variable that names the state file to the library."""

_COUNTER = struct.Struct("=56sQ")


class SimulatedDriver:
    """A driver whose hardware can be changed while it is in use.

    The library looks at the state file at every call, so what is written holds from the next call on.

    Attributes:
        folder: holds the library; to be on the loader's path.
        state_file: its path.
        driver: what was written last; None before.
    """

    def __init__(self, folder: Path, *, library: bool = True, missing: Collection[str] = ()) -> None:
        """Lay the library into `folder`, unless `library` is False.

        Args:
            missing: functions that it has not, as an old driver's has not.

        Raises:
            DependencyError: it cannot be compiled here.
        """
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state_file = self.folder / "state"
        self.driver: Driver | None = None
        self._missing = missing
        self._hanging: Driver | None = None
        claims_folder(self.state_file).mkdir(exist_ok=True)
        if library:
            self.install_library()

    @property
    def library(self) -> Path:
        return self.folder / SONAME

    def install_library(self) -> None:
        """The library appears, as when a driver is installed."""
        fresh = self.folder / f".{SONAME}"
        content = built_library().read_bytes()
        for name in self._missing:
            # Under another name in the table of symbols nobody finds it.
            old = f"\0{name}\0".encode()
            content = content.replace(old, old.replace(b"nvml", b"----"))
        fresh.write_bytes(content)
        fresh.replace(self.library)  # never in place: a process may have mapped it

    def remove_library(self) -> None:
        """The library vanishes; a process that has loaded it keeps it."""
        self.library.unlink(missing_ok=True)

    def environment(self) -> dict[str, str]:
        """Variables for a process that is to load the library."""
        path = os.environ.get("LD_LIBRARY_PATH")
        return {
            "LD_LIBRARY_PATH": f"{self.folder}{os.pathsep}{path}" if path else str(self.folder),
            VARIABLE: str(self.state_file),
        }

    def write(self, driver: Driver) -> None:
        """From the next call on the hardware is `driver`; what hangs and does not hang there returns."""
        self._replace(driver)
        self.driver = driver
        self._hanging = None

    def unload(self) -> None:
        """From the next call on no driver is loaded."""
        self.state_file.unlink(missing_ok=True)
        self.driver = None

    def restart(self, driver: Driver | None = None) -> None:
        """The driver is another process now: who uses it must initialise again.

        Raises:
            ValueError: nothing was written yet and no `driver` is given.
        """
        wanted = driver or self._written()
        self.write(replace(wanted, generation=max(wanted.generation, self._written().generation) + 1))

    def hang(self, name: str = "*", *, code: int = Code.SUCCESS) -> None:
        """Calls of `name` hang until `release()`, and answer `code` then.

        Raises:
            ValueError: nothing was written yet.
        """
        before = self._hanging or self._written()
        hangs = {**self._written().hangs, name: math.inf}
        self.write(replace(self._written(), hangs=hangs, hang_code=code))
        self._hanging = before

    def release(self) -> None:
        """All calls that hang because of `hang()` return."""
        if self._hanging is not None:
            self.write(self._hanging)

    def calls(self) -> Counter[str]:
        """Calls so far per NVML function, of all processes."""
        try:
            content = self._calls_file.read_bytes()
        except FileNotFoundError:
            return Counter()
        entries = _COUNTER.iter_unpack(content)
        return Counter({name.rstrip(b"\0").decode(): number for name, number in entries if number})

    @property
    def _calls_file(self) -> Path:
        return self.state_file.with_name(f"{self.state_file.name}.calls")

    def _written(self) -> Driver:
        if self.driver is None:
            raise ValueError("no state has been written")
        return self.driver

    def _replace(self, driver: Driver) -> None:
        handle, name = tempfile.mkstemp(prefix=".state-", dir=self.folder)
        with os.fdopen(handle, "w") as file:
            file.write(state_text(driver))
        Path(name).chmod(0o644)
        Path(name).replace(self.state_file)
