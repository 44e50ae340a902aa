"""Every state that a user's GPU can be in, and the bad days, as data for the simulated driver.

A scenario is what the driver tells and what the environment says; `kind` is the state that must be shown.
Where something happens while somebody looks, `driver` holds at first and `then` from some moment on.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from jupyter_mlinfn.demo.driver import (
    Board,
    Code,
    Driver,
    Fault,
    Mig,
    Process,
    SimulatedDriver,
    a100_mig,
    full_gpu,
    h100_mig,
)
from jupyter_mlinfn.demo.driver.presets import A100_SLICE_UUID, A100_UUID, H100_SLICE_UUID
from jupyter_mlinfn.gpu.states import Kind

GIB = 1024**3
MIB = 1024**2

SECOND_UUID = "GPU-81b5c3f0-94ed-4a27-a6d9-2f70c81e5b34"

MINE = {"NVIDIA_VISIBLE_DEVICES": A100_SLICE_UUID}
"""What the container runtime says of the user's slice of `a100_mig()`."""

VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
    "NVIDIA_VISIBLE_DEVICES",
    "LD_LIBRARY_PATH",
    "MLINFN_SIMULATED_DRIVER",
)
"""What of this process's environment must not reach a scenario."""

FIRST_PID = 4_200_000
"""Process ids of scenarios begin here: above the highest that Linux gives."""


@dataclass(frozen=True)
class Scenario:
    """One case.

    Attributes:
        about: what happened, a sentence for the table in docs/.
        kind: of the state that must be shown (after `then`, where there is one).
        driver: None where none is loaded.
        library: whether its library is there.
        missing: functions that the library has not.
        before: kind of the state before `then`.
        present: whether pages show that there is a GPU, or ought to be one.
        partial: whether the state is about one of several devices.
    """

    name: str
    about: str
    kind: Kind
    driver: Driver | None
    environment: Mapping[str, str] = field(default_factory=lambda: dict(MINE))
    library: bool = True
    missing: Sequence[str] = ()
    then: Driver | None = None
    before: Kind = "fine"
    present: bool = True
    partial: bool = False


def _board(driver: Driver) -> Board:
    return driver.boards[0]


def _with_board(driver: Driver, board: Board) -> Driver:
    return replace(driver, boards=[board, *driver.boards[1:]])


def _with_status(driver: Driver, status: int) -> Driver:
    return _with_board(driver, replace(_board(driver), status=status))


def _with_faults(driver: Driver, *faults: Fault) -> Driver:
    return replace(driver, faults=faults)


def _with_hang(driver: Driver, name: str, seconds: float) -> Driver:
    return replace(driver, hangs={name: seconds})


def without_migs(driver: Driver) -> Driver:
    """The board is still divided, and the instances of before are no more."""
    return _with_board(driver, replace(_board(driver), migs=(), mig=True))


def second_board(driver: Driver) -> Driver:
    """With another board of the same kind beside the first."""
    first = _board(driver)
    return replace(driver, boards=[first, replace(first, uuid=SECOND_UUID, bus="00000000:AF:00.0", migs=())])


def second_lost(driver: Driver) -> Driver:
    """Of two boards the second fell off the bus."""
    first, second = driver.boards
    return replace(driver, boards=[first, replace(second, status=Code.GPU_IS_LOST)])


def two_slices(driver: Driver) -> Driver:
    """A second slice of the board may be read as well."""
    board = _board(driver)
    migs = [replace(mig, access="readable") if mig.slot == 5 else mig for mig in board.migs]
    return _with_board(driver, replace(board, migs=migs))


def _with_processes(driver: Driver, *processes: Process) -> Driver:
    board = _board(driver)
    if not board.migs:
        return _with_board(driver, replace(board, processes=processes))
    migs: list[Mig] = [
        replace(mig, processes=processes) if mig.access == "readable" else mig for mig in board.migs
    ]
    return _with_board(driver, replace(board, migs=migs))


_HELD = {FIRST_PID: 3 * GIB}

