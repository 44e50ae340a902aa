"""Answers expressions of NVML, a line each, as JSON; an NVML error is {"code": number}.

What is on the left of ` := ` keeps the answer, for later lines.
"""

from __future__ import annotations

import ctypes
import json
import sys
import threading
from typing import Any

import pynvml
from pynvml import *  # noqa: F403 - for the expressions

SLICE = "MIG-c7a4f0de-1b52-5d8e-8f3a-90d6b2e4715c"


def board() -> Any:
    return pynvml.nvmlDeviceGetHandleByIndex(0)


def mine() -> Any:
    return pynvml.nvmlDeviceGetHandleByUUID(SLICE)


def used(handle: Any) -> int:
    return int(pynvml.nvmlDeviceGetMemoryInfo(handle, pynvml.nvmlMemory_v2).used)


def rows(handle: Any, kind: str = "Compute") -> list[list[Any]]:
    listed = getattr(pynvml, f"nvmlDeviceGet{kind}RunningProcesses")(handle)
    return [[row.pid, row.usedGpuMemory, row.gpuInstanceId, row.computeInstanceId] for row in listed]


def call(name: str, *arguments: Any) -> int:
    return int(getattr(pynvml.nvmlLib, name)(*arguments))


def count(handle: Any) -> list[int]:
    number = ctypes.c_uint(0)
    return [call("nvmlDeviceGetComputeRunningProcesses_v3", handle, ctypes.byref(number), None), number.value]


def many(threads: int, times: int) -> None:
    def ask() -> None:
        for _ in range(times):
            used(mine())

    started = [threading.Thread(target=ask) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


def main() -> None:
    scope = dict(globals())
    for line in sys.stdin:
        kept, _, expression = line.rpartition(" := ")
        try:
            answer = eval(expression, scope)  # noqa: S307 - the test's own
        except pynvml.NVMLError as error:
            answer = {"code": error.value}
        else:
            if kept:
                scope[kept] = answer
                answer = None
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
