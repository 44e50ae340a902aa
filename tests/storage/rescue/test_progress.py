"""How far a rescue is, and how long it still takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from jupyter_mlinfn.storage.rescue.passes import Total
from jupyter_mlinfn.storage.rescue.telling import Telling
from jupyter_mlinfn.storage.rescue.views import Speed

from ...support.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_what_is_new_is_told_five_times_a_second(clock: Clock) -> None:
    said: list[tuple[str, Any]] = []

    def say(kind: str, body: Mapping[str, Any]) -> None:
        assert kind == "progress"
        said.append((body["phase"], body["bytes_done"]))

    telling, total = Telling(say, clock), Total()
    telling.tell("preparing")
    for _ in range(20):
        telling.moved(10)
        telling.tell("copying", 1, total)
        clock.pass_time(1 / 16)
    assert said == [("preparing", None), *(("copying", moved) for moved in (50, 90, 130, 170))]

    # The same is told once, and the last word comes at once.
    clock.pass_time(1)
    for _ in range(2):
        telling.tell("copying", 1, total)
        clock.pass_time(1)
    telling.tell("finishing", 1, total)
    telling.tell("finishing", 2, total, at_once=True)
    assert said[5:] == [("copying", 200), ("finishing", 200), ("finishing", 200)]


def test_how_long_it_takes_is_told_from_how_long_it_took(clock: Clock) -> None:
    speed = Speed(clock)
    assert speed.seconds_left(None, None) is None
    assert speed.seconds_left(100, 1100) is None
    clock.pass_time(1.9)
    assert speed.seconds_left(300, 1100) is None
    clock.pass_time(0.1)
    # Nothing has come since: no speed is known.
    assert speed.seconds_left(100, 1100) is None
    assert speed.seconds_left(300, 1100) == 8.0
    clock.pass_time(2)
    assert speed.seconds_left(1300, 1100) == 0
