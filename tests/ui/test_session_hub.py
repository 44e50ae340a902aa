"""The same on a real hub: it says stopped, and "Start again" leads to the right server.

With the scope to stop one's own server and without; the default server and a named one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from jupyter_mlinfn.demo.driver import SimulatedDriver

from ..support.gpu import GIB, MIB, MINE
from ..support.hub import Hub, HubServer, hub_running
from ..support.hub_settings import ServerSettings
from ..support.nvml_client import Client
from ..support.server import wait_for
from .conftest import Shoot, new_page, setting
from .test_gpu import HOLD, notebook, run_in
from .test_idle import edit
from .test_session import (
    SLOW,
    calm_of,
    card_of,
    dialog_of,
    fact_of,
    fill,
    free_of,
    has_shown_no_core_dialog,
    line_of,
    watch_for_core,
)

EMPTY = 13 * MIB
"""Bytes in use on a slice that nobody uses."""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with hub_running(tmp_path_factory.mktemp("hub") / "hub") as hub:
        yield hub


@pytest.fixture
def others(driver: SimulatedDriver) -> Iterator[Client]:
    """Somebody outside who asks the driver."""
    client = Client(driver)
    client("nvmlInit()")
    yield client
    client.close()


@pytest.fixture
def own_page(browser: Browser) -> Iterator[Page]:
    with new_page(browser) as page:
        yield page


def start(
    hub: Hub, user: str, name: str = "", *, own_server: bool, driver: SimulatedDriver | None = None
) -> HubServer:
    server = HubServer(hub, user, name)
    platform = server.platform
    setting(platform, "@jupyterlab/apputils-extension/notification", {"fetchNews": "false"})
    root = platform.root
    storage = {"ephemeral_folders": [str(root)], "persistent_folders": [str(root / "private")]}
    return hub.start(
        user,
        name,
        settings=ServerSettings(
            own_server=own_server,
            config={"StorageConfig": storage},
            environment={**driver.environment(), **MINE} if driver is not None else {},
        ),
    )


def open_lab(page: Page, server: HubServer) -> None:
    page.context.add_cookies(server.hub.cookies(server.user))  # type: ignore[arg-type]
    page.goto(f"{server.url}/lab?reset")
    page.locator(".jp-Launcher").wait_for()
    watch_for_core(page)


@pytest.mark.parametrize("own_server", [True, False], ids=["with_scope", "without_scope"])
@pytest.mark.parametrize("name", ["", "gpu"], ids=["default", "named"])
def test_given_back_and_started_again(
    hub: Hub,
    own_page: Page,
    driver: SimulatedDriver,
    others: Client,
    shoot: Shoot,
    name: str,
    own_server: bool,
) -> None:
    user = f"ada-{name or 'default'}-{'with' if own_server else 'without'}"
    server = start(hub, user, name, own_server=own_server, driver=driver)
    root = server.platform.root
    (root / "private" / "mine.txt").write_text("")
    notebook(root / "train.ipynb")
    hashes = fill(server.platform)
    page = own_page
    open_lab(page, server)
    assert on_slice(others) == (0, 0)
    run_in(page, "train", f"{HOLD.format(gib=3)}; {SLOW}", "begun")
    assert on_slice(others) == (1, 3 * GIB)
    page.locator('.jp-DirListing-item[data-isdir="true"]:has-text("private")').dblclick()
    edit(page, "mine.txt", "typed and not saved")

    free_of(page).click()
    expect(line_of(page, "documents")).to_contain_text("mine.txt")
    expect(line_of(page, "running")).to_contain_text("train.ipynb is running a cell")
    expect(line_of(page, "gpu")).to_contain_text("train.ipynb (3.0 GiB)")
    expect(line_of(page, "files")).to_contain_text("model.ckpt")
    dialog_of(page).get_by_role("button", name="Stop now").click()
    calm = calm_of(page, "This server is stopped")
    expect(calm.get_by_role("button", name="Start again")).to_be_focused()
    expect(fact_of(page, "freed")).to_contain_text("MIG 1g.5gb")
    expect(fact_of(page, "saved")).to_contain_text("mine.txt")
    expect(fact_of(page, "kept")).to_contain_text("private/rescued/")
    wait_for(lambda: not server.running())
    assert on_slice(others) == (0, 0), "somebody else can have it"
    has_shown_no_core_dialog(page)
    shoot(page, f"session-hub-stopped-{name or 'default'}")
    assert (root / "private" / "mine.txt").read_text().strip() == "typed and not saved"
    check(root, hashes)

    # As soon as the hub has noticed; it needs no other click.
    calm.get_by_role("button", name="Start again").click()
    expect(card_of(page)).to_be_visible()
    assert page.url.startswith(f"{server.url}/lab")
    assert server.running()
    other = HubServer(hub, user, "" if name else "gpu")
    assert not other.running()
    expect(card_of(page)).to_contain_text("private/rescued/")
    expect(card_of(page).get_by_role("button", name="train.ipynb")).to_be_visible()
    check(root, hashes)
    server.stop()


def on_slice(others: Client) -> tuple[int, int]:
    """Processes on the slice, and the bytes that they hold, as the driver tells somebody outside."""
    return len(others("rows(mine())")), others("used(mine())") - EMPTY


def check(root: Path, hashes: dict[str, str]) -> None:
    (folder,) = (root / "private" / "rescued").iterdir()
    for name, digest in hashes.items():
        (kept,) = folder.rglob(name)
        assert hashlib.sha256(kept.read_bytes()).hexdigest() == digest


def test_stopped_by_others_it_is_told_calmly(hub: Hub, own_page: Page) -> None:
    server = start(hub, "eve", own_server=False)
    (server.platform.root / "mine.txt").write_text("")
    page = own_page
    open_lab(page, server)
    edit(page, "mine.txt", "typed and not saved")
    # As an admin does, or the hub's culler.
    server.stop()
    calm = calm_of(page, re.compile("This server was stopped, or does not answer"))
    expect(calm).to_contain_text("nothing has told this page why")
    expect(fact_of(page, "unsaved")).to_contain_text("mine.txt")
    expect(calm.get_by_role("button", name="Start again")).to_be_focused()
    has_shown_no_core_dialog(page)
    # Another page starts it.
    server = start(hub, "eve", own_server=False)
    again = calm_of(page, "This server is running again")
    expect(again).to_contain_text("mine.txt")
    wait_for(server.running)
    server.stop()
