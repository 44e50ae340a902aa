"""``jupyter mlinfn idle``: when the server of this terminal is stopped, and to keep it.

Exit codes: 0 done, 1 it could not be asked or kept, 2 usage.
"""

from __future__ import annotations

import argparse
import json
import math
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="answer JSON on stdout")
    parser.set_defaults(run=_show)
    actions = parser.add_subparsers(metavar="ACTION")
    keep = actions.add_parser("keep", help="keep this server for some time whatever happens")
    keep.add_argument("duration", type=_duration, help="seconds, or 30m, 2h, 1d")
    # Not to undo what was said before the action.
    keep.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="answer JSON on stdout")
    keep.set_defaults(run=_keep)


def _duration(text: str) -> int:
    # Not at the top: the other commands need nothing of it.
    from .policy import parse_duration

    try:
        seconds = math.ceil(parse_duration(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if not 1 <= seconds <= _LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 1 second and 7 days")
    return seconds


_LONGEST = 7 * 86400


def _show(arguments: argparse.Namespace) -> int:
    return _tell(_ask("GET", "idle"), arguments)


def _keep(arguments: argparse.Namespace) -> int:
    return _tell(_ask("POST", "idle/keepalive", {"seconds": arguments.duration}), arguments)


def _ask(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    from ..own_server import find

    return find().ask(method, path, body)


def _tell(answer: dict[str, Any], arguments: argparse.Namespace) -> int:
    if arguments.json:
        print(json.dumps(answer, indent=2))
        return 0
    from rich.console import Console

    from .console import draw

    Console(highlight=False).print(draw(answer))
    return 0
