"""Why this server was stopped, written to the user's private storage for the next start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..files import write_json

FORMAT = 1


class LastStop:
    """`.mlinfn/idle/last-stop.json` beside the environments; of a named server
    `last-stop-NAME.json`, for a user's servers share the storage.

    Args:
        state: the folder `.mlinfn`.
        anchor: folder without which the storage is not there, see `envs.places.Places`.
        server: the name of this server at the hub; empty for the default one.
    """

    def __init__(self, state: Path, anchor: Path, server: str = "") -> None:
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", server)
        self.file = state / "idle" / (f"last-stop-{name}.json" if name else "last-stop.json")
        self._anchor = anchor
        self._server = server

    def write(self, body: Mapping[str, Any]) -> None:
        """Replace what was there, as a whole. Blocks.

        Raises:
            OSError: the storage is gone, full or read-only.
        """
        if not self._anchor.is_dir():
            raise FileNotFoundError(f"{self._anchor} is not there")
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.file, {"format": FORMAT, "server": self._server, **body})
