"""``jupyter mlinfn env create|list|show|delete``; for what changes one see `commands_change`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .. import wiring
from ..config import MlinfnConfig
from ..errors import ConflictError, NotFoundError
from . import commands_change, commands_gpu, commands_space, views
from .command_line import (
    CUDA_HELP,
    cuda_in_words,
    cuda_kept_in_words,
    find,
    finish,
    mark_in_words,
    print_json,
    processes_in,
)
from .console import human_bytes, table
from .service import RunningKernel
from .writer import this_command_line

LoadConfig = Callable[[str | None], tuple[MlinfnConfig, Path]]


class NoKernels:
    """A terminal runs no kernels of its own (`service.Kernels`)."""

    async def running(self) -> list[RunningKernel]:
        return []

    async def shut_down(self, kernel_id: str) -> None:
        raise NotFoundError(f"There is no kernel {kernel_id} here.")


def add_arguments(parser: argparse.ArgumentParser, load_config: LoadConfig) -> None:
    """Add the subcommands.

    Args:
        load_config: gives the configuration for the private folder of the command line.
    """
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="answer JSON on stdout")
    common.add_argument(
        "--private-dir",
        metavar="DIR",
        help="storage that lasts; environments are in its subfolder 'environments'",
    )
    commands: Any = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    create = commands.add_parser("create", parents=[common], help="create an environment and its kernel")
    create.add_argument("name", metavar="NAME", help="lower-case letters, digits, '.', '_' and '-'")
    create.add_argument("specs", metavar="SPEC", nargs="*", help="conda match spec, e.g. 'numpy <2'")
    create.add_argument("-c", "--channel", action="append", metavar="CHANNEL", help="may be repeated")
    create.add_argument(
        "--pip", action="append", metavar="REQ", help="for pip to install afterwards; may be repeated"
    )
    create.add_argument("--label", help="name for people; default NAME")
    create.add_argument("--cuda", metavar="VERSION", help=CUDA_HELP)
    create.add_argument("--dry-run", action="store_true", help="only tell what would be installed")
    create.set_defaults(run=_runner(load_config, _create))

    list_ = commands.add_parser("list", parents=[common], help="one's own environments and the shared ones")
    list_.set_defaults(run=_runner(load_config, _list))

    show = commands.add_parser("show", parents=[common], help="one environment and its packages")
    show.add_argument("name", metavar="NAME")
    show.set_defaults(run=_runner(load_config, _show))

    delete = commands.add_parser("delete", parents=[common], help="remove an environment of one's own")
    delete.add_argument("name", metavar="NAME")
    delete.add_argument("--force", action="store_true", help="even if processes run in it")
    delete.set_defaults(run=_runner(load_config, _delete))

    def runner(command: Command) -> Callable[[argparse.Namespace], int]:
        return _runner(load_config, command)

    commands_change.add_arguments(commands, common, runner)
    commands_space.add_arguments(commands, common, runner)
    commands_gpu.add_arguments(commands, common, runner)


Command = Callable[[argparse.Namespace, wiring.Rooms], Any]


def _runner(load_config: LoadConfig, command: Command) -> Callable[[argparse.Namespace], int]:
    def run(arguments: argparse.Namespace) -> int:
        config, root = load_config(arguments.private_dir)

        async def in_loop() -> int:
            _cancel_at_signals()
            async with _rooms(config, root) as rooms:
                return int(await command(arguments, rooms))

        try:
            return asyncio.run(in_loop())
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None

    return run


def _cancel_at_signals() -> None:
    """Ctrl-C and SIGTERM cancel the command, once: a second one would tear the clearing away.

    Left to asyncio.run, Python 3.10 would cancel the job's own task too, which then looks
    interrupted instead of cancelled.
    """
    loop, command = asyncio.get_running_loop(), asyncio.current_task()
    signals = (signal.SIGINT, signal.SIGTERM)

    def stop() -> None:
        for each in signals:
            loop.add_signal_handler(each, lambda: None)
        if command is not None:
            command.cancel()

    for each in signals:
        loop.add_signal_handler(each, stop)


@asynccontextmanager
async def _rooms(config: MlinfnConfig, root: Path) -> AsyncIterator[wiring.Rooms]:
    rooms = wiring.build(config, root, NoKernels(), by="command line", who=this_command_line())
    try:
        yield rooms
    finally:
        await rooms.close()


async def _create(arguments: argparse.Namespace, rooms: wiring.Rooms) -> int:
    envs, jobs = rooms.envs, rooms.jobs
    from . import names

    name = names.check_name(arguments.name)
    wanted = await envs.check(
        arguments.label or name, name, arguments.specs, arguments.channel, arguments.pip or (), arguments.cuda
    )
    if arguments.dry_run:
        plan = await envs.plan(wanted)
        body = views.plan(envs.places, wanted, plan, await envs.space())
        if arguments.json:
            print_json(body)
        else:
            rows = [[p.name, p.version, p.build, human_bytes(p.size)] for p in plan.packages]
            table(["Package", "Version", "Build", "Size"], rows)
            needed = ("about " if body["estimated"] else "") + human_bytes(body["installed_bytes"])
            print(
                f"{body['package_count']} packages, {human_bytes(body['download_bytes'])} to download, "
                f"needs {needed} of {human_bytes(body['free_bytes'])} left"
            )
            print(f"CUDA: {cuda_in_words(wanted.cuda)}")
            for mark in body["cuda_builds"]:
                print(f"  {mark_in_words(mark, wanted.cuda.version)}")
            for warning in body["warnings"]:
                print(f"Warning: {warning}", file=sys.stderr)
        if not body["fits"]:
            print("It does not fit: remove environments that you no longer need.", file=sys.stderr)
        return 0 if body["fits"] else 1
    job = await finish(arguments, jobs, await envs.create(wanted))
    if not arguments.json and job.result is not None:
        kernels = ", ".join(job.result["kernels"]) or "none"
        place = envs.places.display(envs.places.prefix(wanted.name))
        print(f"{wanted.name} is ready in {place}. Kernel: {kernels}")
    return 0 if job.state == "done" else 1


async def _list(arguments: argparse.Namespace, rooms: wiring.Rooms) -> int:
    envs = rooms.envs
    found = await envs.list()
    environments = [
        (await envs.details(environment.id))[0] if environment.origin == "private" else environment
        for environment in found.environments
    ]
    for warning in (*found.warnings, *envs.engine.warnings()):
        print(f"Warning: {warning}", file=sys.stderr)
    if arguments.json:
        checks = await rooms.gpu_check.known(environments)
        listed = [views.environment(envs.places, e, [], check=checks.get(e.id)) for e in environments]
        print_json({"environments": listed})
        return 0
    if not environments:
        print("No environments yet. Make one: jupyter mlinfn env create NAME numpy matplotlib")
        return 0
    rows = [
        [
            e.name,
            e.origin,
            e.python or "-",
            str(e.package_count),
            human_bytes(e.size),
            envs.places.display(e.prefix),
        ]
        for e in environments
    ]
    table(["Name", "Origin", "Python", "Packages", "Size", "Place"], rows)
    return 0


async def _show(arguments: argparse.Namespace, rooms: wiring.Rooms) -> int:
    envs = rooms.envs
    environment, packages = await envs.details((await find(envs, arguments.name)).id)
    drift = await rooms.revising.drift(environment)
    state = (await rooms.revising.states([environment]))[environment.id]
    check = (await rooms.gpu_check.known([environment])).get(environment.id)
    view = views.environment(envs.places, environment, [], *state, check)
    if arguments.json:
        installed = [asdict(package) for package in packages]
        print_json({"environment": view, "packages": installed, "drift": drift, "gpu_check": check})
        return 0
    for title, text in (
        ("Label", environment.label),
        ("Place", view["display"]),
        ("Python", environment.python or "none"),
        ("Size", f"{human_bytes(environment.size)}, {human_bytes(environment.size_own)} of it its own"),
        ("Kernels", ", ".join(kernel.name for kernel in environment.kernels) or "none"),
        ("Asked for", ", ".join(environment.requested_specs) or "-"),
        ("CUDA", cuda_kept_in_words(environment.cuda)),
        ("GPU", commands_gpu.in_words(check) if check else ""),
        ("Link scripts not run", ", ".join(environment.link_scripts_not_run)),
    ):
        if text:
            print(f"{title}: {text}")
    if drift is not None:
        print(f"Changed outside: {commands_change.in_words(drift)}")
    table(
        ["Package", "Version", "Build", "Channel"],
        [[package.name, package.version, package.build, package.channel] for package in packages],
    )
    return 0


async def _delete(arguments: argparse.Namespace, rooms: wiring.Rooms) -> int:
    envs, jobs = rooms.envs, rooms.jobs
    environment = await find(envs, arguments.name)
    if environment.origin == "private" and not arguments.force:
        users = await asyncio.to_thread(processes_in, environment.prefix)
        if users:
            raise ConflictError(
                f"{len(users)} process(es) run in {environment.name}.",
                reason="; ".join(users[:5]),
                hint="End them, or add --force.",
            )
    job = await finish(arguments, jobs, await envs.remove(environment.id, stop_kernels=False))
    if not arguments.json and job.result is not None:
        print(f"{environment.name} is removed; {human_bytes(job.result['freed_bytes'])} came back.")
    return 0 if job.state == "done" else 1
