"""The state file: what `source/state.c` reads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields

from .models import Board, Driver, Mig, Process

_ACCESS = {"readable": 0, "listed": 1, "hidden": 2}
_KINDS = {"compute": 0, "graphics": 1, "mps": 2}
_WRITTEN_APART = {
    "uuid",
    "name",
    "profile",
    "slot",
    "bus",
    "serial",
    "minor",
    "access",
    "mig",
    "mig_capable",
    "migs",
    "compute_capability",
    "kind",
    "processes",
}


def state_text(driver: Driver) -> str:
    """The content of the state file for `driver`."""
    return "".join(f"{line}\n" for line in _driver(driver))


def _driver(driver: Driver) -> Iterator[str]:
    major, _, minor = driver.cuda.partition(".")
    yield f"version {driver.version}"
    yield f"nvml {major}.{driver.version}"
    yield f"cuda {int(major) * 1000 + int(minor or 0) * 10}"
    yield f"generation {driver.generation}"
    for fault in driver.faults:
        yield f"fault {fault.function} {fault.device or '*'} {int(fault.code)} {fault.first_call}"
    for function, seconds in driver.hangs.items():
        yield f"hang {function} {-1 if math.isinf(seconds) else seconds} {int(driver.hang_code)}"
    for index, board in enumerate(driver.boards):
        yield from _board(index, board)


def _board(index: int, board: Board) -> Iterator[str]:
    access = board.access or ("listed" if board.divided else "readable")
    yield "board"
    yield f"uuid {board.uuid}"
    yield f"name {board.name}"
    yield f"bus {board.bus}"
    yield f"serial {board.serial}"
    yield f"index {index}"
    yield f"minor {index if board.minor is None else board.minor}"
    yield f"access {_ACCESS[access]}"
    yield f"mig_mode {int(board.divided) if board.mig_capable else -1}"
    yield f"compute_major {board.compute_capability[0]}"
    yield f"compute_minor {board.compute_capability[1]}"
    yield from _numbers(board)
    yield from _processes(board)
    for mig in board.migs:
        yield from _mig(board, mig)


def _mig(board: Board, mig: Mig) -> Iterator[str]:
    yield "mig"
    yield f"uuid {mig.uuid}"
    yield f"name {board.name} MIG {mig.profile}"
    yield f"index {mig.slot}"
    yield f"access {_ACCESS[mig.access]}"
    yield f"compute_major {board.compute_capability[0]}"
    yield f"compute_minor {board.compute_capability[1]}"
    yield from _numbers(mig)
    yield from _processes(mig)


def _numbers(device: Board | Mig | Process) -> Iterator[str]:
    for item in fields(device):
        if item.name not in _WRITTEN_APART:
            value: int | None = getattr(device, item.name)
            yield f"{item.name} {-1 if value is None else int(value)}"


def _processes(device: Board | Mig) -> Iterator[str]:
    for process in device.processes:
        yield "process"
        yield f"kind {_KINDS[process.kind]}"
        yield from _numbers(process)
