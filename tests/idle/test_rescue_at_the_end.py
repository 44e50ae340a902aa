"""Files are rescued between the saving of pages and the stop, in time, and whatever goes wrong."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from jupyter_mlinfn.idle.ending import Limits, Reason
from jupyter_mlinfn.idle.models import Policy
from jupyter_mlinfn.idle.policy import Culler

from ..support.clock import until
from .conftest import QUICK, World, settle

KEPT: dict[str, Any] = {
    "folder": "/home/ada/private/rescued/2026-11-25T01-00-00Z",
    "root_path": "private/rescued/2026-11-25T01-00-00Z",
    "files": 3,
    "bytes": 4096,
    "manifest": "/home/ada/private/rescued/2026-11-25T01-00-00Z/manifest.json",
    "left": [{"path": "/home/ada/big", "size": 9, "reason": "It is larger than the limit."}],
    "left_count": 1,
    "left_bytes": 9,
    "changed": [],
    "problem": None,
}
NOTHING: dict[str, Any] = {
    **KEPT,
    "folder": None,
    "root_path": None,
    "files": 0,
    "bytes": 0,
    "manifest": None,
}
FULL = {**NOTHING, "left_count": None, "left_bytes": None, "problem": "Your private storage is full."}
SLOW = Limits(save=600, hidden=600, nobody=0.0, write=1, stop=1)
BY_A_PERSON = Reason("user", "Somebody asked for it.", extendable=True)


async def rescuing(world: World, reason: Reason | None = None) -> None:
    """Bring it to where files are copied: by its policy, or for that reason."""
    if reason is None:
        await world.at(3600)
    else:
        world.service.ending.begin(reason)
    await until(lambda: world.copies.asked)
    assert world.service.phase() == "rescuing"


async def test_pages_save_files_are_kept_and_both_are_written_down() -> None:
    world = World(limits=SLOW, copies=True)
    world.copies.result = KEPT
    page = {"page": "a-page-of-somebody", "visible": True}
    await world.service.page(page)
    await world.at(3600)
    assert world.service.phase() == "saving"
    saved = {"documents": ["a.ipynb"], "failed": [], "open": ["a.ipynb", "b.txt"]}
    await world.service.page({**page, "saved": saved})
    await until(lambda: world.copies.asked)
    answer = await world.service.answer()
    job = world.service.ending.job
    world.copies.go.set()
    record = await world.over()

    assert (answer["phase"], answer["save_by"], job) == ("rescuing", None, "job-of-the-rescue")
    assert world.copies.asked == [(None, pytest.approx(540, abs=1))]
    assert record["rescue"] == KEPT
    assert record["lost"] == {"files": 1, "bytes": 9}
    assert record["open"] == ["a.ipynb", "b.txt"]
    assert record["freed"] == {"gpu": ["MIG 1g.5gb"]}


@pytest.mark.parametrize(
    ("keep", "asked"), [(True, [None]), (("a", "b/c"), [("a", "b/c")]), (False, []), ((), [])]
)
async def test_what_is_kept_is_chosen(keep: Any, asked: list[Any]) -> None:
    world = World(copies=True)
    world.copies.go.set()
    world.service.ending.begin(Reason("user", "Somebody asked for it.", extendable=True, keep=keep))
    await world.over()

    assert [paths for paths, _ in world.copies.asked] == asked


@pytest.mark.parametrize(
    ("keep", "size", "stays"),
    [(True, 0, False), (True, None, False), (True, 1, True), (("s",), None, True), (("s",), 0, True)],
)
async def test_nobody_stays_for_a_socket_unless_they_named_it(
    keep: Any, size: int | None, stays: bool
) -> None:
    world = World(limits=SLOW, copies=True)
    left = [{"path": "/home/ada/s", "size": size, "reason": "It is not there, or no longer."}]
    world.copies.result = {**NOTHING, "left": left, "left_bytes": size or 0}
    world.copies.go.set()
    world.service.ending.begin(replace(BY_A_PERSON, keep=keep))
    await until(lambda: world.service.ending.problem or world.ended.is_set())

    assert world.ended.is_set() is not stays
    assert ("/home/ada/s: It is not there" in world.service.ending.problem) is stays


async def test_what_was_not_chosen_is_not_told_to_be_kept() -> None:
    world = World(copies=True)
    world.copies.result = {**KEPT, "left": [], "left_count": 0, "left_bytes": 0}
    world.copies.go.set()
    world.lost = {"files": 9, "bytes": 90}
    world.service.ending.begin(Reason("user", "Somebody asked for it.", extendable=True, keep=("a",)))
    record = await world.over()

    assert record["lost"] is None


async def test_without_saving_pages_are_not_asked_to() -> None:
    world = World(limits=SLOW, copies=True)
    await world.service.page({"page": "a-page-of-somebody", "visible": True})
    phases = set()
    world.copies.go.set()
    world.service.ending.begin(Reason("user", "Somebody asked for it.", extendable=True, save=False))
    phases.add(world.service.phase())
    record = await world.over()

    assert phases == {"rescuing"}
    assert record["pages"] == {"known": 1, "silent": 0, "saved": [], "failed": []}


@pytest.mark.parametrize("how", ["keepalive", "person", "call off"])
async def test_somebody_who_is_there_calls_it_off_while_files_are_kept(how: str) -> None:
    world = World(limits=SLOW, copies=True)
    await rescuing(world)
    world.clock.pass_time(5)
    if how == "keepalive":
        await world.service.keep_alive(None)
    elif how == "person":
        await world.service.page({"page": "a-page-of-somebody", "input_seconds_ago": 1})
    else:
        assert world.service.ending.call_off()
    await until(lambda: world.copies.cancelled)

    assert world.service.ending.phase is None
    assert world.records == []
    assert not world.ended.is_set()


async def test_work_that_begins_meanwhile_calls_a_stop_of_the_policy_off() -> None:
    world = World(limits=SLOW, copies=True)
    await rescuing(world)
    world.clock.pass_time(5)
    world.kernels.last = world.clock.now
    world.copies.go.set()
    await until(lambda: world.service.ending.phase is None)

    assert not world.ended.is_set()


async def test_the_rescue_itself_is_no_activity() -> None:
    world = World(limits=SLOW, copies=True)
    world.kernels.source = "processes"
    await rescuing(world)
    world.clock.pass_time(5)
    world.kernels.last = world.clock.now
    world.copies.go.set()
    record = await world.over()

    assert world.ended.is_set()
    # What is told is what was last before the end.
    assert record["last_activity"]["source"] == "start"


@pytest.mark.parametrize("trouble", ["raises", "full", "no room for any"])
async def test_where_nothing_can_be_kept_a_person_keeps_the_server_and_is_told_why(trouble: str) -> None:
    world = World(limits=SLOW, copies=True)
    world.copies.result = FULL if trouble == "full" else NOTHING
    world.copies.error = OSError(5, "Input/output error") if trouble == "raises" else None
    world.copies.go.set()
    world.service.ending.begin(BY_A_PERSON)
    await until(lambda: world.service.ending.problem)

    assert world.service.ending.phase is None
    assert not world.ended.is_set()
    why = {"raises": "Input/output", "full": "full", "no room for any": "larger than the limit"}
    assert why[trouble] in world.service.ending.problem
    world.service.ending.begin(Reason("user", "Now without.", extendable=True, keep=False))
    assert not world.service.ending.problem
    await world.over()
    assert world.ended.is_set()


@pytest.mark.parametrize("trouble", ["raises", "full"])
async def test_where_nothing_can_be_kept_a_stop_of_the_policy_goes_on(trouble: str) -> None:
    world = World(copies=True)
    world.copies.result = FULL
    world.copies.error = ValueError("no such thing") if trouble == "raises" else None
    world.copies.go.set()
    world.lost = {"files": 7, "bytes": 70}
    await world.at(3600)
    record = await world.over()

    assert world.ended.is_set()
    assert record["rescue"]["problem"]
    # How many it does not know, somebody had counted.
    assert record["lost"] == {"files": 7, "bytes": 70}


async def test_a_rescue_that_never_ends_is_not_waited_for() -> None:
    limits = Limits(save=0.1, hidden=0.1, nobody=0.0, rescue=0.2, firm=0.1, write=1, stop=0.1)
    world = World(limits=limits, copies=True)
    await world.at(3600)
    await until(lambda: world.copies.asked)
    record = await world.over()

    assert world.copies.cancelled
    assert "did not answer" in record["rescue"]["problem"]


@pytest.mark.parametrize(
    ("more", "environment"),
    [
        ({"culler": Culler(max_age=7200.0), "hub": True}, False),
        ({}, True),
    ],
)
async def test_before_what_cannot_be_held_off_it_ends_in_time(
    more: dict[str, Any], environment: bool
) -> None:
    world = World(
        Policy(10**6),
        limits=Limits(save=20, nobody=0.0, write=1, stop=0.1),
        copies=True,
        **more,
    )
    if environment:
        end = int(world.clock.wall()) + 7200
        world.service.around.environment = {"SLURM_JOB_END_TIME": str(end)}  # type: ignore[assignment]
    world.other_hub.may_read, world.other_hub.started = True, world.clock.wall()
    await world.at(0)
    await world.at(7170)
    await until(lambda: world.copies.asked)
    ((_, seconds),) = world.copies.asked
    world.copies.go.set()
    await world.over()

    # It ends at 7200 s; the stop itself has 5 of them.
    assert seconds == pytest.approx(25, abs=1.5)


async def test_a_stop_of_a_person_ends_in_time_for_an_allocation_too() -> None:
    world = World(Policy(None), limits=SLOW, copies=True)
    end = int(world.clock.wall()) + 100
    world.service.around.environment = {"SLURM_JOB_END_TIME": str(end)}  # type: ignore[assignment]
    await world.at(0)
    await rescuing(world, BY_A_PERSON)
    ((_, seconds),) = world.copies.asked

    assert seconds == pytest.approx(95, abs=1.5)


async def test_the_culler_is_held_off_for_all_of_it_and_no_longer_than_ten_minutes() -> None:
    world = World(culler=Culler(3600.0, 60.0), hub=True, limits=Limits(nobody=0.0), copies=True)
    await world.at(0)
    await rescuing(world)
    await until(lambda: world.other_hub.last and world.other_hub.last > world.clock.wall() - 3600 + 60)
    world.copies.go.set()
    await world.over()
    assert world.other_hub.last is not None
    comes = world.other_hub.last + 3600 - (world.clock.offset + world.started + 3600)

    assert 540 <= comes <= 600


async def test_a_stop_by_others_meanwhile_keeps_our_reason_and_cancels_the_rescue() -> None:
    world = World(limits=SLOW, copies=True)
    world.lost = {"files": 2, "bytes": 20}
    await rescuing(world)
    await world.service.close()
    await until(lambda: world.copies.cancelled)

    assert [(each["why"], each["rescue"], each["lost"]) for each in world.records] == [
        ("idle", None, {"files": 2, "bytes": 20})
    ]


async def test_a_stop_of_a_person_that_others_hurry_is_written_down_on_a_laptop_too() -> None:
    world = World(Policy(None), limits=SLOW, copies=True)
    await rescuing(world, BY_A_PERSON)
    await world.service.close()

    assert [each["why"] for each in world.records] == ["user"]


async def test_who_asks_for_a_stop_that_has_begun_by_itself_may_move_the_pointer() -> None:
    world = World(limits=Limits(save=600, hidden=600, nobody=600, write=1, stop=1), copies=True)
    world.copies.go.set()
    await world.at(3600)
    world.service.ending.begin(Reason("user", "Somebody asked for it.", extendable=True, keep=("a",)))
    world.clock.pass_time(5)
    await world.service.page({"page": "a-page-of-somebody", "visible": True, "input_seconds_ago": 1})
    assert world.service.phase() == "saving"
    saved = {"documents": [], "failed": []}
    await world.service.page({"page": "a-page-of-somebody", "saved": saved})
    record = await world.over()

    # One end, with its own reason; the wish is theirs.
    assert record["why"] == "idle"
    assert [paths for paths, _ in world.copies.asked] == [("a",)]


async def test_two_who_ask_at_once_have_one_end() -> None:
    world = World(limits=SLOW, copies=True)
    await rescuing(world, BY_A_PERSON)
    world.service.ending.begin(Reason("user", "Another.", extendable=True, keep=False))
    answer = await world.service.stop()
    world.copies.go.set()
    record = await world.over()

    assert answer["phase"] == "rescuing"
    assert len(world.copies.asked) == 1
    assert record["sentence"] == BY_A_PERSON.sentence
    assert len(world.records) == 1


async def test_others_are_told_of_every_step() -> None:
    world = World(limits=QUICK, copies=True)
    world.copies.go.set()
    world.service.ending.begin(BY_A_PERSON)
    await world.over()

    # Saving, rescuing, its job, stopping.
    assert world.moves == 4


async def test_notebooks_with_a_kernel_are_told_where_no_page_is_open() -> None:
    world = World(hub=True)

    async def notebooks() -> list[str]:
        return ["train.ipynb"]

    world.service.around.notebooks = notebooks
    await world.at(10)
    await world.service.close()

    assert world.records[-1]["open"] == ["train.ipynb"]


async def test_a_gateway_that_hangs_costs_its_names_only() -> None:
    world = World(hub=True)

    async def notebooks() -> list[str]:
        await asyncio.Event().wait()
        return []

    world.service.around.notebooks = notebooks
    await world.at(10)
    closing = asyncio.ensure_future(world.service.close())
    await settle()
    # Of the half second that others wait for the storage.
    world.clock.pass_time(0.2)
    await closing

    assert world.records[-1]["open"] == []
