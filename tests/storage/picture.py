"""Machines as their tables of mounts describe them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_mlinfn.storage.folders import Folders
from jupyter_mlinfn.storage.mounts import MountTable
from jupyter_mlinfn.storage.picture import Picture

MACHINES = Path(__file__).parent / "machines"


def table(machine: str) -> MountTable:
    return MountTable.parse((MACHINES / f"{machine}.mountinfo").read_bytes())


def picture(machine: str, root: str = "/home/jovyan", **folders: Any) -> Picture:
    """With a private folder below the root, unless told otherwise."""
    found: dict[str, Any] = {
        "root": root,
        "home": root,
        "private": f"{root}/private",
        "said_to_last": False,
        "environments": f"{root}/private/environments",
        "shared": [f"{root}/shared"],
    }
    return Picture(table(machine), Folders(**found | folders))
