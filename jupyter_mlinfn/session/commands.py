"""``jupyter mlinfn stop``: give back all that this terminal's server holds, and lose nothing.

Exit codes: 0 it has stopped (with ``--cancel``: it stays), 1 it has not, 2 usage.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import BadInputError, ConflictError, DependencyError, MlinfnError, NotAllowedError

if TYPE_CHECKING:
    from ..own_server import OwnServer
    from .around import LastStop

_ASKED_EVERY = 0.2
_LOOKED_FOR = 5.0
"""Seconds for pages to answer, and for files to be counted."""
_STOPS_WITHIN = 700.0
"""Seconds from the beginning of an end to its own at most, and some."""


def add_arguments(parser: argparse.ArgumentParser, last_stop: Callable[[], LastStop]) -> None:
    """Args:
    last_stop: the record of the server of this terminal.
    """
    parser.add_argument(
        "--when-finished", action="store_true", help="wait until the cells that run now have finished"
    )
    keeping = parser.add_mutually_exclusive_group()
    keeping.add_argument("--no-keep", action="store_true", help="files that would be lost are not copied")
    keeping.add_argument(
        "--keep", nargs="+", metavar="PATH", help="copy these files and folders, and no others"
    )
    parser.add_argument("--no-save", action="store_true", help="open pages do not save")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--cancel", action="store_true", help="call a stop off, and stay")
    parser.add_argument("--json", action="store_true", help="answer JSON on stdout")
    parser.set_defaults(run=lambda arguments: _run(arguments, last_stop))


def _run(arguments: argparse.Namespace, last_stop: Callable[[], LastStop]) -> int:
    from ..own_server import find

    server = find()
    if arguments.cancel:
        return _cancel(server, arguments)
    asks = sys.stdin.isatty() and sys.stdout.isatty() and not arguments.json
    if not arguments.yes and not asks:
        raise BadInputError(
            "Nothing was stopped: nobody can be asked here.",
            reason="Stopping a server ends all that runs in it.",
            hint="Say --yes.",
        )
    if missing := [path for path in arguments.keep or () if not os.path.lexists(path)]:
        raise BadInputError(
            f"Nothing was stopped: there is no {missing[0]}.",
            reason="It was to be kept.",
            hint="Look at the name, and at the folder that you are in.",
        )
    before = _survey(server)
    if not arguments.json:
        from .console import would_be_lost

        print("\n".join(would_be_lost(before, keep=_kept(arguments))))
    if not arguments.yes and not _agrees():
        print("Nothing was stopped.")
        return 1
    answer = server.ask("POST", "session/stop", _wish(arguments))
    return _follow(server, answer, arguments, last_stop)


def _cancel(server: OwnServer, arguments: argparse.Namespace) -> int:
    was = server.ask("GET", "session")["stop"]["phase"]
    answer = server.ask("DELETE", "session/stop")
    if arguments.json:
        print(json.dumps(answer, indent=2))
    else:
        print("The stop is called off." if was is not None else "Nothing was being stopped.")
    return 0


def _survey(server: OwnServer) -> dict[str, Any]:
    answer = server.ask("POST", "session/survey", {})
    give_up = time.monotonic() + _LOOKED_FOR
    while _is_looking(answer) and time.monotonic() < give_up:
        time.sleep(_ASKED_EVERY)
        answer = server.ask("GET", "session")
    return answer


def _is_looking(answer: Mapping[str, Any]) -> bool:
    files = answer["files"]
    return (
        bool(answer["pages"]["asking"])
        or None in (answer["holders"], answer["terminals"])
        or files is None
        or files["state"] in ("unknown", "counting")
    )


def _agrees() -> bool:
    try:
        return input("Free all of it and stop? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _wish(arguments: argparse.Namespace) -> dict[str, Any]:
    when = "finished" if arguments.when_finished else "now"
    return {"when": when, "keep": _kept(arguments), "save": not arguments.no_save}


def _kept(arguments: argparse.Namespace) -> bool | list[str]:
    if arguments.keep:
        # Links are left as they are: they are kept as links.
        return [os.path.abspath(path) for path in arguments.keep]  # noqa: PTH100
    return not arguments.no_keep


def _follow(
    server: OwnServer,
    answer: dict[str, Any],
    arguments: argparse.Namespace,
    last_stop: Callable[[], LastStop],
) -> int:
    """Until the server is gone."""
    asked = answer["now"]
    said = ""
    give_up = None
    while (stop := _phase(server)) is not None:
        phase = stop["phase"]
        if phase is None:
            raise ConflictError(
                "The stop was called off.",
                reason=stop["problem"] or "Somebody called it off, or there is activity again.",
                hint="Say --no-keep to stop without keeping files." if stop["problem"] else "",
            )
        if phase == "waiting":
            give_up = None
        elif give_up is None:
            give_up = time.monotonic() + _STOPS_WITHIN
        elif time.monotonic() > give_up:
            raise DependencyError("The server has not stopped.", hint="Stop it in JupyterHub's pages.")
        if not arguments.json and phase != said:
            print(_SAID[phase].format(", ".join(stop["waits_for"])), flush=True)
        said = phase
        time.sleep(_ASKED_EVERY)
    record = _record(last_stop, asked)
    if arguments.json:
        print(json.dumps({"stopped": True, "record": record}, indent=2))
    else:
        from .console import was_kept

        print("\n".join(was_kept(record)))
    return 0


_SAID = {
    "waiting": "Waits for {}. To call it off: jupyter mlinfn stop --cancel",
    "saving": "Open pages save …",
    "rescuing": "Files that would be lost are kept …",
    "stopping": "The server stops.",
}


def _phase(server: OwnServer) -> dict[str, Any] | None:
    """How far the stop is; None once the server is gone."""
    for _ in range(3):
        try:
            return dict(server.ask("GET", "session")["stop"])
        except NotAllowedError:
            # The hub has taken the token back.
            return None
        except MlinfnError as error:
            if error.status != DependencyError.status:
                raise
        time.sleep(_ASKED_EVERY)
    return None


def _record(last_stop: Callable[[], LastStop], since: str) -> dict[str, Any] | None:
    """What the server wrote of this stop; None where that cannot be read."""
    try:
        record = last_stop().read()
    except (OSError, ValueError):
        return None
    # Both are of the server's clock, in one format.
    return record if record is not None and str(record.get("time")) >= since else None
