"""Install with a diff → restart the kernel → `%pip install` in a cell → drift → go back → gone."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from ..support.server import Server
from ..support.wheels import wheel
from .conftest import Shoot

CUT_OFF = """shown => shown.scrollWidth <= shown.clientWidth + 1 ? [] :
    [shown.clientWidth, ...Array.from(shown.querySelectorAll("*"))
        .filter(e => e.getBoundingClientRect().right > shown.getBoundingClientRect().right + 1)
        .map(e => `${e.tagName} ${e.className} ${e.textContent.slice(0, 30)}`)]"""
"""What of an element sticks out of it on the right, where something does."""


def make(lab: Server, label: str, *specs: str) -> str:
    """An environment made over the API; its id."""
    job = lab.ended(lab.create(label, list(specs))["id"])
    assert job["state"] == "done", job["error"]
    return str(job["result"]["env_id"])


def show(page: Page, label: str) -> None:
    """The environment's details, in the panel that the launcher opens."""
    page.get_by_role("button", name="New Launcher").first.click()
    page.locator(".jp-LauncherCard:visible", has_text="Environments").click()
    choose(page, label)
    expect(page.get_by_role("heading", name=label)).to_be_visible()


def choose(page: Page, label: str) -> None:
    """Click the environment in the list, and not the job that made it."""
    name = re.compile(f"^{re.escape(label)} ")
    page.get_by_role("navigation", name="Environments").get_by_role("button", name=name).click()


def preview_of(page: Page) -> Locator:
    return page.get_by_test_id("change-preview")


def run_cell(page: Page, code: str, output: str) -> None:
    """Run code in the notebook's last cell and wait for what it prints."""
    count = page.locator(".jp-Notebook .jp-CodeCell").count()
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(count - 1)
    cell.locator(".cm-content").click()
    page.keyboard.type(code)
    page.keyboard.press("Shift+Enter")
    expect(cell.locator(".jp-OutputArea-output").last).to_contain_text(output)


def to_notebook(page: Page) -> None:
    page.get_by_role("tab", name="Untitled.ipynb").first.click()
    expect(page.locator(".jp-Notebook")).to_be_visible()


def to_panel(page: Page) -> None:
    page.locator("#jp-main-dock-panel").get_by_role("tab", name="Environments").first.click()
    expect(page.locator(".jp-mlinfn-Environments")).to_be_visible()


def restart_from(page: Page) -> None:
    """Press the button of the finished job; wait for the outcome that is told."""
    job = page.locator(".jp-mlinfn-Job[data-state=done]")
    job.get_by_role("button", name="Restart 1 kernel").click()
    expect(page.get_by_text("1 kernel is restarted: Untitled.ipynb").first).to_be_visible()
    expect(job.get_by_role("button", name="Restart 1 kernel")).to_have_count(0)


def test_a_change_its_drift_and_the_way_back(page: Page, lab: Server, tmp_path: Path, shoot: Shoot) -> None:
    make(lab, "My env", "mlinfn-plots=1", "pip")
    site = next((lab.platform.environments / "my-env").glob("lib/python*/site-packages"))
    show(page, "My env")
    page.locator(".jp-mlinfn-Details").get_by_role("button", name="New notebook").first.click()
    page.get_by_role("button", name="[conda env:my-env] | Idle").wait_for()
    run_cell(page, "import mlinfn_plots; before = 1; print('plots', 'here')", "plots here")

    # What an install would do is shown before it is done.
    to_panel(page)
    page.get_by_role("button", name="Install…").click()
    field = page.get_by_role("combobox", name="Packages to install")
    expect(field).to_be_focused()
    field.fill("mlinfn-hello")
    field.press("Enter")
    expect(preview_of(page)).to_contain_text("+1")
    form = page.get_by_role("form", name="Install packages")
    expect(form.locator("tr[data-change=added]")).to_contain_text("mlinfn-hello")
    expect(form).to_contain_text("Untitled.ipynb")
    shoot(page, "change-diff")
    assert not list(site.glob("mlinfn_hello*"))
    form.get_by_role("button", name="Install", exact=True).click()
    job = page.locator(".jp-mlinfn-Job[data-state=done]")
    expect(job).to_contain_text("My env: revision 2")
    expect(job).to_contain_text("1 kernel runs in it: Untitled.ipynb")
    shoot(page, "change-done")

    # The kernel is another one after the button: what it held is gone, the package is there.
    restart_from(page)
    to_notebook(page)
    run_cell(page, "import mlinfn_hello; print('before' in globals(), 'after')", "False after")

    # pip in a cell is noticed, and told in words.
    file = wheel(tmp_path, "cowsay", "6.1")
    run_cell(page, f"%pip install --no-index {file}", "Successfully installed cowsay-6.1")
    assert (site / "cowsay.py").exists()
    to_panel(page)
    choose(page, "My env")
    drift = page.get_by_test_id("drift")
    expect(drift).to_contain_text("1 package was changed outside on")
    expect(drift).to_contain_text("+ cowsay 6.1 (pip)")
    drift.get_by_role("button", name="Show").click()
    expect(drift.locator("tr[data-change=added]")).to_contain_text("cowsay")
    shoot(page, "drift")

    # The way back shows what it would remove first.
    drift.get_by_role("button", name="Undo: back to revision 2").click()
    back = page.get_by_role("form", name="Go back to revision 2")
    expect(back.locator("tr[data-change=removed]")).to_contain_text("cowsay")
    assert (site / "cowsay.py").exists()
    shoot(page, "rollback-diff")
    back.get_by_role("button", name="Go back").click()
    expect(page.locator(".jp-mlinfn-Job[data-state=done]")).to_contain_text("My env: revision 4")
    assert not (site / "cowsay.py").exists()
    restart_from(page)
    to_notebook(page)
    run_cell(page, "import cowsay", "No module named 'cowsay'")

    # All of it is told, newest first, and nothing drifts any more.
    to_panel(page)
    choose(page, "My env")
    page.get_by_role("tab", name="Packages", exact=True).press("ArrowRight")
    rows = page.locator(".jp-mlinfn-Revisions > li")
    expect(rows).to_have_count(4)
    expect(rows.nth(0)).to_contain_text("went back to revision 2")
    expect(rows.nth(0)).to_contain_text("current")
    expect(rows.nth(1)).to_contain_text("changed outside")
    expect(rows.nth(2)).to_contain_text("installed mlinfn-hello")
    expect(page.get_by_test_id("drift")).to_have_count(0)
    shoot(page, "revisions")


