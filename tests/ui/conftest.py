"""A real JupyterLab in a real browser.

`MLINFN_SCREENSHOTS=FOLDER` keeps the pictures there (`make screenshots`).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from ..support.channel_server import ChannelServer
from ..support.patience import PATIENCE
from ..support.server import TOKEN, Platform, Server, running

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")

expect.set_options(timeout=PATIENCE * 1000)

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
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-background-networking", "--disable-component-update"],
        )
        yield browser
        browser.close()


@pytest.fixture
def channel(demo_channel: Path) -> Iterator[ChannelServer]:
    with ChannelServer(demo_channel) as server:
        yield server


@pytest.fixture
def platform(tmp_path: Path, channel: ChannelServer) -> Platform:
    platform = Platform(tmp_path / "platform", [channel.url])
    setting(platform, "@jupyterlab/apputils-extension/notification", {"fetchNews": "false"})
    return platform


@pytest.fixture
def lab(platform: Platform) -> Iterator[Server]:
    with running(platform, lab=True) as server:
        yield server


@pytest.fixture
def page(browser: Browser, lab: Server) -> Iterator[Page]:
    """JupyterLab with its launcher open."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE * 1000)
    page = context.new_page()
    open_lab(page, lab, reset=True)
    yield page
    context.close()


@pytest.fixture
def shoot(tmp_path: Path) -> Shoot:
    folder = Path(os.environ.get("MLINFN_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str) -> None:
        page.screenshot(path=folder / f"{name}.png")

    return take


def open_lab(page: Page, lab: Server, *, reset: bool = False) -> None:
    page.goto(f"{lab.url}/lab?token={TOKEN}{'&reset' if reset else ''}")
    page.locator("#jupyterlab-splash").wait_for(state="detached")
    if reset:
        page.locator(".jp-Launcher").wait_for()


def setting(platform: Platform, plugin: str, value: dict[str, object]) -> None:
    """Write a user setting of JupyterLab, before it starts."""
    file = platform.folder / "config" / "lab" / "user-settings" / f"{plugin}.jupyterlab-settings"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value))
