"""``jupyter mlinfn storage``: what lasts and what goes with the server; ``storage rescue``: see there.

Exit codes: 0 done, 1 it could not be asked, 2 usage.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import NotFoundError
from .rescue import commands as rescue

if TYPE_CHECKING:
    from ..config import MlinfnConfig

    Load = Callable[[str | None], tuple[MlinfnConfig, Path]]

_ASKED_EVERY = 0.1
_PATIENCE = 60.0
"""Seconds that a count may take before what was found until then is shown."""


def add_arguments(parser: argparse.ArgumentParser, load: Load) -> None:
    """Args:
    load: gives the configuration, see `cli.load_config`.
    """
    parser.add_argument("--json", action="store_true", help="answer JSON on stdout")
    parser.set_defaults(run=lambda arguments: _show(arguments, load))
    actions = parser.add_subparsers(metavar="ACTION")
    rescue.add_arguments(
        actions.add_parser("rescue", help="copy files that would be lost to private storage")
    )


def _show(arguments: argparse.Namespace, load: Load) -> int:
    answer = _ask(load)
    if arguments.json:
        print(json.dumps(answer, indent=2))
        return 0
    from rich.console import Console

    from .console import draw

    Console(highlight=False).print(draw(answer))
    return 0


def _ask(load: Load) -> dict[str, Any]:
    from ..own_server import find

    try:
        server = find()
    except NotFoundError as error:
        return _without_server(load, error)
    answer = server.ask("POST", "storage/count", {})
    give_up = time.monotonic() + _PATIENCE
    while answer["ephemeral"]["state"] == "counting" and time.monotonic() < give_up:
        time.sleep(_ASKED_EVERY)
        answer = server.ask("GET", "storage")
    return answer


def _without_server(load: Load, error: NotFoundError) -> dict[str, Any]:
    """As in a batch job: the volumes are as they are without one."""
    import asyncio

    from ..envs.places import Places
    from .room import StorageRoom

    config, root = load(None)
    environments = Places.find(root, config.private_dir, config.shared_environments).environments
    room = StorageRoom(
        config,
        root,
        environments,
        private_dir=config.private_dir,
        shared=list(config.shared_environments),
    )

    async def look() -> dict[str, Any]:
        answer = await (await room.service()).answer()
        await room.close()
        return answer

    answer = asyncio.run(look())
    answer["ephemeral"]["reason"] = f"Only a server knows since when files are new. {error.reason}"
    return answer
