"""Free resources: what would be lost is named, saved and kept; then a calm page; then a card of welcome.

A plain server, without a hub; `test_session_hub.py` is on one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from ..support.proof import note, sample
from ..support.server import Platform, Server, running, wait_for
from .conftest import THEMES, Shoot, fetch, left_in_time, open_lab, setting, shown
from .test_gpu import HOLD, gpu_lab, gpu_page, notebook, run_in  # noqa: F401 - fixtures
from .test_idle import edit

CORE = re.compile("Server Connection Error|Server unavailable|File Save Error", re.IGNORECASE)
SURVEY = re.compile(r"/api/mlinfn/session(/survey)?(\?|$)")
ShownOn = Callable[..., AbstractContextManager[tuple[Page, Server]]]
SLOW = "import time; print('begun', flush=True); time.sleep(600)"


@contextmanager
def lab_on(platform: Platform, port: int) -> Iterator[Server]:
    """A server whose root does not last, and whose `private` does."""
    arguments = (
        f"--StorageConfig.ephemeral_folders={platform.root}",
        f"--StorageConfig.persistent_folders={platform.root / 'private'}",
    )
    with running(platform, lab=True, arguments=arguments, port=port) as server:
        yield server


@pytest.fixture
def shown_on(platform: Platform, lab_port: int, blank_page: Page) -> ShownOn:
    """The page, on such a server with these files: notebooks with a kernel, and empty ones."""

    @contextmanager
    def shown_on(*names: str) -> Iterator[tuple[Page, Server]]:
        for name in names:
            if name.endswith(".ipynb"):
                notebook(platform.root / name)
            else:
                (platform.root / name).write_text("")
        with lab_on(platform, lab_port) as server, shown(blank_page, server):
            yield blank_page, server

    return shown_on


def free_of(page: Page) -> Locator:
    return page.locator(".jp-mlinfn-SessionStatus-button").first


def dialog_of(page: Page) -> Locator:
    return page.get_by_role("dialog", name="Free resources")


def line_of(page: Page, name: str) -> Locator:
    return dialog_of(page).locator(f'[data-line="{name}"]')


def calm_of(page: Page, title: str | re.Pattern[str]) -> Locator:
    return page.get_by_role("dialog", name=title)


def fact_of(page: Page, name: str) -> Locator:
    return page.locator(f'.jp-mlinfn-Calm [data-fact="{name}"]')


def card_of(page: Page) -> Locator:
    return page.get_by_role("region", name="Welcome back")


def fill(platform: Platform) -> dict[str, str]:
    """Three files that would be lost, made after the start, with their hashes."""
    made = {"results.csv": 1200, "plots/loss.png": 340_000, "model.ckpt": 4_000_000}
    for name, size in made.items():
        path = platform.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(hashlib.sha256(name.encode()).digest() * (size // 32))
    return {name: hashlib.sha256((platform.root / name).read_bytes()).hexdigest() for name in made}


def watch_for_core(page: Page) -> None:
    """Have every dialog of JupyterLab's own written down, however short it is there."""
    page.evaluate(
        """() => {
            window.dialogs = [];
            new MutationObserver(() => {
                for (const node of document.querySelectorAll('.jp-Dialog .jp-Dialog-header'))
                    window.dialogs.push(node.textContent);
            }).observe(document.body, { childList: true, subtree: true });
        }"""
    )


def dialogs_of(page: Page) -> list[str]:
    """Titles of those that JupyterLab has shown since `watch_for_core`, which still watches."""
    page.evaluate(
        """() => {
            const shown = document.createElement('div');
            shown.innerHTML = '<div class="jp-Dialog"><div class="jp-Dialog-header">the last</div></div>';
            document.body.append(shown);
            return Promise.resolve().then(() => shown.remove());
        }"""
    )
    titles = page.evaluate("window.dialogs")
    assert "the last" in titles
    return [title for title in titles if title != "the last"]


def has_shown_no_core_dialog(page: Page) -> None:
    assert not [title for title in dialogs_of(page) if CORE.search(title)]


