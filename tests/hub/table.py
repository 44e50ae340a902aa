"""Plays situations on real hubs, one hub for a column, and puts down what came of them."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from playwright.sync_api import Playwright

from jupyter_mlinfn.demo.driver import SimulatedDriver, a100_mig

from ..support.gpu import MINE
from ..support.hub import Hub, HubServer, hub_running
from ..support.hub_culler import spared
from ..support.hub_settings import HubSettings, ServerSettings
from ..support.patience import PATIENCE
from ..support.ports import reserved_port
from ..support.proof import PROOF, sample
from ..support.server import Platform, wait_for
from ..ui.conftest import setting
from ..ui.test_gpu import notebook
from .people import Browsers, Stage
from .situations import TIMEOUT, Situation
from .test_idle import seconds_of

WARNINGS = (10.0, 4.0) if PROOF else (6.0, 3.0)
"""Seconds before the end."""

CULLER = sample(TIMEOUT + 6, TIMEOUT)
"""Seconds after which the hub's culler comes. In the proof the very same; a busy machine cannot tell them
apart."""

EARLY, LATE = 2.0, 20.0
"""Seconds, of the proof: setting up may end a moment after the last activity; and typing in a terminal is
known to 8 s only, a busy machine takes some, the hub some to see that a server is gone."""

LITTLE = {} if PROOF else {"idle_cpu_threshold": 0.3, "idle_bytes_threshold": 1e5}
"""Traits of servers at work: a program that is at work gets hardly anything done on a busy machine."""

LOOK_EVERY = 0.5


@dataclass(frozen=True)
class Column:
    """How servers are stopped.

    Attributes:
        mine: by our extension.
        watch: seconds after which a server that runs is kept.
    """

    name: str
    mine: bool
    hub: HubSettings
    server: ServerSettings
    watch: float = 4.0 * TIMEOUT


def _mine(**more: Any) -> ServerSettings:
    return ServerSettings(traits={"idle_timeout": TIMEOUT, "idle_warnings": list(WARNINGS)}, **more)


COLUMNS = (
    Column(
        "culler alone",
        False,
        HubSettings(culler_timeout=CULLER),
        ServerSettings(enabled=False),
    ),
    Column(
        "jupyter_server's own timeout",
        False,
        HubSettings(),
        ServerSettings(enabled=False, config={"ServerApp": {"shutdown_no_activity_timeout": TIMEOUT}}),
        # It looks once a minute.
        watch=TIMEOUT + 90.0,
    ),
    Column(
        "ours, the hub follows",
        True,
        HubSettings(culler_timeout=CULLER, proxy_class="mlinfn"),
        _mine(
            own_server=True,
            environment={"MLINFN_HUB_CULL_TIMEOUT": str(CULLER), "MLINFN_HUB_CULL_EVERY": "1"},
        ),
    ),
    Column("ours, unchanged hub", True, HubSettings(culler_timeout=CULLER), _mine()),
)


@dataclass
class Outcome:
    """One cell.

    Attributes:
        stopped: seconds from the last activity to the end of the server; None: it ran on.
        watched: seconds for which it was looked at.
        told: where, in the order of the columns' heads.
        says: what the page says afterwards.
        words: of the mails.
        trouble: an exception while it was set up.
        begun: when a person did the first thing here, seconds since the epoch.
        record: what the server wrote down of its end.
    """

    situation: Situation
    column: Column
    stopped: float | None = None
    watched: float = 0.0
    told: list[str] = field(default_factory=list)
    says: str = ""
    words: str = ""
    trouble: str = ""
    begun: float = 0.0
    record: dict[str, Any] = field(default_factory=dict)

    def wrong(self) -> str:
        """Why it is not as it must be; empty where it is."""
        must = self.situation
        if self.trouble:
            return self.trouble
        if must.must == "keep":
            return "" if self.stopped is None else f"stopped after {self.stopped:.1f} s"
        if self.stopped is None:
            return f"ran on for {self.watched:.0f} s"
        if when := self._wrong_time() if PROOF else self._wrong_order():
            return when
        if must.told is not None and must.told not in self.told:
            return f"told by {self.told or 'nobody'}, not by {must.told}"
        if must.words not in self.words:
            return f"“{must.words}” is not in the mail"
        if must.name == "suspended" and not self.says.startswith("the page says"):
            return self.says
        return ""

    def _wrong_time(self) -> str:
        must = self.situation
        assert self.stopped is not None
        if must.after - EARLY <= self.stopped <= must.after + LATE + must.late:
            return ""
        return f"stopped after {self.stopped:.1f} s, not {must.after}"

    def _wrong_order(self) -> str:
        """Whatever the time: it stopped itself, for idleness, after what was done here and its timeout."""
        if self.record["why"] != "idle":
            return f"stopped for another reason: {self.record}"
        last, stopped = (seconds_of(each["time"]) for each in (self.record["last_activity"], self.record))
        if last < self.begun:
            return "what was done here did not count"
        return "" if stopped - last >= self.situation.after else f"stopped too early: {self.record}"

    def cell(self) -> str:
        if self.trouble:
            return "could not be played"
        if self.stopped is None:
            return f"kept ({self.watched:.0f} s)"
        told = f"told by {' and '.join(self.told)}" if self.told else "nobody told"
        return "; ".join([f"stopped after {self.stopped:.0f} s", told, *([self.says] if self.says else [])])


class Mailbox:
    """A mail server; what it was sent, by user."""

    def __init__(self) -> None:
        self.mails: dict[str, list[str]] = {}

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail = message_from_bytes(envelope.content, policy=policy.default)
        body = mail.get_body(("plain", "html"))
        text = f"{mail['subject']}\n{body.get_content() if body is not None else ''}"
        for address in envelope.rcpt_tos:
            self.mails.setdefault(address.partition("@")[0], []).append(text)
        return "250 Message accepted"


@contextmanager
def mail_server() -> Iterator[tuple[Mailbox, str]]:
    """With the URL for `idle_notify`."""
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    box = Mailbox()
    with reserved_port() as port:
        controller = Controller(box, hostname="127.0.0.1", port=port, ready_timeout=PATIENCE)
        controller.start()
        to = "from=jupyter@example.org&to={user}@example.org&mode=insecure"
        try:
            yield box, f"mailto://127.0.0.1:{port}?{to}"
        finally:
            controller.stop()


class _Played:
    """A situation on its server.

    Attributes:
        since: when it was set up, monotonic.
        age: of the server then, in seconds.
        gone: when the server was, monotonic.
    """

    def __init__(self, situation: Situation, column: Column, hub: Hub, browsers: Browsers) -> None:
        self.user = situation.name.replace("_", "")
        self.outcome = Outcome(situation, column)
        self.server = HubServer(hub, self.user)
        self.stage = Stage(self.server, browsers, mine=column.mine)
        self.since = float("inf")
        self.age = 0.0
        self.gone: float | None = None
        self.done = False
        self._stepped = 0.0

    def step(self) -> None:
        """Twice a second at most."""
        if self.gone is None and time.monotonic() >= self._stepped + LOOK_EVERY:
            self._stepped = time.monotonic()
            with suppress(Exception):
                self.stage.step()

    def is_set_up(self) -> None:
        self.since = self.stage.acted or time.monotonic()
        state = self.server.state()
        # One that is gone already is judged as such.
        self.age = time.time() - seconds_of(state["started"]) if state is not None else 0.0

    def is_over(self) -> bool:
        """Whether it has been watched for long enough."""
        must = self.outcome.situation
        if self.gone is not None:
            return True
        if PROOF:
            limit = self.outcome.column.watch
            if must.must == "stop":
                limit = max(limit, must.after + LATE + must.late + 5)
            return time.monotonic() - self.since >= limit
        return must.must == "keep" and self._is_kept()

    def _is_kept(self) -> bool:
        """Whether the culler has let it be when it would have stopped an idle one, and it knows itself of
        activity when an idle one would have stopped."""
        # First: who asks the server may be activity for the hub.
        if not spared(self.server, age=self.age + CULLER + 1):
            return False
        status, answer = self.server.request("GET", "api/mlinfn/idle")
        would_end = time.time() - (time.monotonic() - self.since) + TIMEOUT
        return status == 200 and seconds_of(answer["last_activity"]["time"]) >= would_end


class _Witness:
    """Looks twice a second which servers run, while others are set up."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._watched: dict[str, _Played] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._thread.start()

    def watch(self, played: _Played) -> None:
        self._watched[played.user] = played

    def close(self) -> None:
        self._ended.set()
        self._thread.join(PATIENCE)

    def _go(self) -> None:
        while not self._ended.wait(LOOK_EVERY):
            with suppress(OSError):
                status, answer = self._hub.api("GET", "users?state=active")
                now = time.monotonic()
                if status != 200:
                    continue
                running = {
                    each["name"]
                    for each in answer[""]
                    if any(server.get("pending") != "stop" for server in each["servers"].values())
                }
                for user, played in list(self._watched.items()):
                    if user not in running and played.gone is None:
                        played.gone = now


