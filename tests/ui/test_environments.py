"""Launcher → form → progress → kernel card → notebook → cancel another half way → remove."""

from __future__ import annotations

import re

from playwright.sync_api import Page, Response, expect

from ..support.channel_server import ChannelServer
from ..support.patience import PATIENCE
from ..support.server import Server, running, wait_for
from .conftest import Shoot, open_lab, shown

SLOW = 400_000
"""Bytes per second of the channel: an environment of 32 MB then takes a quarter of a minute."""


def open_form(page: Page) -> None:
    page.locator(".jp-LauncherCard", has_text="New environment").click()
    expect(page.get_by_role("heading", name="New environment")).to_be_visible()


def fill_form(page: Page, label: str, *packages: str) -> None:
    page.get_by_label("Label").fill(label)
    field = page.get_by_role("combobox", name="Packages")
    for package in packages:
        field.fill(package)
        field.press("Enter")


def is_layout_with_job(response: Response) -> bool:
    asked = response.request
    return (
        asked.method == "PUT"
        and "/api/workspaces/" in asked.url
        and re.search(r'"job":\s*"', asked.post_data or "") is not None
    )


def test_the_main_job(page: Page, lab: Server, channel: ChannelServer, shoot: Shoot) -> None:
    shoot(page, "launcher")
    open_form(page)
    page.get_by_label("Label").fill("My env")
    expect(page.get_by_text("my-env, in private/environments")).to_be_visible()

    # A package is searched with completion: name, newest version, summary.
    field = page.get_by_role("combobox", name="Packages")
    field.press_sequentially("mlinfn-pl")
    option = page.get_by_role("option", name="mlinfn-plots")
    expect(option).to_contain_text("2.1.0")
    expect(option).to_contain_text("Plots as text")
    shoot(page, "completion")
    field.press("ArrowDown")
    field.press("Enter")
    preview = page.get_by_test_id("preview")
    expect(preview).to_contain_text("packages")
    expect(preview).to_contain_text("to download")
    expect(preview).to_contain_text("left")
    shoot(page, "form")

    # Progress on a slow channel; the bar moves.
    channel.bytes_per_second = SLOW
    # JupyterLab writes its layout down a while after the last change.
    with page.expect_response(is_layout_with_job):
        page.get_by_role("button", name="Create").click()
    bar = page.get_by_role("progressbar").first
    expect(bar).to_be_visible()
    first = wait_for(lambda: float(bar.get_attribute("aria-valuenow") or 0))
    page.get_by_text("downloading", exact=False).first.wait_for()
    shoot(page, "progress")
    wait_for(lambda: float(bar.get_attribute("aria-valuenow") or 0) > first)

    # It survives a reload, and a second tab shows the same; nearly still until both have looked.
    channel.bytes_per_second = SLOW / 20
    page.reload()
    expect(page.get_by_role("progressbar").first).to_be_visible()
    second = page.context.new_page()
    open_lab(second, lab)
    expect(second.get_by_text("Creating My env", exact=False).first).to_be_visible()
    second.close()
    channel.bytes_per_second = None
    expect(page.get_by_text("ready in", exact=False).first).to_be_visible()
    shoot(page, "ready")

    # The kernel is there at once, in the launcher and in a new notebook.
    prefix = lab.platform.environments / "my-env"
    page.get_by_role("button", name="New notebook").first.click()
    page.get_by_role("button", name="[conda env:my-env] | Idle").wait_for()
    cell = page.locator(".jp-Notebook .jp-Cell .cm-content").first
    cell.click()
    page.keyboard.type("import sys; print(sys.prefix)")
    expect(cell).to_contain_text("print(sys.prefix)")
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".jp-OutputArea-output").first).to_contain_text(str(prefix))
    shoot(page, "notebook")
    page.get_by_role("button", name="New Launcher").first.click()
    expect(page.locator(".jp-LauncherCard:visible", has_text="[conda env:my-env]").first).to_be_visible()
    shoot(page, "launcher-with-kernel")

    # Another one, cancelled half way, leaves nothing.
    channel.bytes_per_second = None
    channel.faults["mlinfn-hello"] = "stall"
    page.locator(".jp-LauncherCard:visible", has_text="New environment").click()
    fill_form(page, "Half way", "mlinfn-hello")
    page.get_by_role("button", name="Create").click()
    assert channel.hanging.wait(PATIENCE)
    page.get_by_role("button", name="Cancel").last.click()
    expect(page.get_by_text("cancelled", exact=False).first).to_be_visible()
    wait_for(lambda: not (lab.platform.environments / "half-way").exists())

    # Remove the first: it says that a kernel runs in it, and how much came back.
    page.get_by_role("button", name="New Launcher").first.click()
    page.locator(".jp-LauncherCard:visible", has_text="Environments").click()
    listed = page.get_by_role("navigation", name="Environments")
    mine = listed.locator(".jp-mlinfn-Item", has_text="My env").first
    expect(mine.get_by_role("img", name="1 kernel running")).to_be_visible()
    mine.click()
    expect(page.get_by_role("heading", name="My env")).to_be_visible()
    shoot(page, "environments")
    page.get_by_role("button", name="Remove…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Untitled.ipynb")
    shoot(page, "remove")
    dialog.get_by_role("button", name="Shut Down and Remove").click()
    expect(page.get_by_text("came back", exact=False).first).to_be_visible()
    assert not prefix.exists()


