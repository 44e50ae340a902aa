"""A process that asks the simulated driver through `nvidia-ml-py`, one expression after the other."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from jupyter_mlinfn.demo.driver import SimulatedDriver

from .gpu import environment_of

# Answers expressions of NVML, a line each, as JSON; an NVML error is {"code": number}.
CLIENT = """
import json, sys, threading, ctypes
import pynvml
from pynvml import *

SLICE = "MIG-c7a4f0de-1b52-5d8e-8f3a-90d6b2e4715c"

def board(): return nvmlDeviceGetHandleByIndex(0)
def mine(): return nvmlDeviceGetHandleByUUID(SLICE)
def used(handle): return nvmlDeviceGetMemoryInfo(handle, nvmlMemory_v2).used
def rows(handle, kind="Compute"):
    listed = getattr(pynvml, f"nvmlDeviceGet{kind}RunningProcesses")(handle)
    return [[row.pid, row.usedGpuMemory, row.gpuInstanceId, row.computeInstanceId] for row in listed]
def call(name, *arguments): return getattr(pynvml.nvmlLib, name)(*arguments)
def count(handle):
    number = ctypes.c_uint(0)
    return [call("nvmlDeviceGetComputeRunningProcesses_v3", handle, ctypes.byref(number), None), number.value]
def many(threads, times):
    def ask():
        for _ in range(times): used(mine())
    started = [threading.Thread(target=ask) for _ in range(threads)]
    for thread in started: thread.start()
    for thread in started: thread.join()

scope = dict(globals())
for line in sys.stdin:
    try:
        kept, _, expression = line.rpartition(" := ")
        answer = eval(expression, scope)
        if kept:
            scope[kept] = answer
            answer = None
    except NVMLError as error:
        answer = {"code": error.value}
    print(json.dumps(answer), flush=True)
"""


class Client:
    """A process that has loaded the library and answers what it is asked."""

    def __init__(self, driver: SimulatedDriver) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", CLIENT],
            env=environment_of(driver),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, expression: str) -> Any:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{expression}\n")
        process.stdin.flush()
        line = process.stdout.readline()
        assert line, f"the process ended with {process.wait()}"
        return json.loads(line)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
