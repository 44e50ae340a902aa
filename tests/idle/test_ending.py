"""The order at the end, and the ways in which it may go wrong."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from jupyter_mlinfn.idle.ending import Limits
from jupyter_mlinfn.idle.models import Policy
from jupyter_mlinfn.idle.policy import Culler

from ..support.clock import until
from .conftest import QUICK, World, settle

PAGE = {"page": "a-page-of-somebody", "visible": True}
SAVED: dict[str, Any] = {
    "documents": ["a.ipynb"],
    "failed": [{"path": "b.ipynb", "reason": "It was changed on disk."}],
}


async def ending(world: World) -> None:
    """Bring it to its end."""
    await world.at(3600)
    assert world.service.phase() == "saving"


def hanging(world: World) -> tuple[threading.Event, threading.Event]:
    """Have the storage take what it is given, and not answer. Returns what is set then, and what frees it."""
    hangs, release = threading.Event(), threading.Event()

    def hang(_: object) -> None:
        hangs.set()
        release.wait()

    world.service.around.write = hang
    return hangs, release


async def test_pages_save_the_reason_is_written_the_process_ends() -> None:
    world = World(limits=Limits(save=20, hidden=3, write=1, stop=1))
    await world.service.page(PAGE)
    await ending(world)
    answer = await world.service.answer()
    assert answer["save_by"] == world.service.clocks.iso(world.started + 3600 + 20)
    assert world.records == []
    await world.service.page({**PAGE, "saved": SAVED})
    record = await world.over()

    assert world.ended.is_set()
    assert world.service.phase() == "stopping"
    assert record["why"] == "idle"
    assert record["sentence"]
    assert record["last_activity"]["source"] == "start"
    assert record["pages"] == {"known": 1, "silent": 0, "saved": ["a.ipynb"], "failed": SAVED["failed"]}


async def test_a_page_that_never_answers_is_waited_for_only_so_long() -> None:
    world = World(limits=Limits(save=0.2, nobody=0.0, write=1, stop=1))
    await world.service.page(PAGE)
    await ending(world)
    record = await world.over()

    assert record["pages"]["silent"] == 1


async def test_hidden_pages_are_given_less_time_than_visible_ones() -> None:
    world = World(limits=Limits(save=600, hidden=0.1, nobody=0.0, write=1, stop=1))
    await world.service.page(PAGE)
    await world.service.page({"page": "hidden-page", "visible": False})
    await ending(world)
    await world.service.page({**PAGE, "saved": SAVED})
    record = await world.over()

    assert record["pages"]["known"] == 2
    assert record["pages"]["silent"] == 1


async def test_a_page_that_leaves_is_not_waited_for() -> None:
    world = World(limits=Limits(save=600, hidden=600, nobody=0.0, write=1, stop=1))
    await world.service.page(PAGE)
    await world.service.page({**PAGE, "closing": True})
    await ending(world)

    assert (await world.over())["pages"]["known"] == 0


async def test_answers_to_an_earlier_saving_are_none() -> None:
    world = World(limits=Limits(save=600, write=1, stop=1))
    await world.service.page({**PAGE, "saved": SAVED})
    await ending(world)

    assert world.service.pages.waiting(visible=True) == 1
    assert not world.records
    await world.service.close()


async def test_under_a_hub_it_stops_the_server_and_is_held_off_meanwhile() -> None:
    world = World(culler=Culler(3600.0, 60.0), hub=True)
    await world.at(0)
    await world.at(3595)
    held_off = world.other_hub.last
    await ending(world)
    record = await world.over()

    assert world.other_hub.stopped.is_set()
    assert not world.ended.is_set()
    assert record["why"] == "idle"
    assert held_off is not None
    # The culler would come 3600 s after that: not before all limits are over, and not much later.
    assert (
        QUICK.hold_off <= held_off + 3600 - (world.clock.offset + world.started + 3600) <= QUICK.hold_off + 1
    )
    await world.service.close()


@pytest.mark.parametrize("trouble", ["down", "no scope", "agreed and did not"])
async def test_where_the_hub_does_not_stop_it_it_ends_by_itself(trouble: str) -> None:
    world = World(hub=True)
    await world.at(0)
    world.other_hub.up = trouble != "down"
    world.other_hub.may_stop = trouble != "no scope"
    await ending(world)
    await world.over()
    await world.in_time(world.ended.is_set)

    assert world.records[-1]["why"] == "idle"


async def test_a_storage_that_fails_does_not_hold_it_up() -> None:
    world = World()
    world.storage_error = OSError(28, "No space left on device")
    await ending(world)
    record = await world.over()

    assert world.ended.is_set()
    assert record == {}


async def test_a_storage_that_hangs_holds_it_up_for_as_long_as_a_reason_may_take() -> None:
    world = World(limits=Limits(nobody=0.0, write=5))
    hangs, release = hanging(world)
    await ending(world)
    await until(hangs.is_set)
    assert not world.ended.is_set()
    world.clock.pass_time(5)
    await until(world.ended.is_set)
    release.set()


@pytest.mark.parametrize("what", ["storage", "hub"])
async def test_what_fails_as_nobody_expects_leaves_no_server_between_running_and_stopped(what: str) -> None:
    world = World(hub=True)
    await world.at(0)

    def fail(*_: object) -> Any:
        raise ValueError("not what it says that it raises")

    if what == "storage":
        world.service.around.write = fail
    else:
        world.other_hub.stop_own_server = fail  # type: ignore[method-assign]
    await ending(world)
    await world.over()

    assert world.ended.is_set()


async def test_pages_and_documents_that_somebody_invents_are_not_all_written_down() -> None:
    world = World(limits=Limits(save=600, hidden=600, nobody=600, write=1, stop=1))
    await ending(world)
    for page in range(300):
        paths = [f"{page}-{number}" for number in range(100)]
        failed = [{"path": path, "reason": "x"} for path in paths]
        report = {"page": f"invented-{page}", "saved": {"documents": paths, "failed": failed}}
        await world.service.page(report)
    record = await world.over()

    assert len(record["pages"]["saved"]) == len(record["pages"]["failed"]) == 500


async def test_activity_while_pages_save_calls_it_off() -> None:
    world = World(limits=Limits(save=600, hidden=600, nobody=600, write=1, stop=1))
    await world.service.page(PAGE)
    await ending(world)
    world.clock.pass_time(1)
    world.kernels.last = world.clock.now
    await world.service.page({**PAGE, "saved": SAVED})
    await until(lambda: world.service.phase() == "active")

    assert not world.ended.is_set()
    assert world.records == []


async def test_somebody_who_is_there_calls_it_off() -> None:
    world = World(limits=Limits(save=600, hidden=600, nobody=600, write=1, stop=1))
    await ending(world)
    answer = await world.service.keep_alive(None)

    assert answer["phase"] == "active"
    assert answer["warning"] is None
    assert not world.ended.is_set()


async def test_somebody_who_comes_back_to_a_page_calls_it_off() -> None:
    world = World(limits=Limits(save=600, hidden=600, nobody=600, write=1, stop=1))
    await ending(world)
    await world.service.page({**PAGE, "input_seconds_ago": 3})
    assert world.service.phase() == "saving"
    world.clock.pass_time(5)
    await world.service.page({**PAGE, "input_seconds_ago": 1})

    assert world.service.phase() == "active"


async def test_it_can_end_again_after_it_was_called_off() -> None:
    world = World()
    await ending(world)
    await world.service.keep_alive(None)
    await world.at(7200)
    await world.over()

    assert world.records[-1]["last_activity"]["source"] == "keepalive"


async def test_save_and_stop_now_is_not_called_off_by_work() -> None:
    world = World(Policy(None), limits=Limits(save=600, hidden=600, nobody=600, write=1, stop=1))
    await world.service.page(PAGE)
    answer = await world.service.stop()
    assert answer["phase"] == "saving"
    world.clock.pass_time(1)
    world.kernels.last = world.clock.now
    await world.service.page({**PAGE, "saved": SAVED})

    assert (await world.over())["why"] == "user"


async def test_a_second_stop_changes_nothing() -> None:
    world = World(limits=Limits(save=600, hidden=600, nobody=600, write=1, stop=1))
    await ending(world)
    answer = await world.service.stop()

    assert answer["phase"] == "saving"
    assert world.service.ending.reason is not None
    assert world.service.ending.reason.why == "idle"
    await world.service.close()


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"culler": Culler(max_age=7200.0), "hub": True}, "maximum_age"),
        ({"environment": {"SLURM_JOB_END_TIME": "9"}}, "allocation"),
    ],
)
async def test_what_cannot_be_held_off_is_preceded(more: dict[str, Any], why: str) -> None:
    world = World(Policy(10**6), limits=Limits(save=20, nobody=0.0, write=1, stop=0.1), **more)
    if "environment" in more:
        end = int(world.clock.wall()) + 7200
        world.service.around.environment = {"SLURM_JOB_END_TIME": str(end)}  # type: ignore[assignment]
    world.other_hub.may_read, world.other_hub.started = True, world.clock.wall()
    await world.at(0)
    world.kernels.last = world.started + 7168
    before = await world.at(7168)
    assert before["phase"] == "warned"
    assert before["next"]["extendable"] is False
    await world.at(7170)
    record = await world.over()

    assert record["why"] == why
    # It ends 30 s early: saving may take 20 of them.
    assert world.clock.now - world.started < 7200 - 20


async def test_without_a_timeout_nothing_of_ours_stops_it() -> None:
    world = World(Policy(None), culler=Culler(3600.0, 60.0, 7200.0), hub=True)
    world.other_hub.may_read, world.other_hub.started = True, world.clock.wall()
    phases = [(await world.at(seconds))["phase"] for seconds in (0, 1801, 3599, 3700, 7199, 7300)]

    assert phases[1:3] == ["warned", "warned"]
    assert not {"saving", "stopping"} & set(phases)
    assert not world.other_hub.stopped.is_set()


async def test_a_stop_by_others_is_written_down_quickly() -> None:
    world = World(hub=True, culler=Culler(3600.0, 60.0, 7200.0))
    await world.at(10)
    await world.service.close()
    assert [each["why"] for each in world.records] == ["outside"]

    culled = World(Policy(None), hub=True, culler=Culler(3600.0, 60.0))
    await culled.at(0)
    await culled.at(3601)
    await culled.service.close()
    assert [each["why"] for each in culled.records] == ["hub_culler"]


async def test_a_stop_by_others_in_the_middle_of_ours_keeps_our_reason() -> None:
    world = World(hub=True, limits=Limits(save=600, hidden=600, nobody=600, write=1, stop=1))
    await ending(world)
    await world.service.close()

    assert [each["why"] for each in world.records] == ["idle"]


async def test_ctrl_c_on_a_laptop_is_nothing_to_write_down() -> None:
    world = World(Policy(None))
    await world.at(10)
    await world.service.close()

    assert world.records == []


async def test_a_storage_that_hangs_holds_up_nobody_who_stops_it() -> None:
    world = World(hub=True)
    hangs, release = hanging(world)
    await world.at(10)
    closing = asyncio.ensure_future(world.service.close())
    await until(hangs.is_set)
    # Of the second that a server may have.
    world.clock.pass_time(0.5)
    await closing
    release.set()


@pytest.mark.parametrize("what", ["storage", "another room"])
async def test_what_fails_is_told_and_holds_up_nobody_who_stops_it(
    what: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(hub=True, copies=True)

    def fail() -> Any:
        raise ValueError("its own way")

    if what == "storage":
        world.storage_error = OSError(28, "No space left on device")
    else:
        world.service.around.others.freed = fail
    await world.at(10)
    with caplog.at_level("WARNING"):
        await world.service.close()

    assert [each["freed"] for each in world.records] == ([] if what == "storage" else [None])
    assert ("No space left" if what == "storage" else "its own way") in caplog.text


async def test_activity_that_is_seen_only_when_the_hub_has_answered_calls_it_off() -> None:
    world = World(hub=True)
    await world.at(0)

    async def comes_back() -> None:
        world.kernels.last = world.clock.now

    world.service.hub.read = comes_back  # type: ignore[union-attr,method-assign]
    answer = await world.at(3600)

    assert answer["phase"] == "active"
    assert world.service.ending.phase is None


async def test_a_look_that_goes_on_does_not_outlive_the_service() -> None:
    world = World()
    go = asyncio.Event()

    async def hangs(now: float) -> Any:
        await go.wait()

    world.kernels.look = hangs  # type: ignore[method-assign]
    looking = asyncio.ensure_future(world.service.answer())
    await settle()
    await world.service.close()
    with pytest.raises(asyncio.CancelledError):
        await looking
