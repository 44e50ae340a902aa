"""A process that looks at the simulated GPU as a server does, when it is told to."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from jupyter_mlinfn.demo.driver import SimulatedDriver

from .gpu import environment_of
from .patience import PATIENCE

_CODE = """
import asyncio, json, sys
from jupyter_mlinfn.gpu.service import GpuService, NoPrograms

async def main():
    service = GpuService(NoPrograms(), accounting=False)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if line.strip() == "look":
            await service.ask_driver()
        print(json.dumps(await service.snapshot(0, 0)), flush=True)
    service.close()

asyncio.run(main())
"""


class Looker:
    """See `looking`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def look(self) -> dict[str, Any]:
        """What is seen at a look that begins now; where the driver hangs, what is said some seconds later."""
        return self._ask("look")

    def read(self) -> dict[str, Any]:
        """What is said at once."""
        return self._ask("read")

    def _ask(self, what: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the looking process ended"
        return dict(json.loads(line))


@contextmanager
def looking(simulated: SimulatedDriver, variables: Mapping[str, str] | None = None) -> Iterator[Looker]:
    """Start the process; it has ended afterwards, whether the driver hangs or not."""
    with subprocess.Popen(
        [sys.executable, "-c", _CODE],
        env=environment_of(simulated, variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Looker(process)
            assert process.stdin is not None
            process.stdin.close()
            # A thread that hangs in the driver must not keep the process.
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
