"""What the worker process for files answers: one request a line, as in `worker.protocol`.

``measure`` {environments, cache, gently} → an inventory, which is also written to the state folder;
gently: after everybody else, where nobody waits for it;
``forget`` {history, keep_from, trash} → {numbers, freed_bytes, left_files};
``clear`` {environments, cache, trash, things} → {things, freed_bytes, left_files}, things null where
an installation is at work.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...errors import MlinfnError, from_os_error
from ..history.layout import History, write_json
from ..places import STATE_FOLDER
from ..worker.protocol import Output
from . import clean
from .measure import measure

FILE = "space.json"
"""The last inventory, in the state folder."""


def serve(descriptor: int) -> None:
    """Answer requests until stdin ends."""
    output = Output(descriptor)
    for line in sys.stdin:
        request = json.loads(line)
        output.current = int(request["id"])
        try:
            try:
                result = _OPERATIONS[request["op"]](request)
            except OSError as error:
                raise from_os_error("The disk could not be looked through.", error) from error
        except MlinfnError as error:
            output.send("error", error=error.to_json())
        else:
            output.send("result", result=result)


def _let_others_go_first() -> None:
    """Lower this process's share of processor and disk (nice(2), ioprio_set(2)), for good.

    Not to the class "idle": on a busy disk it would never end.
    """
    with suppress(OSError):
        os.nice(10)
    number = {"x86_64": 251, "aarch64": 30}.get(platform.machine())
    if number is not None:
        process, last_of_best_effort = 1, (2 << 13) | 7
        ctypes.CDLL(None, use_errno=True).syscall(number, process, 0, last_of_best_effort)


def _measure(request: Mapping[str, Any]) -> dict[str, Any]:
    if request.get("gently"):
        _let_others_go_first()
    environments = Path(request["environments"])
    inventory = measure(environments, Path(request["cache"])).to_json()
    # Only a convenience for the next server; where there is no room for it, it measures itself.
    with suppress(OSError):
        if (environments / STATE_FOLDER).is_dir():
            write_json(environments / STATE_FOLDER / FILE, inventory)
    return inventory


def _forget(request: Mapping[str, Any]) -> dict[str, Any]:
    history = History(Path(request["history"]))
    numbers, targets = clean.forget(history, int(request["keep_from"]), Path(request["trash"]))
    cleared = clean.remove(targets)
    return {"numbers": numbers, "freed_bytes": cleared.freed_bytes, "left_files": cleared.left_files}


def _clear(request: Mapping[str, Any]) -> dict[str, Any]:
    done = clean.clear_cache(
        Path(request["environments"]), Path(request["cache"]), request["things"], Path(request["trash"])
    )
    if done is None:
        return {"things": None, "freed_bytes": 0, "left_files": 0}
    things, targets = done
    cleared = clean.remove(targets)
    return {"things": things, "freed_bytes": cleared.freed_bytes, "left_files": cleared.left_files}


_OPERATIONS = {"measure": _measure, "forget": _forget, "clear": _clear}
