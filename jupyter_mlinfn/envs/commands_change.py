"""``jupyter mlinfn env install|update|remove|revisions|rollback|adopt|label``."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..jobs.models import Job
from .command_line import CUDA_HELP, find, finish, mark_in_words, print_json, processes_in
from .console import human_bytes, table
from .models import Environment
from .revising import WantedChange

if TYPE_CHECKING:
    from ..wiring import Rooms

Runner = Callable[[Callable[[argparse.Namespace, "Rooms"], Any]], Callable[[argparse.Namespace], int]]

SIGNS = {"added": "+", "newer": "↑", "older": "↓", "rebuilt": "↻", "removed": "-"}


def add_arguments(commands: Any, common: argparse.ArgumentParser, runner: Runner) -> None:
    """Add the subcommands to those of ``env``.

    Args:
        runner: makes of a command what argparse is to run.
    """
    dry = argparse.ArgumentParser(add_help=False, parents=[common])
    dry.add_argument("name", metavar="ENV")
    dry.add_argument("--dry-run", action="store_true", help="only tell what would change")
    change = argparse.ArgumentParser(add_help=False, parents=[dry])
    change.add_argument("-c", "--channel", action="append", metavar="CHANNEL", help="may be repeated")
    change.add_argument("--pip", action="store_true", help="by pip, for what the channels do not have")
    solve = argparse.ArgumentParser(add_help=False, parents=[change])
    solve.add_argument("--cuda", metavar="VERSION", help=f"{CUDA_HELP}, or auto; default: as it was made")

    install = commands.add_parser("install", parents=[solve], help="install packages")
    install.add_argument("specs", metavar="SPEC", nargs="+", help="conda match spec, e.g. 'numpy <2'")
    install.set_defaults(run=runner(_change), action="install")

    update = commands.add_parser("update", parents=[solve], help="update packages, by default all")
    update.add_argument("specs", metavar="SPEC", nargs="*", help="name, or match spec")
    update.set_defaults(run=runner(_change), action="update")

    remove = commands.add_parser("remove", parents=[change], help="remove packages from an environment")
    remove.add_argument("specs", metavar="PACKAGE", nargs="+")
    remove.set_defaults(run=runner(_change), action="remove")

    revisions = commands.add_parser("revisions", parents=[common], help="what an environment has been")
    revisions.add_argument("name", metavar="ENV")
    revisions.set_defaults(run=runner(_revisions))

    rollback = commands.add_parser("rollback", parents=[dry], help="go back to a revision")
    rollback.add_argument("revision", metavar="N", type=int)
    rollback.set_defaults(run=runner(_rollback))

    adopt = commands.add_parser(
        "adopt", parents=[common], help="take an environment that conda made under revisions"
    )
    adopt.add_argument("name", metavar="ENV")
    adopt.set_defaults(run=runner(_adopt))

    label = commands.add_parser("label", parents=[common], help="change the label; the name stays")
    label.add_argument("name", metavar="ENV")
    label.add_argument("label", metavar="TEXT")
    label.set_defaults(run=runner(_label))


async def _change(arguments: argparse.Namespace, rooms: Rooms) -> int:
    environment = await find(rooms.envs, arguments.name)
    body = {
        "action": arguments.action,
        "specs": arguments.specs,
        "manager": "pip" if arguments.pip else "conda",
        "channels": arguments.channel,
        "cuda": getattr(arguments, "cuda", None),
    }
    return await _plan_or_do(arguments, rooms, environment, await rooms.revising.check(body))


async def _rollback(arguments: argparse.Namespace, rooms: Rooms) -> int:
    environment = await find(rooms.envs, arguments.name)
    wanted = WantedChange("rollback", target=arguments.revision)
    return await _plan_or_do(arguments, rooms, environment, wanted)


async def _plan_or_do(
    arguments: argparse.Namespace, rooms: Rooms, environment: Environment, wanted: WantedChange
) -> int:
    if arguments.dry_run:
        plan = await rooms.revising.plan(environment.id, wanted)
        if arguments.json:
            print_json(plan)
        else:
            _show_plan(plan)
        return 0 if plan["fits"] else 1
    job = await finish(arguments, rooms.jobs, await rooms.revising.change(environment.id, wanted))
    if not arguments.json and job.result is not None:
        _show_changes(job.result["packages"])
        print(f"{environment.name} is at revision {job.result['revision']}.")
        await _tell_users(environment, job)
    # In a server that goes on behind the user's back; this process ends now.
    await rooms.space.trimmed()
    return 0 if job.state == "done" else 1


async def _tell_users(environment: Environment, job: Job) -> None:
    users = await asyncio.to_thread(processes_in, environment.prefix)
    if users and job.result and job.result["packages"]:
        print(f"{len(users)} process(es) run in it and know it as it was: {'; '.join(users[:5])}")


def _show_plan(plan: Mapping[str, Any]) -> None:
    if plan["drift"] is not None:
        print(f"Changed outside, which is recorded first: {in_words(plan['drift'])}")
    for warning in plan["warnings"]:
        print(f"Warning: {warning}", file=sys.stderr)
    if not plan["packages"] and not files_in_words(plan["files"]):
        print("Nothing would change.")
        return
    _show_changes(plan["packages"])
    if files := files_in_words(plan["files"]):
        print(f"Put right: {files}")
    for mark in plan["cuda_builds"]:
        print(mark_in_words(mark, plan["cuda"]))
    need = ("about " if plan["estimated"] else "") + human_bytes(plan["installed_bytes"])
    print(
        f"{human_bytes(plan['download_bytes'])} to download, needs {need} "
        f"of {human_bytes(plan['free_bytes'])} left"
    )
    if not plan["fits"]:
        print("It does not fit: remove environments that you no longer need.", file=sys.stderr)


def _show_changes(packages: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        [
            SIGNS[change["change"]],
            change["name"] + (" (pip)" if change["manager"] == "pip" else ""),
            change["from_version"] or "",
            change["to_version"] or "",
            human_bytes(change["size"]) if change["size"] is not None else "",
        ]
        for change in packages
    ]
    if rows:
        table(["", "Package", "From", "To", "Size"], rows)


async def _revisions(arguments: argparse.Namespace, rooms: Rooms) -> int:
    environment = await find(rooms.envs, arguments.name)
    body = await rooms.revising.revisions(environment.id)
    if arguments.json:
        print_json(body)
        return 0
    rows = [
        [
            f"{revision['number']}{' *' if revision['current'] else ''}",
            revision["created"][:16].replace("T", " "),
            _done(revision),
            _summary(revision),
            revision["by"],
            "" if revision["restorable"] else str(revision["problem"]),
        ]
        for revision in body["revisions"]
    ]
    table(["Revision", "When (UTC)", "What", "Packages", "By", ""], rows)
    if body["drift"] is not None:
        print(f"Changed outside since: {in_words(body['drift'])}")
    print("Go back to one: jupyter mlinfn env rollback ENV N")
    return 0


def _done(revision: Mapping[str, Any]) -> str:
    if revision["action"] == "rollback":
        return f"back to {revision['target']}"
    return " ".join([revision["action"], *revision["asked"]])


def _summary(revision: Mapping[str, Any]) -> str:
    counts: dict[str, int] = {}
    for change in revision["packages"]:
        sign = SIGNS[change["change"]]
        counts[sign] = counts.get(sign, 0) + 1
    return " ".join(f"{sign}{count}" for sign, count in counts.items())


async def _adopt(arguments: argparse.Namespace, rooms: Rooms) -> int:
    environment = await find(rooms.envs, arguments.name)
    job = await finish(arguments, rooms.jobs, await rooms.revising.adopt(environment.id))
    if not arguments.json:
        print(f"{environment.name} is managed here now; this is its revision 1.")
    return 0 if job.state == "done" else 1


async def _label(arguments: argparse.Namespace, rooms: Rooms) -> int:
    environment = await find(rooms.envs, arguments.name)
    relabelled = await rooms.envs.relabel(environment.id, arguments.label)
    if arguments.json:
        print_json({"id": relabelled.id, "name": relabelled.name, "label": relabelled.label})
    else:
        print(f"{environment.name} is called {relabelled.label!r} now.")
    return 0


def in_words(drift: Mapping[str, Any]) -> str:
    """What was changed outside, in a line."""
    parts = [
        f"{SIGNS[change['change']]} {change['name']} {change['to_version'] or change['from_version']}"
        for change in drift["packages"][:5]
    ]
    if len(drift["packages"]) > len(parts):
        parts.append(f"{len(drift['packages']) - len(parts)} more packages")
    if files := files_in_words(drift["files"]):
        parts.append(files)
    return ", ".join(parts)


def files_in_words(files: Mapping[str, Any]) -> str:
    """Changed files, in a phrase; empty where there are none."""
    parts = []
    for what, count in (("edited", files["modified_count"]), ("missing", files["missing_count"])):
        if count:
            first = files["modified" if what == "edited" else "missing"][0]["path"]
            parts.append(f"{count} file{'s' if count > 1 else ''} {what} ({first})")
    return ", ".join(parts)