def test_what_cannot_be_solved_is_said_in_words_and_marked(page: Page, shoot: Shoot) -> None:
    open_form(page)
    fill_form(page, "Conflict", "mlinfn-plots=1", "mlinfn-colours=2")
    preview = page.get_by_test_id("preview")
    expect(preview).to_contain_text("do not go together")
    expect(page.locator("[aria-invalid=true]").first).to_be_visible()
    shoot(page, "conflict")


def test_an_unknown_package_has_its_nearest_names(page: Page, shoot: Shoot) -> None:
    open_form(page)
    fill_form(page, "Typo", "mlinfn-plotz")
    expect(page.get_by_test_id("preview")).to_contain_text("no package mlinfn-plotz")
    shoot(page, "unknown")
    page.get_by_test_id("preview").get_by_role("button", name="mlinfn-plots").click()
    expect(page.get_by_test_id("preview")).to_contain_text("to download")


def test_with_the_keyboard_only(page: Page, lab: Server, channel: ChannelServer) -> None:
    page.keyboard.press("Control+Shift+C")
    page.locator(".lm-CommandPalette-input").wait_for()
    page.keyboard.type("New environment")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Label")).to_be_focused()
    page.keyboard.type("Keys")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("mlinfn-units")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("ready in", exact=False).first).to_be_visible()
    assert (lab.platform.environments / "keys" / "bin" / "python").exists()


def test_an_interrupted_creation_is_offered_after_a_restart(
    page: Page, lab: Server, channel: ChannelServer, shoot: Shoot
) -> None:

    channel.faults["mlinfn-hello"] = "stall"
    open_form(page)
    fill_form(page, "Interrupted", "mlinfn-hello")
    page.get_by_role("button", name="Create").click()
    assert channel.hanging.wait(PATIENCE)
    lab.kill()
    channel.faults.clear()
    channel.release.set()

    with running(lab.platform, lab=True) as second, shown(page, second):
        resume = page.get_by_role("button", name="Resume").first
        expect(resume).to_be_visible()
        shoot(page, "interrupted")
        resume.click()
        wait_for(lambda: "conda-env-interrupted-py" in second.get("api/kernelspecs")["kernelspecs"])


def test_the_screens_in_the_dark_and_narrow(
    page: Page, lab: Server, shoot: Shoot, channel: ChannelServer
) -> None:
    made = lab.ended(lab.create("Dark matter", ["mlinfn-plots"])["id"])
    assert made["state"] == "done"
    page.get_by_role("menuitem", name="Settings").click()
    page.locator(".lm-Menu-item", has_text="Theme").first.hover()
    page.locator(".lm-Menu-item", has_text="JupyterLab Dark").first.click()
    page.locator("body[data-jp-theme-light=false]").wait_for(state="attached")
    open_form(page)
    fill_form(page, "In the dark", "mlinfn-plots")
    expect(page.get_by_test_id("preview")).to_contain_text("to download")
    shoot(page, "form-dark")
    page.keyboard.press("Control+b")
    page.set_viewport_size({"width": 420, "height": 800})
    shoot(page, "form-narrow")
    body = page.locator(".jp-mlinfn-Form").first
    assert body.evaluate("e => e.scrollWidth <= e.clientWidth + 1"), "the form is cut off at 420 px"