@pytest.mark.parametrize("theme", THEMES)
def test_it_is_given_back_and_nothing_is_lost(
    clocked_page: Page, platform: Platform, lab_port: int, shoot: Shoot, theme: str
) -> None:
    if theme:
        setting(platform, "@jupyterlab/apputils-extension/themes", {"theme": "JupyterLab Dark"})
    private = platform.root / "private"
    (private / "mine.txt").write_text("")
    notebook(platform.root / "train.ipynb")
    page = clocked_page
    with lab_on(platform, lab_port) as server:
        hashes = fill(platform)
        open_lab(page, server, reset=True)
        run_in(page, "train", SLOW, "begun")
        page.locator('.jp-DirListing-item[data-isdir="true"]:has-text("private")').dblclick()
        edit(page, "mine.txt", "typed and not saved")
        watch_for_core(page)

        free_of(page).click()
        expect(line_of(page, "documents")).to_contain_text("mine.txt")
        expect(line_of(page, "running")).to_contain_text("train.ipynb is running a cell")
        expect(line_of(page, "files")).to_contain_text(re.compile("outside .*private/? would be lost"))
        for name in ("model.ckpt", "loss.png"):
            expect(line_of(page, "files")).to_contain_text(name)
        expect(dialog_of(page).get_by_role("checkbox")).to_be_checked()
        expect(dialog_of(page).get_by_role("button", name="Cancel")).to_be_focused()
        shoot(page, f"session-dialog{theme}")
        dialog_of(page).get_by_role("button", name="Stop now").click()

        calm = calm_of(page, "This server is stopped")
        expect(calm).to_be_visible()
        expect(fact_of(page, "saved")).to_contain_text("mine.txt")
        expect(fact_of(page, "kept")).to_contain_text("private/rescued/")
        expect(calm.get_by_role("button", name="Try again")).to_be_focused()
        expect(calm.locator("code")).to_contain_text("jupyterlab")
        shoot(page, f"session-stopped{theme}")
        wait_for(lambda: server.process.poll() is not None)
        assert server.process.returncode == 0
        # A minute, in which JupyterLab's own looks would have failed.
        for _ in range(6):
            page.clock.run_for(10_000)
            fetch(page)
        has_shown_no_core_dialog(page)
    assert (private / "mine.txt").read_text().strip() == "typed and not saved"
    (folder,) = (private / "rescued").iterdir()
    for name, digest in hashes.items():
        (kept,) = folder.rglob(name)
        assert hashlib.sha256(kept.read_bytes()).hexdigest() == digest

    with lab_on(platform, lab_port) as server:
        # It notices by itself.
        card = card_of(page)
        expect(card).to_be_visible()
        expect(card).to_contain_text("Somebody asked")
        expect(card).to_contain_text(f"private/rescued/{folder.name}")
        expect(card.get_by_role("button", name="mine.txt")).to_be_visible()
        expect(card.get_by_role("button", name="Close")).not_to_be_focused()
        shoot(page, f"session-welcome{theme}")
        # JupyterLab goes to where the browser was; only then does it follow a link.
        crumbs = page.locator(".jp-FileBrowser-crumbs").first
        expect(crumbs).to_contain_text("private")
        card.get_by_role("button", name=re.compile("private.rescued")).click()
        expect(crumbs).to_contain_text(folder.name)
        with page.expect_response(lambda answer: answer.request.method == "POST" and answer.status == 204):
            card.get_by_role("button", name="Close").click()
        expect(card).to_have_count(0)
        with left_in_time(page, server):
            open_lab(page, server)
            page.wait_for_load_state("networkidle")
            expect(card).to_have_count(0)


def test_with_the_keyboard_alone(shown_on: ShownOn) -> None:
    with shown_on() as (page, server):
        free_of(page).focus()
        page.keyboard.press("Enter")
        dialog = dialog_of(page)
        expect(line_of(page, "files")).to_contain_text("No file would be lost")
        # Enter by accident stops nothing, nor does Escape.
        expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
        page.keyboard.press("Enter")
        expect(dialog).to_have_count(0)
        expect(free_of(page)).to_be_focused()
        page.keyboard.press("Enter")
        expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        assert server.get("api/mlinfn/session")["stop"]["phase"] is None

        page.keyboard.press("Enter")
        expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
        page.keyboard.press("Tab")
        expect(dialog.get_by_role("button", name="Stop now")).to_be_focused()
        page.keyboard.press("Enter")
        calm = calm_of(page, "This server is stopped")
        expect(calm.get_by_role("button", name="Try again")).to_be_focused()
        page.keyboard.press("Shift+Tab")
        expect(calm.get_by_role("button", name="Look around")).to_be_focused()
        page.keyboard.press("Enter")
        expect(calm).to_have_count(0)
        expect(free_of(page)).to_have_text("Server stopped")
        free_of(page).focus()
        page.keyboard.press("Enter")
        expect(calm).to_be_visible()
        page.keyboard.press("Escape")
        expect(calm).to_have_count(0)


