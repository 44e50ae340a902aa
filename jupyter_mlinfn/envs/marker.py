"""Our marker in an environment: that we made it, under which label, and whether it is whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from ..files import write_json

MARKER = "mlinfn"
"""The marker's file in conda-meta; without ``.json``, since conda parses every ``*.json`` there."""


@dataclass(frozen=True)
class Marker:
    """``conda-meta/mlinfn``, JSON; `created` is ISO 8601 in UTC."""

    name: str
    label: str
    created: str
    state: Literal["creating", "ready"]
    specs: Sequence[str]
    channels: Sequence[str]
    job: str
    """Id of the job that makes it: only that job may go on with a half-made environment. Later it tells
    the environment from another one of its name."""
    version: int = 1
    pip_specs: Sequence[str] = ()
    """Requirements that pip was asked for."""
    by: str = "JupyterLab"
    """Who asked for it: ``JupyterLab`` or ``command line``."""
    action: Literal["create", "adopt"] = "create"
    """How it became ours."""
    cuda: str = ""
    """The CUDA that its packages are chosen for: a version, ``none``, or empty where nobody knew."""


def write_marker(prefix: Path, marker: Marker) -> None:
    """Write the marker, whole or not at all.

    Raises:
        OSError: the prefix is gone, or its volume full or read-only.
    """
    folder = prefix / "conda-meta"
    folder.mkdir(exist_ok=True)
    try:
        write_json(folder / MARKER, asdict(marker), indent=1)
    except FileNotFoundError:
        # A new label needs no lease: `sweep_marker` may have taken this for what a kill left behind.
        write_json(folder / MARKER, asdict(marker), indent=1)


def sweep_marker(prefix: Path) -> None:
    """Remove what a process that was killed while it wrote the marker left beside it.

    Raises:
        OSError: the volume is gone or read-only.
    """
    for left in (prefix / "conda-meta").glob(f".{MARKER}-*"):
        left.unlink(missing_ok=True)


def read_marker(prefix: Path) -> Marker | None:
    """The marker, or None where there is none or it is not readable as one."""
    try:
        body = json.loads((prefix / "conda-meta" / MARKER).read_text(encoding="utf-8"))
        marker = Marker(**{name: body[name] for name in Marker.__dataclass_fields__ if name in body})
    except (OSError, ValueError, TypeError):
        return None
    lists = (marker.specs, marker.channels, marker.pip_specs)
    if not all(isinstance(each, (list, tuple)) for each in lists):
        return None
    texts = [marker.name, marker.label, marker.created, marker.job, marker.by, marker.action, marker.cuda]
    texts += [text for each in lists for text in each]
    return marker if all(isinstance(text, str) for text in texts) else None


def relabel(prefix: Path, label: str, otherwise: Marker) -> None:
    """Change the label; an environment without a marker gets `otherwise`, labelled so."""
    write_marker(prefix, replace(read_marker(prefix) or otherwise, label=label))
