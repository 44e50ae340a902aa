"""A real JupyterLab in a real browser.

`MLINFN_SCREENSHOTS=FOLDER` keeps the pictures there (`make screenshots`).
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Request,
    ViewportSize,
    expect,
    sync_playwright,
)

from ..support.channel_server import ChannelServer
from ..support.evidence import pictured_if_red, shown_if_red
from ..support.patience import PATIENCE
from ..support.ports import reserved_port
from ..support.server import TOKEN, Platform, Server, running

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
CHROMIUM_ARGUMENTS = ("--no-sandbox", "--disable-background-networking", "--disable-component-update")

BLANK = "about:blank"

expect.set_options(timeout=PATIENCE * 1000)

SCREENSHOTS = os.environ.get("MLINFN_SCREENSHOTS")
THEMES = ["", "-dark"] if SCREENSHOTS else [""]
"""Suffixes of pictures' names: what is asserted is the same in the dark, which is for who looks at them."""
SIZE: ViewportSize = {"width": 1280, "height": 800}

Shoot = Callable[[Page, str], None]


@pytest.fixture(autouse=True)
def jp_asyncio_loop() -> None:
    """No loop of pytest-jupyter's here: Playwright's own is running."""


@pytest.fixture(autouse=True)
def jp_server_cleanup() -> None:
    """Nothing of pytest-jupyter's to clean: the server is another process."""


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """For this package only: the loop that Playwright keeps in this thread must be gone when
    pytest-jupyter's async tests run."""
    assert CHROMIUM, "no chromium on PATH and no $CHROMIUM: `make test` installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_ARGUMENTS))
        yield browser
        browser.close()


@contextmanager
def new_page(browser: Browser, **options: Any) -> Iterator[Page]:
    """A page in a context of its own (`page.context`): of somebody who has not been here before.

    What the consoles of the context say, and what its pages look like, is shown of a red test.

    Args:
        options: of `Browser.new_context`.
    """
    lines: list[str] = []
    context = browser.new_context(
        **{"viewport": SIZE, "reduced_motion": "reduce", "locale": "en-GB"} | options
    )
    with ExitStack() as ends:
        ends.callback(context.close)
        ends.enter_context(shown_if_red("the page's console said", lines))
        ends.enter_context(pictured_if_red(lambda folder: _picture(context, folder)))
        context.set_default_timeout(PATIENCE * 1000)
        context.on("console", lambda message: lines.append(_line(message)))
        context.on("weberror", lambda error: lines.append(f"[uncaught] {error.error}"))
        yield context.new_page()


def _line(message: ConsoleMessage) -> str:
    where = message.location
    return f"[{message.type}] {message.text} ({where['url'].rpartition('/')[2]}:{where['lineNumber']})"


def _picture(context: BrowserContext, folder: Path) -> str:
    taken = []
    for page in context.pages:
        if page.url == BLANK:
            continue
        file = folder / f"page-{len(list(folder.iterdir())) + 1}.png"
        try:
            # One that hangs, or is no more, is not waited for.
            page.screenshot(path=file, timeout=10_000)
            taken.append(f"{file}: {page.title()!r} at {page.url}")
        except Error as error:
            taken.append(f"no picture of {page.url}: {error.message.splitlines()[0]}")
    return "\n".join(taken) or "no page is open"


@pytest.fixture(scope="package")
def lab_port() -> Iterator[int]:
    """Of all servers that `page` is opened on, one after the other; see `tab`."""
    with reserved_port() as port:
        yield port


@pytest.fixture(scope="package")
def tab(browser: Browser) -> Iterator[Page]:
    """For all tests that are content with a page as anybody has it.

    To load JupyterLab takes it half as much of a processor as a page of its own: it has been compiled,
    as long as its address is the same.
    """
    with new_page(browser) as page:
        yield page


@pytest.fixture
def blank_page(tab: Page, lab_port: int) -> Iterator[Page]:
    """The page `tab`, as if nobody had been here before. What is not put back (`add_init_script`, `clock`) is
    for pages of one's own: `new_page`."""
    tab.set_viewport_size(SIZE)
    yield tab
    tab.context.set_offline(False)
    for page in tab.context.pages:
        if page != tab:
            page.close()
    tab.unroute_all()
    tab.goto(BLANK)
    tab.context.clear_cookies()
    session = tab.context.new_cdp_session(tab)
    origin = {"origin": f"http://127.0.0.1:{lab_port}", "storageTypes": "all"}
    session.send("Storage.clearDataForOrigin", origin)
    session.detach()


@pytest.fixture
def channel(demo_channel: Path) -> Iterator[ChannelServer]:
    with ChannelServer(demo_channel) as server:
        yield server


@pytest.fixture
def platform(tmp_path: Path, channel: ChannelServer) -> Platform:
    return new_platform(tmp_path / "platform", channel.url)


def new_platform(folder: Path, *channels: str) -> Platform:
    platform = Platform(folder, channels)
    setting(platform, "@jupyterlab/apputils-extension/notification", {"fetchNews": "false"})
    return platform


@pytest.fixture
def clocked_page(browser: Browser) -> Iterator[Page]:
    """A page whose clock (`page.clock`) can be turned, and else goes on by itself; its owner has allowed
    notifications."""
    with new_page(browser, permissions=["notifications"]) as page:
        page.clock.install()
        yield page


@pytest.fixture
def lab(platform: Platform, lab_port: int) -> Iterator[Server]:
    with running(platform, lab=True, port=lab_port) as server:
        yield server


@pytest.fixture
def page(blank_page: Page, lab: Server) -> Iterator[Page]:
    """JupyterLab with its launcher open."""
    with shown(blank_page, lab):
        yield blank_page


@pytest.fixture
def shoot(tmp_path: Path) -> Shoot:
    folder = Path(SCREENSHOTS or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str) -> None:
        page.screenshot(path=folder / f"{name}.png")

    return take


def open_lab(page: Page, lab: Server, *, reset: bool = False) -> None:
    page.goto(f"{lab.url}/lab?token={TOKEN}{'&reset' if reset else ''}")
    page.locator("#jupyterlab-splash").wait_for(state="detached")
    if reset:
        page.locator(".jp-Launcher").wait_for()


@contextmanager
def shown(page: Page, lab: Server) -> Iterator[None]:
    """JupyterLab with its launcher open, and left before its server is ended."""
    open_lab(page, lab, reset=True)
    with left_in_time(page, lab):
        yield


@contextmanager
def left_in_time(page: Page, lab: Server) -> Iterator[None]:
    """Jupyter Server hangs at its end where a file is being read or written for a page just then: a thread
    of AnyIO's is waited for that nobody tells to end."""
    yield
    # A page whose server is gone may wait for the next one.
    if lab.process.poll() is None:
        for each in page.context.pages:
            each.goto(BLANK)
        lab.request("GET", "api/contents")


@contextmanager
def requests_of(page: Page, what: re.Pattern[str]) -> Iterator[list[str]]:
    """Addresses that the page asks for, from now on."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if what.search(request.url):
            asked.append(request.url)

    page.on("request", note)
    yield asked
    page.remove_listener("request", note)


def fetch(page: Page) -> None:
    """Have an answer for the page, or none: what it asked for before is known by then."""
    page.evaluate("() => fetch('/api').catch(() => null)")


def setting(platform: Platform, plugin: str, value: dict[str, object]) -> None:
    """Write a user setting of JupyterLab, before it starts."""
    file = platform.folder / "config" / "lab" / "user-settings" / f"{plugin}.jupyterlab-settings"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value))
