"""The ten minutes that are kept, and the account of use, over hours and months of a turned clock."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest

from jupyter_mlinfn.gpu.history import KEPT_POINTS, KEPT_SECONDS, History
from jupyter_mlinfn.gpu.ledger import Ledger
from jupyter_mlinfn.gpu.models import Board, Device, Memory

from ..support.clock import Clock

BOARD = Board(0, "GPU-1", "A100-PCIE-40GB", mig=True, slices=7)
SLICE = Device("MIG-1", "mig", BOARD, slot=0, gi=7, ci=0, slices=1)
OTHER = Device("MIG-2", "mig", BOARD, slot=1, gi=8, ci=0, slices=2)
WHOLE = Device("GPU-1", "gpu", Board(0, "GPU-1", "A100-PCIE-40GB", mig=False))
MIB = 1024**2
DAY = 86_400


def memory(used: int, reserved: int | None = 0) -> Memory:
    return Memory(total=4864 * MIB, used=used * MIB, free=(4864 - used) * MIB, reserved=reserved)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_only_what_is_new_is_told(clock: Clock) -> None:
    history = History(clock, clock.wall)
    for used in range(5):
        history.add("MIG-1", used, None)
        clock.pass_time(2)
    seq, samples = history.since(0)

    assert [each.used for each in samples] == [0, 1, 2, 3, 4]
    assert [later.time - earlier.time for earlier, later in pairwise(samples)] == [2] * 4
    assert seq == samples[-1].seq
    assert history.since(seq) == (seq, [])
    assert [each.used for each in history.since(samples[2].seq)[1]] == [3, 4]


def test_numbers_of_an_earlier_server_mean_nothing(clock: Clock) -> None:
    old = History(clock, clock.wall)
    for _ in range(100):
        old.add("MIG-1", 1, None)
    clock.pass_time(10)
    new = History(clock, clock.wall)
    new.add("MIG-1", 7, None)

    assert [each.used for each in new.since(old.seq)[1]] == [7]
    assert [each.used for each in new.since(new.seq + 10**6)[1]] == [7]


def test_a_clock_that_was_set_anew_makes_no_gap(clock: Clock) -> None:
    history = History(clock, clock.wall)
    history.add("MIG-1", 1, None)
    clock.pass_time(2)
    clock.offset -= 3600
    history.add("MIG-1", 2, None)
    _, samples = history.since(0)

    assert samples[1].time - samples[0].time == 2
    assert samples[1].time == clock.wall()


def test_ten_minutes_are_kept_and_no_more_in_thirty_days(clock: Clock) -> None:
    history = History(clock, clock.wall)

    def days(number: int) -> None:
        for _ in range(number * DAY // 20):
            history.add("MIG-1", 3 * 1024**3, None)
            clock.pass_time(20)

    days(1)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    days(29)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    _, samples = history.since(0)

    assert len(samples) == KEPT_SECONDS / 20
    assert samples[0].time >= clock.wall() - KEPT_SECONDS
    assert grown < 20_000


def test_many_devices_do_not_make_it_grow(clock: Clock) -> None:
    history = History(clock, clock.wall)
    for number in range(3 * KEPT_POINTS):
        history.add(f"MIG-{number % 100}", 1, None)

    assert len(history.since(0)[1]) == KEPT_POINTS


def test_thirty_days_of_readings_are_thirty_days(clock: Clock) -> None:
    ledger = Ledger(accounting=True, clock=clock)
    for minute in range(30 * DAY // 60):
        # Two hours of work each day, and readings that come late by some tenths.
        clock.pass_time(60.3 if minute % 2 else 59.7)
        working = minute % 1440 < 120
        ledger.reading([SLICE], {SLICE.uuid: memory(3000 if working else 13)}, busy=False)
    usage = ledger.to_json()

    assert usage["held_seconds"] == pytest.approx(30 * DAY, abs=1)
    assert usage["memory_seconds"] == pytest.approx(30 * 7200, rel=0.001)
    assert usage["used_seconds"] == usage["memory_seconds"]
    assert usage["busy_seconds"] == 0
    assert usage["slices"] == 1
    assert len(ledger.accounts) == 1


def test_in_use_is_memory_or_a_busy_kernel(clock: Clock) -> None:
    ledger = Ledger(accounting=True, clock=clock)
    for used, busy in ((13, False), (3000, False), (3000, True), (13, True), (13, False)):
        clock.pass_time(60)
        ledger.reading([SLICE], {SLICE.uuid: memory(used)}, busy=busy)
    usage = ledger.to_json()

    assert (usage["memory_seconds"], usage["busy_seconds"], usage["used_seconds"]) == (120, 120, 180)
    assert usage["held_seconds"] == 300


def test_a_program_that_was_there_first_counts(clock: Clock) -> None:
    told, silent = Ledger(accounting=True, clock=clock), Ledger(accounting=True, clock=clock)
    for _ in range(3):
        clock.pass_time(60)
        told.reading([SLICE], {SLICE.uuid: memory(2000)}, busy=False)
        # An old driver counts what it keeps for itself as used: nobody can tell which part that is.
        silent.reading([SLICE], {SLICE.uuid: memory(2000, reserved=None)}, busy=False)

    assert told.to_json()["memory_seconds"] == 180
    assert silent.to_json()["memory_seconds"] == 0


def test_what_was_not_looked_at_is_held_and_not_in_use(clock: Clock) -> None:
    ledger = Ledger(accounting=True, clock=clock)
    clock.pass_time(60)
    ledger.reading([SLICE], {SLICE.uuid: memory(3000)}, busy=False)
    # A driver that hung for a day.
    clock.pass_time(DAY)
    ledger.reading([SLICE], {SLICE.uuid: memory(3000)}, busy=False)
    usage = ledger.to_json()

    assert usage["held_seconds"] == 60 + DAY
    assert usage["memory_seconds"] == 60 + 120


def test_held_goes_on_between_readings_and_ends_with_the_device(clock: Clock) -> None:
    ledger = Ledger(accounting=True, clock=clock)
    assert ledger.to_json()["held_seconds"] is None
    clock.pass_time(60)
    ledger.reading([SLICE], {}, busy=True)
    clock.pass_time(30)

    assert ledger.to_json()["held_seconds"] == 90
    ledger.reading([], {}, busy=True)
    clock.pass_time(3600)
    assert ledger.to_json()["held_seconds"] == 90
    assert ledger.held_seconds(SLICE.uuid) == 90


def test_several_devices_are_counted_each_and_together(clock: Clock) -> None:
    ledger = Ledger(accounting=True, clock=clock)
    clock.pass_time(60)
    ledger.reading([SLICE, OTHER], {SLICE.uuid: memory(13), OTHER.uuid: memory(900)}, busy=False)
    clock.pass_time(60)
    ledger.reading([SLICE, OTHER], {SLICE.uuid: memory(900), OTHER.uuid: memory(900)}, busy=False)

    assert ledger.accounts[SLICE.uuid].memory == 60
    assert ledger.accounts[OTHER.uuid].memory == 120
    assert ledger.to_json()["memory_seconds"] == 120
    assert ledger.to_json()["slices"] == 3


def test_without_an_account_only_what_was_held_is_told(clock: Clock) -> None:
    ledger = Ledger(accounting=False, clock=clock)
    clock.pass_time(60)
    ledger.reading([WHOLE], {WHOLE.uuid: memory(900)}, busy=True)
    usage = ledger.to_json()

    assert usage["held_seconds"] == 60
    assert usage["used_seconds"] is usage["memory_seconds"] is usage["busy_seconds"] is None
    assert usage["slices"] is None
    assert usage["accounting"] is False
