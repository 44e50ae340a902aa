"""On a real hub, with its culler at the very same time: warned, ignored, saved, stopped by the hub."""

from __future__ import annotations

import json
import re
from pathlib import Path

from playwright.sync_api import Browser, expect

from ..hub.people import Stage
from ..support.hub import HubServer, hub_running
from ..support.hub_culler import spared
from ..support.hub_settings import HubSettings, ServerSettings
from ..support.server import wait_for
from .conftest import SCREENSHOTS, Shoot, new_page, setting
from .test_idle import edit, last_of

TIMEOUT = 20
CULLER = 120
"""Seconds: it is not to come because a busy machine is late; tests/hub/test_on_time.py is about both."""

REMEMBER = """() => new MutationObserver(() => {
    window.warned ||= document.querySelector("dialog[open][role=alertdialog]") !== null;
}).observe(document.body, { attributes: true, childList: true, subtree: true })"""


def test_a_warning_that_is_ignored_ends_in_files_saved_and_a_stop_by_the_hub(
    browser: Browser, tmp_path: Path, shoot: Shoot
) -> None:
    with (
        hub_running(tmp_path / "hub", HubSettings(culler_timeout=CULLER, proxy_class="mlinfn")) as hub,
        new_page(browser) as page,
    ):
        platform = HubServer(hub, "ada").platform
        setting(platform, "@jupyterlab/apputils-extension/notification", {"fetchNews": "false"})
        file = platform.root / "mine.txt"
        file.write_text("")
        traits = {
            "idle_timeout": float(TIMEOUT),
            "idle_warnings": [TIMEOUT / 2],
            "hub_cull_timeout": float(CULLER),
        }
        server = hub.start("ada", settings=ServerSettings(own_server=True, traits=traits))
        page.context.add_cookies(hub.cookies("ada"))  # type: ignore[arg-type]
        with Stage(server, None, mine=True).somebody_there():
            page.goto(f"{server.url}/lab?reset")
            page.locator("#jupyterlab-splash").wait_for(state="detached")
            edit(page, "mine.txt", "typed and not saved")
            page.evaluate(REMEMBER)
        # For half of the timeout, in which a busy machine may look away: the page remembers it.
        page.wait_for_function("() => window.warned")
        if SCREENSHOTS:
            expect(last_of(page)).to_be_visible()
            shoot(page, "idle-hub-warning")

        expect(page.get_by_role("heading", name=re.compile("^This server (is|was) stopped"))).to_be_visible()
        shoot(page, "idle-hub-stopped")
        wait_for(lambda: not server.running())
        log, said = hub.log(), server.log()

    assert file.read_text().strip() == "typed and not saved"
    # Not before the end.
    assert 0 < said.index("This server is being stopped") < said.index("Saving file at /mine.txt")
    # The server asked for it, and the culler had nothing to do.
    assert re.search(r" 204 DELETE /hub/api/users/ada/server ", log)
    assert spared(server)
    assert "Culling server" not in log
    record = json.loads((platform.environments / ".mlinfn" / "idle" / "last-stop.json").read_text())
    assert record["why"] == "idle"
    assert record["pages"]["saved"] == ["mine.txt"]