def play(
    columns: Sequence[Column], situations: Sequence[Situation], folder: Path, playwright: Playwright
) -> list[Outcome]:
    """All situations in all these columns, at the same time."""
    with ExitStack() as stack:
        box, url = stack.enter_context(mail_server())
        driver = SimulatedDriver(folder / "driver")
        driver.write(a100_mig())
        browsers = Browsers(playwright, folder)
        stack.callback(browsers.close)
        played: list[_Played] = []
        witnesses: dict[str, _Witness] = {}
        for number, column in enumerate(columns):
            hub = stack.enter_context(hub_running(folder / f"hub{number}", column.hub))
            witnesses[column.name] = _Witness(hub)
            stack.callback(witnesses[column.name].close)
            for each in situations:
                one = _Played(each, column, hub, browsers)
                # Many columns have one mailbox.
                one.user += str(number)
                one.server = one.stage.server = HubServer(hub, one.user)
                played.append(one)
        played.sort(key=lambda each: situations.index(each.outcome.situation))
        for one in played:
            stack.callback(one.stage.closers.close)
        for one in played:
            _start(one, driver, url)
            witnesses[one.outcome.column.name].watch(one)
            one.outcome.begun = time.time()
            try:
                with one.stage.somebody_there():
                    one.outcome.situation.play(one.stage)
            except Exception as error:  # noqa: BLE001 - the others are played all the same
                one.outcome.trouble = f"{type(error).__name__}: {error}"
                one.done = True
            one.is_set_up()
            _go_on(played, box, busy=True)
        wait_for(lambda: _go_on(played, box))
        return [each.outcome for each in played]


