"""Which path on the disk a path of JupyterLab is. Blocks."""

# ruff: noqa: PTH118
from __future__ import annotations

import os

from ..errors import BadInputError


def real_path(root: str, path: str, *, blindly: bool = False) -> str | None:
    """The resolved path; of one that does not exist, as it would be. None for a path of another drive
    (``RTC:notes.ipynb``), whose files are not on this disk.

    Args:
        root: what JupyterLab shows, resolved.
        path: below it, as the contents API has it: with slashes, with or without one in front.
        blindly: ask no storage.

    Raises:
        BadInputError: it leads out of the root by its parts; where links lead is where files are.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if "\0" in path or ".." in parts:
        raise BadInputError(
            "The path cannot be meant.",
            reason="It has a part that no path of JupyterLab has.",
            hint="Give a path as JupyterLab shows it, e.g. private/notes.ipynb.",
        )
    whole = os.path.join(root, *parts)
    # https://jupyterlab.readthedocs.io/en/stable/extension/documents.html: what is before the colon is
    # a drive, unless there is a file of that name.
    if parts and ":" in parts[0] and (blindly or not os.path.lexists(os.path.join(root, parts[0]))):
        return None
    return whole if blindly else os.path.realpath(whole)