FINE = (
    Scenario("fine_mig", "One MIG instance of an A100, in a sparse slot.", "fine", a100_mig(_HELD)),
    Scenario(
        "fine_mig_from_the_driver",
        "No variable names the device, and the driver lets only one be read.",
        "fine",
        a100_mig(_HELD),
        environment={},
    ),
    Scenario(
        "fine_mig_abbreviated",
        "The variable abbreviates the UUID.",
        "fine",
        a100_mig(_HELD, others="readable"),
        environment={"CUDA_VISIBLE_DEVICES": A100_SLICE_UUID[:12]},
    ),
    Scenario(
        "fine_mig_others_listed",
        "The driver lists the board's other instances, which this container may not read.",
        "fine",
        a100_mig(_HELD, others="listed"),
        environment={"NVIDIA_VISIBLE_DEVICES": "all"},
    ),
    Scenario(
        "fine_mig_privileged",
        "A privileged container may read all instances, and the variable names one.",
        "fine",
        a100_mig(_HELD, others="readable"),
    ),
    Scenario(
        "fine_full_gpu",
        "A whole A100, which reports its utilisation.",
        "fine",
        full_gpu({FIRST_PID: 9 * GIB}),
        environment={"NVIDIA_VISIBLE_DEVICES": A100_UUID},
    ),
    Scenario(
        "fine_two_gpus",
        "Two whole GPUs, both given to this container.",
        "fine",
        second_board(full_gpu()),
        environment={"NVIDIA_VISIBLE_DEVICES": "0,1"},
    ),
    Scenario(
        "fine_h100_gpm",
        "A MIG instance of an H100, whose utilisation GPM reports.",
        "fine",
        h100_mig({FIRST_PID: 5 * GIB}),
        environment={"NVIDIA_VISIBLE_DEVICES": H100_SLICE_UUID},
    ),
    Scenario(
        "fine_board_tells_little",
        "The board reports neither temperature, power, clocks nor ECC.",
        "fine",
        _with_board(
            full_gpu(),
            replace(
                _board(full_gpu()),
                mig_capable=False,
                temperature=None,
                power=None,
                power_limit=None,
                sm_clock=None,
                memory_clock=None,
                max_sm_clock=None,
                max_memory_clock=None,
                ecc=None,
                ecc_errors=None,
                utilization=None,
            ),
        ),
        environment={"NVIDIA_VISIBLE_DEVICES": "all"},
    ),
    Scenario(
        "fine_old_driver",
        "A driver that lacks the newer functions for memory and processes.",
        "fine",
        replace(a100_mig(_HELD), version="470.256.02", cuda="11.4"),
        missing=("nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetComputeRunningProcesses_v3"),
    ),
    Scenario(
        "fine_sizes_unknown",
        "The driver lists a process and does not know its memory.",
        "fine",
        replace(a100_mig({FIRST_PID: None, FIRST_PID + 1: 0}), version="550.54.14", cuda="12.4"),
    ),
    Scenario(
        "fine_duplicates",
        "The driver lists a process twice.",
        "fine",
        _with_processes(
            a100_mig(),
            Process(FIRST_PID, 2 * GIB),
            Process(FIRST_PID, 1 * GIB),
            Process(FIRST_PID + 1, 512 * MIB),
        ),
    ),
    Scenario(
        "fine_process_of_another_user",
        "A process of another user, or of another container, is on the same device.",
        "fine",
        _with_processes(a100_mig(), Process(1, 1 * GIB), Process(FIRST_PID, 512 * MIB)),
    ),
    Scenario(
        "fine_processes_refused",
        "The memory may be read, the list of processes may not.",
        "fine",
        _with_faults(a100_mig(_HELD), Fault("nvmlDeviceGetComputeRunningProcesses", Code.NO_PERMISSION)),
    ),
    Scenario(
        "fine_after_a_hang_of_a_moment",
        "A call to the driver takes longer than it should, and comes back.",
        "fine",
        _with_hang(a100_mig(_HELD), "nvmlDeviceGetMemoryInfo", 0.2),
    ),
    Scenario(
        "fine_after_restart",
        "The driver was restarted: whoever used it must begin anew.",
        "fine",
        a100_mig(_HELD),
        then=replace(a100_mig(), generation=2),
    ),
    Scenario(
        "fine_after_the_driver_came",
        "The driver is loaded after the server was started.",
        "fine",
        None,
        then=a100_mig(),
        before="driver_not_loaded",
    ),
)

