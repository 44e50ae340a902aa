"""For which CUDA packages are chosen, and who says so.

The solver is told of a driver as the virtual package ``__cuda``: the newest CUDA that the driver supports
(https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-virtual.html). The package engine
would find that out by itself, by loading the driver's libraries: it would hang with a sick driver, and on
a server without a GPU it would take builds that are of no use on the next one. So it is decided here,
and what this server's driver said is remembered for the user's other servers.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from ..errors import BadInputError, MlinfnError
from ..files import write_json
from ..times import iso
from .places import Places

NONE = "none"
"""No CUDA: packages are chosen in their builds for the CPU."""

AUTO = "auto"
"""Decided anew, whatever the environment was made for."""

FILE = "cuda.json"
"""In the user's state folder: what a driver of theirs said last."""

OVERRIDE = "CONDA_OVERRIDE_CUDA"
"""conda's own: a version, or set and empty for none."""

Source = Literal["asked", "environment", "override", "site", "driver", "remembered", "none"]

_VERSION = re.compile(r"[0-9]{1,2}(\.[0-9]{1,2}){0,2}")
_PATIENCE = 3.0
"""Seconds that a change waits for a driver that was not heard of yet."""
_TOLD_AGAIN = timedelta(days=1)
"""After this long it is worth a write that the driver still says the same."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Driver:
    """What a driver said.

    Attributes:
        cuda: the newest CUDA that it supports, e.g. ``12.4``; None: there is no GPU.
        version: its own.
        simulated: whether it is the demo's or the tests'.
    """

    cuda: str | None
    version: str | None = None
    simulated: bool = False


@dataclass(frozen=True)
class Remembered:
    """What a driver said last, on whichever of the user's servers: ``.mlinfn/cuda.json``."""

    cuda: str
    driver: str | None
    seen: str
    """ISO 8601 in UTC."""
    server: str
    """As the user knows it: ``your server gpu``."""
    simulated: bool = False


@dataclass(frozen=True)
class Choice:
    """For which CUDA packages are chosen.

    Attributes:
        version: None: none, builds for the CPU.
        source: who says so.
        seen, server, driver: of what was remembered, or of this server's driver.
        here: whether this server has a driver; None while that is not known.
        simulated: whether that driver is the demo's or the tests'.
    """

    version: str | None
    source: Source
    seen: str | None = None
    server: str | None = None
    driver: str | None = None
    here: bool | None = None
    simulated: bool = False

    @property
    def text(self) -> str:
        """As requests and markers write it."""
        return self.version or NONE

    @property
    def kept(self) -> str:
        """What the environment remembers; empty where nobody knew, for then a later change may know more."""
        return "" if self.version is None and self.source not in ("asked", "environment") else self.text

    def to_json(self) -> dict[str, Any]:
        """``#/components/schemas/Cuda``."""
        return asdict(self)


