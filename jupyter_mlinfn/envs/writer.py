"""One writer per environment, across all servers and hosts that share the volume.

A lease with a heartbeat (`jobs.lease`), and beside it who holds it, in words for people.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..errors import ConflictError, from_os_error
from ..jobs.lease import Lease, duration
from ..times import now
from ..uninterrupted import in_thread
from .history.layout import write_json
from .places import Places


@dataclass(frozen=True)
class Writer:
    """Who changes an environment: ``#/components/schemas/Writer``."""

    server: str
    since: str
    mine: bool
    title: str


class Writers:
    """The leases of the user's environments; lives on the event loop's thread.

    Args:
        who: this server as its user knows it, see `this_server`.
    """

    def __init__(self, places: Places, who: str) -> None:
        self._places = places
        self._who = who
        self._mine: dict[str, Writer] = {}
        self._busy: set[str] = set()
        """Environments that this server holds or is about to."""
        self._brief: dict[str, asyncio.Event] = {}
        self._others: dict[str, Lease] = {}

    @asynccontextmanager
    async def holding(self, prefix: Path, title: str, *, brief: bool = False) -> AsyncIterator[None]:
        """Be the environment's only writer.

        Whoever loses the lease, because it was not heard of for too long, is cancelled.

        Args:
            title: what is being done, for others to read.
            brief: done within seconds, behind somebody's back: others of this server wait for it
                instead of being refused.

        Raises:
            ConflictError: somebody else writes, or has taken over.
            OSError: the storage is gone, full or read-only.
        """
        name = prefix.name
        while (ends := self._brief.get(name)) is not None:
            await ends.wait()
        if name in self._busy:
            raise being_changed(name, await asyncio.to_thread(self.writer, prefix))
        # All before the lease is taken: of two who ask at once the first is not to be refused.
        self._busy.add(name)
        ends = asyncio.Event()
        if brief:
            self._brief[name] = ends
        try:
            async with self._lease(prefix, title):
                yield
        finally:
            self._busy.discard(name)
            self._brief.pop(name, None)
            ends.set()

    @asynccontextmanager
    async def _lease(self, prefix: Path, title: str) -> AsyncIterator[None]:
        name = prefix.name
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        lost = False

        def stop() -> None:
            nonlocal lost
            lost = True
            if task is not None:
                task.cancel()

        folder = self._places.history(name)

        def on_lost() -> None:
            loop.call_soon_threadsafe(stop)

        lease = Lease(folder / "lease", on_lost)
        if not await in_thread(self._take, folder, lease):
            raise being_changed(name, await asyncio.to_thread(self.writer, prefix))
        writer = Writer(self._who, now(), True, title)
        try:
            self._mine[name] = writer
            await in_thread(_tell, folder, writer)
            yield
        except asyncio.CancelledError:
            if lost:
                raise being_changed(name, None) from None
            raise
        finally:
            try:
                await asyncio.shield(asyncio.to_thread(_leave, folder, lease))
            finally:
                self._mine.pop(name, None)

    def is_brief(self, prefix: Path) -> bool:
        """Whether what this server does with the environment now is done within seconds."""
        return prefix.name in self._brief

    def writer(self, prefix: Path) -> Writer | None:
        """Who changes the environment now; None where nobody does. Reads a disk: use it in a thread.

        A lease that is no longer renewed is shown for up to `jobs.lease.duration()` seconds.
        """
        if mine := self._mine.get(prefix.name):
            return mine
        folder = self._places.history(prefix.name)
        try:
            body = json.loads((folder / "writer.json").read_text(encoding="utf-8"))
            told = Writer(str(body["server"]), str(body["since"]), False, str(body["title"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return replace(told, mine=False) if (folder / "lease").exists() else None

    def _take(self, folder: Path, lease: Lease) -> bool:
        folder.parent.mkdir(exist_ok=True)
        folder.mkdir(exist_ok=True)
        # To find out whether a holder on another host still lives it has to be watched for a while,
        # by the same object (`jobs.lease.Lease.take`).
        watched = self._others.get(folder.name)
        if watched is not None and watched.take():
            watched.give_back()
        if lease.take():
            self._others.pop(folder.name, None)
            return True
        self._others.setdefault(folder.name, Lease(folder / "lease", lambda: None)).take()
        return False


def being_changed(name: str, writer: Writer | None) -> ConflictError:
    """The error for who comes second."""
    if writer is None:
        return ConflictError(
            f"{name} is being changed by another of your servers.",
            hint=f"Try again in a moment; if that server has died, {duration():.0f} seconds later.",
        )
    return ConflictError(
        f"{name} is being changed by {writer.server}.",
        reason=f"{writer.title}, since {writer.since}.",
        hint=f"Try again when that is done; if it has died, {duration():.0f} seconds later.",
    )


def _tell(folder: Path, writer: Writer) -> None:
    try:
        write_json(folder / "writer.json", asdict(writer))
    except OSError as error:
        raise from_os_error("The environment cannot be changed now.", error, folder) from error


def _leave(folder: Path, lease: Lease) -> None:
    with suppress(OSError):
        (folder / "writer.json").unlink()
    lease.give_back()


def this_server() -> str:
    """This server as its user knows it: by the name that the hub gave it."""
    if "JUPYTERHUB_SERVER_NAME" in os.environ:
        name = os.environ["JUPYTERHUB_SERVER_NAME"]
        return f"your server {name}" if name else "your default server"
    return f"your server on {socket.gethostname()}"


def this_command_line() -> str:
    return f"a command line on {socket.gethostname()}"