def _start(one: _Played, driver: SimulatedDriver, url: str) -> None:
    column, situation = one.outcome.column, one.outcome.situation
    server = column.server
    platform: Platform = one.server.platform
    notebook(platform.root / "notebook.ipynb")
    setting(platform, "@jupyterlab/apputils-extension/notification", {"fetchNews": "false"})
    config: dict[str, Mapping[str, Any]] = dict(server.config)
    # Pings are as rare, beside the timeout, as with a timeout of minutes.
    config["ServerApp"] = {**config.get("ServerApp", {}), "tornado_settings": {"ws_ping_interval": 5000}}
    application = {
        "command": [*("python", str(Path(__file__).with_name("proxied_app.py"))), "{port}"],
        "absolute_url": False,
    }
    if situation.proxied:
        config["ServerProxy"] = {"servers": {"application": application}}
    traits = {**server.traits, **situation.traits}
    if situation.must == "keep":
        traits |= LITTLE
    if column.mine:
        traits["idle_notify"] = [url]
    settings = ServerSettings(
        enabled=server.enabled,
        traits=traits,
        config=config,
        environment={**server.environment, **driver.environment(), **MINE},
        own_server=server.own_server,
    )
    one.server.hub.start(one.user, settings=settings)


def _go_on(played: Sequence[_Played], box: Mailbox, *, busy: bool = False) -> bool:
    """Let people go on, and take down what has come to its end.

    Args:
        busy: others are still to be set up: nothing may take long.

    Returns:
        Whether all have.
    """
    for one in played:
        if one.done or one.since == float("inf"):
            continue
        one.step()
        if busy or not one.is_over():
            continue
        one.done = True
        outcome, gone = one.outcome, one.gone
        outcome.watched = time.monotonic() - one.since
        if gone is not None:
            outcome.stopped = gone - one.since
            outcome.says = one.stage.after()
            file = one.server.platform.environments / ".mlinfn" / "idle" / "last-stop.json"
            outcome.record = json.loads(file.read_text()) if file.exists() else {"why": "nobody said"}
        mails = box.mails.get(one.user, [])
        seen: list[str] = []
        with suppress(Exception):
            seen = one.stage.told()
        outcome.told = [*seen, *(["mail"] if mails else [])]
        outcome.words = "\n".join(mails)
    return all(each.done for each in played)
