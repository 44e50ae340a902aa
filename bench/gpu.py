"""What does it cost to look at the GPU, and what happens when its driver hangs?

In a real browser, against jupyterlab-nvdashboard and the same JupyterLab with neither; each has a
server of its own and the same simulated hardware, which counts what it is asked.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.ui.conftest import CHROMIUM

from . import gpu_contestants, gpu_terminal
from .gpu_contestants import CHARTS, NEITHER, NVDASHBOARD, OURS
from .gpu_quiet import Quiet, read_once
from .gpu_stage import Cost, Stage, staged
from .report import NOT_PRESENT, Section, below, say

_TABS = (1, 3)
_WINDOW = 10.0
"""Seconds: JupyterLab's own polls come at that distance."""
_WINDOWS = 2
_HANG = 3.0
_AFTER = 1.0
_LOOKS = 5
"""From a terminal."""


@dataclass
class _Seen:
    """What was measured.

    Attributes:
        costs: by contestant and number of tabs.
        hidden, closed: calls of NVML a minute, by contestant.
        without_account: the same of ours, closed, with `gpu_accounting` off.
        stalls: by contestant, the longest at rest and during a hang; ms.
    """

    costs: dict[tuple[str, int], list[Cost]] = field(default_factory=dict)
    hidden: dict[str, float] = field(default_factory=dict)
    closed: dict[str, float] = field(default_factory=dict)
    without_account: float = 0.0
    stalls: dict[str, tuple[list[float], list[float]]] = field(default_factory=dict)

    def processor(self, name: str, tabs: int, *, above: bool = False) -> float | None:
        """Per cent of a core; `above`: what JupyterLab with neither takes."""
        if (name, tabs) not in self.costs:
            return None
        used = statistics.median(cost.processor for cost in self.costs[name, tabs]) * 100
        return used - (self.processor(NEITHER, tabs) or 0.0) if above else used

    def calls(self, name: str, tabs: int) -> float:
        return statistics.median(cost.calls for cost in self.costs[name, tabs])

    def kilobytes(self, name: str) -> float:
        """A minute and tab, with most tabs."""
        tabs = max(_TABS)
        return statistics.median(cost.bytes for cost in self.costs[name, tabs]) / tabs / 1000

    def ratio(self, tabs: int) -> float | None:
        """Of what ours and nvdashboard add to JupyterLab."""
        ours, theirs = (self.processor(name, tabs, above=True) for name in (OURS, NVDASHBOARD))
        return ours / theirs if ours is not None and theirs else None


def measure(scratch: Path, rounds: int, hangs: int) -> list[Section]:
    """Three tables: JupyterLab, a driver that hangs, a terminal."""
    if not CHROMIUM:
        raise SystemExit("There is no chromium on PATH and no $CHROMIUM: `make bench` installs it.")
    folder = scratch / "gpu"
    folder.mkdir()
    contestants = [gpu_contestants.neither(), gpu_contestants.ours()]
    if peer := gpu_contestants.nvdashboard(folder):
        contestants.append(peer)
    seen = _Seen()
    with ExitStack() as stack:
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        stack.callback(browser.close)
        # These are left alone all the time: a minute is a real one, and costs none.
        without_account = stack.enter_context(read_once(folder / "off", gpu_accounting=False))
        closed = stack.enter_context(read_once(folder / "closed", gpu_accounting=True))
        unseen = stack.enter_context(staged(gpu_contestants.ours(), folder / "hidden", browser))
        unseen.open(1)
        unseen.hide()
        hidden = Quiet(unseen.driver)
        stages = [
            stack.enter_context(staged(each, folder / str(number), browser))
            for number, each in enumerate(contestants)
        ]
        for number in range(rounds):
            say(f"gpu in JupyterLab, round {number + 1} of {rounds}")
            for stage in stages[number % len(stages) :] + stages[: number % len(stages)]:
                _costs(stage, seen, (without_account, closed, hidden))
        seen.hidden[OURS], seen.closed[OURS] = hidden.busiest(), closed.busiest()
        seen.without_account = without_account.busiest()
        for stage in stages:
            if stage.contestant.name != NEITHER:
                say(f"gpu: the driver hangs {hangs} times, {stage.contestant.name}")
                seen.stalls[stage.contestant.name] = _stalls(stage, hangs)
    return [_in_lab(seen, rounds), _hanging(seen, hangs), gpu_terminal.measure(folder / "terminal", _LOOKS)]


