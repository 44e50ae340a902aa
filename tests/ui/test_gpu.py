"""My slice of a simulated A100 → who holds it → freed → memory back; and where there is none, nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from jupyter_mlinfn.demo.driver import SimulatedDriver, a100_mig
from jupyter_mlinfn.demo.driver.presets import A100_SLICE_UUID

from ..support.gpu import GIB, MINE, SCENARIOS
from ..support.server import Platform, Server, running
from .conftest import Shoot, fetch, left_in_time, open_lab, requests_of, shown
from .test_changes import CUT_OFF

HOLD = "from jupyter_mlinfn.demo.driver.hold import hold; held = hold({gib}); print('held', {gib})"
ROUTE = re.compile("/api/mlinfn/gpu")
HIDE = """hidden => {
    Object.defineProperty(document, "visibilityState", {
        configurable: true, get: () => hidden ? "hidden" : "visible"
    });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture
def gpu_lab(platform: Platform, driver: SimulatedDriver, lab_port: int) -> Iterator[Server]:
    """With one of seven 1g.5gb, and two notebooks."""
    platform.environment = driver.environment() | MINE
    for name in ("train", "explore"):
        notebook(platform.root / f"{name}.ipynb")
    with running(platform, lab=True, port=lab_port) as server:
        yield server


@pytest.fixture
def gpu_page(blank_page: Page, gpu_lab: Server) -> Iterator[Page]:
    with shown(blank_page, gpu_lab):
        yield blank_page


def notebook(path: Path) -> None:
    """An empty notebook with the kernel that is always there."""
    cell = {"cell_type": "code", "id": "first", "metadata": {}, "source": "", "outputs": []}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = {
        "cells": [{**cell, "execution_count": None}],
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(content))


def run_in(page: Page, name: str, code: str, output: str) -> None:
    """Open a notebook and run code in its last cell."""
    page.locator(".jp-DirListing-item", has_text=f"{name}.ipynb").dblclick()
    shown = page.locator(".jp-NotebookPanel:visible")
    page.get_by_role("button", name="| Idle").wait_for()
    cell = shown.locator(".jp-CodeCell").last
    cell.locator(".cm-content").click()
    page.keyboard.type(code)
    page.keyboard.press("Shift+Enter")
    expect(shown.locator(".jp-OutputArea-output").last).to_contain_text(output)


def status_of(page: Page) -> Locator:
    return page.locator(".jp-mlinfn-GpuStatus-button")


def panel_of(page: Page) -> Locator:
    return page.locator(".jp-mlinfn-Gpu")


def row_of(page: Page, title: str) -> Locator:
    return page.locator(".jp-mlinfn-Holder", has_text=title)


def dark(page: Page) -> None:
    page.get_by_role("menuitem", name="Settings").click()
    page.locator(".lm-Menu-item", has_text="Theme").first.hover()
    page.locator(".lm-Menu-item", has_text="JupyterLab Dark").first.click()
    page.locator("body[data-jp-theme-light=false]").wait_for(state="attached")
    page.locator("#jupyterlab-splash").wait_for(state="detached")


def narrow(page: Page) -> None:
    """Make the right sidebar 200 px wide, which is less than JupyterLab's own least."""
    page.add_style_tag(content="body { --jp-sidebar-min-width: 200px !important; }")
    # The layout looks at the least widths again when a panel is shown.
    for is_there in (False, True):
        page.locator("li.lm-TabBar-tab[data-id=jupyter-mlinfn-gpu]").click()
        expect(panel_of(page)).to_be_visible(visible=is_there)
    handle = page.locator("#jp-main-split-panel > .lm-SplitPanel-handle:not(.lm-mod-hidden)").last
    box = handle.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(1270, box["y"] + 300, steps=5)
    page.mouse.up()
    expect(page.locator(".jp-mlinfn-Gpu.jp-mod-narrow")).to_be_visible()
    box = panel_of(page).bounding_box()
    assert box
    assert box["width"] <= 201


def test_who_holds_my_slice_and_how_it_comes_back(gpu_page: Page, gpu_lab: Server, shoot: Shoot) -> None:
    page = gpu_page
    expect(status_of(page)).to_contain_text("0.0/4.8 GiB")
    expect(page.locator(".jp-LauncherCard", has_text="GPU")).to_be_visible()
    run_in(page, "explore", "print('nothing', 'held')", "nothing held")
    run_in(page, "train", HOLD.format(gib=3), "held 3")

    # The status bar tells how full it is, and leads to who holds it.
    expect(status_of(page)).to_contain_text("3.0/4.8 GiB")
    expect(status_of(page)).to_contain_text("1g.5gb")
    expect(status_of(page)).to_contain_text("simulated")
    status_of(page).click()
    panel = panel_of(page)
    expect(page.get_by_role("heading", name="MIG 1g.5gb on A100-PCIE-40GB")).to_be_visible()
    expect(panel).to_contain_text("fine")
    expect(panel).to_contain_text("3.0 of 4.8 GiB")
    expect(panel).to_contain_text("not reported by the driver for this MIG instance")
    expect(panel).to_contain_text("simulated")
    expect(row_of(page, "train.ipynb")).to_contain_text("3.0 GiB")
    expect(row_of(page, "explore.ipynb")).to_have_count(0)
    expect(row_of(page, "driver and other")).to_contain_text("13 MiB")
    chart = page.get_by_role("slider", name=re.compile("Memory: between 13 MiB and 3.0 GiB"))
    expect(chart).to_be_visible()
    shoot(page, "gpu")

    # What it is, in full, and what is not mine.
    panel.get_by_text("This MIG instance: 1 of 7 slices, 14 multiprocessors").click()
    expect(panel.get_by_text(A100_SLICE_UUID)).to_be_visible()
    panel.get_by_role("button", name="Copy the UUID").click()
    expect(panel.get_by_role("button", name="Copy the UUID")).to_contain_text("copied")
    panel.get_by_text("The whole board (shared with others)").click()
    expect(panel.get_by_text("Newest CUDA it supports")).to_be_visible()
    for fold in panel.locator("summary").all():
        fold.click()

    # To the notebook and back.
    page.get_by_role("tab", name="explore.ipynb").first.click()
    row_of(page, "train.ipynb").get_by_role("button", name="Open train.ipynb").click()
    expect(page.locator(".jp-NotebookPanel:visible .jp-OutputArea-output").last).to_contain_text("held 3")

    # Asked before it is lost; then measured.
    row_of(page, "train.ipynb").get_by_role("button", name="Free the memory of train.ipynb").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Shut down the kernel of train.ipynb?")
    expect(dialog).to_contain_text("All its variables are lost.")
    expect(dialog).to_contain_text("It holds 3.0 GiB of GPU memory.")
    dialog.get_by_role("button", name="Shut Down").click()
    expect(page.get_by_text("3.0 GiB of GPU memory came back. Shut down: train.ipynb.").first).to_be_visible()
    expect(panel).to_contain_text("0.0 of 4.8 GiB")
    page.locator(".Toastify__toast").first.hover()
    expect(row_of(page, "train.ipynb")).to_have_count(0)
    expect(status_of(page)).to_contain_text("0.0/4.8 GiB")
    shoot(page, "gpu-freed")
    names = [each["path"] for each in gpu_lab.request("GET", "api/sessions")[1]]  # type: ignore[index]
    assert names == ["explore.ipynb"]


def test_several_are_chosen_with_the_keyboard_alone(gpu_page: Page, shoot: Shoot) -> None:
    page = gpu_page
    run_in(page, "explore", HOLD.format(gib=1), "held 1")
    run_in(page, "train", HOLD.format(gib=2.5), "held 2.5")
    expect(status_of(page)).to_contain_text("3.5/4.8 GiB")
    status_of(page).focus()
    page.keyboard.press("Enter")
    expect(panel_of(page)).to_contain_text("3.5 of 4.8 GiB")
    expect(page.locator("#jupyter-mlinfn-gpu")).to_be_focused()
    expect(row_of(page, "explore.ipynb")).to_contain_text("1.0 GiB")
    dark(page)
    page.keyboard.press("Escape")
    shoot(page, "gpu-dark")

    # The chart is read with the arrow keys.
    chart = page.get_by_role("slider", name="Memory")
    chart.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".jp-mlinfn-Chart figcaption")).to_contain_text("GiB at")
    # Tab leads through the rows to the button for several.
    names = []
    for _ in range(20):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.ariaLabel || document.activeElement.textContent"))
        if names[-1] == "Free GPU memory…":
            break
    assert "Open train.ipynb" in names, names
    assert names[-1] == "Free GPU memory…", names
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Shut Down Chosen")).to_be_disabled()
    expect(dialog.get_by_role("checkbox").first).to_be_focused()
    page.keyboard.press("Space")
    expect(dialog.get_by_role("button", name="Shut Down Chosen")).to_be_enabled()
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(dialog.get_by_role("button", name="Shut Down Chosen")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("2.5 GiB of GPU memory came back. Shut down: train.ipynb.").first).to_be_visible()
    expect(panel_of(page)).to_contain_text("1.0 of 4.8 GiB")

    page.get_by_title("Hide notification").first.click()
    expect(page.locator(".Toastify__toast")).to_have_count(0)
    narrow(page)
    shoot(page, "gpu-narrow")
    assert panel_of(page).evaluate(CUT_OFF) == [], "it is cut off at 200 px"


