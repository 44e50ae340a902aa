"""A folder that does not last says so; a document in it is moved, with its kernel; files are kept.

The root does not last and `private` does, by the configuration.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from ..support.server import Platform, Server, running, wait_for
from .conftest import THEMES, Shoot, open_lab, requests_of, setting, shown
from .test_gpu import notebook, run_in


@contextmanager
def lab_on(platform: Platform, port: int) -> Iterator[Server]:
    arguments = (
        f"--StorageConfig.ephemeral_folders={platform.root}",
        f"--StorageConfig.persistent_folders={platform.root / 'private'}",
    )
    with running(platform, lab=True, arguments=arguments, port=port) as server:
        yield server


@pytest.fixture
def storage_lab(platform: Platform, lab_port: int) -> Iterator[Server]:
    with lab_on(platform, lab_port) as server:
        yield server


@pytest.fixture
def storage_page(blank_page: Page, storage_lab: Server) -> Iterator[Page]:
    with shown(blank_page, storage_lab):
        yield blank_page


def badge_of(page: Page) -> Locator:
    return page.locator(".jp-mlinfn-StorageBadge-button")


def word_of(page: Page) -> Locator:
    return page.locator(".Toastify__toast", has_text="does not last")


def toast(page: Page, text: str) -> Locator:
    return page.locator(".Toastify__toast", has_text=text)


def panel_of(page: Page) -> Locator:
    return page.locator(".jp-mlinfn-Storage:visible")


def go_to(page: Page, folder: str) -> None:
    page.locator(f'.jp-DirListing-item[data-isdir="true"]:has-text("{folder}")').dblclick()


def fill(platform: Platform) -> dict[str, str]:
    """Files that would be lost, made after the start, with their hashes."""
    made = {
        "results.csv": 1_200_000,
        "plots/loss.png": 340_000,
        "plots/note.txt": 900,
        "model.ckpt": 8_000_000,
    }
    for name, size in made.items():
        path = platform.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(hashlib.sha256(name.encode()).digest() * (size // 32))
    return {name: digest(platform.root / name) for name in made}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_badge_goes_with_the_folder(storage_page: Page, storage_lab: Server, shoot: Shoot) -> None:
    page = storage_page
    expect(badge_of(page)).to_have_text("Does not last")
    expect(badge_of(page)).to_have_attribute("title", re.compile("gone when this server stops"))
    shoot(page, "storage-badge")

    with requests_of(page, re.compile("/storage/")) as asked:
        go_to(page, "private")
        expect(badge_of(page)).to_be_hidden()
        page.locator(".jp-BreadCrumbs-home").click()
        expect(badge_of(page)).to_be_visible()
    # The root was asked about before.
    assert [parse_qs(urlsplit(url).query)["path"] for url in asked] == [["private"]]

    # Narrower than JupyterLab lets a sidebar be.
    page.add_style_tag(content=".jp-FileBrowser { max-width: 200px; min-width: 0 !important; }")
    expect(badge_of(page)).to_have_text("Does not last")
    box = badge_of(page).bounding_box()
    assert box is not None
    assert 100 < box["width"] <= 200
    assert badge_of(page).evaluate("node => node.scrollWidth <= node.clientWidth")

    badge_of(page).click()
    expect(panel_of(page)).to_contain_text("Files that would be lost")


@pytest.mark.parametrize("theme", THEMES)
def test_chosen_files_are_kept(
    blank_page: Page, platform: Platform, lab_port: int, shoot: Shoot, theme: str
) -> None:
    if theme:
        setting(platform, "@jupyterlab/apputils-extension/themes", {"theme": "JupyterLab Dark"})
    page = blank_page
    with lab_on(platform, lab_port) as server, shown(page, server):
        hashes = fill(platform)
        page.locator(".jp-LauncherCard", has_text="Storage").click()
        panel = panel_of(page)
        expect(panel).to_contain_text("4 files, 9.5 MB: made or changed since this server started")
        lasting = panel.locator('tbody[data-persistence="lasts"]')
        expect(lasting).to_contain_text("Still there when this server is started again")
        expect(lasting.get_by_role("row", name="private")).to_be_visible()
        shoot(page, f"storage-panel{theme}")

        files = panel.get_by_role("table").filter(has=page.get_by_role("checkbox", name="All"))
        expect(files.get_by_role("checkbox")).to_have_count(5)
        files.get_by_role("checkbox", name="plots/note.txt").click()
        expect(panel).to_contain_text("A copy of 3 files, 9.5 MB")
        panel.get_by_role("button", name="Keep in private/rescued").click()
        job = panel.locator(".jp-mlinfn-Job")
        expect(job).to_contain_text(re.compile("3 files, 9.5 MB kept in private/rescued/"))
        [folder] = (platform.root / "private" / "rescued").iterdir()
        kept = {
            str(path.relative_to(root)): digest(path)
            for root in [next(folder.rglob("results.csv")).parent]
            for path in root.rglob("*")
            if path.is_file() and path.name in ("results.csv", "loss.png", "note.txt", "model.ckpt")
        }
        assert kept == {name: value for name, value in hashes.items() if name != "plots/note.txt"}
        job.scroll_into_view_if_needed()
        shoot(page, f"storage-kept{theme}")
        job.get_by_role("button", name="Show the folder").click()
        expect(page.locator(".jp-DirListing-content")).to_contain_text("results.csv")
        expect(badge_of(page)).to_be_hidden()


def test_a_new_notebook_is_moved_with_its_kernel(
    storage_page: Page, storage_lab: Server, shoot: Shoot
) -> None:
    page, root = storage_page, storage_lab.platform.root
    (root / "private" / "Untitled.ipynb").write_text("taken")
    page.locator('.jp-LauncherCard[data-category="Notebook"]').first.click()
    expect(word_of(page)).to_contain_text(
        "Untitled.ipynb is in a folder that does not last: it is gone when this server stops."
    )
    page.get_by_role("button", name="| Idle").wait_for()
    type_in(page, "answer = 6 * 7; print('held', answer)", "held 42")
    shoot(page, "storage-word")
    before = session_of(storage_lab)

    word_of(page).get_by_role("button", name="Move to private").click()
    # A name that is taken is left alone.
    expect(toast(page, "Moved to private/Untitled-1.ipynb")).to_be_visible()
    expect(word_of(page)).to_have_count(0)
    assert (root / "private" / "Untitled.ipynb").read_text() == "taken"
    assert "6 * 7" in (root / "private" / "Untitled-1.ipynb").read_text()
    assert not (root / "Untitled.ipynb").exists()
    shoot(page, "storage-moved")
    type_in(page, "print('still', answer)", "still 42")
    after = session_of(storage_lab)
    assert after["path"] == "private/Untitled-1.ipynb"
    assert after["kernel"]["id"] == before["kernel"]["id"]
    page.keyboard.press("Control+s")
    wait_for(lambda: "still" in (root / "private" / "Untitled-1.ipynb").read_text())
    # The page knows it a little later: until then it takes the file for one that others have changed.
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)
    assert not (root / "Untitled.ipynb").exists()

    toast(page, "Moved to").get_by_role("button", name="Undo").click()
    expect(toast(page, "Moved back to Untitled.ipynb")).to_be_visible()
    assert (root / "Untitled.ipynb").exists()
    assert not (root / "private" / "Untitled-1.ipynb").exists()
    type_in(page, "print('again', answer)", "again 42")
    page.keyboard.press("Control+s")
    wait_for(lambda: "again" in (root / "Untitled.ipynb").read_text())
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)
    # It was said once of this document.
    expect(word_of(page)).to_have_count(0)


def session_of(server: Server) -> dict[str, Any]:
    """The only one."""
    _, sessions = server.request("GET", "api/sessions")
    [session] = cast("list[dict[str, Any]]", sessions)
    return session


def type_in(page: Page, code: str, output: str) -> None:
    shown = page.locator(".jp-NotebookPanel:visible")
    shown.locator(".jp-CodeCell").last.locator(".cm-content").click()
    page.keyboard.type(code)
    page.keyboard.press("Shift+Enter")
    expect(shown.locator(".jp-OutputArea-output").last).to_contain_text(output)


def test_it_is_said_no_more_where_that_was_asked(storage_page: Page, storage_lab: Server) -> None:
    page, root = storage_page, storage_lab.platform.root
    notebook(root / "old.ipynb")
    notebook(root / "other.ipynb")
    run_in(page, "old", "print('ran')", "ran")
    expect(word_of(page)).to_have_count(0)
    page.keyboard.press("Control+s")
    expect(word_of(page)).to_contain_text("old.ipynb is in a folder that does not last")
    word_of(page).get_by_role("button", name="Don't say this again").click()
    expect(word_of(page)).to_have_count(0)
    settings = storage_lab.platform.folder / "config/lab/user-settings/jupyter-mlinfn"
    wait_for(lambda: "false" in (settings / "storage.jupyterlab-settings").read_text())
    run_in(page, "other", "print('ran too')", "ran too")
    page.keyboard.press("Control+s")
    wait_for(lambda: "ran too" in (root / "other.ipynb").read_text())
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)
    expect(word_of(page)).to_have_count(0)


def test_files_and_folders_are_moved_from_the_file_browser(storage_page: Page, storage_lab: Server) -> None:
    page, root = storage_page, storage_lab.platform.root
    (root / "data").mkdir()
    (root / "data" / "one.txt").write_text("one")
    page.get_by_role("button", name="Refresh the file browser").click()

    def menu_of(name: str) -> Locator:
        page.locator(".jp-DirListing-item", has_text=name).click(button="right")
        expect(page.locator(".lm-Menu-item:visible", has_text="Rename").first).to_be_visible()
        return page.locator(".lm-Menu-item:visible", has_text="Move to private")

    expect(page.locator(".jp-DirListing-item", has_text="data")).to_be_visible()
    expect(menu_of("private")).to_have_count(0)
    page.keyboard.press("Escape")
    menu_of("data").click()
    expect(toast(page, "Moved to private/data")).to_be_visible()
    assert (root / "private" / "data" / "one.txt").read_text() == "one"
    assert not (root / "data").exists()
    # The list is read again before the next click: rows move.
    expect(page.locator(".jp-DirListing-item", has_text="data")).to_have_count(0)
    go_to(page, "private")
    expect(page.locator(".jp-DirListing-item", has_text="data")).to_be_visible()
    expect(menu_of("data")).to_have_count(0)


def test_the_panel_is_used_by_keys_in_little_room(
    blank_page: Page, storage_lab: Server, shoot: Shoot
) -> None:
    hashes = fill(storage_lab.platform)
    page = blank_page
    page.set_viewport_size({"width": 470, "height": 800})
    open_lab(page, storage_lab, reset=True)
    page.keyboard.press("Control+b")
    expect(page.locator(".jp-FileBrowser")).to_be_hidden()
    page.keyboard.press("Control+Shift+c")
    page.locator(".lm-CommandPalette-input").fill("Platform Storage")
    page.keyboard.press("Enter")
    panel = panel_of(page)
    expect(panel).to_contain_text("4 files, 9.5 MB")
    page.locator("body").evaluate("() => document.activeElement.blur()")
    panel.focus()
    tab_to(page, panel.get_by_role("checkbox", name="All"))
    page.keyboard.press("Space")
    expect(panel).to_contain_text("Nothing is chosen.")
    tab_to(page, panel.get_by_role("checkbox", name="results.csv"))
    page.keyboard.press("Space")
    expect(panel).to_contain_text("A copy of 1 file, 1.2 MB")
    assert panel.evaluate("panel => panel.scrollWidth <= panel.clientWidth")
    shoot(page, "storage-narrow")
    tab_to(page, panel.get_by_role("button", name="Keep in private/rescued"), "Shift+Tab")
    page.keyboard.press("Enter")
    expect(panel.locator(".jp-mlinfn-Job")).to_contain_text("1 file, 1.2 MB kept in private/rescued/")
    [kept] = (storage_lab.platform.root / "private/rescued").rglob("results.csv")
    assert digest(kept) == hashes["results.csv"]


def tab_to(page: Page, target: Locator, key: str = "Tab") -> None:
    for _ in range(40):
        page.keyboard.press(key)
        if target.evaluate("node => node === document.activeElement"):
            return
    raise AssertionError(f"{target} is not reached by {key}")
