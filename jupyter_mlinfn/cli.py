"""``jupyter mlinfn …``: the same services from a terminal or a batch job.

Exit codes: 0 done, 1 failed, 2 usage.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_core.application import JupyterApp
from traitlets.config import Config

from . import __version__
from .config import ROOT_VARIABLE, MlinfnConfig
from .errors import BadInputError, MlinfnError

if TYPE_CHECKING:
    from .idle.last_stop import LastStop


class CommandLineConfig(MlinfnConfig, JupyterApp):
    """Reads the configuration files that the server reads, and takes our part of them."""

    name = "jupyter-mlinfn"
    config_file_name = "jupyter_server_config"

    def find_root(self) -> Path:
        configured = self.config.ServerApp.get("root_dir") or Path.home()
        return Path(os.environ.get(ROOT_VARIABLE) or str(configured)).resolve()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: without the program's name; default those of the process.
    Returns:
        The exit code.
    """
    argv = sys.argv[1:] if argv is None else argv
    arguments = _parser(argv).parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except MlinfnError as error:
        report(error, as_json=getattr(arguments, "json", False))
        return 2 if isinstance(error, BadInputError) else 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read our output (head, less) has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def report(error: MlinfnError, *, as_json: bool) -> None:
    """Tell what failed: on stderr for people, on stdout for programs."""
    if as_json:
        print(json.dumps({"error": error.to_json()}, indent=2))
        return
    print(f"Error: {error.message}", file=sys.stderr)
    for part in (error.reason, error.hint):
        if part:
            print(part, file=sys.stderr)


def load_config(private_dir: str | None) -> tuple[MlinfnConfig, Path]:
    """The admin's and the user's configuration, and the server's root folder.

    Args:
        private_dir: of the command line; goes before the files'.
    """
    files = CommandLineConfig()
    files.load_config_file()
    config = Config(files.config)
    # One name for one thing: what is set for the server extension holds here too.
    config.CommandLineConfig.merge(files.config.MlinfnApp)
    if private_dir is not None:
        config.CommandLineConfig.private_dir = str(Path(private_dir).expanduser().resolve())
    app = CommandLineConfig(config=config)
    return app, app.find_root()


def _env(parser: argparse.ArgumentParser) -> None:
    from .envs import commands

    commands.add_arguments(parser, load_config)


def _gpu(parser: argparse.ArgumentParser) -> None:
    from .gpu import commands

    commands.add_arguments(parser)


def _idle(parser: argparse.ArgumentParser) -> None:
    from .idle import commands

    commands.add_arguments(parser)


def _storage(parser: argparse.ArgumentParser) -> None:
    from .storage import commands

    commands.add_arguments(parser, load_config)


def _stop(parser: argparse.ArgumentParser) -> None:
    from .session import commands

    def last_stop() -> LastStop:
        from .envs.places import Places
        from .idle.last_stop import LastStop

        config, root = load_config(None)
        places = Places.find(root, config.private_dir, config.shared_environments)
        return LastStop(places.state, places.anchor, os.environ.get("JUPYTERHUB_SERVER_NAME", ""))

    commands.add_arguments(parser, last_stop)


def _demo(parser: argparse.ArgumentParser) -> None:
    from .demo import command

    command.add_arguments(parser)
    parser.set_defaults(run=command.run)


_COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "env": ("environments: create, list, show, delete", _env),
    "gpu": ("my GPU: how full it is, and what holds it", _gpu),
    "idle": ("when this server is stopped, and to keep it", _idle),
    "storage": ("what lasts, what would be lost, and to rescue it", _storage),
    "stop": ("give back all that this server holds, and lose nothing", _stop),
    "demo": ("a small platform in a folder, to try everything out", _demo),
}


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; only the command that is named loads its room, which takes most of the time."""
    parser = argparse.ArgumentParser(
        prog="jupyter mlinfn",
        description="Environments, the GPU and the rest of jupyter-mlinfn, without a page.",
    )
    parser.add_argument("--version", action="version", version=f"jupyter-mlinfn {__version__}")
    rooms: Any = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    named = next((word for word in argv if not word.startswith("-")), "")
    for name, (help_text, add_arguments) in _COMMANDS.items():
        command = rooms.add_parser(name, help=help_text)
        if name == named:
            add_arguments(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
