"""docs/benchmarks.md: one part per question, each with the day and the machine it was measured on.

A run of some questions replaces their parts only; the list of goals at the top is read off the parts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from .report import Section

_ABOUT = """# Benchmarks

Made by `make bench` (`MLINFN_PROOF=1 make bench`: the full counts; `ARGS="--only change gpu"`: some of the
questions). Peers take turns with us in one run, so that a busy machine is as busy for them. Those that are
not on PATH are "not present"; `ARGS="--conda PATH"` names a conda.
"""
_GOALS = "Goals"
_GOAL = re.compile(r"^- .*(\*\*met\*\*|\*\*not met\*\*|not measured)$", re.MULTILINE)


def updated(page: str, sections: Sequence[Section], measured: str) -> str:
    """The page with these sections in place of those of the same title; new ones at the end.

    Args:
        page: as it is; may be empty.
        measured: when and on what, for each of the sections.
    """
    parts = _parts(page)
    for section in sections:
        parts[section.title] = f"{section.markdown().rstrip()}\n\n*{measured}*\n"
    goals = [f"{found.group()} ({title})" for title, text in parts.items() for found in _GOAL.finditer(text)]
    return "\n".join([_ABOUT, f"## {_GOALS}\n", *goals, "", *parts.values()])


def update(file: Path, sections: Sequence[Section], measured: str) -> None:
    """`updated`, in place."""
    file.write_text(updated(file.read_text() if file.exists() else "", sections, measured))


def _parts(page: str) -> dict[str, str]:
    found = re.split(r"^## (.+)$", page, flags=re.MULTILINE)[1:]
    pairs = zip(found[::2], found[1::2], strict=True)
    return {title: f"## {title}\n\n{text.strip()}\n" for title, text in pairs if title != _GOALS}