def _costs(stage: Stage, seen: _Seen, quiet: Sequence[Quiet]) -> None:
    name = stage.contestant.name
    for tabs in _TABS:
        stage.open(tabs)
        for _ in range(_WINDOWS):
            seen.costs.setdefault((name, tabs), []).append(stage.cost(_WINDOW))
            for each in quiet:
                each.look()
    if name != NVDASHBOARD:
        stage.close()
        return
    # Ours need more than these few seconds to be judged: `quiet` is for them.
    stage.hide()
    seen.hidden[name] = stage.cost(_WINDOW).calls
    stage.close()
    before = stage.calls()
    time.sleep(_WINDOW)
    seen.closed[name] = (stage.calls() - before) * 60 / _WINDOW


def _stalls(stage: Stage, hangs: int) -> tuple[list[float], list[float]]:
    """The longest that the loop was held up, ms: as long before a hang, and during it and a moment after."""
    rest, hung = [], []
    stage.open(1)
    for _ in range(hangs):
        stage.server.get("bench/lag")
        stage.wait(_HANG + _AFTER)
        rest.append(max(stage.server.get("bench/lag")["delays"]))
        stage.driver.hang("*")
        stage.wait(_HANG)
        stage.driver.release()
        stage.wait(_AFTER)
        hung.append(max(stage.server.get("bench/lag")["delays"]))
    stage.close()
    return rest, hung


def _in_lab(seen: _Seen, rounds: int) -> Section:
    n = rounds * _WINDOWS
    rows = [
        [
            name,
            *(_per_cent(seen.processor(name, tabs)) for tabs in _TABS),
            *(_per_cent(seen.processor(name, tabs, above=True)) for tabs in _TABS),
            *(f"{seen.calls(name, tabs):.0f}" for tabs in _TABS),
            f"{seen.hidden[name]:.0f}",
            f"{seen.closed[name]:.0f}",
            f"{seen.kilobytes(name):.0f} kB",
        ]
        for name in (OURS, NVDASHBOARD)
        if name in seen.hidden
    ]
    neither = [_per_cent(seen.processor(NEITHER, tabs)) for tabs in _TABS]
    blank = [""] * 9
    if NVDASHBOARD not in seen.hidden:
        rows.append([NVDASHBOARD, NOT_PRESENT, *blank[1:]])
    ratios = [f"{ratio:.3f} ×" if (ratio := seen.ratio(tabs)) is not None else "" for tabs in _TABS]
    rows += [
        ["ours with `gpu_accounting` off", *blank[:7], f"{seen.without_account:.0f}", ""],
        [NEITHER, *neither, *blank[2:]],
        ["ours : nvdashboard", *blank[:2], *ratios, *blank[4:]],
    ]
    return Section(
        "The GPU in JupyterLab",
        f"""One simulated A100 for each, a real browser. Ours: status item and panel; nvdashboard: the charts
{", ".join(CHARTS)}, ten times a second,
as it does by default. Processor: per cent of one core that the server takes, medians of {n} times
{_WINDOW:.0f} seconds; “more” is what it takes more than JupyterLab with neither. NVML: calls a minute; hidden
and closed of ours are the busiest minute of the whole run, else {_WINDOW:.0f} seconds are counted. Bytes: of
their own requests and frames, both ways, a minute for each of {max(_TABS)} tabs.""",
        [
            "",
            *(f"{what}, {_tabs(tabs)}" for what in ("processor", "more", "NVML") for tabs in _TABS),
            "hidden",
            "closed",
            "bytes",
        ],
        rows,
        [
            below("Processor with 3 tabs at most 0.1 × nvdashboard", seen.ratio(3), 0.1, " ×"),
            below("Nobody looks: at most one call of NVML a minute", seen.closed[OURS], 1),
            below("All pages are hidden: at most one call of NVML a minute", seen.hidden[OURS], 1),
            below("Nobody looks, `gpu_accounting` off: no call", seen.without_account, 0),
        ],
    )


def _hanging(seen: _Seen, hangs: int) -> Section:
    rows = [
        [f"{name}, {when}", f"{statistics.median(values):.1f}", f"{max(values):.1f}", f"{len(values)}"]
        for name, both in seen.stalls.items()
        for when, values in zip(("driver well", "driver hangs"), both, strict=True)
    ]
    if NVDASHBOARD not in seen.stalls:
        rows.append([NVDASHBOARD, NOT_PRESENT, "", ""])
    return Section(
        f"A GPU driver that hangs for {_HANG:.0f} s",
        f"""Milliseconds that who asks the server for anything has to wait for its loop at worst, in each of
{hangs} hangs and in the {_HANG + _AFTER:.0f} seconds before it, with one tab that shows the GPU.""",
        ["", "median", "worst", "n"],
        rows,
        [below("Held up for less than 20 ms (median)", statistics.median(seen.stalls[OURS][1]), 20, " ms")],
    )


def _per_cent(share: float | None) -> str:
    return "" if share is None else f"{share:.2f} %"


def _tabs(number: int) -> str:
    return f"{number} tab" + ("s" if number > 1 else "")
