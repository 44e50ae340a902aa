"""The service on folders of the disk, with a table of mounts that a test writes."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.errors import BadInputError, DependencyError, NotFoundError
from jupyter_mlinfn.storage import usage
from jupyter_mlinfn.storage.config import StorageConfig
from jupyter_mlinfn.storage.count import CountError, count
from jupyter_mlinfn.storage.folders import find
from jupyter_mlinfn.storage.mounts import MountTable
from jupyter_mlinfn.storage.patience import PATIENCE
from jupyter_mlinfn.storage.room import StorageRoom
from jupyter_mlinfn.storage.service import StorageService

from ..support.clock import Clock, stand_still, until

HOUR_AGO = time.time() - 3600


class Machine:
    """A container with an NFS volume as private, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.private = self.root / "private"
        self.private.mkdir(parents=True)
        self.config = StorageConfig()
        self.more = ""
        self.changes = 0
        self.hangs: threading.Event | None = None
        self.hanging = False

    def table(self) -> MountTable:
        return MountTable.parse(
            b"1 0 0:1 / / rw - overlay overlay rw,upperdir=/u\n"
            + f"2 1 0:2 / {self.private} rw - nfs4 srv:/alice rw\n{self.more}".encode()
        )

    def service(self, **more: Any) -> StorageService:
        def folders(blindly: bool) -> Any:
            if self.hangs is not None and not blindly:
                self.hanging = True
                self.hangs.wait()
            return find(self.config, self.root, self.private / "environments", "", [], blindly=blindly)

        return StorageService(
            folders,
            since=lambda: HOUR_AGO,
            ignored=self.config.rescue_ignored,
            changed=self._changed,
            table=self.table,
            **more,
        )

    def write(self, name: str, size: int = 10) -> Path:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as out:
            out.truncate(size)
        return file

    def _changed(self) -> None:
        self.changes += 1


@pytest.fixture(autouse=True)
def clock(jp_asyncio_loop: asyncio.AbstractEventLoop) -> Clock:
    """No storage is late by itself."""
    return stand_still(jp_asyncio_loop)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path.resolve())
    monkeypatch.setenv("HOME", str(machine.root))
    return machine


