"""What a question's answer looks like, and the machine that it was measured on."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

NOT_PRESENT = "not present"


@dataclass(frozen=True)
class Goal:
    """What was aimed at; `met` is None where it could not be measured."""

    text: str
    measured: str
    met: bool | None

    def __str__(self) -> str:
        verdict = {True: "**met**", False: "**not met**", None: "not measured"}[self.met]
        return f"{self.text}: {self.measured}, {verdict}"


@dataclass(frozen=True)
class Section:
    """The answer to one question: a table, goals, and what one has to know to read them."""

    title: str
    text: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    goals: Sequence[Goal] = ()
    notes: Sequence[str] = field(default_factory=list)

    def markdown(self) -> str:
        align = "|" + "|".join(["---", *["--:"] * (len(self.head) - 1)]) + "|"
        table = ["| " + " | ".join(row) + " |" for row in self.rows]
        lines = [f"## {self.title}", "", self.text, "", "| " + " | ".join(self.head) + " |", align, *table]
        for block in ([f"- {goal}" for goal in self.goals], [f"- {note}" for note in self.notes]):
            if block:
                lines += ["", *block]
        return "\n".join(lines) + "\n"


def below(text: str, ratio: float | None, limit: float, unit: str = "") -> Goal:
    """A goal of the kind "at most `limit`"."""
    if ratio is None:
        return Goal(text, NOT_PRESENT, None)
    return Goal(text, f"{ratio:.3g}{unit}", ratio <= limit)


def seconds(values: Sequence[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.2f} s ({min(values):.2f} – {max(values):.2f})"


def ratio(values: Sequence[float], to: Sequence[float]) -> float:
    """Of the medians."""
    return statistics.median(values) / statistics.median(to)


class Machine:
    """Watches how much of the processors others took while we measured."""

    def __init__(self) -> None:
        self._busy, self._own = _busy_seconds(), _own_seconds()
        self._start = datetime.now(timezone.utc)

    def describe(self) -> list[str]:
        elapsed = (datetime.now(timezone.utc) - self._start).total_seconds()
        others = (_busy_seconds() - self._busy) - (_own_seconds() - self._own)
        share = max(0.0, others / (elapsed * (os.cpu_count() or 1)))
        state = "a busy machine: trust ratios, not times" if share > 0.1 else "a quiet machine"
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        versions = ", ".join(
            f"{name} {version(name)}"
            for name in ("jupyter-mlinfn", "py-rattler", "jupyter-server", "jupyterlab")
        )
        return [
            f"{self._start:%Y-%m-%d %H:%M} UTC, in {elapsed / 60:.1f} minutes",
            f"{os.cpu_count()} cores ({_cpu()}), {total / 2**30:.0f} GB, "
            f"{platform.system()} {platform.release()}",
            f"Python {platform.python_version()}, {versions}",
            f"Others took {share:.0%} of the processors meanwhile: {state}",
        ]


def _busy_seconds() -> float:
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _, _, irq, softirq, *_ = (int(value) for value in fields)
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    return platform.machine()


def say(line: str) -> None:
    """Progress, for who watches."""
    print(line, file=sys.stderr, flush=True)
