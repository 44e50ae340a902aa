"""`conda-meta/history`, as conda itself writes and reads it.

The format is that of conda's own reader, ``conda/history.py``: a head ``==> TIME <==``, comments
``# cmd:``, ``# conda version:`` and ``# update specs: [...]`` (a Python literal), then a line
``+CHANNEL/SUBDIR::NAME-VERSION-BUILD`` per package. `conda env export --from-history` and
`conda list --revisions` read it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from rattler import RepoDataRecord

DEFAULT_ALIAS = "https://conda.anaconda.org/"


def distribution(record: RepoDataRecord) -> str:
    """``conda-forge/linux-64::python-3.12.4-h194c7f8_0_cpython``."""
    channel = record.channel.rstrip("/").removeprefix(DEFAULT_ALIAS)
    return f"{channel}/{record.subdir}::{record.name.normalized}-{record.version}-{record.build}"


def entry(
    command: Sequence[str], specs: Sequence[str], records: Sequence[RepoDataRecord], when: datetime
) -> str:
    """The text of one revision."""
    lines = [
        f"==> {when:%Y-%m-%d %H:%M:%S} <==",
        "# cmd: " + " ".join(command),
        *sorted(f"+{distribution(record)}" for record in records),
        f"# update specs: {list(specs)!r}",
    ]
    return "\n".join(lines) + "\n"


def write(prefix: Path, text: str) -> None:
    """Append a revision; readers see the old file or the new one."""
    history = prefix / "conda-meta" / "history"
    before = history.read_text(encoding="utf-8") if history.exists() else ""
    fresh = history.with_name(".history.new")
    with fresh.open("w", encoding="utf-8") as out:
        out.write(before + text)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(history)


def change_entry(
    command: Sequence[str],
    specs: Mapping[str, Sequence[str]],
    *,
    gone: Sequence[str],
    came: Sequence[str],
    when: datetime,
) -> str:
    """The text of a revision that changes packages.

    Args:
        specs: by conda's word for what was done with them (``update``, ``remove``).
        gone, came: as `distribution` names packages.
    """
    lines = [
        f"==> {when:%Y-%m-%d %H:%M:%S} <==",
        "# cmd: " + " ".join(command),
        *sorted(f"-{name}" for name in gone),
        *sorted(f"+{name}" for name in came),
        *(f"# {word} specs: {list(texts)!r}" for word, texts in specs.items() if texts),
    ]
    return "\n".join(lines) + "\n"