def test_a_lost_gpu_is_told_with_the_next_step(gpu_page: Page, driver: SimulatedDriver, shoot: Shoot) -> None:
    page = gpu_page
    expect(status_of(page)).to_contain_text("4.8 GiB")
    page.locator(".jp-LauncherCard", has_text="GPU").click()
    expect(panel_of(page)).to_contain_text("fine")
    lost = SCENARIOS["lost"].driver
    assert lost
    driver.write(lost)
    expect(status_of(page)).to_have_text("GPU: lostsimulated")
    expect(panel_of(page)).to_contain_text("The GPU fell off the bus")
    expect(panel_of(page)).to_contain_text("restart your server: it may get another GPU")
    shoot(page, "gpu-lost")
    driver.write(a100_mig())
    expect(status_of(page)).to_contain_text("4.8 GiB")
    expect(panel_of(page)).to_contain_text("fine")


def test_nothing_is_asked_where_nobody_can_look(clocked_page: Page, gpu_lab: Server) -> None:
    page = clocked_page
    with shown(page, gpu_lab), requests_of(page, ROUTE) as asked:
        expect(status_of(page)).to_contain_text("4.8 GiB")

        def asked_in_a_while() -> int:
            # What was asked for before is known; then as long as three reads take.
            fetch(page)
            asked.clear()
            page.clock.run_for(6500)
            fetch(page)
            return len(asked)

        assert asked_in_a_while() >= 1
        page.evaluate(HIDE, True)
        assert asked_in_a_while() == 0
        with page.expect_request(ROUTE):
            page.evaluate(HIDE, False)
        # Nor where neither the item nor the panel is shown.
        page.get_by_role("menuitem", name="View", exact=True).click()
        page.locator(".lm-Menu-item", has_text="Appearance").first.hover()
        page.locator(".lm-Menu-item", has_text="Show Status Bar").first.click()
        expect(status_of(page)).to_be_hidden()
        assert asked_in_a_while() == 0


