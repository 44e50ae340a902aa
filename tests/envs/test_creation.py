"""Creating and removing at their worst moments; the installation is a stand-in that can be held."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.envs import create, remove
from jupyter_mlinfn.envs.bytecode import BytecodeCompiler
from jupyter_mlinfn.envs.catalogue import Catalogue
from jupyter_mlinfn.envs.create import Creation
from jupyter_mlinfn.envs.kernelspecs import KernelspecWriter
from jupyter_mlinfn.envs.marker import read_marker
from jupyter_mlinfn.envs.models import Plan
from jupyter_mlinfn.envs.places import Places
from jupyter_mlinfn.envs.remove import Removal, made
from jupyter_mlinfn.envs.scan import EnvironmentScanner
from jupyter_mlinfn.envs.trash import Trash
from jupyter_mlinfn.envs.writer import Writers
from jupyter_mlinfn.jobs.journal import Journal
from jupyter_mlinfn.jobs.manager import JobManager
from jupyter_mlinfn.jobs.models import Job

from ..support.patience import PATIENCE
from ..support.prefixes import make_prefix


@dataclass
class Installed:
    plan: Plan
    link_scripts_not_run: tuple[str, ...] = ()


@dataclass
class Installer:
    """Makes a prefix of a few files, at once or when told."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def install(self, prefix: Path, specs: list[str], **_: Any) -> Installed:
        self.begun.set()
        await self.go_on.wait()
        made_elsewhere = make_prefix(prefix.parent / ".mlinfn" / f"made-{os.urandom(4).hex()}")
        shutil.copytree(made_elsewhere, prefix, dirs_exist_ok=True)
        shutil.rmtree(made_elsewhere)
        return Installed(Plan((), 0, 0, 0, False, list(specs)))

    def channels(self) -> list[str]:
        return ["https://channel.example"]


class Room:
    """What one server has, wired as in `wiring`."""

    def __init__(self, folder: Path) -> None:
        root = folder / "work"
        (root / "private").mkdir(parents=True, exist_ok=True)
        self.places = Places.find(root)
        self.installer = Installer()
        self.trash = Trash(self.places.trash)
        self.compiler = BytecodeCompiler()
        scanner = EnvironmentScanner(self.places.environments)
        self.writer = KernelspecWriter(folder / "kernels")
        self.catalogue = Catalogue(scanner, self.writer, lambda: None, lambda: None)
        self.jobs = JobManager(Journal(self.places.jobs), lambda _: None)
        self.creation = Creation(
            self.places, self.installer, self.catalogue, self.trash, self.compiler, self.no_pip
        )
        self.removal = Removal(
            self.places, self.catalogue, self.trash, self.compiler, Writers(self.places, "this server")
        )
        self.jobs.register(create.KIND, self.creation)
        self.jobs.register(remove.KIND, self.removal)

    async def no_pip(self, *_: object) -> None:
        raise AssertionError("nothing is asked of pip")

    async def create(self, name: str = "my-env", **request: Any) -> Job:
        await asyncio.to_thread(self.places.prepare)
        wanted = {"name": name, "label": "My env", "specs": ["python"], "channels": None}
        return await self.jobs.submit(create.KIND, "Create", subject={}, request=wanted | request)

    async def created(self, name: str = "my-env") -> Path:
        self.installer.go_on.set()
        job = await self.jobs.wait((await self.create(name)).id)
        assert job.state == "done", job
        return self.places.prefix(name)

    async def remove(self, prefix: Path, **request: Any) -> Job:
        wanted = {"prefix": str(prefix)} | ({} if "created" in request else {"created": made(prefix)})
        return await self.jobs.submit(remove.KIND, "Remove", subject={}, request=wanted | request)

    async def close(self) -> None:
        await self.jobs.close()
        await self.compiler.stop()

    def left(self) -> list[str]:
        return sorted(entry.name for entry in self.places.environments.iterdir() if entry.name != ".mlinfn")


@pytest.fixture
def room(
    tmp_path: Path, jp_asyncio_loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Room]:
    monkeypatch.setenv("HOME", str(tmp_path))
    return lambda: Room(tmp_path)


def hold(monkeypatch: pytest.MonkeyPatch, target: Any, name: str) -> tuple[threading.Event, threading.Event]:
    """Let a blocking step wait, as on a slow file server; (it has begun, let it go on)."""
    begun, go_on = threading.Event(), threading.Event()
    step = getattr(target, name)

    def slow(*args: Any) -> Any:
        begun.set()
        assert go_on.wait(PATIENCE)
        return step(*args)

    monkeypatch.setattr(target, name, slow)
    return begun, go_on


