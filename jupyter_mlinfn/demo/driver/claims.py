"""Memory that a living process holds on a simulated device: a file in a folder next to the state file.

The library adds it to the device, and lets it go when the process exits; see `source/holders.c`. This
needs nothing but the standard library: a notebook's kernel runs a copy of it, `mlinfn_burn`, from the
demo's channel.
"""

from __future__ import annotations

from pathlib import Path


def claims_folder(state_file: Path) -> Path:
    """Where the claims of the driver are that has this state file."""
    return state_file.with_name(f"{state_file.name}.claims")
