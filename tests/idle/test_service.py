"""Warnings, keep-alive and what the hub is told, hour by hour."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_mlinfn.contract import document
from jupyter_mlinfn.errors import BadInputError, ConflictError
from jupyter_mlinfn.idle.deadlines import ServerRules
from jupyter_mlinfn.idle.ending import Limits
from jupyter_mlinfn.idle.models import Policy
from jupyter_mlinfn.idle.policy import Culler

from .conftest import World

HOUR = 3600
PAGE = {"page": "a-page-of-somebody", "visible": True}
SLOW = Limits(save=600, hidden=600, nobody=600, write=1, stop=1)
HUB: dict[str, Any] = {"hub": True, "culler": Culler(HOUR, 300.0)}


def level(answer: dict[str, Any]) -> int | None:
    return answer["warning"]["level"] if answer["warning"] else None


async def test_phases_and_levels_on_the_way_to_the_end() -> None:
    world = World(limits=SLOW)
    seen = []
    for seconds in (60, 1700, 1801, 2999, 3001, 3479, 3481, 3599, 3600):
        answer = await world.at(seconds)
        seen.append((seconds, answer["phase"], level(answer)))
    await world.service.close()

    assert seen == [
        (60, "active", None),
        (1700, "idle", None),
        (1801, "warned", 1),
        (2999, "warned", 1),
        (3001, "warned", 2),
        (3479, "warned", 2),
        (3481, "warned", 3),
        (3599, "warned", 3),
        (3600, "saving", 3),
    ]


async def test_pages_are_told_when_there_is_something_to_read_and_not_else() -> None:
    world = World()
    for seconds in range(0, 1800, 30):
        await world.at(seconds)
    before = world.changes
    for seconds in range(1801, 3000, 30):
        await world.at(seconds)
    # Active became idle, and idle warned.
    assert (before, world.changes) == (1, 2)

    world.kernels.last = world.clock.now
    await world.at(3000)
    assert world.changes == 3


async def test_activity_takes_a_warning_back() -> None:
    world = World()
    first = await world.at(1900)
    world.kernels.last = world.clock.now + 10
    again = await world.at(1911)
    later = await world.at(1911 + 1850)

    assert (level(first), level(again), level(later)) == (1, None, 1)
    assert again["next"]["time"] > first["next"]["time"]
    assert later["warning"]["id"] != first["warning"]["id"]


async def test_a_persons_input_counts_and_an_open_page_does_not() -> None:
    world = World()
    await world.at(1900)
    await world.service.page({**PAGE, "shown": "x"})
    assert level(await world.service.answer()) == 1
    await world.service.page({**PAGE, "input_seconds_ago": 5})
    answer = await world.service.answer()

    assert level(answer) is None
    assert answer["last_activity"]["source"] == "page"
    assert answer["last_activity"]["time"] == world.service.clocks.iso(world.clock.now - 5)


async def test_input_from_before_this_server_is_none() -> None:
    world = World()
    world.clock.now += 100
    await world.service.page({**PAGE, "input_seconds_ago": 86400})

    assert (await world.service.answer())["last_activity"]["source"] == "start"


async def test_one_answer_clears_all() -> None:
    world = World()
    await world.at(1900)
    answer = await world.service.keep_alive(None)

    assert level(answer) is None
    assert answer["kept_until"] is None
    assert answer["last_activity"]["source"] == "keepalive"


async def test_kept_for_that_long_then_as_before() -> None:
    world = World(Policy(1200.0), limits=SLOW)
    await world.at(1150)
    answer = await world.service.keep_alive(HOUR)
    assert answer["kept_until"] == world.service.clocks.iso(world.clock.now + HOUR)
    assert answer["next"]["time"] == answer["kept_until"]
    phases = [(await world.at(1150 + seconds))["phase"] for seconds in (1300, HOUR - 1900, HOUR - 500, HOUR)]
    await world.service.close()

    assert phases == ["idle", "idle", "warned", "saving"]


async def test_a_shorter_wish_replaces_a_longer_one() -> None:
    world = World()
    await world.service.keep_alive(8 * HOUR)
    answer = await world.service.keep_alive(2 * HOUR)

    assert answer["kept_until"] == world.service.clocks.iso(world.clock.now + 2 * HOUR)
    # Being there asks for no time, and takes none.
    assert (await world.service.keep_alive(None))["kept_until"] == answer["kept_until"]


async def test_nobody_keeps_it_for_longer_than_the_admin_allows() -> None:
    world = World(Policy(HOUR, longest_keep_alive=2 * HOUR))
    with pytest.raises(BadInputError, match="3 h") as caught:
        await world.service.keep_alive(3 * HOUR)

    assert "2 h" in caught.value.reason
    assert world.service.kept is None


async def test_a_server_that_is_being_stopped_cannot_be_kept() -> None:
    world = World()
    await world.at(HOUR)
    await world.over()
    with pytest.raises(ConflictError, match="being stopped"):
        await world.service.keep_alive(None)


async def test_an_end_that_cannot_be_moved_bounds_what_is_promised() -> None:
    world = World(Policy(8 * HOUR), hub=True, culler=Culler(max_age=2 * HOUR))
    world.other_hub.may_read, world.other_hub.started = True, world.clock.wall()
    await world.at(10)
    answer = await world.service.keep_alive(4 * HOUR)

    assert answer["kept_until"] == world.service.clocks.iso(world.started + 2 * HOUR)
    assert answer["next"]["source"] == "hub_maximum_age"


async def test_the_hub_is_told_of_activity_and_seldom() -> None:
    world = World(**HUB)
    for seconds in range(0, HOUR, 30):
        world.kernels.last = world.started + seconds
        await world.at(seconds)

    assert 6 <= len(world.other_hub.posts) <= 13
    assert world.other_hub.posts == sorted(world.other_hub.posts)


async def test_near_its_end_the_hub_has_the_true_figure() -> None:
    world = World(Policy(None), **HUB)
    await world.at(0)
    world.kernels.last = world.started + 100
    await world.at(120)
    assert world.other_hub.last == world.started + world.clock.offset
    warned = await world.at(1900)

    assert world.other_hub.last == world.started + world.clock.offset + 100
    assert warned["next"]["source"] == "hub_culler"
    assert warned["next"]["time"] == world.service.clocks.iso(world.started + 100 + HOUR)
    assert level(warned) == 1


async def test_the_hub_keeps_as_long_as_it_can_be_made_to_and_is_asked_again() -> None:
    world = World(**HUB)
    await world.at(0)
    answer = await world.service.keep_alive(8 * HOUR)
    assert answer["kept_until"] == world.service.clocks.iso(world.started + 8 * HOUR)
    gaps = []
    for seconds in range(60, 8 * HOUR, 60):
        await world.at(seconds)
        assert world.other_hub.last is not None
        gaps.append(world.other_hub.last + HOUR - world.clock.wall())
    posts = len(world.other_hub.posts)

    # It was never near its culling before what was promised.
    assert min(gaps) > 0
    assert all(gap > 600 for gap in gaps[: -(HOUR // 60)])
    assert posts < 8 * 8


async def test_what_is_promised_is_what_the_hub_has_agreed_to() -> None:
    world = World(**HUB)
    await world.at(0)
    world.other_hub.up = False
    answer = await world.service.keep_alive(8 * HOUR)
    assert answer["kept_until"] == world.service.clocks.iso(world.started + HOUR)

    world.other_hub.up = True
    healed = await world.at(30)
    assert healed["kept_until"] == world.service.clocks.iso(world.started + 8 * HOUR)


async def test_a_hub_that_never_answered_has_agreed_to_nothing() -> None:
    world = World(**HUB)
    world.other_hub.up = False
    answer = await world.service.keep_alive(8 * HOUR)

    assert answer["kept_until"] == world.service.clocks.iso(world.started + HOUR)


async def test_with_the_hub_down_it_is_warned_and_ends_all_the_same() -> None:
    world = World(**HUB)
    world.other_hub.up = False
    assert level(await world.at(1900)) == 1
    await world.at(HOUR)

    assert (await world.over())["why"] == "idle"
    assert world.ended.is_set()


async def test_our_stop_comes_before_a_culler_that_is_known_to_come_first() -> None:
    world = World(Policy(4 * HOUR), hub=True, culler=Culler(HOUR, 300.0), limits=Limits(20, 3, 0, 1, 0.1))
    world.other_hub.may_read = True
    await world.at(0)
    for seconds in (1900, HOUR - 60, HOUR - 29):
        answer = await world.at(seconds)
    assert answer["next"]["source"] == "hub_culler"
    record = await world.over()

    assert record["why"] == "hub_culler"


async def test_a_clock_that_is_set_changes_nothing() -> None:
    world = World(**HUB)
    await world.at(0)
    before = await world.at(1000)
    world.clock.offset += 7200
    after = await world.at(1001)

    assert before["phase"] == after["phase"] == "idle"
    assert level(after) is None
    assert after["next"]["source"] == before["next"]["source"]


async def test_a_machine_that_slept_is_no_idle_server_and_the_hub_is_told_so() -> None:
    world = World(Policy(2 * HOUR), **HUB)
    await world.at(0)
    world.clock.sleep(2000)
    world.other_hub.up = False
    answer = await world.at(60)
    by = {each["source"]: each["time"] for each in answer["deadlines"]}
    assert by["policy"] == world.service.clocks.iso(world.started + 2 * HOUR)
    assert by["hub_culler"] == world.service.clocks.iso(world.started + HOUR - 2000)
    assert level(answer) == 1

    world.other_hub.up = True
    answer = await world.at(90)
    by = {each["source"]: each["time"] for each in answer["deadlines"]}
    assert by["hub_culler"] == world.service.clocks.iso(world.started + HOUR)
    assert level(answer) is None


async def test_a_source_that_fails_stops_nobody() -> None:
    world = World()
    world.kernels.error = RuntimeError("broken")
    answer = await world.at(10 * HOUR)

    assert answer["phase"] == "active"
    assert not world.ended.is_set()


async def test_many_readers_share_one_look() -> None:
    world = World()
    await world.service.answer()
    looks = world.kernels.looks
    for _ in range(50):
        await world.service.answer()

    assert world.kernels.looks == looks


async def test_a_server_that_nothing_stops_is_not_watched() -> None:
    world = World(Policy(None))
    world.service.start()

    assert not world.service.watching
    assert (await world.service.answer())["phase"] == "unlimited"


@pytest.mark.parametrize("settings", [{}, HUB, {"policy": Policy(None)}], ids=["policy", "hub", "no policy"])
async def test_answers_are_as_the_contract_has_them(settings: dict[str, Any]) -> None:
    from jsonschema import Draft202012Validator

    world = World(**settings)
    schema = {**document()["components"]["schemas"]["IdleAnswer"], "components": document()["components"]}
    validator = Draft202012Validator(schema)
    for answer in (await world.at(10), await world.at(1900), await world.service.keep_alive(60)):
        assert list(validator.iter_errors(answer)) == []


async def test_it_goes_on_watching_whatever_others_raise() -> None:
    world = World(Policy(4.0))
    world.service.start()

    def fail() -> ServerRules:
        raise RuntimeError("of another extension")

    healthy, world.service.around.rules = world.service.around.rules, fail
    await world.service.tick()
    world.service.around.rules = healthy
    assert not world.service.deadlines
    # By itself.
    await world.in_time(lambda: world.service.deadlines)
    await world.service.close()


async def test_a_culler_that_comes_a_little_before_our_own_stop_is_held_off_in_time() -> None:
    """Where it is known: both timeouts are the admin's, and need not be the same to the second."""
    limits = Limits(20, 3, 1, 5, 30)
    world = World(Policy(HOUR + 20), hub=True, culler=Culler(HOUR, 60.0), limits=limits)
    world.other_hub.may_read = True
    await world.at(0)
    for seconds in range(30, HOUR, 5):
        await world.at(seconds)
    assert world.other_hub.last is not None
    culled_at = world.other_hub.last - world.clock.offset - world.started + HOUR

    assert culled_at >= HOUR + 20 + limits.hold_off - 1
