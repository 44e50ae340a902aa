"""Distributions that pip installed once, unpacked again from their kept wheels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ...errors import DependencyError, MlinfnError
from ..history.contents import PipEntry
from . import pip_install
from .pip_models import PlannedWheel


def stage(
    entries: Sequence[PipEntry],
    *,
    into: Path,
    prefix: Path,
    store: Path,
    python: str | None,
    log: Callable[[str], None],
) -> None:
    """Unpack what a revision remembers of pip into a staging folder.

    Wheels that are kept are taken; others are loaded again from where they came, or from the index.

    Args:
        python: ``3.12``, that of the revision.

    Raises:
        MlinfnError: one is neither kept nor to be had.
    """
    planned = [
        PlannedWheel(
            name=entry["name"],
            version=entry["version"],
            url=entry["url"],
            sha256=entry["wheel_sha256"],
            requested=entry["requested"],
            direct_url=entry["direct_url"],
        )
        for entry in entries
    ]
    try:
        wheels = pip_install.fetch(planned, store, prefix=prefix, log=log, python_version=python)
    except MlinfnError as error:
        raise DependencyError(
            "What pip had installed cannot be had again.",
            reason=str(error),
            hint="Choose another revision, or install it anew.",
        ) from error
    into.mkdir(exist_ok=True)
    pip_install.stage(wheels, staging=into, prefix=prefix, python_version=python)
