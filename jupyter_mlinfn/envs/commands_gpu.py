"""``jupyter mlinfn env check-gpu``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .command_line import find, finish, print_json

if TYPE_CHECKING:
    from ..wiring import Rooms

Runner = Callable[[Callable[[argparse.Namespace, "Rooms"], Any]], Callable[[argparse.Namespace], int]]

VERDICTS = {"ok": "ok", "problem": "problem", "nothing": "nothing to check", "unchecked": "not checked"}

_STALE = {
    "environment": "the environment was changed since",
    "driver": "the driver is another one now",
}


def add_arguments(commands: Any, common: argparse.ArgumentParser, runner: Runner) -> None:
    """Add the subcommand to those of ``env``."""
    check = commands.add_parser(
        "check-gpu", parents=[common], help="whether PyTorch and JAX in it can use the GPU, and if not, why"
    )
    check.add_argument("name", metavar="NAME")
    check.set_defaults(run=runner(_check))


async def _check(arguments: argparse.Namespace, rooms: Rooms) -> int:
    environment = await find(rooms.envs, arguments.name)
    quiet = argparse.Namespace(json=False)
    job = await finish(quiet, rooms.jobs, await rooms.gpu_check.check(environment.id))
    check = (job.result or {}).get("check")
    if check is None:
        return 1
    if arguments.json:
        print_json({"gpu_check": check})
    else:
        _show(check)
    return 1 if check["verdict"] == "problem" else 0


def _show(check: Mapping[str, Any]) -> None:
    for one in check["frameworks"]:
        print(f"{one['framework']}: {VERDICTS[one['verdict']]}. {one['sentence']}")
        if one["hint"]:
            print(f"  {one['hint']}")
    for other in check["others"]:
        print(f"{other}: {VERDICTS['unchecked']}")
    if not (check["frameworks"] or check["others"]):
        print(check["summary"])
    for note in check["notes"]:
        print(f"Note: {note}", file=sys.stderr)


def in_words(check: Mapping[str, Any]) -> str:
    """The last check, in a line."""
    stale = f" ({_STALE[check['stale']]})" if check["stale"] else ""
    return f"{VERDICTS[check['verdict']]}, checked on {check['time'][:10]}{stale}. {check['summary']}"