def test_an_open_panel_is_open_again_after_a_reload(gpu_page: Page, gpu_lab: Server) -> None:
    page = gpu_page
    page.get_by_role("menuitem", name="View", exact=True).click()
    page.locator(".lm-Menu-item", has_text=re.compile("^GPU")).click()
    expect(panel_of(page)).to_contain_text("of 4.8 GiB")
    with page.expect_response(
        lambda answer: "/api/workspaces" in answer.url and answer.request.method == "PUT"
    ):
        page.get_by_role("button", name="New Launcher").first.click()
    open_lab(page, gpu_lab)
    expect(panel_of(page)).to_contain_text("of 4.8 GiB")


def test_where_it_is_not_clear_which_is_mine_it_is_asked_for(
    blank_page: Page, platform: Platform, driver: SimulatedDriver, lab_port: int, shoot: Shoot
) -> None:
    driver.write(a100_mig({4_200_000: GIB}, others="readable"))
    platform.environment = driver.environment() | {"NVIDIA_VISIBLE_DEVICES": "all"}
    page = blank_page
    with running(platform, lab=True, port=lab_port) as server, shown(page, server):
        expect(status_of(page)).to_have_text("GPU: not clear whichsimulated")
        status_of(page).click()
        panel = panel_of(page)
        expect(page.get_by_role("heading", name="One of 7 GPU devices")).to_be_visible()
        expect(panel.get_by_text(A100_SLICE_UUID)).to_be_visible()
        expect(panel.get_by_role("button", name="Copy the UUID")).to_have_count(7)
        expect(panel.get_by_role("slider")).to_have_count(0)
        expect(panel).not_to_contain_text("GiB")
        shoot(page, "gpu-ambiguous")
        narrow(page)
        assert panel.evaluate(CUT_OFF) == [], "it is cut off at 200 px"


@pytest.mark.parametrize("wish", ["void", "none"])
def test_without_a_gpu_there_is_no_trace_of_it(
    blank_page: Page, platform: Platform, driver: SimulatedDriver, lab_port: int, wish: str
) -> None:
    platform.environment = {"NVIDIA_VISIBLE_DEVICES": wish}
    if wish == "none":
        # The driver's library is there all the same: in the image, or by a runtime that gives it to all.
        platform.environment = driver.environment() | {"NVIDIA_VISIBLE_DEVICES": wish}
    page = blank_page
    with running(platform, lab=True, port=lab_port) as server, left_in_time(page, server):
        with page.expect_response(ROUTE):
            open_lab(page, server, reset=True)
        page.wait_for_load_state("networkidle")
        expect(page.locator(".jp-LauncherCard", has_text="Environments")).to_be_visible()
        expect(page.locator(".jp-LauncherCard", has_text="GPU")).to_have_count(0)
        expect(status_of(page)).to_be_hidden()
        expect(page.locator("li.lm-TabBar-tab[data-id=jupyter-mlinfn-gpu]")).to_be_hidden()
        # Who asks all the same is told why, and what to do.
        page.get_by_role("menuitem", name="View", exact=True).click()
        page.locator(".lm-Menu-item", has_text=re.compile("^GPU")).click()
        expect(panel_of(page)).to_be_visible()
        expect(panel_of(page).locator(".jp-mlinfn-Gpu-notice")).not_to_be_empty()