async def test_a_cancel_while_the_name_is_being_claimed_leaves_nothing(
    room: Callable[[], Room], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = room()
    begun, go_on = hold(monkeypatch, create, "write_marker")
    job = await first.create()
    assert await asyncio.to_thread(begun.wait, PATIENCE)

    await first.jobs.cancel(job.id)
    go_on.set()
    ended = await first.jobs.wait(job.id)

    assert ended.state == "cancelled"
    assert first.left() == []
    assert list((first.places.state / "claims").iterdir()) == []


async def test_a_cancel_that_comes_when_it_is_whole_is_too_late(
    room: Callable[[], Room], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = room()
    first.installer.go_on.set()
    begun, go_on = hold(monkeypatch, create, "register")
    job = await first.create()
    assert await asyncio.to_thread(begun.wait, PATIENCE)

    await first.jobs.cancel(job.id)
    go_on.set()
    ended = await first.jobs.wait(job.id)
    await first.close()

    assert ended.state == "done"
    assert ended.result is not None
    assert ended.result["kernels"] == ["conda-env-my-env-py"]
    assert first.left() == ["my-env"]


@pytest.mark.parametrize("action", ["resume", "discard"])
async def test_a_job_whose_end_was_not_journalled_never_costs_the_environment(
    room: Callable[[], Room], action: str
) -> None:
    """Killed between the environment's being whole and the journal's saying so."""
    first = room()
    prefix = await first.created()
    marker = read_marker(prefix)
    assert marker is not None
    await first.close()
    entry = first.places.jobs / marker.job / "job.json"
    entry.write_text(json.dumps(json.loads(entry.read_text()) | {"state": "interrupted", "result": None}))

    second = room()
    if action == "resume":
        await second.jobs.resume(marker.job)
    else:
        await second.jobs.cancel(marker.job)
    ended = await second.jobs.wait(marker.job)
    await second.close()

    assert ended.state == ("done" if action == "resume" else "cancelled")
    assert (prefix / "conda-meta" / "history").exists()
    assert action == "discard" or (ended.result or {})["kernels"] == ["conda-env-my-env-py"]


async def test_of_two_claims_of_one_name_one_wins_and_the_other_leaves_it_alone(
    room: Callable[[], Room], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = room(), room()
    first.installer.go_on.set()
    second.installer.go_on.set()
    jobs = await asyncio.gather(first.create(), second.create())
    ended = await asyncio.gather(first.jobs.wait(jobs[0].id), second.jobs.wait(jobs[1].id))
    await asyncio.gather(first.close(), second.close())

    assert sorted(job.state for job in ended) == ["done", "failed"]
    winner = next(job for job in ended if job.state == "done")
    marker = read_marker(first.places.prefix("my-env"))
    assert marker is not None
    assert (marker.job, marker.state) == (winner.id, "ready")


@pytest.mark.parametrize(
    "request_on_disk",
    [
        {"name": "../../outside"},
        {"name": "/outside"},
        {"name": ".mlinfn"},
        {"name": None},
        {"label": "\u0000"},
        {"specs": "python"},
        {"channels": [3]},
    ],
)
async def test_a_request_that_was_changed_on_disk_reaches_nothing(
    room: Callable[[], Room], tmp_path: Path, request_on_disk: dict[str, Any]
) -> None:
    first = room()
    first.installer.go_on.set()
    outside = tmp_path / "work" / "outside"
    outside.mkdir()
    job = await first.jobs.wait((await first.create(**request_on_disk)).id)

    assert job.state == "failed"
    assert job.error is not None
    assert job.error["hint"]
    assert first.left() == []
    assert outside.is_dir()
    assert list(outside.iterdir()) == []


async def test_a_removal_is_of_the_one_that_was_seen_and_not_of_a_later_one(room: Callable[[], Room]) -> None:
    """A removal that was interrupted, and is resumed when the name is in use again."""
    first = room()
    prefix = await first.created()
    seen = made(prefix)
    shutil.rmtree(prefix)
    await first.created()

    ended = await first.jobs.wait((await first.remove(prefix, created=seen)).id)
    await first.close()

    assert ended.state == "failed"
    assert ended.error is not None
    assert "another environment" in ended.error["message"]
    assert (prefix / "conda-meta" / "history").exists()


async def test_a_removal_never_leaves_the_folder_of_environments(
    room: Callable[[], Room], tmp_path: Path
) -> None:
    first = room()
    await asyncio.to_thread(first.places.prepare)
    elsewhere = make_prefix(tmp_path / "elsewhere" / "env")
    link = first.places.environments / "link"
    link.symlink_to(elsewhere)

    for prefix in (elsewhere, link, first.places.environments / ".." / "environments", first.places.state):
        ended = await first.jobs.wait((await first.remove(prefix, created=None)).id)
        assert ended.state == "failed", prefix

    assert (elsewhere / "conda-meta" / "history").exists()
    assert first.places.state.is_dir()


async def test_a_removal_whose_storage_is_away_does_not_claim_to_be_done(room: Callable[[], Room]) -> None:
    first = room()
    prefix = await first.created()
    removal = first.removal
    private = first.places.environments.parent
    job = Job("0" * 32, remove.KIND, "Remove", {}, {"prefix": str(prefix), "created": made(prefix)})

    class Context:
        def __init__(self) -> None:
            self.job = job
            self.lines: list[str] = []

        def progress(self, progress: Any) -> None: ...

        def log(self, text: str) -> None:
            self.lines.append(text)

        warn = log

    private.rename(private.with_name("unmounted"))
    private.mkdir()  # The mount point.
    with pytest.raises(Exception, match="cannot be removed now"):
        await removal.run(Context())
    await first.close()

    assert list(private.iterdir()) == []
    assert (private.with_name("unmounted") / "environments" / "my-env" / "conda-meta").is_dir()


async def test_a_removal_counts_what_came_back_of_its_own(room: Callable[[], Room]) -> None:
    first = room()
    prefix = await first.created()
    other = first.places.trash / "other"
    other.mkdir(parents=True)
    (other / "large").write_bytes(b"x" * 4_000_000)

    ended = await first.jobs.wait((await first.remove(prefix)).id)
    await first.close()

    assert ended.result is not None
    assert 0 < ended.result["freed_bytes"] < 1_000_000
