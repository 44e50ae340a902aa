"""The situations of the table in docs/idle-table.md: what happens, and what must come of it.

A situation sets up what a person or a program does on a server that runs; its clock starts when it
returns, which is the last that anybody did by hand.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..support.proof import sample
from ..support.server import wait_for
from .people import HIDDEN, TRAIN, Laptop, Stage

TIMEOUT = sample(12, 25)
"""Seconds, in place of hours, after which an idle server is to be stopped; of every column."""

LONGEST_LIFE = 60
"""Seconds for which a kernel that is busy, and does no work, keeps a server."""

KEEP_FOR = 60
"""Seconds for which somebody asks to keep a server, in place of an hour."""

Must = Literal["stop", "keep"]


@dataclass(frozen=True)
class Situation:
    """One row.

    Attributes:
        text: what happens.
        play: makes it happen.
        must: what has to come of it.
        after: seconds after which it has to be stopped.
        late: seconds more that it may take, beside those of every stop.
        told: where a person has to have been told.
        words: that the message has to have in it.
        traits: of `MlinfnApp`.
        browser: it needs a real one.
    """

    name: str
    text: str
    play: Callable[[Stage], None]
    must: Must
    after: int = TIMEOUT
    late: int = 0
    told: Literal["mail", "page", "desktop"] | None = None
    words: str = ""
    traits: Mapping[str, Any] = field(default_factory=dict)
    browser: bool = False
    proxied: bool = False


# Nobody there


def closed(stage: Stage) -> None:
    socket = stage.socket("api/events/subscribe")
    stage.use_page()
    socket.close()


def visible(stage: Stage) -> None:
    stage.lab()


def hidden(stage: Stage) -> None:
    stage.lab().evaluate(HIDDEN)


def suspended(stage: Stage) -> None:
    page = stage.lab(alone=True)
    assert stage.browsers is not None
    laptop = Laptop(stage.browsers.last_mark)
    stage.closers.callback(laptop.wake)
    # While it sleeps nobody can ask its pages.
    told, stage.told = stage.told, list

    def woken() -> str:
        laptop.wake()
        stage.told = told
        says = page.get_by_text("This server was stopped").or_(page.get_by_text("does not answer any more"))
        try:
            says.first.wait_for()
        except Exception:  # noqa: BLE001 - whatever else it shows, it does not say so
            return "the page does not say so"
        return f"the page says “{says.first.inner_text()}”"

    stage.after = woken
    laptop.sleep()


def forgotten_application(stage: Stage) -> None:
    page = stage.page()
    page.goto(f"{stage.server.url}/application/")
    page.locator("textarea").wait_for()


def holds_gpu(stage: Stage) -> None:
    kernel = stage.kernel()
    said = kernel.run(
        """
        from jupyter_mlinfn.demo.driver.hold import hold
        held = hold(gib=3)
        print(held)
        """
    )
    assert "3.00 GiB" in said, said
    stage.leave_tab()


def _in_terminal(stage: Stage, line: str) -> None:
    _, socket = stage.terminal()
    stage.type(socket, line)
    stage.leave_tab()


def clock(stage: Stage) -> None:
    _in_terminal(stage, "while true; do date; sleep 1; done")


def top(stage: Stage) -> None:
    _in_terminal(stage, "top -d 1")


def sleeps_in_terminal(stage: Stage) -> None:
    _in_terminal(stage, "sleep 1000000")


def sleeps_in_kernel(stage: Stage) -> None:
    kernel = stage.kernel()
    asked = kernel.execute("import time\nwhile True: time.sleep(1)")
    wait_for(lambda: kernel.runs(asked))
    stage.leave_tab()


def waits_for_input(stage: Stage) -> None:
    kernel = stage.kernel()
    kernel.execute("answer = input('Go on? ')")
    wait_for(kernel.asks)
    stage.leave_tab()


# Somebody there


def types_in_notebook(stage: Stage) -> None:
    page = stage.lab()
    page.locator(".jp-NotebookPanel:visible .jp-CodeCell").last.locator(".cm-content").click()
    stage.step = lambda: page.keyboard.type("x")


def types_in_terminal(stage: Stage) -> None:
    _, socket = stage.terminal()
    stage.every(1, lambda: socket.send(["stdin", "x"]))


def types_in_application(stage: Stage) -> None:
    page = stage.page()
    page.goto(f"{stage.server.url}/application/")
    page.locator("textarea").click()
    chance = random.Random(6)  # noqa: S311 - a sample

    def step() -> None:
        # As people do: some letters, a thought.
        if chance.random() < 0.3:
            for _ in range(chance.randint(1, 6)):
                page.keyboard.type("x", delay=chance.uniform(60, 250))

    stage.step = step


# Work


def computes_in_closed_page(stage: Stage) -> None:
    kernel = stage.kernel()
    asked = kernel.execute(TRAIN)
    wait_for(lambda: kernel.runs(asked))
    kernel.socket.close()


def _train(stage: Stage, line: str) -> None:
    """The line is typed, and its terminal closed."""
    script = stage.script("train.py", TRAIN)
    name, socket = stage.terminal()
    stage.type(socket, line.format(python=sys.executable, script=script))
    wait_for(lambda: _runs(stage, script))
    stage.close_terminal(name, socket)


def _runs(stage: Stage, script: Path) -> bool:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(script) in (process / "cmdline").read_text().split("\0"):
                return True
        except OSError:
            continue
    return False


def train_in_terminal(stage: Stage) -> None:
    script = stage.script("train.py", TRAIN)
    _, socket = stage.terminal()
    stage.type(socket, f"{sys.executable} {script}")
    wait_for(lambda: _runs(stage, script))
    socket.close()


def train_with_nohup(stage: Stage) -> None:
    _train(stage, "nohup {python} {script} &")


def train_with_setsid(stage: Stage) -> None:
    _train(stage, "setsid {python} {script} &")


def train_in_tmux(stage: Stage) -> None:
    # A socket of its own: it may not join the tmux of another server; and below a short folder, for
    # the path of a socket has 107 bytes at most (unix(7)).
    _train(stage, "TMUX_TMPDIR=$(mktemp -d) tmux new-session -d '{python} {script}'")


def download(stage: Stage, source: str) -> None:
    target = stage.server.platform.root / "private" / "data"
    name, socket = stage.terminal()
    stage.type(socket, f"nohup curl --silent --output {target} {source} &")
    wait_for(lambda: target.exists() and target.stat().st_size > 0)
    stage.close_terminal(name, socket)


def kept(stage: Stage) -> None:
    stage.use_page()
    if stage.mine:
        status, body = stage.server.request("POST", "api/mlinfn/idle/keepalive", {"seconds": KEEP_FOR})
        assert status == 200, body


BUSY = {"idle_longest_life": LONGEST_LIFE}

SITUATIONS: Sequence[Situation] = (
    Situation(
        "visible",
        "Tab visible, untouched: a notebook with an idle kernel, the GPU panel open",
        visible, "stop", told="page", browser=True,
    ),
    Situation("hidden", "Tab hidden, the same", hidden, "stop", told="desktop", browser=True),
    Situation(
        # The server waits for a page that was visible to save, and that one cannot.
        "suspended", "Laptop suspended with the same, and woken after the deadline",
        suspended, "stop", late=20, browser=True,
    ),
    Situation("closed", "Tab closed, nothing runs", closed, "stop", told="mail"),
    Situation(
        "forgotten_application",
        "Forgotten tab of a proxied application that polls and sends signs of life",
        forgotten_application, "stop", told="mail", browser=True, proxied=True,
    ),
    Situation(
        "holds_gpu", "GPU memory held by an idle kernel, tab open", holds_gpu, "stop", told="mail"
    ),
    Situation("clock", "A clock in a terminal, tab open", clock, "stop", told="mail"),
    Situation("top", "`top` in a terminal, tab open", top, "stop", told="mail"),
    Situation(
        "sleeps_in_terminal", "`sleep 1000000` in a terminal, tab open",
        sleeps_in_terminal, "stop", told="mail",
    ),
    Situation(
        "sleeps_in_kernel", f"`while True: sleep(1)` in a kernel, longest life {LONGEST_LIFE} s",
        sleeps_in_kernel, "stop", after=LONGEST_LIFE, told="mail",
        words="has been running a cell for", traits=BUSY,
    ),
    Situation(
        "waits_for_input", "`input()` waits for an answer, tab open", waits_for_input, "stop", told="mail"
    ),
    Situation(
        "kept", f"Keep-alive asked for {KEEP_FOR} s, tab closed", kept, "stop", after=KEEP_FOR, told="mail"
    ),
    Situation(
        "computes", f"A cell computes, page closed (longest life {LONGEST_LIFE} s)",
        computes_in_closed_page, "keep", traits=BUSY,
    ),
    Situation("train", "`python train.py` in a terminal, tab closed", train_in_terminal, "keep"),
    Situation("nohup", "The same under `nohup`, terminal closed", train_with_nohup, "keep"),
    Situation("setsid", "The same under `setsid`, terminal closed", train_with_setsid, "keep"),
    Situation("tmux", "The same in `tmux`, terminal closed", train_in_tmux, "keep"),
    Situation("types_in_terminal", "Somebody types in a terminal", types_in_terminal, "keep"),
    Situation(
        "types_in_application", "Somebody types in a proxied application",
        types_in_application, "keep", browser=True, proxied=True,
    ),
    Situation(
        "types_in_notebook", "Somebody types in a notebook", types_in_notebook, "keep", browser=True
    ),
)  # fmt: skip


def all_situations(source: str) -> Sequence[Situation]:
    """Args:
    source: URL of something that takes long to load.
    """
    loads = Situation(
        "download",
        "A download of 300 kB/s (`curl`), terminal closed",
        lambda stage: download(stage, source),
        "keep",
    )
    return (*SITUATIONS[:-3], loads, *SITUATIONS[-3:])