def test_it_stops_when_running_cells_have_finished(shown_on: ShownOn) -> None:
    with shown_on("train.ipynb") as (page, server):
        gate = server.platform.root / "private" / "gate"
        code = f"from os.path import exists; print('begun', flush=True)\nwhile not exists('{gate}'): pass"
        run_in(page, "train", code, "begun")
        free_of(page).click()
        line_of(page, "running").get_by_role("button", name="Stop when it finishes").click()
        expect(free_of(page)).to_have_text("stops when train.ipynb finishes")
        cancel = page.locator(".jp-mlinfn-SessionStatus-cancel")
        cancel.click()
        expect(free_of(page)).to_have_text("Free")
        assert server.get("api/mlinfn/session")["stop"]["phase"] is None

        free_of(page).click()
        line_of(page, "running").get_by_role("button", name="Stop when it finishes").click()
        expect(cancel).to_be_visible()
        gate.write_text("")
        expect(calm_of(page, "This server is stopped")).to_be_visible()
        # The result of the cell is in the notebook.
        expect(fact_of(page, "saved")).to_contain_text("train.ipynb")
        wait_for(lambda: server.process.poll() is not None)
        assert server.process.returncode == 0


def test_a_missing_network_is_no_stop(shown_on: ShownOn) -> None:
    with shown_on("mine.txt") as (page, server):
        file = server.platform.root / "mine.txt"
        edit(page, "mine.txt", "typed before")
        watch_for_core(page)
        page.context.set_offline(True)
        word = page.get_by_role("status").filter(has_text="This computer has no network")
        expect(word).to_contain_text("What you type stays in this page")
        page.locator(".jp-FileEditor:visible .cm-content").click()
        page.keyboard.type(" and meanwhile")
        expect(page.locator(".jp-mlinfn-Calm")).to_have_count(0)
        page.context.set_offline(False)
        expect(word).to_have_count(0)
        expect(free_of(page)).to_have_text("Free")
        page.keyboard.press("Control+s")
        wait_for(lambda: "meanwhile" in file.read_text())
        assert dialogs_of(page) == []


def test_a_server_that_is_no_more_is_told_without_a_reason(shown_on: ShownOn, lab_port: int) -> None:
    with shown_on("mine.txt") as (page, server):
        edit(page, "mine.txt", "typed and not saved")
        watch_for_core(page)
        server.kill()
        calm = calm_of(page, "This server was stopped, or does not answer")
        expect(calm).to_contain_text("nothing has told this page why")
        expect(fact_of(page, "unsaved")).to_contain_text("mine.txt. The changes are in this page only")
        calm.get_by_role("button", name="Try again").click()
        expect(calm).to_contain_text("It does not answer yet.")
        calm.get_by_role("button", name="Look around").click()
        expect(page.locator(".jp-FileEditor:visible")).to_contain_text("typed and not saved")
        has_shown_no_core_dialog(page)
        with lab_on(server.platform, lab_port) as restarted, left_in_time(page, restarted):
            # What is in this page only keeps it from loading itself anew.
            again = calm_of(page, "This server is running again")
            expect(again).to_contain_text("mine.txt")
            expect(again.get_by_role("button", name="Open it")).to_be_focused()