def test_what_cannot_be_installed_is_said_before(page: Page, lab: Server, shoot: Shoot) -> None:
    make(lab, "My env", "mlinfn-plots=1")
    show(page, "My env")
    page.get_by_role("button", name="Install…").click()
    field = page.get_by_role("combobox", name="Packages to install")
    field.fill("mlinfn-helo")
    field.press("Enter")
    expect(preview_of(page)).to_have_attribute("data-state", "refused")
    form = page.get_by_role("form", name="Install packages")
    expect(form.get_by_role("button", name="Install", exact=True)).to_be_disabled()
    shoot(page, "change-refused")
    form.get_by_role("button", name="mlinfn-hello").first.click()
    expect(form.locator("tr[data-change=added]")).to_contain_text("mlinfn-hello")
    page.keyboard.press("Escape")
    expect(form).to_have_count(0)


def test_the_space_and_what_cleaning_up_takes(page: Page, lab: Server, shoot: Shoot) -> None:
    env = make(lab, "My env", "mlinfn-plots=1")
    status, answer = lab.request(
        "POST", f"api/mlinfn/envs/{env}/changes", {"action": "install", "specs": ["mlinfn-hello"]}
    )
    assert status == 202, answer
    assert lab.ended(answer["job"]["id"])["state"] == "done"
    show(page, "My env")
    page.get_by_role("button", name="What takes the space…").click()
    table = page.get_by_role("table")
    expect(table.get_by_role("row", name="My env")).to_contain_text("MB")
    page.get_by_role("button", name="Clean up…").click()
    page.get_by_label("All revisions of My env but the newest").check()
    expect(page.get_by_test_id("prune-preview")).to_contain_text("can no longer go back to revision 1")
    shoot(page, "space")
    page.get_by_role("form", name="Clean up").get_by_role("button", name="Clean up").click()
    expect(page.get_by_text("Cleaned up; ").first).to_be_visible()
    revisions = lab.get(f"api/mlinfn/envs/{env}/revisions")["revisions"]
    assert [one["number"] for one in revisions if one["restorable"]] == [2]


def test_a_change_in_the_dark_and_narrow(page: Page, lab: Server, shoot: Shoot) -> None:
    make(lab, "My env", "mlinfn-plots=1")
    page.get_by_role("menuitem", name="Settings").click()
    page.locator(".lm-Menu-item", has_text="Theme").first.hover()
    page.locator(".lm-Menu-item", has_text="JupyterLab Dark").first.click()
    page.locator("body[data-jp-theme-light=false]").wait_for(state="attached")
    show(page, "My env")
    page.get_by_role("button", name="Remove mlinfn-plots").click()
    form = page.get_by_role("form", name="Remove mlinfn-plots")
    expect(form.locator("tr[data-change=removed]").first).to_contain_text("mlinfn-plots")
    shoot(page, "change-dark")
    page.keyboard.press("Control+b")
    page.set_viewport_size({"width": 280, "height": 900})
    expect(page.locator(".jp-mlinfn-Environments.jp-mod-narrow")).to_be_visible()
    form.scroll_into_view_if_needed()
    shoot(page, "change-narrow")
    for shown in (form, page.locator(".jp-mlinfn-Details")):
        assert shown.evaluate(CUT_OFF) == [], "it is cut off at 200 px"
