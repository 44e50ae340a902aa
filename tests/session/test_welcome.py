"""The card of who comes back, from real files."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.idle.last_stop import LastStop
from jupyter_mlinfn.session.welcome import READ_WITHIN, Welcome
from jupyter_mlinfn.times import iso_of

from ..support.clock import Clock, stand_still, until
from ..support.patience import PATIENCE

STARTED = 1_800_000_000.0
STOPPED = STARTED - 7200

RESCUE: dict[str, Any] = {
    "folder": "/home/ada/private/rescued/x",
    "root_path": "private/rescued/x",
    "files": 3,
    "bytes": 30,
    "manifest": "/home/ada/private/rescued/x/manifest.json",
    "left": [{"path": "/home/ada/big", "size": 9, "reason": "It is larger than the limit."}],
    "left_count": 1,
    "left_bytes": 9,
    "changed": [],
    "problem": None,
}
BODY: dict[str, Any] = {
    "time": iso_of(STOPPED),
    "why": "idle",
    "sentence": "Nothing has happened for 2 h.",
    "last_activity": {"source": "start", "time": None, "detail": "", "counts": True},
    "pages": {
        "known": 2,
        "silent": 1,
        "saved": ["a.ipynb"],
        "failed": [{"path": "b.ipynb", "reason": "It was changed on disk."}],
    },
    "open": ["a.ipynb", "b.ipynb"],
    "rescue": RESCUE,
    "lost": {"files": 1, "bytes": 9},
    "freed": {"gpu": ["MIG 1g.5gb", "MIG 1g.5gb"], "slices": 2, "cpus": 4.0, "memory_bytes": 8},
}


@pytest.fixture(autouse=True)
def clock(jp_asyncio_loop: asyncio.AbstractEventLoop) -> Clock:
    """No storage is late by itself."""
    return stand_still(jp_asyncio_loop)


@pytest.fixture
def last_stop(tmp_path: Path) -> LastStop:
    return LastStop(tmp_path / ".mlinfn", tmp_path)


def after_start(last_stop: LastStop, started: float = STARTED) -> Welcome:
    return Welcome(last_stop, started, logging.getLogger("tests"))


async def test_it_tells_what_happened(last_stop: LastStop) -> None:
    last_stop.write(BODY)

    assert await after_start(last_stop).stopped() == {
        "time": iso_of(STOPPED),
        "why": "idle",
        "sentence": "Nothing has happened for 2 h.",
        "server": "",
        "freed": {"gpu": ["MIG 1g.5gb", "MIG 1g.5gb"], "seconds_free": 7200, "slice_hours": 4.0},
        "rescue": RESCUE,
        "open": ["a.ipynb", "b.ipynb"],
        "saved": ["a.ipynb"],
        "failed": [{"path": "b.ipynb", "reason": "It was changed on disk."}],
        "silent": 1,
        "lost": {"files": 1, "bytes": 9},
    }


async def test_without_a_slice_there_are_no_slice_hours(last_stop: LastStop) -> None:
    last_stop.write({**BODY, "freed": {"gpu": ["NVIDIA A100"], "slices": None}})
    told = await after_start(last_stop).stopped()
    last_stop.write({**BODY, "freed": None})
    unknown = await after_start(last_stop).stopped()

    assert told is not None
    assert unknown is not None
    assert told["freed"] == {"gpu": ["NVIDIA A100"], "seconds_free": 7200, "slice_hours": None}
    assert unknown["freed"]["gpu"] == []


async def test_who_has_seen_it_is_not_told_again_in_any_page_or_after_any_start(last_stop: LastStop) -> None:
    last_stop.write(BODY)
    welcome = after_start(last_stop)
    assert await welcome.stopped()
    await welcome.seen()

    assert await welcome.stopped() is None
    assert await after_start(last_stop, STARTED + 60).stopped() is None
    # The record itself stays as it is.
    assert json.loads(last_stop.file.read_text())["sentence"] == BODY["sentence"]


async def test_a_crash_after_the_start_adds_nothing_to_what_was_free(last_stop: LastStop) -> None:
    last_stop.write(BODY)
    assert await after_start(last_stop).stopped()
    told = await after_start(last_stop, STARTED + 86400).stopped()

    assert told is not None
    assert told["freed"]["seconds_free"] == 7200


async def test_the_next_stop_is_told_again(last_stop: LastStop) -> None:
    last_stop.write(BODY)
    welcome = after_start(last_stop)
    await welcome.stopped()
    later = {**BODY, "time": iso_of(STARTED + 600), "sentence": "Another."}
    last_stop.write(later)
    # A page that was open over the stop says that it has seen the card before.
    await welcome.seen()
    told = await after_start(last_stop, STARTED + 700).stopped()

    assert told is not None
    assert told["sentence"] == "Another."
    assert told["freed"]["seconds_free"] == 100


async def test_a_crash_without_a_record_says_nothing(last_stop: LastStop) -> None:
    welcome = after_start(last_stop)

    assert await welcome.stopped() is None
    await welcome.seen()
    assert not last_stop.file.exists()


async def test_its_own_stop_is_not_told_to_a_server_that_goes_on(last_stop: LastStop) -> None:
    last_stop.write({**BODY, "time": iso_of(STARTED + 5)})

    assert await after_start(last_stop).stopped() is None


def _without(name: str) -> dict[str, Any]:
    return {key: value for key, value in BODY.items() if key != name}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "\0\0\0",
        "[" * 100_000,
        json.dumps({"format": 1, "server": "", **BODY}),
        json.dumps({"format": 3, "server": "", **BODY}),
        json.dumps({"format": 2, "server": "another", **BODY}),
        json.dumps({"format": 2, **BODY}),
        *[json.dumps({"format": 2, "server": "", **_without(name)}) for name in ("time", "pages", "lost")],
        *[
            json.dumps({"format": 2, "server": "", **BODY, **bad})
            for bad in (
                {"time": "yesterday"},
                {"time": 5},
                {"open": "a.ipynb"},
                {"open": [1]},
                {"pages": []},
                {"lost": {"files": -1, "bytes": 0}},
                {"lost": 3},
                {"rescue": {"files": 1}},
                {"rescue": [1]},
                {"freed": {"gpu": [], "slices": "many"}},
            )
        ],
    ],
)
async def test_what_is_not_ours_is_left_alone_with_a_word(
    last_stop: LastStop, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    last_stop.file.parent.mkdir(parents=True)
    last_stop.file.write_text(text)
    welcome = after_start(last_stop)

    assert await welcome.stopped() is None
    assert "cannot be read" in caplog.text
    await welcome.seen()
    assert last_stop.file.read_text() == text


async def test_named_servers_have_records_of_their_own(tmp_path: Path) -> None:
    own, other = (LastStop(tmp_path / ".mlinfn", tmp_path, name) for name in ("gpu", "a b"))
    # Its file is the same as of "a b".
    similar = LastStop(tmp_path / ".mlinfn", tmp_path, "a_b")
    own.write({**BODY, "sentence": "Of gpu."})
    other.write({**BODY, "sentence": "Of a b."})
    told = [await after_start(each).stopped() for each in (own, other, similar)]

    assert [each and (each["server"], each["sentence"]) for each in told] == [
        ("gpu", "Of gpu."),
        ("a b", "Of a b."),
        None,
    ]


async def test_a_storage_that_hangs_is_told_of_when_it_is_back(last_stop: LastStop, clock: Clock) -> None:
    last_stop.write(BODY)
    asked, back = threading.Event(), threading.Event()

    class Hangs:
        """A record on a volume that does not answer."""

        def read(self) -> dict[str, Any] | None:
            asked.set()
            back.wait(PATIENCE)
            return last_stop.read()

        def note(self, record: Any, **more: Any) -> None:
            last_stop.note(record, **more)

    welcome = Welcome(Hangs(), STARTED, logging.getLogger("tests"))
    telling = asyncio.ensure_future(welcome.stopped())
    await until(asked.is_set)
    assert not telling.done()
    clock.pass_time(READ_WITHIN)
    assert await telling is None
    back.set()

    assert await welcome.stopped() is not None


async def test_a_read_only_storage_shows_it_until_the_next_start(
    last_stop: LastStop, monkeypatch: pytest.MonkeyPatch
) -> None:
    last_stop.write(BODY)

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("jupyter_mlinfn.idle.last_stop.write_json", refuse)
    welcome = after_start(last_stop)
    assert await welcome.stopped()
    with pytest.raises(OSError, match="Read-only"):
        await welcome.seen()

    assert await welcome.stopped() is None