class Cuda:
    """Decides; lives on the event loop's thread.

    Args:
        site: what the admin says: a version, ``none``, or empty for nothing.
        who: this server as its user knows it.
        changed: called when the driver says something else than was known.
        environ: where `OVERRIDE` is looked for.
    """

    def __init__(
        self,
        places: Places,
        *,
        site: str = "",
        who: str = "",
        changed: Callable[[], None] = lambda: None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._places = places
        self._site = site
        self._who = who
        self._changed = changed
        self._override = environ.get(OVERRIDE)
        self._driver: Driver | None = None
        self._silent = False
        self._writing: set[asyncio.Task[None]] = set()
        self.ask: Callable[[], Awaitable[Driver | None]] = _nobody
        """Asks this server's driver; set by who knows it. None: it did not answer."""
        self.simulated: Callable[[], bool] = lambda: False
        """Whether the driver is the demo's or the tests'; set by who knows it."""

    def saw(self, cuda: str | None, version: str | None = None) -> None:
        """The driver was heard: to be called by who listens to it, as often as it likes.

        Args:
            cuda: the newest CUDA that it supports; None where there is no GPU.
            version: of the driver.
        """
        known = cuda if cuda and is_version(cuda) else None
        before, self._driver = self._driver, Driver(known, version, known is not None and self.simulated())
        if before == self._driver:
            return
        if self._driver.cuda is not None:
            task = asyncio.ensure_future(asyncio.to_thread(self._remember, self._driver))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)
        self._changed()

    @property
    def driver(self) -> Driver | None:
        """What this server's driver said; None while it was not heard."""
        return self._driver

    async def now(self) -> Choice:
        """What would be decided where nobody asks for anything. Waits for no driver."""
        return self._decide("", "", await asyncio.to_thread(self.remembered))

    async def decide(self, asked: str | None = None, own: str = "") -> Choice:
        """For which CUDA to choose packages.

        The order: what is asked for, what the environment was made for, conda's own variable, the
        admin's setting, this server's driver, what was remembered.

        Args:
            asked: a version, `NONE`, `AUTO`, or nothing.
            own: what the environment remembers (`Choice.kept`).
        Raises:
            BadInputError: what is asked for is none of these.
        """
        asked = check(asked)
        if asked == AUTO:
            asked = own = ""
        if not (asked or own) and self._driver is None and not self._silent:
            await self._hear()
        return self._decide(asked, own, await asyncio.to_thread(self.remembered))

    def warnings(self) -> list[str]:
        """What is wrong with the settings."""
        if self._override and not is_version(self._override.strip()):
            return [f"{OVERRIDE} is ignored: {self._override!r} is no version such as 12.4."]
        return []

    def remembered(self) -> Remembered | None:
        """What a driver said last. Reads a disk: call it in a thread."""
        try:
            body = json.loads((self._places.state / FILE).read_bytes())
            found = Remembered(
                str(body["cuda"]),
                body.get("driver"),
                str(body["seen"]),
                str(body["server"]),
                body.get("simulated") is True,
            )
            datetime.fromisoformat(found.seen.replace("Z", "+00:00"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None  # Missing, or not written by us.
        return found if is_version(found.cuda) and isinstance(found.driver, str | None) else None

    async def close(self) -> None:
        if self._writing:
            await asyncio.wait(self._writing)

    def _decide(self, asked: str, own: str, known: Remembered | None) -> Choice:
        driver = self._driver
        here = None if driver is None else driver.cuda is not None
        for text, source in ((asked, "asked"), (own, "environment"), (self._overridden(), "override")):
            if text:
                return _choice(text, source, here)
        if self._site:
            return _choice(self._site, "site", here)
        if driver is not None and driver.cuda is not None:
            return Choice(driver.cuda, "driver", driver=driver.version, here=True, simulated=driver.simulated)
        if known is not None:
            return Choice(
                known.cuda, "remembered", known.seen, known.server, known.driver, here, known.simulated
            )
        return Choice(None, "none", here=here)

    def _overridden(self) -> str:
        if self._override is None:
            return ""
        text = self._override.strip()
        return NONE if not text else text if is_version(text) else ""

    async def _hear(self) -> None:
        try:
            said = await asyncio.wait_for(self.ask(), _PATIENCE)
        except asyncio.TimeoutError:
            # A driver that hangs: what is remembered will do, and nobody waits for it again.
            self._silent = True
            return
        if said is not None and self._driver is None:
            self.saw(said.cuda, said.version)

    def _remember(self, driver: Driver) -> None:
        if driver.cuda is None:
            return
        known, now = self.remembered(), datetime.now(timezone.utc)
        said = Driver(known.cuda, known.driver, known.simulated) if known is not None else None
        same = said == driver
        if known is not None and same and known.server == self._who:
            seen = datetime.fromisoformat(known.seen.replace("Z", "+00:00"))
            if now - seen < _TOLD_AGAIN:
                return
        try:
            self._places.prepare()
            body = asdict(Remembered(driver.cuda, driver.version, iso(now), self._who, driver.simulated))
            write_json(self._places.state / FILE, body, indent=1)
        except (MlinfnError, OSError) as error:
            _log.info("What the driver supports could not be remembered: %s", error)


def is_version(text: str) -> bool:
    """Whether it is a version of CUDA as conda takes one: ``12.4``, ``12``."""
    return _VERSION.fullmatch(text) is not None


def is_choice(text: object) -> bool:
    """Whether it is a version of CUDA, or none."""
    return isinstance(text, str) and (text == NONE or is_version(text))


def check(asked: str | None) -> str:
    """What somebody asked for; empty for nothing.

    Raises:
        BadInputError: it is neither a version nor `NONE` nor `AUTO`; with ``fields["cuda"]``.
    """
    text = (asked or "").strip().lower()
    if text in ("", AUTO) or is_choice(text):
        return text
    raise BadInputError(
        f"Not a version of CUDA: {asked!r}.",
        reason="It is a version such as 12.4, or none for builds that need no GPU.",
        hint="`nvidia-smi` tells the version that a driver supports.",
        fields={"cuda": [{"value": str(asked), "message": "no version such as 12.4"}]},
    )


def _choice(text: str, source: Any, here: bool | None) -> Choice:
    return Choice(None if text == NONE else text, source, here=here)


async def _nobody() -> Driver | None:
    """There is nobody here who knows a driver."""
    return None
