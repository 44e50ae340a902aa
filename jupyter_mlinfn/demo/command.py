"""`jupyter mlinfn demo`: lays out a small platform and opens JupyterLab on it."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import tempfile
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ..envs.engine import Engine
from ..envs.models import Progress
from ..envs.sources import EngineSettings
from .channel import build_channel, default_folder
from .channel_check import answering_channels
from .gpu import gpu_environment
from .layout import Layout, lay_out, make_read_only, remove
from .server import DemoServer, choose_port

_SHARED_NAME = "physics"
_SPECS = ["python", "ipykernel", "pip"]
_SPECS_OF_OWN_CHANNEL = [*_SPECS, "mlinfn-units", "mlinfn-echo", "mlinfn-gpu"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "--dir",
        type=Path,
        metavar="FOLDER",
        help="lay it out here and keep it; default: a temporary folder, removed at the end",
    )
    parser.add_argument("--port", type=int, help="port of JupyterLab; default: a free one from 8888 on")
    parser.add_argument("--no-browser", action="store_true", help="print the address and open nothing")
    channels = parser.add_mutually_exclusive_group()
    channels.add_argument(
        "-c",
        "--channel",
        action="append",
        default=[],
        metavar="CHANNEL",
        help="conda channel, may be repeated; default: that of .condarc, else conda-forge",
    )
    channels.add_argument(
        "--offline",
        action="store_true",
        help="ask no channel: use the one that is built from the Python and the packages at hand",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C, SIGTERM, or the terminal is closed.

    Returns:
        0 after those, 1 where the server ended by itself.

    Raises:
        BadInputError: the folder or the port cannot be used.
        DependencyError: no channel can be had, or the server does not start.
    """
    console = Console(highlight=False, soft_wrap=True)
    for each in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(each) == signal.SIG_DFL:
            # Else the server, which has a session of its own, would go on with nobody to end it.
            signal.signal(each, signal.default_int_handler)
    port = choose_port(args.port)
    temporary = args.dir is None
    folder = Path(tempfile.mkdtemp(prefix="mlinfn-demo-")) if temporary else args.dir
    try:
        layout = lay_out(folder)
        channels = _channels(args, console)
        _make_shared_environment(layout, channels, console)
        gpu = gpu_environment(layout, console.print)
        with DemoServer(layout, channels, port, gpu) as server:
            console.print(f"\nJupyterLab is on [bold]{server.url}[/bold]")
            console.print(f"Its folder: {layout.folder}{' (temporary)' if temporary else ''}")
            console.print("End it with Ctrl-C.")
            if not args.no_browser:
                webbrowser.open(server.url)
            code = server.wait()
            console.print("\nStopped.")
            return code
    except KeyboardInterrupt:
        console.print("\nStopped.")
        return 0
    finally:
        if temporary:
            remove(folder)


def _channels(args: argparse.Namespace, console: Console) -> list[str]:
    """URLs of the channels to use; the built one where the wanted ones do not answer."""
    if not args.offline:
        wanted, silent = answering_channels(args.channel)
        if silent is None:
            return wanted
        console.print(f"{silent} The demo uses a channel of its own.")
    channel = build_channel(default_folder(), log=console.print)
    return [channel.as_uri()]


def _make_shared_environment(layout: Layout, channels: Sequence[str], console: Console) -> None:
    prefix = layout.environments / _SHARED_NAME
    done = layout.own / f"{_SHARED_NAME}.done"
    if done.exists() and prefix.is_dir():
        return
    if prefix.exists():
        remove(prefix)
    layout.environments.chmod(0o755)
    specs = _SPECS_OF_OWN_CHANNEL if channels[0].startswith("file:") else _SPECS
    packages = layout.own / "pkgs"
    with console.status(f"Making the shared environment {_SHARED_NAME}…"):
        asyncio.run(_install(prefix, specs, channels, packages, layout.own / "repodata"))
    # Without the cache the files have no second name: taking the right to write is theirs alone.
    shutil.rmtree(packages)
    make_read_only(layout.environments)
    done.touch()
    console.print(f"The shared environment {prefix} is made.")


async def _install(
    prefix: Path, specs: Sequence[str], channels: Sequence[str], packages: Path, repodata: Path
) -> None:
    engine = Engine(EngineSettings(channels=list(channels), pkgs_dir=packages, repodata_dir=repodata))

    def ignore(_: Progress | str) -> None:
        """It takes a second or two; what goes wrong is raised."""

    try:
        await engine.install(prefix, specs, on_progress=ignore, on_log=ignore)
    finally:
        await engine.close()
