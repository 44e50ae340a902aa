"""Full counts under `make proof`, a seeded sample of them under `make test`."""

from __future__ import annotations

import os

PROOF = os.environ.get("MLINFN_PROOF") == "1"

NOTES: list[str] = []


def sample(few: int, many: int) -> int:
    """How many to do: `many` under `make proof`, else `few`."""
    return many if PROOF else few


def note(text: str) -> None:
    """Say in the summary of the run how many were done."""
    NOTES.append(text)
