"""A driver that is not there: a `libnvidia-ml.so.1` that tells what a file says.

For the tests, the bench, and the demo on a machine without a GPU. It is compiled from the C in
`source/`; callers of NVML (`nvidia-ml-py`, `nvitop`) use it as they are.
"""

from __future__ import annotations

from .build import SONAME
from .models import Board, Code, Driver, Fault, Mig, Process
from .presets import a100_mig, full_gpu, h100_mig
from .simulated import SimulatedDriver

__all__ = [
    "SONAME",
    "Board",
    "Code",
    "Driver",
    "Fault",
    "Mig",
    "Process",
    "SimulatedDriver",
    "a100_mig",
    "full_gpu",
    "h100_mig",
]
