"""What a walk could not read, by name: it is lost with the server, and nobody has seen how much it is."""

from __future__ import annotations

from ..walk import Skipped
from .journal import Line


class Unread(Skipped):
    """Attributes:
    lines: for the journal, see there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Line] = []

    def note(self, path: str, error: OSError) -> None:
        super().note(path, error)
        # What is not there any more cannot be lost.
        if not isinstance(error, FileNotFoundError):
            reason = f"It cannot be read: {error.strerror or error}."
            self.lines.append({"left": path, "size": None, "reason": reason})
