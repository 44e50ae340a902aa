"""Every state, made by the simulated driver and seen by the service."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlinfn.contract import document
from jupyter_mlinfn.gpu.nvml import Code
from jupyter_mlinfn.gpu.states import STATES, State, memory_state, of_error, page

from ..support.gpu import SCENARIOS, Scenario, played
from ..support.gpu_looker import looking


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_every_scenario_gives_its_state(scenario: Scenario, tmp_path: Path) -> None:
    with played(scenario, tmp_path) as simulated, looking(simulated, scenario.environment) as looker:
        if scenario.then is not None:
            assert looker.look()["view"]["state"]["kind"] == scenario.before
            simulated.write(scenario.then)
        if scenario.kind == "hanging":
            assert simulated.driver is not None
            (function,) = simulated.driver.hangs
            answer = looker.look_at_a_hang(function)
        else:
            answer = looker.look()

    state = answer["view"]["state"]
    assert state["kind"] == scenario.kind
    assert answer["view"]["present"] == scenario.present
    assert state["partial"] == scenario.partial
    assert state["severity"] == STATES[scenario.kind].severity
    assert state["sentence"].startswith(STATES[scenario.kind].sentence)


def test_the_contract_knows_the_same_states() -> None:
    kinds = document()["components"]["schemas"]["GpuState"]["properties"]["kind"]["enum"]

    assert kinds == list(STATES)


def test_every_trouble_says_what_to_do() -> None:
    for kind, words in STATES.items():
        assert words.sentence.endswith(".")
        assert bool(words.next_step) == (words.severity in ("warn", "error")), kind


def test_memory_is_low_until_there_is_clearly_room_again() -> None:
    fine = State("fine")
    low = memory_state([0.2, 0.91], fine)

    assert low.kind == "memory_low"
    assert memory_state([0.87], low).kind == "memory_low"
    assert memory_state([0.87], fine).kind == "fine"
    assert memory_state([0.84], low).kind == "fine"


def test_an_error_without_a_state_of_its_own_is_told_as_it_is() -> None:
    state = of_error(Code.OTHER, 21, "nvmlDeviceGetMemoryInfo")

    assert state.kind == "driver_error"
    assert "nvmlDeviceGetMemoryInfo" in state.sentence
    assert "21" in state.sentence


def test_the_table_in_the_docs_is_what_the_code_says() -> None:
    file = Path(__file__).parents[2] / "docs" / "gpu-states.md"

    assert file.read_text() == page(), "run python tools/gpu_states.py"