def test_two_pages_and_a_narrow_one(shown_on: ShownOn, shoot: Shoot) -> None:
    with shown_on("mine.txt", "theirs.txt") as (one, server):
        root = server.platform.root
        other = one.context.new_page()
        other.goto(f"{server.url}/lab/workspaces/other?reset")
        other.locator(".jp-Launcher").wait_for()
        for page, name, text in ((one, "mine.txt", "typed here"), (other, "theirs.txt", "typed there")):
            page.set_viewport_size({"width": 900, "height": 800})
            edit(page, name, text)
        one.bring_to_front()
        free_of(one).click()
        expect(line_of(one, "documents")).to_contain_text("2 documents with unsaved changes")
        expect(line_of(one, "documents")).to_contain_text("1 in other tabs")
        shoot(one, "session-dialog-narrow")
        line_of(one, "documents").get_by_role("button", name="Save").click()
        expect(line_of(one, "documents")).to_contain_text("in another tab, which saves before the stop")
        assert "typed here" in (root / "mine.txt").read_text()
        free_of(other).click()
        dialog_of(other).get_by_role("button", name="Stop now").click()
        # Whose dialog is open elsewhere is told the same, once.
        for page in (one, other):
            expect(calm_of(page, "This server is stopped")).to_be_visible()
            expect(page.get_by_role("dialog")).to_have_count(1)
        expect(fact_of(other, "saved")).to_contain_text("theirs.txt")
        expect(fact_of(other, "kept")).to_contain_text("2 files (21 B) in private/rescued/")
        shoot(other, "session-stopped-narrow")
        wait_for(lambda: server.process.poll() is not None)
        assert "typed there" in (root / "theirs.txt").read_text()


def test_the_gpu_alone_is_freed(gpu_page: Page, gpu_lab: Server, shoot: Shoot) -> None:  # noqa: F811
    page = gpu_page
    run_in(page, "train", HOLD.format(gib=3), "held 3")
    free_of(page).click()
    expect(dialog_of(page)).to_contain_text(re.compile(r"MIG 1g.5gb.*3.* GiB in use"))
    expect(line_of(page, "gpu")).to_contain_text("train.ipynb (3.0 GiB)")
    shoot(page, "session-dialog-gpu")
    dialog_of(page).get_by_role("button", name="Free the GPU only").click()
    expect(dialog_of(page)).to_have_count(0)
    sure = page.get_by_role("dialog").filter(has_text="Shut down the kernel of train.ipynb?")
    sure.get_by_role("button", name="Shut Down").click()
    expect(page.get_by_text("Shut down: train.ipynb").first).to_be_visible()
    free_of(page).click()
    expect(line_of(page, "gpu")).to_contain_text("Nothing holds GPU memory")
    expect(dialog_of(page).get_by_role("button", name="Free the GPU only")).to_be_disabled()
    assert gpu_lab.get("api/mlinfn/session")["stop"]["phase"] is None


def test_the_dialog_is_there_before_the_files_are_counted(shown_on: ShownOn) -> None:
    with shown_on() as (page, server):
        root = server.platform.root
        number = sample(3, 100_000)
        for index in range(number):
            folder = root / f"many{index // 1000}"
            folder.mkdir(exist_ok=True)
            (folder / str(index)).touch()

        def uncounted(route: Route) -> None:
            answer = route.fetch()
            told = answer.json()
            route.fulfill(
                response=answer, json={**told, "files": {**(told["files"] or {}), "state": "counting"}}
            )

        page.route(SURVEY, uncounted)
        free_of(page).click()
        expect(line_of(page, "documents")).to_have_attribute("data-state", "fine")
        expect(line_of(page, "files")).to_contain_text(re.compile("looking…|counting…"))
        dialog_of(page).get_by_role("button", name="Cancel").click()
        expect(dialog_of(page)).to_have_count(0)
        page.unroute(SURVEY)

        page.wait_for_load_state("networkidle")
        took = page.evaluate(
            """async () => {
                const before = performance.now();
                document.querySelector('.jp-mlinfn-SessionStatus-button').click();
                const isThere = () => document.querySelector(
                    '.jp-mlinfn-Session[open] [data-line="documents"][data-state="fine"]');
                while (!isThere())
                    await new Promise(resolve => requestAnimationFrame(resolve));
                return performance.now() - before;
            }"""
        )
        note(f"the dialog of Free resources beside {number} files to be counted: {took:.0f} ms")
        expect(line_of(page, "files")).to_contain_text(f"{number} files")
