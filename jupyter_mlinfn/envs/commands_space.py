"""``jupyter mlinfn env space|prune``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .command_line import find, finish, print_json
from .console import human_bytes, table

if TYPE_CHECKING:
    from ..wiring import Rooms
    from .commands_change import Runner


def add_arguments(commands: Any, common: argparse.ArgumentParser, runner: Runner) -> None:
    """Add the subcommands to those of ``env``; see `commands_change.add_arguments`."""
    space = commands.add_parser(
        "space", parents=[common], help="what environments, their revisions and the cache take"
    )
    space.set_defaults(run=runner(_space))

    prune = commands.add_parser("prune", parents=[common], help="remove what nobody needs any more")
    prune.add_argument("--cache", action="store_true", help="packages and wheels that nothing needs")
    prune.add_argument(
        "--keep-from",
        nargs=2,
        action="append",
        metavar=("ENV", "N"),
        default=[],
        help="forget the revisions of ENV that are older than N; may be repeated",
    )
    prune.add_argument("--dry-run", action="store_true", help="only tell what that would free")
    prune.set_defaults(run=runner(_prune), parser=prune)


async def _space(arguments: argparse.Namespace, rooms: Rooms) -> int:
    await rooms.space.plan(cache=False, revisions=[])  # measures now: nobody else is waiting
    body = await rooms.space.use()
    if arguments.json:
        print_json(body)
        return 0
    rows = [
        [
            each["name"],
            human_bytes(each["size"]),
            human_bytes(each["size_own"]),
            str(each["revisions"]),
            human_bytes(each["revisions_bytes"]),
        ]
        for each in body["environments"]
    ]
    table(["Name", "Size", "Removing it frees", "Revisions", "They take"], rows)
    cache = body["cache"]
    print(
        f"Package cache {cache['display']}: {human_bytes(cache['size'])}, of it unused "
        f"{human_bytes(cache['unused_bytes'])}"
    )
    print(f"Wheels: {human_bytes(body['wheels']['size'])}")
    limit = body["revisions_limit"]
    print(f"Limit for revisions: {human_bytes(limit) if limit is not None else 'none'}")
    print(f"Free: {human_bytes(body['free_bytes'])}")
    if body["quota"]:
        print(f"Files that can still be made: {body['free_files']:,}")
    return 0


async def _prune(arguments: argparse.Namespace, rooms: Rooms) -> int:
    revisions = []
    for name, number in arguments.keep_from:
        if not number.isdecimal() or int(number) < 1:
            arguments.parser.error(f"not a revision: {number}")
        environment = await find(rooms.envs, name)
        revisions.append({"id": environment.id, "keep_from": int(number)})
    if not arguments.cache and not revisions:
        arguments.parser.error("say what is to go: --cache, or --keep-from ENV N")
    if arguments.dry_run:
        plan = await rooms.space.plan(cache=arguments.cache, revisions=revisions)
        if arguments.json:
            print_json(plan)
            return 0
        for each in plan["packages"]:
            print(each)
        for each in plan["revisions"]:
            print(f"{each['label']}: revisions {', '.join(map(str, each['numbers']))}")
        print(f"That would free {human_bytes(plan['freed_bytes'])} and {plan['freed_files']:,} files.")
        return 0
    started = await rooms.space.prune(cache=arguments.cache, revisions=revisions)
    job = await finish(arguments, rooms.jobs, started)
    if not arguments.json and job.result is not None:
        print(f"{human_bytes(job.result['freed_bytes'])} came back.")
    return 0 if job.state == "done" else 1