@pytest.fixture
def service(machine: Machine, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[StorageService]:
    service = machine.service()
    yield service
    jp_asyncio_loop.run_until_complete(service.close())


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


def named(answer: dict[str, Any], name: str) -> dict[str, Any]:
    (volume,) = [each for each in answer["volumes"] if each["name"] == name]
    return dict(volume)


async def test_volumes_with_their_room(machine: Machine, service: StorageService) -> None:
    answer = await service.answer()

    private = named(answer, "private")
    assert private["persistence"] == "lasts"
    assert private["why"] == "A network volume (NFS) of its own."
    assert (private["type"], private["state"], private["root_path"]) == ("nfs4", "ok", "private")
    assert private["size_bytes"] > private["free_bytes"] > 0
    assert named(answer, "~")["persistence"] == "ephemeral"
    assert answer["private"] == {"path": str(machine.private), "root_path": "private"}
    assert answer["rescue"]["possible"] is False
    assert answer["ephemeral"]["state"] == "unknown"


async def test_a_count_from_its_beginning_to_its_end(machine: Machine, service: StorageService) -> None:
    machine.write("a/big", 1000)
    machine.write("b")
    machine.write("private/kept")
    machine.write(".cache/x")
    machine.write(".bash_history")
    old = machine.write("old")
    os.utime(old, (1, 1))
    service.begin_count()
    assert service.ephemeral()["state"] == "counting"
    told = await service.counted()

    assert told["state"] == "known"
    # The ctime of the old one is of today: it was put there in this session.
    assert (told["files"], told["bytes"], told["ignored"]) == (3, 1020, 2)
    assert told["biggest"][0]["path"] == str(machine.root / "a" / "big")
    assert told["biggest"][0]["root_path"] == "a/big"
    assert {each["path"] for each in told["folders"]} == {str(machine.root), str(machine.root / "a")}
    assert told["counted"].endswith("Z")
    assert machine.changes >= 1


async def test_callers_share_a_count_and_the_next_is_a_new_one(machine: Machine) -> None:
    begun = asyncio.Event()
    counts = 0

    async def slowly(*arguments: Any) -> dict[str, Any]:
        nonlocal counts
        counts += 1
        await begun.wait()
        return await count(*arguments)

    service = machine.service(count=slowly)
    for _ in range(3):
        service.begin_count()
    waiting = [asyncio.ensure_future(service.counted()) for _ in range(3)]
    begun.set()
    first = await asyncio.gather(*waiting)
    machine.write("new")
    service.begin_count()

    assert (counts, [each["files"] for each in first]) == (1, [0, 0, 0])
    assert (await service.counted())["files"] == 1
    assert counts == 2
    await service.close()


async def test_who_gives_up_waiting_does_not_stop_the_count(
    machine: Machine, service: StorageService
) -> None:
    machine.write("x")
    service.begin_count()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(service.counted(), 0.0)

    assert (await service.counted())["state"] == "known"


@pytest.mark.parametrize("error", [CountError("The storage did not answer for 20 s."), RuntimeError("odd")])
async def test_a_count_that_fails_says_why_and_keeps_what_it_found(
    machine: Machine, error: Exception
) -> None:
    async def fails(_: Any, __: Any, ___: Any, progress: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        progress({"files": 3, "bytes": 30, "biggest": [], "more": 3, "folders": [], "ignored": 0})
        raise error

    service = machine.service(count=fails)
    service.begin_count()
    told = await service.counted()

    assert (told["state"], told["files"], told["counted"]) == ("failed", 3, None)
    assert str(error) in told["reason"]
    await service.close()


async def test_where_all_lasts_nothing_is_walked_through(machine: Machine) -> None:
    async def never(*_: Any) -> dict[str, Any]:
        raise AssertionError("it walks")

    machine.config.persistent_folders = ["~"]
    machine.write("x")
    service = machine.service(count=never)
    service.begin_count()
    told = await service.counted()

    assert (told["state"], told["files"]) == ("known", 0)
    assert "lasts" in told["reason"]
    await service.close()


async def test_the_end_of_the_room_ends_a_count(machine: Machine) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def for_ever(*_: Any) -> dict[str, Any]:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return {}

    service = machine.service(count=for_ever)
    service.begin_count()
    await begun.wait()
    await service.close()

    assert ended.is_set()
    assert service.ephemeral()["state"] == "failed"
    service.begin_count()
    assert service.ephemeral()["state"] == "failed"


async def test_files_of_a_folder(machine: Machine, service: StorageService) -> None:
    machine.write("a/one", 5)
    machine.write("a/two", 6)
    machine.write("a/deep/er/three", 7)
    machine.write("private/x")
    (machine.root / "out").symlink_to("/etc")
    told = await service.files(str(machine.root / "a"))

    assert [(each["root_path"], each["size"]) for each in told["files"]] == [("a/two", 6), ("a/one", 5)]
    assert told["folders"] == [{"path": str(machine.root / "a" / "deep"), "files": 1, "bytes": 7}]
    for folder, error in (
        (machine.private, BadInputError),
        (machine.root / "a" / "one", BadInputError),
        (machine.root / "missing", NotFoundError),
        (machine.root / "out" / "ssl", BadInputError),
        ("/etc", BadInputError),
        ("a", BadInputError),
        ("/\0", BadInputError),
    ):
        with pytest.raises(error):
            await service.files(str(folder))


@pytest.mark.parametrize(
    ("path", "persistence", "volume"),
    [
        ("", "ephemeral", "~"),
        ("n.ipynb", "ephemeral", "~"),
        ("new/folder/n.ipynb", "ephemeral", "~"),
        ("/private/n.ipynb", "lasts", "private"),
        ("private/new/n.ipynb", "lasts", "private"),
        ("kept/n.ipynb", "lasts", "private"),
        ("a:b.txt", "ephemeral", "~"),
        ("RTC:private/n.ipynb", "unknown", None),
    ],
)
async def test_places(
    machine: Machine, service: StorageService, path: str, persistence: str, volume: str | None
) -> None:
    machine.write("a:b.txt")
    # Where a link leads is where files are.
    (machine.root / "kept").symlink_to("private")
    told = await service.place(path)

    assert (told["path"], told["persistence"], told["volume"]) == (path, persistence, volume)
    assert told["private"]["root_path"] == "private"


async def test_a_private_folder_that_is_a_link(machine: Machine, tmp_path: Path) -> None:
    """As where homes are on one volume, and the server's root in the container."""
    machine.private.rmdir()
    volume = tmp_path.resolve() / "volumes" / "alice"
    volume.mkdir(parents=True)
    (machine.root / "private").symlink_to(volume)
    machine.private = volume
    machine.write("private/kept")
    service = machine.service()
    answer = await service.answer()
    service.begin_count()

    assert answer["private"] == {"path": str(volume), "root_path": "private"}
    assert named(answer, "private")["persistence"] == "lasts"
    assert (await service.place("private/a.ipynb"))["volume"] == "private"
    # The link itself is new, what it leads to lasts.
    assert [each["root_path"] for each in (await service.counted())["biggest"]] == ["private"]
    await service.close()


async def test_what_may_last_is_counted_and_said_to_be_uncertain(machine: Machine) -> None:
    machine.write("odd/x")
    machine.more = f"3 1 0:3 / {machine.root}/odd rw - fuse.whatever whatever rw\n"
    service = machine.service()
    service.begin_count()
    told = await service.counted()

    assert (told["state"], told["files"]) == ("known", 1)
    assert "Whether files in odd last is not known" in told["reason"]
    await service.close()


@pytest.mark.parametrize("path", ["../x", "a/../../x", "a\0b"])
async def test_paths_that_cannot_be_meant(service: StorageService, path: str) -> None:
    with pytest.raises(BadInputError):
        await service.place(path)


async def test_storage_that_hangs_at_the_first_look(
    machine: Machine, gate: threading.Event, clock: Clock
) -> None:
    machine.hangs = gate
    service = machine.service()
    answering = asyncio.ensure_future(service.answer())
    await until(lambda: machine.hanging)
    clock.pass_time(PATIENCE)
    answer = await answering

    # What the table tells is told all the same.
    assert named(answer, "private")["persistence"] == "lasts"
    assert (await service.place("private/x"))["persistence"] == "lasts"
    await service.close()


async def test_a_volume_that_hangs_is_silent_and_the_others_answer(
    machine: Machine, gate: threading.Event, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = os.statvfs, []

    def statvfs(path: str) -> os.statvfs_result:
        if str(path).startswith(str(machine.private)):
            asked.append(path)
            gate.wait()
        return real(path)

    monkeypatch.setattr(os, "statvfs", statvfs)
    service = machine.service()
    answering = asyncio.ensure_future(service.answer())
    # All others have answered.
    await until(lambda: asked and list(service._patience._open) == ["usage 2"])
    clock.pass_time(PATIENCE)
    for answer in (await answering, await service.answer()):
        silent = named(answer, "private")
        assert (silent["state"], silent["size_bytes"], silent["free_bytes"]) == ("silent", None, None)
        assert named(answer, "~")["state"] == "ok"
    assert (await service.usage(str(machine.private))).silent
    assert len(asked) == 1

    before = machine.changes
    gate.set()
    await until(lambda: machine.changes > before)
    assert named(await service.answer(), "private")["state"] == "ok"
    await service.close()


async def test_storage_that_went_is_silent_too(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any) -> None:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(usage, "read", gone)
    service = machine.service()

    assert named(await service.answer(), "private")["state"] == "silent"
    await service.close()


async def test_a_listing_of_storage_that_hangs(machine: Machine) -> None:
    async def silent(*_: Any) -> dict[str, Any]:
        raise CountError("The storage did not answer for 20 s.")

    machine.write("a/x")
    service = machine.service(count=silent)
    with pytest.raises(DependencyError) as caught:
        await service.files(str(machine.root / "a"))

    assert "20 s" in caught.value.reason
    assert caught.value.hint
    await service.close()


async def test_the_start_of_the_server_by_a_clock_that_was_set_back(machine: Machine) -> None:
    clock = Clock()
    room = StorageRoom(machine.config, machine.root, machine.private, wall=clock.wall, monotonic=clock)
    started = clock.wall()
    assert room.since() == started - 1
    clock.pass_time(100)
    assert room.since() == started - 1
    # The clock is an hour behind: what is written now is older than the start seemed to be.
    clock.offset -= 3600
    assert room.since() == started - 3600 - 1
    clock.offset += 7200
    assert room.since() == started - 1
    await room.close()


async def test_two_who_come_first_at_once_get_one_service(machine: Machine) -> None:
    room = StorageRoom(machine.config, machine.root, machine.private)
    first, second = await asyncio.gather(room.service(), room.service())

    assert first is second
    await room.close()
