"""A service on the simulated driver, whose clock is turned: bad days, many readers and none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_mlinfn.demo.driver import SimulatedDriver, a100_mig, h100_mig
from jupyter_mlinfn.demo.driver.presets import A100_SLICE_UUID, A100_UUID, H100_SLICE_UUID

from ..support.gpu import GIB, MIB, MINE, SCENARIOS, SECOND_UUID, played, without_migs
from ..support.gpu_looker import looking
from ..support.gpu_process import inside
from . import clocked
from .clocked import HELD
from .gauges import USED, assert_gauges

NONE = {"NVIDIA_VISIBLE_DEVICES": "none"}
READING = "nvmlDeviceGetMemoryInfo_v2"
LISTING = "nvmlDeviceGetComputeRunningProcesses_v3"


@pytest.fixture
def simulated(tmp_path: Path) -> Iterator[SimulatedDriver]:
    driver = SimulatedDriver(tmp_path / "driver")
    driver.write(HELD)
    yield driver
    driver.unload()


def test_two_seconds_later_a_poll_brings_one_reading(simulated: SimulatedDriver) -> None:
    told = inside(simulated, clocked.a_poll, variables=MINE)
    first, poll = told["first"], told["poll"]

    assert poll["view"] is None
    assert [each["used"] for each in poll["samples"]] == [USED]
    assert poll["samples"][0]["device"] == A100_SLICE_UUID
    assert poll["seq"] == poll["samples"][-1]["seq"] > first["seq"]
    assert len(json.dumps(poll)) < 300
    assert told["stranger"]["view"]["devices"]


def test_fifty_readers_cost_the_driver_what_one_costs(simulated: SimulatedDriver) -> None:
    told = inside(simulated, clocked.many_readers, variables=MINE)

    assert told["kinds"] == 250 * ["fine"]
    assert told["at_once"] == {}
    # In four seconds.
    assert told["later"] == {READING: 2}
    # And the server: one looks whether the driver hangs, if it is not just looking.
    assert told["timers"] in ([True, 1], [True, 0])


def test_a_jump_of_the_memory_is_told_at_once(simulated: SimulatedDriver) -> None:
    steady, jumped, after, slow = inside(simulated, clocked.steady_and_jumping, variables=MINE)["told"]

    assert steady == [USED, [READING]]
    assert jumped[0] == after[0] == slow[0] == 1 * GIB + 13 * MIB
    assert {READING, LISTING} < set(jumped[1])
    assert after[1] == [READING]
    # Every 10 s, did the memory not tell.
    assert {READING, LISTING} < set(slow[1])


def test_a_hang_is_told_after_two_seconds_and_stalls_nobody(simulated: SimulatedDriver) -> None:
    assert inside(simulated, clocked.a_hang, variables=MINE) == {
        "at first": ["fine", USED],
        "nearly": ["fine", USED],
        "then": ["hanging", USED],
        "after": ["fine", USED],
    }


def test_a_driver_that_wakes_up_has_more_time_for_the_first_call(simulated: SimulatedDriver) -> None:
    kinds = inside(simulated, clocked.a_first_call_that_hangs, variables=MINE)

    assert kinds == ["starting", "starting", "hanging", "fine"]


def test_who_comes_while_the_driver_is_left_finds_somebody_who_asks_it(simulated: SimulatedDriver) -> None:
    assert inside(simulated, clocked.somebody_comes_while_it_ends, variables=MINE) == [True, "fine"]


def test_who_listens_is_told_though_nobody_reads(simulated: SimulatedDriver) -> None:
    assert inside(simulated, clocked.changes, variables=MINE) == ["fine", "hanging", "fine", "mig_destroyed"]


def test_gauges_ask_nothing_and_tell_no_old_reading(simulated: SimulatedDriver) -> None:
    told = inside(simulated, clocked.gauges, variables=MINE)

    def used(lines: list[str]) -> bool:
        return any(line.startswith("mlinfn_gpu_memory_used_bytes{") for line in lines)

    assert_gauges(told["lines"])
    assert told["calls"] == {}
    assert (used(told["nearly"]), used(told["old"])) == (True, False)


def test_without_an_account_nothing_is_asked_when_nobody_reads(simulated: SimulatedDriver) -> None:
    told = inside(simulated, clocked.nobody_reads_and_no_account, variables=MINE)

    assert told["running"] == [False] * 3
    assert told["calls"]["nvmlInitWithFlags"] == told["calls"]["nvmlShutdown"] == 2


def test_with_an_account_only_the_memory_is_read_when_nobody_reads(simulated: SimulatedDriver) -> None:
    told = inside(simulated, clocked.nobody_reads_and_an_account, variables=MINE)

    assert told["minutes"] == [{READING: 1}, {READING: 2}, {READING: 3}]
    assert told["usage"]["memory_seconds"] == told["usage"]["held_seconds"] == told["seconds"]


def test_an_account_that_waits_for_others_ends_with_the_service(simulated: SimulatedDriver) -> None:
    assert inside(simulated, clocked.an_account_that_waits, variables=MINE) == [True, False]


def test_without_a_library_it_is_looked_for_once(tmp_path: Path) -> None:
    simulated = SimulatedDriver(tmp_path, library=False)

    assert inside(simulated, clocked.without_a_library) == ["no_library", False, False, False]


def test_a_library_that_comes_later_is_found(tmp_path: Path) -> None:
    simulated = SimulatedDriver(tmp_path, library=False)
    with looking(simulated, MINE, fresh=True) as looker:
        assert looker.look()["view"]["state"]["kind"] == "no_library"
        simulated.install_library()
        simulated.write(HELD)
        view = looker.look()["view"]
        assert view["state"]["kind"] == "fine"
        assert view["simulated"]
        simulated.unload()


def test_a_driver_that_has_nothing_for_this_server_is_no_gpu_here(simulated: SimulatedDriver) -> None:
    given, none = (inside(simulated, clocked.what_the_driver_says, variables=each) for each in (MINE, NONE))

    assert given == [[HELD.cuda, HELD.version], "fine"]
    assert none == [[None, None], "no_device"]


def test_a_failure_of_ours_is_logged_once_and_tried_again(simulated: SimulatedDriver) -> None:
    told = inside(simulated, clocked.a_failure_of_ours, variables=MINE)

    assert told == {"logged": 1, "kinds": [*3 * ["driver_error"], "fine"]}


def test_what_came_back_is_seen_again(simulated: SimulatedDriver) -> None:
    with looking(simulated, MINE) as looker:
        looker.look()
        for driver, expected in (
            (without_migs(a100_mig()), "mig_destroyed"),
            (HELD, "fine"),
            (replace(HELD, boards=[replace(HELD.boards[0], status=15)]), "lost"),
            (replace(HELD, generation=2), "fine"),
        ):
            simulated.write(driver)
            view = looker.look()["view"]
            assert view["state"]["kind"] == expected
            # What one had is named, whatever became of it.
            assert [each["uuid"] for each in view["devices"]] == [A100_SLICE_UUID]
            assert (view["devices"][0]["memory_used"] is None) == (expected != "fine")


def test_the_use_of_a_hopper_slice_is_told(simulated: SimulatedDriver) -> None:
    hopper = h100_mig(utilization=42)
    simulated.write(replace(hopper, boards=[replace(hopper.boards[0], gpm_apart=0)]))
    with looking(simulated, {"NVIDIA_VISIBLE_DEVICES": H100_SLICE_UUID}) as looker:
        first = looker.look()["view"]["devices"][0]
        again = looker.look()["samples"][-1]
        # Two readings of the counters make one figure.
        answer = looker.pass_time(2)["samples"][-1]

    assert first["utilisation"] is again["utilisation"] is None
    assert first["utilisation_note"]
    assert answer["utilisation"] == 42
    assert answer["device"] == H100_SLICE_UUID


def test_two_servers_in_one_process_do_not_clash(simulated: SimulatedDriver) -> None:
    assert inside(simulated, clocked.two_services, variables=MINE) == [1, 1, 0, False]


def test_one_of_two_that_is_lost_does_not_hide_the_other(tmp_path: Path) -> None:
    scenario = SCENARIOS["lost_one_of_two"]
    assert scenario.driver is not None
    assert scenario.then is not None
    with played(scenario, tmp_path) as simulated, looking(simulated, scenario.environment) as looker:
        looker.look()
        simulated.write(scenario.then)
        lost = looker.look()
        simulated.write(scenario.driver)
        # What failed is looked for again, every 10 s, by the next reading of the memory.
        still, _, back = (looker.pass_time(seconds)["view"] for seconds in (2, 8, 2))

    healthy, gone = lost["view"]["devices"]
    assert [healthy["uuid"], gone["uuid"]] == [A100_UUID, SECOND_UUID]
    assert healthy["memory_used"] >= 9 * GIB
    assert gone["memory_used"] is None
    assert healthy["board"]["temperature"] is not None
    sentence = lost["view"]["state"]["sentence"]
    assert f"A100-PCIE-40GB ({SECOND_UUID}) only" in sentence
    assert A100_UUID not in sentence
    newest = {each["device"]: each["used"] for each in lost["samples"]}
    assert newest == {A100_UUID: healthy["memory_used"], SECOND_UUID: None}
    assert (still["state"]["kind"], back["state"]["kind"]) == ("lost", "fine")
    assert [each["memory_used"] is None for each in back["devices"]] == [False, False]


def test_a_refusal_for_one_of_two_keeps_the_connection(tmp_path: Path) -> None:
    scenario = SCENARIOS["no_permission_for_one_of_two"]
    assert scenario.then is not None
    with played(scenario, tmp_path) as simulated, looking(simulated, scenario.environment) as looker:
        looker.look()
        simulated.write(scenario.then)
        for _ in range(3):
            view = looker.look()["view"]
        calls = simulated.calls()

    assert [each["memory_used"] is None for each in view["devices"]] == [False, True]
    assert calls["nvmlInitWithFlags"] == 1
    assert calls["nvmlShutdown"] == 0


@pytest.mark.parametrize("name", ["ambiguous", "ambiguous_two"])
def test_nothing_is_told_of_devices_that_may_be_somebody_elses(name: str, tmp_path: Path) -> None:
    """Neither to the user nor on /metrics; the names are, to choose by."""
    scenario = SCENARIOS[name]
    look = clocked.devices_that_may_be_somebody_elses
    with played(scenario, tmp_path) as simulated:
        told = inside(simulated, look, variables=scenario.environment)

    answer, view = told["answer"], told["answer"]["view"]
    assert view["state"]["kind"] == "ambiguous"
    assert len(view["devices"]) > 1
    assert A100_SLICE_UUID in [each["uuid"] for each in view["devices"]]
    for device in view["devices"]:
        assert device["memory_used"] is device["memory_free"] is device["utilisation"] is None
        assert device["board"]["power"] is None
    assert 'mlinfn_gpu_state{state="ambiguous"} 1.0' in told["lines"]
    assert answer["samples"] == [line for line in told["lines"] if "{device=" in line] == []
    assert view["processes"]["list"] == []
    assert view["processes"]["note"]
    assert READING in told["calls"]
    assert not any("RunningProcesses" in call for call in told["calls"])


def test_a_driver_that_comes_up_late_is_found_though_nobody_looks(simulated: SimulatedDriver) -> None:
    told = inside(simulated, clocked.a_driver_that_comes_late, variables=MINE)

    assert told == ["driver_not_loaded", "fine", False, True]


def test_what_ails_the_managers_of_kernels_hides_no_figure(simulated: SimulatedDriver) -> None:
    told = inside(simulated, clocked.ailing_managers, variables=MINE)

    assert told == {"asked": 3, "logged": 1, "kinds": 3 * ["fine"], "busy": True}
