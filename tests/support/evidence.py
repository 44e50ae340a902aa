"""What is printed of a test that fails: what servers, hubs, kernels and pages said while it ran.

    with shown_if_red("the hub said", folder / "hub.log"):
        …

A pytest plugin (`tests/conftest.py`); it adds sections to the report, and the one command that runs
the test again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

LINES = 25
"""At most so many of each."""
WIDTH = 300
"""Characters of a line at most: a page's console likes to say a megabyte in one."""

_STACKS = "~ Stack of "
"""What pytest-timeout prints above the stack of each thread of a test that hangs."""

Picture = Callable[[Path], str]
"""Puts a picture below a folder, and says in a line where it is and what it shows."""


@dataclass
class _File:
    title: str
    file: Path
    since: int = 0
    over: bool = False

    def size(self) -> int:
        return self.file.stat().st_size if self.file.exists() else 0

    def said(self) -> tuple[list[str], list[str]]:
        """Before this test, and during it."""
        if not self.file.exists():
            return [], []
        data = self.file.read_bytes()
        before, during = data[: self.since], data[self.since :]
        return before.decode(errors="replace").splitlines(), during.decode(errors="replace").splitlines()


@dataclass
class _Lines:
    title: str
    lines: list[str]
    since: int = 0
    over: bool = False

    def size(self) -> int:
        return len(self.lines)

    def said(self) -> tuple[list[str], list[str]]:
        return self.lines[: self.since], self.lines[self.since :]


_witnesses: list[_File | _Lines] = []
_pictures: list[Picture] = []


@contextmanager
def shown_if_red(title: str, said: Path | list[str]) -> Iterator[None]:
    """Show the end of what is said in this context, or said before and during the test that uses it.

    Args:
        said: a file, or lines that somebody goes on adding to.
    """
    witness = _File(title, said) if isinstance(said, Path) else _Lines(title, said)
    _witnesses.append(witness)
    try:
        yield
    finally:
        witness.over = True


@contextmanager
def pictured_if_red(take: Picture) -> Iterator[None]:
    """Take a picture when a test fails within this context."""
    _pictures.append(take)
    try:
        yield
    finally:
        _pictures.remove(take)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    _witnesses[:] = [each for each in _witnesses if not each.over]
    for each in _witnesses:
        each.since = each.size()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    outcome: Any = yield
    report = outcome.get_result()
    if not report.failed:
        return
    _leave_out_what_others_wrote(report)
    report.sections[:] = [
        (title, text) if _STACKS in text else _section(title, text.splitlines())
        for title, text in report.sections
    ]
    for each in _witnesses:
        before, lines = each.said()
        if before and len(lines) < LINES:
            # What is shared by several tests may have said before what this one is red for.
            lines = [*before[len(lines) - LINES :], "--- here this test began ---", *lines]
        if lines:
            report.sections.append(_section(f"{each.title} ({call.when})", lines))
    if call.when != "teardown" and _pictures:
        folder = _folder(item)
        report.sections.append(("pictures", "\n".join(take(folder) for take in _pictures)))
    report.sections.append(("run it again", again(item)))


def _section(title: str, lines: list[str]) -> tuple[str, str]:
    """The end of it, and a title that says what was left out."""
    shown = (line if len(line) <= WIDTH else f"{line[:WIDTH]} …" for line in lines[-LINES:])
    left = f", the last {LINES} of {len(lines)} lines" if len(lines) > LINES else ""
    return f"{title}{left}", "\n".join(shown)


def _leave_out_what_others_wrote(report: pytest.TestReport) -> None:
    """Of a function of a library, show the line that failed and why: it may be a hundred lines long."""
    for traceback, _, _ in getattr(report.longrepr, "chain", ()):
        for entry in traceback.reprentries:
            where = getattr(entry, "reprfileloc", None)
            if where is not None and (Path(where.path).is_absolute() or where.path.startswith(".venv")):
                entry.reprfuncargs = None
                entry.lines = [line for line in entry.lines if line.startswith((">", "E"))]


def _folder(item: pytest.Item) -> Path:
    folder = item.config.rootpath / ".build" / "red" / re.sub(r"[^\w.-]+", "-", item.nodeid)[-150:]
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def again(item: pytest.Item) -> str:
    """The command that runs this test alone, as it was run."""
    words = [f"{name}={os.environ[name]}" for name in ("MLINFN_SEED", "MLINFN_PROOF") if os.environ.get(name)]
    seed = getattr(item.config.option, "randomly_seed", None)
    options = [] if seed in (None, "default") else [f"--randomly-seed={seed}"]
    node = item.nodeid.replace("'", "'\\''")
    return " ".join([*words, "make test", f"ARGS=\"{' '.join(options)} '{node}'\""])
