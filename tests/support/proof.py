"""Full counts under `make proof`, a seeded sample of them under `make test`."""

from __future__ import annotations

import os
from collections import Counter

PROOF = os.environ.get("MLINFN_PROOF") == "1"

NOTES: list[str] = []
COUNTS: Counter[str] = Counter()


def sample(few: int, many: int) -> int:
    """How many to do: `many` under `make proof`, else `few`."""
    return many if PROOF else few


def note(text: str) -> None:
    """Say in the summary of the run how many were done: to be called when they have been."""
    NOTES.append(text)


def count(what: str, number: int = 1) -> None:
    """Add to a number that the summary of the run tells, of all workers together."""
    COUNTS[what] += number
