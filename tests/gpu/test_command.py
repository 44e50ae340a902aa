"""`jupyter mlinfn gpu` as a person and as a script use it."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.contract import document
from jupyter_mlinfn.demo.driver import SimulatedDriver, a100_mig, full_gpu, h100_mig
from jupyter_mlinfn.demo.driver.presets import A100_SLICE_UUID, H100_SLICE_UUID

from ..support import command
from ..support.gpu import GIB, MIB, MINE, environment_of
from ..support.patience import PATIENCE
from ..support.proof import sample
from ..support.server import hear_ends, wait_for

COMMAND = [sys.executable, "-m", "jupyter_mlinfn.cli", "gpu"]


@pytest.fixture
def simulated(tmp_path: Path) -> Iterator[SimulatedDriver]:
    driver = SimulatedDriver(tmp_path)
    driver.write(a100_mig({4_200_000: 3 * GIB}))
    yield driver
    driver.unload()


def run(
    simulated: SimulatedDriver, *arguments: str, variables: Mapping[str, str] = MINE
) -> subprocess.CompletedProcess[str]:
    return command.run("gpu", *arguments, env=environment_of(simulated, variables))


def test_it_shows_what_is_mine_and_that_it_is_simulated(simulated: SimulatedDriver) -> None:
    done = run(simulated)

    assert done.returncode == 0, done.stderr
    assert "A100-PCIE-40GB · MIG 1g.5gb" in done.stdout
    assert "3.0 of 4.8 GiB" in done.stdout
    assert "not reported by the driver for this MIG instance" in done.stdout
    assert A100_SLICE_UUID in done.stdout
    assert "whole board, shared" in done.stdout
    assert "imulated" in done.stdout
    assert done.stdout.count("MIG-") == 1


def test_processes_are_shown_when_they_are_asked_for(simulated: SimulatedDriver) -> None:
    # One that is there and ours: this test.
    simulated.write(a100_mig({os.getpid(): GIB}))

    # As a word: a small number is also a part of others.
    mine = re.compile(rf"(?<![\w-]){os.getpid()}(?![\w-])")

    assert not mine.search(run(simulated).stdout)
    shown = run(simulated, "--processes").stdout
    assert mine.search(shown)
    assert "1.0 GiB" in shown
    assert "driver and other" in shown


def test_json_is_the_view_of_the_contract(simulated: SimulatedDriver) -> None:
    done = run(simulated, "--json", "--processes")

    assert done.returncode == 0, done.stderr
    view = json.loads(done.stdout)
    wanted = document()["components"]["schemas"]["GpuView"]["required"]
    # A command line keeps no account of use.
    assert set(view) == set(wanted) - {"usage"}
    assert view["devices"][0]["memory_used"] == 3 * GIB + 13 * 1024**2
    assert "processes" not in json.loads(run(simulated, "--json").stdout)


def test_the_use_of_a_hopper_slice_is_measured_once_before_it_is_shown(simulated: SimulatedDriver) -> None:
    simulated.write(h100_mig(utilization=42))
    mine = {"NVIDIA_VISIBLE_DEVICES": H100_SLICE_UUID}

    assert "42 % of the time" in run(simulated, variables=mine).stdout
    assert json.loads(run(simulated, "--json", variables=mine).stdout)["devices"][0]["utilisation"] == 42


def test_where_it_is_not_clear_which_the_candidates_are_named_without_figures(
    simulated: SimulatedDriver,
) -> None:
    simulated.write(a100_mig({4_200_000: 3 * GIB}, others="readable"))
    done = run(simulated, "--processes", variables={"NVIDIA_VISIBLE_DEVICES": "all"})

    assert done.returncode == 0, done.stderr
    assert A100_SLICE_UUID in done.stdout
    assert done.stdout.count("MIG-") == 7
    assert "GiB" not in done.stdout


def test_trouble_is_told_with_what_to_do_and_by_the_exit_code(simulated: SimulatedDriver) -> None:
    simulated.unload()
    done = run(simulated)

    assert done.returncode == 1
    assert "The NVIDIA driver is not running on this machine." in done.stdout
    assert "administrator" in done.stdout
    assert json.loads(run(simulated, "--json").stdout)["state"]["kind"] == "driver_not_loaded"


@pytest.mark.proof
@pytest.mark.parametrize("function", ["nvmlDeviceGetMemoryInfo", "*"][: sample(1, 2)])
def test_a_driver_that_hangs_does_not_hang_it(simulated: SimulatedDriver, function: str) -> None:
    """The first call of all, which `*` is about, has 20 s."""
    simulated.hang(function)
    done = run(simulated)

    assert done.returncode == 1
    assert "The driver does not answer" in done.stdout


def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    simulated = SimulatedDriver(tmp_path, library=False)
    clean = environment_of(simulated)
    done = subprocess.run(COMMAND, env=clean, capture_output=True, text=True, timeout=PATIENCE, check=False)

    assert done.returncode == 1
    assert "There is no GPU here." in done.stdout


def test_wrong_usage_is_2(simulated: SimulatedDriver) -> None:
    assert run(simulated, "--follow").returncode == 2


def test_watch_goes_on_until_it_is_stopped(simulated: SimulatedDriver) -> None:
    with subprocess.Popen(
        [*COMMAND, "--watch", "--json"],
        preexec_fn=hear_ends,
        env=environment_of(simulated, MINE),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        simulated.write(full_gpu())
        changed = wait_for(
            lambda: (
                (view := json.loads(process.stdout.readline()))["state"]["kind"] == "mig_destroyed" and view
            )
        )
        process.send_signal(signal.SIGINT)

        assert process.wait(PATIENCE) == 0
    assert first["state"]["kind"] == "fine"
    assert changed["state"]["severity"] == "error"


def test_watch_follows_the_memory_between_two_looks_at_all_the_rest(simulated: SimulatedDriver) -> None:
    with subprocess.Popen(
        [*COMMAND, "--watch", "--json", "--processes"],
        preexec_fn=hear_ends,
        env=environment_of(simulated, MINE),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [json.loads(process.stdout.readline())]

        def followed() -> Any:
            # Too little for the processes to be looked at anew, but when it is time for that.
            simulated.write(a100_mig({4_200_000: 3 * GIB + len(lines) * MIB}))
            lines.append(json.loads(process.stdout.readline()))
            before, now = lines[-2:]
            of_one_look = before["processes"]["time"] == now["processes"]["time"]
            before, now = before["devices"][0], now["devices"][0]
            return of_one_look and before["memory_used"] != now["memory_used"] and (before, now)

        before, now = wait_for(followed)
        process.send_signal(signal.SIGINT)

        assert process.wait(PATIENCE) == 0
    grown = now["memory_used"] - before["memory_used"]
    assert grown in range(MIB, len(lines) * MIB, MIB)
    assert now["memory_free"] == before["memory_free"] - grown


def test_watch_draws_on_a_terminal(simulated: SimulatedDriver) -> None:
    screen, terminal = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "--watch"],
        preexec_fn=hear_ends,
        env={**environment_of(simulated, MINE), "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    try:
        seen = bytearray()

        def drawn(text: str) -> Any:
            seen.extend(os.read(screen, 65536))
            return text.encode() in seen

        wait_for(lambda: drawn("3.0 of 4.8 GiB"))
        simulated.write(a100_mig())
        wait_for(lambda: drawn("0.0 of 4.8 GiB"))
        process.send_signal(signal.SIGINT)
        # Leave the terminal as it was: the alternate screen is closed.
        wait_for(lambda: drawn("\x1b[?1049l"))
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait(PATIENCE)
        os.close(screen)
