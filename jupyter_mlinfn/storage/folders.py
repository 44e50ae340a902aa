"""The folders that matter to the user, found on the disk. Blocks, also for ever on storage that hangs."""

# Paths are str throughout the room: names of a million files are.
# ruff: noqa: PTH111, PTH112, PTH117, PTH118

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .config import StorageConfig


@dataclass(frozen=True)
class Folders:
    """Absolute paths, resolved.

    Attributes:
        root: what JupyterLab shows.
        private: None where it is not there.
        said_to_last: an admin wrote down that `private` is the user's folder that lasts.
        shared: with the same for everybody, of those that are there.
        persistent, ephemeral: as the admin configured them.
        ignored: not the user's work: Jupyter's own folders, caches.
        shown: those of `private` and `shared` that are links in the root, by where they lead: the path
            that JupyterLab has for them.
    """

    root: str
    home: str
    private: str | None
    said_to_last: bool
    environments: str
    shared: Sequence[str]
    persistent: Sequence[str] = ()
    ephemeral: Sequence[str] = ()
    ignored: Sequence[str] = ()
    shown: Mapping[str, str] = field(default_factory=dict)


def find(
    config: StorageConfig,
    root: Path,
    environments: Path,
    private_dir: str,
    shared: Sequence[str],
    *,
    blindly: bool = False,
) -> Folders:
    """The folders by the configuration.

    Args:
        environments: the user's own.
        private_dir: the trait of that name; empty for `private` below the root.
        shared: folders with environments for everybody.
        blindly: ask no storage, which then does not block: as if all were there, and no links.

    Raises:
        OSError: a storage fails.
    """
    real = os.path.abspath if blindly else os.path.realpath
    base = real(root)

    def resolved(folder: str) -> str:
        return real(os.path.join(base, os.path.expanduser(folder)))

    def there(folder: str) -> bool:
        return blindly or os.path.isdir(folder)

    private = resolved(private_dir or "private")
    common = dict.fromkeys(resolved(folder) for folder in ("shared", *shared))
    linked = {
        resolved(name): name
        for name in (private_dir or "private", "shared")
        if not os.path.isabs(os.path.expanduser(name)) and resolved(name) != os.path.join(base, name)
    }
    return Folders(
        root=base,
        home=real(Path.home()),
        private=private if there(private) else None,
        said_to_last=bool(private_dir),
        environments=real(environments),
        shared=[folder for folder in common if there(folder)],
        persistent=[resolved(folder) for folder in config.persistent_folders],
        ephemeral=[resolved(folder) for folder in config.ephemeral_folders],
        ignored=[
            resolved(folder)
            for folder in (*_of_jupyter(), *(each for each in config.rescue_ignored if "/" in each))
        ],
        shown=linked,
    )


def _of_jupyter() -> list[str]:
    """Where Jupyter and IPython keep what they write by themselves."""
    from jupyter_core import paths

    ipython = os.environ.get("IPYTHONDIR") or "~/.ipython"
    return [paths.jupyter_runtime_dir(), paths.jupyter_data_dir(), paths.jupyter_config_dir(), ipython]
