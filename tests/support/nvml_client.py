"""A process that asks the simulated driver through `nvidia-ml-py`, one expression after the other."""

from __future__ import annotations

from jupyter_mlinfn.demo.driver import SimulatedDriver

from .conversation import Conversation
from .gpu import environment_of


class Client(Conversation):
    """A process that has loaded the library and answers what it is asked: see `nvml_answers`.

    Args:
        fresh: see `Conversation`; a library that comes later is found by such a one only.
    """

    def __init__(self, driver: SimulatedDriver, *, fresh: bool = False) -> None:
        super().__init__("tests.support.nvml_answers", environment=environment_of(driver), fresh=fresh)
