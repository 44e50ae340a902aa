"""How much room there is, and storage that does not answer."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_mlinfn.storage import usage
from jupyter_mlinfn.storage.models import Quota, Usage
from jupyter_mlinfn.storage.patience import PATIENCE, Patience, SilentError

from ..support.clock import Clock, stand_still, until


def test_this_disk(tmp_path: Path) -> None:
    told, status = usage.read(str(tmp_path), "ext4", "/"), os.statvfs(tmp_path)

    assert told.size_bytes == status.f_blocks * status.f_frsize
    assert told.free_bytes is not None
    assert told.used_bytes is not None
    assert 0 < told.used_bytes + told.free_bytes <= (told.size_bytes or 0)
    assert not told.silent


@pytest.mark.parametrize(
    ("blocks", "files", "expected"),
    [
        # Without a limit on files; without a size; a bucket that says it has 16 EiB; an older one of s3fs.
        (1000, 0, Usage(4096000, 2048000, 1024000)),
        (0, 0, Usage()),
        (1 << 52, 0, Usage()),
        (1 << 60, 1 << 40, Usage()),
        (1000, 50, Usage(4096000, 2048000, 1024000, 50, 10, 30)),
    ],
)
def test_what_file_systems_say(
    monkeypatch: pytest.MonkeyPatch, blocks: int, files: int, expected: Usage
) -> None:
    status = SimpleNamespace(
        f_frsize=4096, f_blocks=blocks, f_bfree=500, f_bavail=250, f_files=files, f_ffree=40, f_favail=30
    )
    monkeypatch.setattr(os, "statvfs", lambda _: status)

    assert usage.read("/x", "tmpfs", "/x") == expected


def test_the_quota_of_cephfs_is_of_the_nearest_folder_that_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    attributes = {
        ("/p/alice", "ceph.quota.max_bytes"): b"1000",
        ("/p/alice", "ceph.quota.max_files"): b"0",
        ("/p/alice", "ceph.dir.rbytes"): b"123",
        ("/p/alice", "ceph.dir.rfiles"): b"4",
        ("/p", "ceph.quota.max_bytes"): b"5",
        ("/", "ceph.quota.max_bytes"): b"6",
    }

    def getxattr(path: str, name: str) -> bytes:
        try:
            return attributes[path, name]
        except KeyError:
            raise OSError(61, "No data available") from None

    monkeypatch.setattr(os, "getxattr", getxattr)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_frsize=1, f_blocks=0, f_files=0))

    assert usage.read("/p/alice/deep", "ceph", "/p").quota == Quota(1000, 123, None, 4)
    assert usage.read("/p/bob", "fuse.ceph-fuse", "/p").quota == Quota(5, None, None, None)
    assert usage.read("/elsewhere", "ceph", "/elsewhere").quota is None


HEAD = """Disk quotas for user alice (uid 1000):
     Filesystem  blocks   quota   limit   grace   files   quota   limit   grace
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "srv:/home/alice  2048   4096   8192       0    10     0    20       0",
            Quota(8192 * 1024, 2 << 20, 20, 10),
        ),
        (
            "srv:/home/alice  9000*  4096      0  17000    10     0     0       0",
            Quota(4096 * 1024, 9000 * 1024, None, 10),
        ),
        ("/dev/sda1  2048   0   0       0    10     0    0       0", None),
        ("", None),
        ("none", None),
    ],
)
def test_what_the_program_quota_writes(text: str, expected: Quota | None) -> None:
    assert usage.parse_quota(HEAD + text + ("\n" if text else "")) == expected


def test_the_program_quota_is_asked_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "quota"
    asked = tmp_path / "asked"
    line = "/dev/sda1  2048   4096   8192       0    10     0    0       0"
    program.write_text(f'#!/bin/sh\necho "$@" > {asked}\ncat <<END\n{HEAD}{line}\nEND\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    assert usage.read(str(tmp_path), "xfs", "/mnt/a b").quota == Quota(8192 * 1024, 2 << 20, None, 10)
    assert "--filesystem=/mnt/a b" in asked.read_text()
    asked.unlink()
    assert usage.read(str(tmp_path), "tmpfs", "/tmp").quota is None  # noqa: S108
    assert not asked.exists()


@pytest.fixture
def clock(jp_asyncio_loop: asyncio.AbstractEventLoop) -> Clock:
    """No storage is late by itself."""
    return stand_still(jp_asyncio_loop)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


async def test_what_hangs_is_asked_once_and_told_of_when_it_answers(
    gate: threading.Event, clock: Clock
) -> None:
    late: asyncio.Event = asyncio.Event()
    patience = Patience(late.set)
    calls = []

    def hang() -> int:
        calls.append(threading.current_thread())
        gate.wait()
        return 7

    asking = asyncio.ensure_future(patience.ask("nfs", hang))
    await until(lambda: calls)
    clock.pass_time(PATIENCE / 2)
    await asyncio.sleep(0)
    assert not asking.done()
    clock.pass_time(PATIENCE / 2)
    with pytest.raises(SilentError):
        await asking
    # At once, without a turn of the loop, and with no other thread.
    for _ in range(100):
        with pytest.raises(SilentError):
            patience.ask("nfs", hang).send(None)
    assert len(calls) == 1
    assert calls[0].daemon
    assert await patience.ask("other", lambda: 8) == 8

    assert not late.is_set()
    gate.set()
    await late.wait()
    assert await patience.ask("nfs", hang) == 7
    assert len(calls) == 2


async def test_who_asks_the_same_shares_the_answer_and_who_asks_another_waits(clock: Clock) -> None:
    patience = Patience()
    calls: list[str] = []

    def call(name: str) -> str:
        calls.append(name)
        return name

    shared = await asyncio.gather(*(patience.ask("a", lambda: call("x")) for _ in range(5)))
    assert (shared, calls) == (["x"] * 5, ["x"])
    names = [str(number) for number in range(5)]
    alone = await asyncio.gather(
        *(patience.ask("b", lambda name=name: call(name), join=False) for name in names)  # type: ignore[misc]
    )
    assert alone == names


async def test_an_error_is_raised_and_forgotten(clock: Clock) -> None:
    patience = Patience()

    def fail() -> None:
        raise OSError(5, "Input/output error")

    for _ in range(2):
        with pytest.raises(OSError, match="Input/output"):
            await patience.ask("a", fail)
    assert await patience.ask("a", lambda: 1) == 1


@pytest.mark.parametrize("closed", [False, True])
async def test_the_end_waits_for_nothing_that_hangs(
    gate: threading.Event, clock: Clock, closed: bool
) -> None:
    late = []
    patience = Patience(lambda: late.append(1))
    asking = asyncio.ensure_future(patience.ask("nfs", gate.wait))
    await asyncio.sleep(0)
    clock.pass_time(PATIENCE)
    with pytest.raises(SilentError):
        await asking
    if closed:
        patience.close()
    else:
        gate.set()
    # It is over, and would have been told of.
    await until(lambda: not patience._open)

    assert late == ([] if closed else [1])
