"""A process that looks at the simulated GPU as a server does, when it is told to, and by a clock that
stands still until it is turned."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_mlinfn.demo.driver import SimulatedDriver
from jupyter_mlinfn.demo.driver.simulated import VARIABLE

from .conversation import Conversation
from .gpu import environment_of
from .patience import until


class Looker:
    """See `looking`."""

    def __init__(self, ask: Conversation) -> None:
        self._ask = ask

    def look(self) -> dict[str, Any]:
        """What is seen at a look that begins now, and that the driver lets come to its end."""
        return dict(self._ask("look"))

    def look_at_a_hang(self, function: str) -> dict[str, Any]:
        """What is said when this function of the driver, or `*`, has hung long enough."""
        return dict(self._ask(f"hang {function}"))

    def pass_time(self, seconds: float) -> dict[str, Any]:
        """What is said when that time has passed, and what was due by then has been done."""
        return dict(self._ask(f"pass {seconds}"))


@contextmanager
def looking(
    simulated: SimulatedDriver, variables: Mapping[str, str] | None = None, *, fresh: bool = False
) -> Iterator[Looker]:
    """Start the process; it has ended afterwards, whether the driver hangs or not.

    Args:
        fresh: see `Conversation`; a library that comes later is found by such a one only.
    """
    conversation = Conversation(__name__, environment=environment_of(simulated, variables), fresh=fresh)
    try:
        yield Looker(conversation)
        # A thread that hangs in the driver must not keep the process.
        assert conversation.end() == 0
    finally:
        conversation.close()


# The process itself


async def main() -> None:
    # Not at the top: the tests' own process needs nothing of it.
    from .gpu_clock import Turned, turned

    driver = SimulatedDriver(Path(os.environ[VARIABLE]).parent, library=False)

    async def look_at_a_hang(gpu: Turned, function: str) -> None:
        before = _calls_of(function, driver.calls())
        asking = asyncio.ensure_future(gpu.service.ask_driver())
        await until(lambda: _calls_of(function, driver.calls()) > before)
        while not gpu.service.sampler.hangs:
            gpu.clock.pass_time(1)
        await asking

    loop = asyncio.get_running_loop()
    async with turned() as gpu:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            match line.split():
                case ["look"]:
                    await gpu.service.ask_driver()
                case ["hang", function]:
                    await look_at_a_hang(gpu, function)
                case ["pass", seconds]:
                    await gpu.pass_time(float(seconds))
            sys.stdout.write(json.dumps(await gpu.service.snapshot(0, 0)) + "\n")
            sys.stdout.flush()


def _calls_of(function: str, calls: Counter[str]) -> int:
    return sum(
        number for name, number in calls.items() if function == "*" or name.partition("_v")[0] == function
    )


if __name__ == "__main__":
    asyncio.run(main())
