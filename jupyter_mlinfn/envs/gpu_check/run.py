"""Runs the probe in an environment: a process of its own, with a time limit, killed with all it started."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

from ..activation import is_secret

PROBE = Path(__file__).with_name("probe.py")

_OUTPUT = 4000
"""Characters of what a framework printed that are kept; the last ones."""
_REPORT = 1 << 20
"""Bytes of a report that are read: it is written by what is being checked."""
_DIES_WITHIN = 5.0
"""Seconds until a killed process must be gone; one that hangs in the driver may never be."""


@dataclass(frozen=True)
class Ran:
    """One run of the probe.

    Attributes:
        steps: what it wrote, in order.
        signal: that ended it; None where none did.
        code: its exit code where it ended by itself.
        late: whether it was ended for taking too long.
        stuck: whether it could not be ended.
        output: the end of what was printed.
        seconds: that it took.
    """

    steps: Sequence[Mapping[str, Any]] = ()
    signal: int | None = None
    code: int | None = None
    late: bool = False
    stuck: bool = False
    output: str = ""
    seconds: float = 0.0
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    def step(self, name: str) -> Mapping[str, Any]:
        """The last step of that name; empty where there is none."""
        return next((step for step in reversed(self.steps) if step["step"] == name), {})

    @property
    def ended(self) -> bool:
        """Whether it came to its end."""
        return bool(self.step("end"))

    @property
    def doing(self) -> str:
        """What it had begun last: ``import``, ``devices``, ``compute``."""
        return str(self.step("doing").get("what", "start"))


def as_a_kernel(variables: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment that a kernel would have, without the server's secrets.

    Args:
        variables: of the environment's activation, as a kernelspec carries them (`activation.Activation`).
    """
    inherited = {name: value for name, value in environ.items() if not is_secret(name)}
    # As jupyter_client does: provisioning/provisioner_base.py.
    return inherited | {name: Template(value).safe_substitute(inherited) for name, value in variables.items()}


async def probe(python: Path, what: str, environ: Mapping[str, str], limit: float) -> Ran:
    """Run one part of the probe. Cancelling the task kills it.

    Args:
        what: ``find``, ``torch`` or ``jax``.
        limit: seconds.

    Raises:
        OSError: its Python cannot be started, or there is no room for its report.
    """
    with tempfile.TemporaryDirectory(prefix="mlinfn-check-", ignore_cleanup_errors=True) as folder:
        report, printed = Path(folder) / "report", Path(folder) / "output"
        begun = time.monotonic()
        # To a file: a pipe that something it started still holds would never end.
        with printed.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                str(python),
                "-I",
                str(PROBE),
                str(report),
                what,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(environ),
                cwd="/",
                start_new_session=True,
            )
        late = stuck = False
        try:
            await asyncio.wait_for(process.wait(), limit)
        except asyncio.TimeoutError:
            late = True
        finally:
            # Also what it started and left behind.
            stuck = not await asyncio.shield(_kill(process))
        seconds = time.monotonic() - begun
        steps, text = await asyncio.to_thread(_read, report, printed)
    code = process.returncode
    return Ran(
        steps,
        signal=-code if code is not None and code < 0 and not late else None,
        code=code if code is not None and code >= 0 else None,
        late=late,
        stuck=stuck,
        output=text,
        seconds=seconds,
        environ=environ,
    )


async def _kill(process: asyncio.subprocess.Process) -> bool:
    """End the process group; whether it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        await asyncio.wait_for(process.wait(), _DIES_WITHIN)
    except asyncio.TimeoutError:
        return False
    return True


def _read(report: Path, printed: Path) -> tuple[list[dict[str, Any]], str]:
    steps = []
    with contextlib.suppress(OSError), report.open("rb") as lines:
        for line in lines.read(_REPORT).splitlines():
            try:
                step = json.loads(line)
            except ValueError:
                continue  # It was killed within the line.
            if isinstance(step, dict) and isinstance(step.get("step"), str):
                steps.append(step)
    text = ""
    with contextlib.suppress(OSError), printed.open("rb") as output:
        output.seek(max(0, printed.stat().st_size - 4 * _OUTPUT))
        text = output.read().decode("utf-8", "replace")[-_OUTPUT:].strip()
    return steps, text
