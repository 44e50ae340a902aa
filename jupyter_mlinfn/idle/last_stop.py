"""Why this server was stopped, written to the user's private storage for the next start."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..files import write_json

FORMAT = 2

_LARGEST = 16 * 1024**2
"""Bytes: no record is as large, and what somebody puts in its place fills no memory."""


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

    def read(self) -> dict[str, Any] | None:
        """The record of this server; None where there is none. Blocks.

        Raises:
            OSError: the storage is gone.
            ValueError: it is not what this version writes of this server.
        """
        try:
            with self.file.open("rb") as file:
                text = file.read(_LARGEST + 1)
        except FileNotFoundError:
            return None
        if len(text) > _LARGEST:
            raise ValueError("it is larger than any record")
        try:
            body = json.loads(text)
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error
        if not isinstance(body, dict) or body.get("format") != FORMAT:
            raise ValueError("it is of another version")
        if body.get("server") != self._server:
            raise ValueError("it is of another server")
        return body

    def note(self, record: Mapping[str, Any], **more: Any) -> None:
        """Add to a record that was read, unless another has taken its place. Blocks.

        Raises:
            OSError: the storage is gone, full or read-only.
        """
        try:
            present = self.read()
        except ValueError:
            return
        if present is not None and present.get("time") == record.get("time"):
            write_json(self.file, {**present, **more})
