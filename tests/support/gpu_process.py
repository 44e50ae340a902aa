"""Processes of their own that use the simulated driver: a process loads a library once, and keeps it.

They are forked from the nursery, with the driver's library loaded as the loader would.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jupyter_mlinfn.demo.driver import SimulatedDriver
from jupyter_mlinfn.demo.driver.simulated import VARIABLE

from . import command
from .gpu import environment_of


def run_python(
    simulated: SimulatedDriver, code: str, *arguments: str, variables: Mapping[str, str] | None = None
) -> str:
    """What Python code prints in a process of its own that uses the driver; it must not fail."""
    done = command.run(code, *arguments, env=environment_of(simulated, variables), module=__name__)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def inside(
    simulated: SimulatedDriver,
    function: Callable[..., Any],
    *arguments: Any,
    variables: Mapping[str, str] | None = None,
) -> Any:
    """What a function of a module gives that is called in a process of its own, with the driver that it
    uses there and with the arguments; it may be a coroutine function. All goes through JSON."""
    name = f"{function.__module__}:{function.__name__}"
    code = f"from {__name__} import call; call()"
    return json.loads(run_python(simulated, code, name, json.dumps(arguments), variables=variables))


def call() -> None:
    """See `inside`."""
    name, arguments = sys.argv[1:]
    module, _, function = name.partition(":")
    driver = SimulatedDriver(Path(os.environ[VARIABLE]).parent, library=False)
    answer = getattr(importlib.import_module(module), function)(driver, *json.loads(arguments))
    if inspect.iscoroutine(answer):
        answer = asyncio.run(answer)
    json.dump(answer, sys.stdout)


def main() -> None:
    code = sys.argv.pop(1)
    exec(compile(code, "<given>", "exec"), {"__name__": "__main__"})  # noqa: S102 - the test's own


if __name__ == "__main__":
    main()
