"""What runs in terminals besides the shell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

import psutil

from .around import Terminal

_SHELLS = frozenset(("bash", "sh", "dash", "zsh", "fish", "ksh", "mksh", "csh", "tcsh", "ash", "busybox"))
_INTERPRETERS = ("python", "perl", "ruby", "node", "julia", "Rscript")
_MOST = 20
_US = re.compile(r"(.*/)?jupyter-mlinfn|jupyter_mlinfn\.cli")


def programs(terminals: Sequence[Terminal]) -> list[dict[str, Any]]:
    """Terminals in which a program runs, with the programs' names. Blocks: it asks /proc."""
    found = []
    for each in terminals:
        if each.pid is not None and (names := list(dict.fromkeys(_below(each.pid)))):
            found.append({"name": each.id, "title": each.title, "programs": names[:_MOST]})
    return found


def _below(pid: int) -> Iterator[str]:
    """Names of the children, and of those of shells in the shell; their own children are theirs."""
    try:
        children = psutil.Process(pid).children()
    except psutil.Error:
        return
    for child in children:
        # One that has gone meanwhile runs no more.
        try:
            if child.status() == psutil.STATUS_ZOMBIE:
                continue
            name, arguments = child.name(), child.cmdline()[1:]
        except psutil.Error:
            continue
        if "stop" in arguments and any(_US.fullmatch(each) for each in (name, *arguments)):
            # Whoever asks for the stop from there.
            continue
        script = next((each for each in arguments if not each.startswith("-")), None)
        if name.lstrip("-") in _SHELLS and script is None:
            yield from _below(child.pid)
        elif script is not None and _runs_scripts(name) and "-c" not in arguments and "-m" not in arguments:
            yield f"{name} {PurePath(script).name}"[:100]
        else:
            yield name


def _runs_scripts(name: str) -> bool:
    return name in _SHELLS or name.startswith(_INTERPRETERS)
