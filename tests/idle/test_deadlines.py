"""Who stops this server, or a kernel, and when: never later than it happens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jupyter_mlinfn.idle.deadlines import (
    Facts,
    HubKnows,
    IdleKernel,
    ServerRules,
    duration,
    next_stop,
    reckon,
)
from jupyter_mlinfn.idle.models import Deadline, Policy
from jupyter_mlinfn.idle.policy import Culler

from .conftest import SleepyClock

FACTS = Facts(now=5000, last=4000, started=1000, policy=Policy(None))


def one(clock: SleepyClock, facts: Facts) -> Deadline:
    (found,) = reckon(facts, clock.clocks())
    return found


def test_nothing_stops_a_server_by_itself(clock: SleepyClock) -> None:
    assert reckon(FACTS, clock.clocks()) == []
    assert next_stop([]) is None


def test_the_policy_reckons_from_the_last_activity(clock: SleepyClock) -> None:
    found = one(clock, replace(FACTS, policy=Policy(3600.0)))

    assert (found.source, found.at, found.extendable, found.certainty) == ("policy", 7600, True, "certain")


@pytest.mark.parametrize(("kept", "at"), [(9000.0, 9000.0), (6000.0, 7600.0), (None, 7600.0)])
def test_keeping_moves_the_policy_only_later(clock: SleepyClock, kept: float | None, at: float) -> None:
    assert one(clock, replace(FACTS, policy=Policy(3600.0), kept_until=kept)).at == at


def test_the_culler_reckons_from_what_the_hub_has_taken(clock: SleepyClock) -> None:
    facts = replace(FACTS, culler=Culler(3600.0, 300.0), hub=HubKnows(accepted=3900))
    found = one(clock, facts)

    assert (found.source, found.at, found.certainty) == ("hub_culler", 7500, "estimate")
    # Nothing taken yet: from the start.
    assert one(clock, replace(facts, now=4700, hub=HubKnows())).at == 4600
    # What the hub itself says is later when its proxy has seen something.
    read = one(clock, replace(facts, hub=HubKnows(accepted=3900, seen=4500)))
    assert (read.at, read.certainty) == (8100, "certain")


def test_outside_a_hub_its_culler_is_no_matter(clock: SleepyClock) -> None:
    assert reckon(replace(FACTS, culler=Culler(3600.0, 300.0, 86400.0)), clock.clocks()) == []


def test_a_culling_that_did_not_come_is_no_deadline_any_more(clock: SleepyClock) -> None:
    facts = replace(FACTS, culler=Culler(3600.0, 300.0), hub=HubKnows(accepted=1000))

    assert one(clock, replace(facts, now=4800)).at == 4600
    assert reckon(facts, clock.clocks()) == []


def test_the_hubs_clock_goes_on_while_this_machine_sleeps(clock: SleepyClock) -> None:
    clocks = clock.clocks()
    facts = replace(FACTS, culler=Culler(3600.0, 300.0), hub=HubKnows(accepted=4000, slept=clocks.slept()))
    clock.sleep(1000)

    assert one(clock, facts).at == 6600
    # Our own policy counts only time in which somebody could have come.
    assert one(clock, replace(FACTS, policy=Policy(3600.0))).at == 7600


def test_what_was_read_from_the_hub_is_as_old_as_it_is_for_the_hub(clock: SleepyClock) -> None:
    clocks = clock.clocks()
    read = HubKnows(seen=4000, started=970, slept=clocks.slept(), slept_at_read=clocks.slept())
    facts = replace(
        FACTS, culler=Culler(3600.0, 300.0, 86400.0), hub=replace(read, slept_at_start=read.slept)
    )
    clock.sleep(1000)
    found = {each.source: each.at for each in reckon(facts, clocks)}

    assert found == {"hub_culler": 6600, "hub_maximum_age": 970 + 86400 - 1000}


def test_a_maximum_age_cannot_be_held_off(clock: SleepyClock) -> None:
    facts = replace(FACTS, culler=Culler(max_age=86400.0), hub=HubKnows())
    guessed = one(clock, facts)
    read = one(clock, replace(facts, hub=HubKnows(started=970)))

    assert (guessed.source, guessed.extendable, guessed.certainty) == ("hub_maximum_age", False, "estimate")
    # The hub reckons from before this process was there: by how much is not known.
    assert guessed.at == 1000 + 86400 - 60
    assert (read.at, read.certainty) == (970 + 86400, "certain")


def test_jupyter_server_stops_itself_only_without_kernels(clock: SleepyClock) -> None:
    rules = ServerRules(timeout=1800.0, last=4200)
    found = one(clock, replace(FACTS, server=rules))

    assert (found.source, found.at) == ("server_timeout", 6000)
    for other in (replace(rules, kernels=1), replace(rules, occupied=True), replace(rules, timeout=0.0)):
        assert reckon(replace(FACTS, server=other), clock.clocks()) == []


def test_kernels_are_culled_one_by_one_and_stop_no_server(clock: SleepyClock) -> None:
    kernels = (
        IdleKernel("late", 4500, 1000),
        IdleKernel("early", 4100, 1000),
        IdleKernel("busy", 1000, 1000, busy=True),
        IdleKernel("open", 1000, 1000, connected=True),
        IdleKernel("its own", 4000, 50_000),
    )
    found = reckon(replace(FACTS, server=ServerRules(kernels=5, idle_kernels=kernels)), clock.clocks())
    assert [each.at for each in found] == [5100, 5500, 54_000]
    assert {each.action for each in found} == {"stop_kernel"}
    assert next_stop(found) is None

    rules = ServerRules(kernels=5, idle_kernels=kernels, cull_busy=True, cull_connected=True)
    assert len(reckon(replace(FACTS, server=rules), clock.clocks())) == 5


def test_two_hundred_kernels_are_not_all_told(clock: SleepyClock) -> None:
    kernels = tuple(IdleKernel(f"k{n}", 4000 + n, 1000) for n in range(200))
    found = reckon(replace(FACTS, server=ServerRules(kernels=200, idle_kernels=kernels)), clock.clocks())

    assert [each.at for each in found][:2] == [5000, 5001]
    assert len(found) == 50


def test_an_allocation_ends_by_the_wall_clock(clock: SleepyClock) -> None:
    clock.now = 5000
    until = str(int(clock.wall()) + 600)
    facts = replace(FACTS, environment={"SLURM_JOB_END_TIME": until, "SLURM_JOB_ID": "42"})
    found = one(clock, facts)
    assert (found.source, round(found.at), found.extendable) == ("allocation", 5600, False)
    assert "42" in found.detail

    # Somebody sets the clock right: the end is at another moment of ours.
    clock.offset += 100
    assert round(one(clock, facts).at) == 5500


@pytest.mark.parametrize("text", ["", "soon", "-1", "1e9", "²"])
def test_what_is_no_time_is_no_end(clock: SleepyClock, text: str) -> None:
    assert reckon(replace(FACTS, environment={"SLURM_JOB_END_TIME": text}), clock.clocks()) == []


def test_the_soonest_comes_first(clock: SleepyClock) -> None:
    clock.now = 5000
    facts: dict[str, Any] = {
        "policy": Policy(3600.0),
        "culler": Culler(3000.0, 60.0, 5000.0),
        "hub": HubKnows(accepted=4000, started=1000),
        "environment": {"SLURM_JOB_END_TIME": str(int(clock.wall()) + 500)},
        "server": ServerRules(kernels=1, idle_kernels=(IdleKernel("a", 4000, 1200),)),
    }
    found = reckon(replace(FACTS, **facts), clock.clocks())

    assert [each.source for each in found] == [
        "kernel_culling",
        "allocation",
        "hub_maximum_age",
        "hub_culler",
        "policy",
    ]
    first = next_stop(found)
    assert first is not None
    assert first.source == "allocation"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (45, "45 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (90061, "1 d 1 h"),
    ],
)
def test_durations_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text
