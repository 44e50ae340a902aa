"""``jupyter mlinfn gpu``: what the panel shows, in a terminal; needs no server.

Exit codes: 0 the user's GPU answers, 1 it does not or there is none, 2 usage.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .service import GpuService

_EVERY = 2.0
_FIRST_ANSWER = 22.0
"""Seconds: a call that hangs is told after less."""
_COUNTERS_APART = 0.2
"""Seconds, for the counters of which two readings make one figure."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="answer JSON on stdout; with --watch a line each")
    parser.add_argument("--watch", action="store_true", help="go on every 2 s, until Ctrl-C")
    parser.add_argument("--processes", action="store_true", help="also my processes that hold its memory")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    try:
        return asyncio.run(_watch(arguments) if arguments.watch else _once(arguments))
    except KeyboardInterrupt:
        if not arguments.watch:
            raise
        return 0


def _service() -> GpuService:
    # Not at the top: the other commands need nothing of it.
    from .ownership import NO_SERVER
    from .service import GpuService, NoPrograms

    return GpuService(NoPrograms(), accounting=False, server=NO_SERVER)


async def _once(arguments: argparse.Namespace) -> int:
    service = _service()
    try:
        answer = await _first_answer(service)
        if _is_measuring(answer["view"]):
            await asyncio.sleep(_COUNTERS_APART)
            await service.ask_driver()
            answer = await service.snapshot(0, 0)
    finally:
        service.close()
    view = _with_newest(answer)
    if arguments.json:
        print(json.dumps(_shown(view, arguments), indent=2))
    else:
        from rich.console import Console

        from .console import draw

        Console().print(draw(view, answer["samples"], processes=arguments.processes))
    return _exit_code(view)


async def _watch(arguments: argparse.Namespace) -> int:
    service = _service()
    try:
        await _first_answer(service)
        if arguments.json:
            while True:
                view = _with_newest(await service.snapshot(0, 0))
                print(json.dumps(_shown(view, arguments)), flush=True)
                await asyncio.sleep(_EVERY)
        from rich.live import Live

        from .console import draw

        with Live(auto_refresh=False, screen=sys.stdout.isatty()) as live:
            while True:
                answer = await service.snapshot(0, 0)
                view = _with_newest(answer)
                live.update(draw(view, answer["samples"], processes=arguments.processes), refresh=True)
                await asyncio.sleep(_EVERY)
    finally:
        service.close()


async def _first_answer(service: GpuService) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    end = loop.time() + _FIRST_ANSWER
    answer = await service.snapshot(0, 0)
    while answer["view"]["state"]["kind"] == "starting" and loop.time() < end:
        await asyncio.sleep(0.05)
        answer = await service.snapshot(0, 0)
    return answer


def _is_measuring(view: dict[str, Any]) -> bool:
    from .reader import BEING_MEASURED

    return any(each["utilisation_note"] == BEING_MEASURED for each in view["devices"])


def _with_newest(answer: dict[str, Any]) -> dict[str, Any]:
    """The view with the figures of the newest samples, which it follows only every 10 s."""
    view: dict[str, Any] = answer["view"]
    newest = {each["device"]: each for each in answer["samples"]}
    devices = []
    for device in view["devices"]:
        sample = newest.get(device["uuid"], {})
        used, utilisation = sample.get("used"), sample.get("utilisation")
        if used is not None and device["memory_used"] is not None:
            free = device["memory_free"] + device["memory_used"] - used
            device = {**device, "memory_used": used, "memory_free": free}
        if utilisation is not None:
            device = {**device, "utilisation": utilisation, "utilisation_note": ""}
        devices.append(device)
    return {**view, "devices": devices}


def _shown(view: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    """A command line keeps no account of use."""
    hidden = {"usage"} if arguments.processes else {"usage", "processes"}
    return {name: value for name, value in view.items() if name not in hidden}


def _exit_code(view: dict[str, Any]) -> int:
    state = view["state"]
    return 0 if state["kind"] in ("fine", "memory_low", "ambiguous") and not state["partial"] else 1