TROUBLE = (
    Scenario("memory_low", "Memory is nearly full.", "memory_low", a100_mig({FIRST_PID: int(4.5 * GIB)})),
    Scenario(
        "no_library",
        "A GPU was asked for and the driver's library is not in the container.",
        "no_library",
        None,
        library=False,
    ),
    Scenario("driver_not_loaded", "The driver is not loaded on the node.", "driver_not_loaded", None),
    Scenario(
        "version_mismatch",
        "The driver was updated under the running container.",
        "version_mismatch",
        _with_faults(a100_mig(), Fault("nvmlInit", Code.LIB_RM_VERSION_MISMATCH)),
    ),
    Scenario(
        "no_device",
        "The driver runs and lists no device.",
        "no_device",
        Driver(),
        environment={"NVIDIA_VISIBLE_DEVICES": A100_SLICE_UUID},
    ),
    Scenario(
        "no_device_none",
        "The container was given none of the node's devices.",
        "no_device",
        full_gpu(),
        environment={"NVIDIA_VISIBLE_DEVICES": "none"},
        present=False,
    ),
    Scenario(
        "no_device_and_none_wanted",
        "The driver is there, lists no device, and nothing says that there should be one.",
        "no_device",
        Driver(),
        environment={"NVIDIA_VISIBLE_DEVICES": "all"},
        present=False,
    ),
    Scenario(
        "no_device_by_that_name",
        "The variable names a device that the driver does not list.",
        "no_device",
        a100_mig(),
        environment={"NVIDIA_VISIBLE_DEVICES": "MIG-99999999-9999-5999-8999-999999999999"},
    ),
    Scenario(
        "no_permission",
        "The nodes of the driver may not be opened.",
        "no_permission",
        _with_faults(a100_mig(), Fault("nvmlInit", Code.NO_PERMISSION)),
    ),
    Scenario(
        "no_permission_for_the_device",
        "The device is listed, and its memory may not be read.",
        "no_permission",
        _with_faults(a100_mig(), Fault("nvmlDeviceGetMemoryInfo", Code.NO_PERMISSION)),
    ),
    Scenario(
        "ambiguous",
        "Seven instances may be read, and nothing tells which is the user's.",
        "ambiguous",
        a100_mig(_HELD, others="readable"),
        environment={"NVIDIA_VISIBLE_DEVICES": "all"},
    ),
    Scenario(
        "ambiguous_two",
        "Two instances may be read, and no variable is set.",
        "ambiguous",
        two_slices(a100_mig(_HELD)),
        environment={},
    ),
    Scenario(
        "lost",
        "The GPU fell off the bus before the server was started.",
        "lost",
        _with_status(a100_mig(), Code.GPU_IS_LOST),
    ),
    Scenario(
        "lost_between_two_calls",
        "The GPU falls off the bus while somebody looks.",
        "lost",
        a100_mig(_HELD),
        then=_with_status(a100_mig(_HELD), Code.GPU_IS_LOST),
    ),
    Scenario(
        "lost_full_gpu",
        "A whole GPU falls off the bus while somebody looks.",
        "lost",
        full_gpu(),
        environment={"NVIDIA_VISIBLE_DEVICES": "0"},
        then=_with_status(full_gpu(), Code.GPU_IS_LOST),
    ),
    Scenario(
        "lost_one_of_two",
        "Of two GPUs one falls off the bus while somebody looks.",
        "lost",
        second_board(full_gpu({FIRST_PID: 9 * GIB})),
        environment={"NVIDIA_VISIBLE_DEVICES": "0,1"},
        then=second_lost(second_board(full_gpu({FIRST_PID: 9 * GIB}))),
        partial=True,
    ),
    Scenario(
        "lost_one_of_two_before_the_start",
        "Of two GPUs one fell off the bus before the server was started.",
        "lost",
        second_lost(second_board(full_gpu({FIRST_PID: 9 * GIB}))),
        environment={"NVIDIA_VISIBLE_DEVICES": f"{A100_UUID},{SECOND_UUID}"},
        partial=True,
    ),
    Scenario(
        "no_permission_for_one_of_two",
        "Of two GPUs one may not be read any more.",
        "no_permission",
        second_board(full_gpu({FIRST_PID: 9 * GIB})),
        environment={"NVIDIA_VISIBLE_DEVICES": "0,1"},
        then=_with_faults(
            second_board(full_gpu({FIRST_PID: 9 * GIB})),
            Fault("nvmlDeviceGetMemoryInfo", Code.NO_PERMISSION, SECOND_UUID),
        ),
        partial=True,
    ),
    Scenario(
        "reset_required",
        "The board has stopped after an uncorrectable error.",
        "reset_required",
        a100_mig(_HELD),
        then=_with_status(a100_mig(_HELD), Code.RESET_REQUIRED),
    ),
    Scenario(
        "hanging",
        "Every call to the driver hangs.",
        "hanging",
        _with_hang(a100_mig(_HELD), "*", math.inf),
    ),
    Scenario(
        "hanging_while_somebody_looks",
        "A call for memory begins to hang.",
        "hanging",
        a100_mig(_HELD),
        then=_with_hang(a100_mig(_HELD), "nvmlDeviceGetMemoryInfo", math.inf),
    ),
    Scenario(
        "mig_destroyed",
        "The board is divided anew, and the user's instance is no more.",
        "mig_destroyed",
        a100_mig(_HELD),
        then=without_migs(a100_mig()),
    ),
    Scenario(
        "mig_mode_off",
        "MIG is switched off on the board while somebody looks.",
        "mig_destroyed",
        a100_mig(_HELD),
        then=_with_board(a100_mig(), replace(_board(a100_mig()), migs=(), mig=False, access="listed")),
    ),
    Scenario(
        "driver_error",
        "The driver answers an error that says nothing.",
        "driver_error",
        _with_faults(a100_mig(), Fault("nvmlInit", Code.UNKNOWN)),
    ),
    Scenario(
        "driver_error_later",
        "Reading the memory begins to fail with an error that says nothing.",
        "driver_error",
        a100_mig(_HELD),
        then=_with_faults(a100_mig(_HELD), Fault("nvmlDeviceGetMemoryInfo", Code.UNKNOWN)),
    ),
)

SCENARIOS = {scenario.name: scenario for scenario in (*FINE, *TROUBLE)}


@contextmanager
def played(scenario: Scenario, folder: Path) -> Iterator[SimulatedDriver]:
    """The driver of a scenario at its beginning; what hangs is let go at the end."""
    simulated = SimulatedDriver(folder, library=scenario.library, missing=scenario.missing)
    if scenario.driver is not None:
        simulated.write(scenario.driver)
    try:
        yield simulated
    finally:
        simulated.unload()


def environment_of(simulated: SimulatedDriver, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """The whole environment of a process that is to use the driver, with a scenario's variables."""
    clean = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return {**clean, **simulated.environment(), **(variables or {})}
