"""What this room is told by others, through the app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Rescue = Callable[[Sequence[str] | None, float, Callable[[str], None]], Awaitable[Mapping[str, Any] | None]]
"""See `ending.Surroundings.rescue`."""


@dataclass
class Others:
    """All but the rescue answer at once, and look at nothing that may hang.

    Attributes:
        rescue: copies what would be lost to where it lasts; None where nobody does.
        freed: what a stop gives back, `{gpu, slices, cpus, memory_bytes}`; blocks for some
            milliseconds: to be called in a thread.
        lost: how much of the user's is lost at a stop, `{files, bytes}`; None where nobody counted.
        moved: told that the end, what pages answered, or a kernel is another than before.
    """

    rescue: Rescue | None = None
    freed: Callable[[], Mapping[str, Any] | None] = lambda: None
    lost: Callable[[], Mapping[str, int] | None] = lambda: None
    moved: Callable[[], None] = lambda: None
