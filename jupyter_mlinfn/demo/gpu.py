"""The GPU of the demo: the machine's own where it has one, else a simulated MIG slice."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

from ..errors import DependencyError
from .driver import SONAME, SimulatedDriver, a100_mig
from .driver.hold import claims_folder
from .driver.presets import A100_SLICE_UUID
from .layout import Layout, tell_of_the_gpu


def gpu_environment(
    layout: Layout, log: Callable[[str], None] = lambda line: None, *, dev: Path = Path("/dev")
) -> dict[str, str | None]:
    """Variables that give the demo's server a simulated slice; empty where there is a GPU, or no compiler.

    None is for one that must not be there.
    """
    if has_driver(dev):
        return {}
    try:
        driver = SimulatedDriver(layout.own / "gpu")
    except DependencyError as error:
        log(f"No simulated GPU: {error.message} {error.hint}")
        return {}
    for left in claims_folder(driver.state_file).iterdir():
        left.unlink()  # of an earlier demo in this folder
    driver.write(a100_mig())
    log("This machine has no GPU: a MIG slice (A100, 1g.5gb) is simulated.")
    tell_of_the_gpu(layout)
    return {**driver.environment(), "NVIDIA_VISIBLE_DEVICES": A100_SLICE_UUID, "CUDA_VISIBLE_DEVICES": None}


def has_driver(dev: Path) -> bool:
    """Whether this machine has an NVIDIA GPU, or the library of its driver."""
    if any(dev.glob("nvidia[0-9]*")) or (dev / "nvidiactl").exists():
        return True
    try:
        ctypes.CDLL(SONAME)
    except OSError:
        return False
    return True
