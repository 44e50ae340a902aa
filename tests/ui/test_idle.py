"""Told before the server stops, in every page; kept by one answer; saved and stopped without one.

The clocks of the server and of its pages are in the test's hand: hours pass when `pass_time` says so. What
is not to count as a person's input is done by events that a script makes.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Locator, Page, Response, expect

from ..support import turned
from ..support.server import TOKEN, Platform, Server, wait_for
from .conftest import Shoot, fetch, left_in_time, open_lab, requests_of, setting, shown
from .test_gpu import HIDE, dark

IDLE = "https://events.jupyter.org/jupyter_mlinfn/idle/v1"
TIMEOUT = 7200.0
"""Seconds. The warnings are those that nobody configured: half an hour, ten and two minutes before."""
TO_WARNING, TO_LAST = TIMEOUT - 1799, 1680.0
"""From the last activity to the first warning, and from there to the last one."""
TELLTALE = """
    window.told = [];
    window.Notification = class extends window.Notification {
        constructor(title, options) { super(title, options); window.told.push([title, options.body]); }
    };
"""


@contextmanager
def lab_that_stops(platform: Platform, timeout: float = TIMEOUT) -> Iterator[Server]:
    platform.traits = {"idle_timeout": timeout}
    # JupyterLab saves every two minutes, of which many pass here.
    setting(platform, "@jupyterlab/docmanager-extension/plugin", {"autosave": False})
    with turned.by_our_clock(platform) as server:
        yield server


def pass_time(server: Server, seconds: float, page: Page) -> None:
    """For the server and for all pages: one that planned to tell of a person's input does so now, of what is
    long ago then."""
    page.clock.fast_forward(round(seconds * 1000))
    turned.pass_time(server, seconds)


@contextmanager
def input_told(page: Page) -> Iterator[None]:
    """A person's input that the server hears of here: not after hours that no page has seen pass."""
    with page.expect_response(is_report_of_input) as answer:
        yield
    answer.value.finished()


def is_report_of_input(response: Response) -> bool:
    told = response.request.post_data or ""
    return "/api/mlinfn/idle/page" in response.url and "input_seconds_ago" in told


def warning_of(page: Page) -> Locator:
    return page.locator(".Toastify__toast", has_text="This server stops at")


def last_of(page: Page) -> Locator:
    return page.get_by_role("alertdialog", name="This server is about to stop")


def status_of(page: Page) -> Locator:
    return page.locator(".jp-mlinfn-IdleStatus-button")


def is_answer(response: Response) -> bool:
    return response.request.method == "GET" and re.search(r"/api/mlinfn/idle(\?|$)", response.url) is not None


def forge(server: Server, **data: Any) -> None:
    """What anybody who holds a token can post."""
    body = {"schema_id": IDLE, "version": "1", "data": data}
    status, _ = server.request("POST", "api/events", body)
    assert status == 204


def shows_nothing(page: Page) -> None:
    expect(status_of(page)).to_have_count(0)
    expect(warning_of(page)).to_have_count(0)
    expect(last_of(page)).to_have_count(0)
    expect(page).to_have_title(re.compile("^[^⏳]"))


def edit(page: Page, name: str, text: str) -> None:
    """Type into a file, and leave it unsaved."""
    page.locator(".jp-DirListing-item", has_text=name).dblclick()
    content = page.locator(".jp-FileEditor:visible .cm-content")
    content.click()
    page.keyboard.type(text)
    expect(content).to_contain_text(text)


def test_a_warning_tells_when_and_why(clocked_page: Page, platform: Platform, shoot: Shoot) -> None:
    with lab_that_stops(platform) as server, shown(clocked_page, server):
        page = clocked_page
        shows_nothing(page)
        for theme, why in (
            ("", "Nothing has happened since this server started, 1 h 30 min ago."),
            ("-dark", "Nothing has happened for 1 h 30 min."),
        ):
            if theme:
                with input_told(page):
                    dark(page)
            pass_time(server, TO_WARNING, page)
            expect(warning_of(page)).to_contain_text(why)
            expect(status_of(page)).to_contain_text(re.compile(r"stops at \d\d:\d\d unless used"))
            expect(page).to_have_title("⏳ JupyterLab")
            for label in ("I'm still here", "Keep for…", "Save and stop now", "Why?"):
                expect(warning_of(page).get_by_role("button", name=label)).to_be_visible()
            expect(warning_of(page)).to_be_in_viewport(ratio=1)
            shoot(page, f"idle-warning{theme}")

            status_of(page).dispatch_event("click")
            dialog = page.get_by_role("dialog")
            expect(dialog).to_contain_text("What counts as use")
            input_row = dialog.get_by_role("row", name="Pointer and keys in this page")
            expect(input_row).to_contain_text("1 hour" if theme else "never")
            expect(dialog.get_by_role("row", name="Not used for too long")).to_contain_text("Use moves it.")
            expect(dialog).to_contain_text("Open pages tell it 30 minutes, 10 minutes, 2 minutes before.")
            shoot(page, f"idle-why{theme}")
            dialog.get_by_role("button", name="Close").dispatch_event("click")

            pass_time(server, TO_LAST, page)
            last = last_of(page)
            expect(last).to_be_visible()
            expect(last.get_by_role("timer")).to_have_text(re.compile(r"^[01]:[0-5]\d$"))
            expect(last).to_contain_text("are not in the notebook file")
            expect(last.get_by_role("button", name="I'm still here")).to_be_focused()
            expect(page.locator(".Toastify__toast")).to_have_count(0)
            shoot(page, f"idle-dialog{theme}")
            last.get_by_role("button", name="I'm still here").dispatch_event("click")
            shows_nothing(page)


def test_one_answer_clears_it_in_all_tabs(clocked_page: Page, platform: Platform) -> None:
    with lab_that_stops(platform) as server, shown(clocked_page, server):
        one = clocked_page
        other = one.context.new_page()
        other.add_init_script(TELLTALE)
        # With a workspace of its own: else JupyterLab makes one, and loads the page again.
        other.goto(f"{server.url}/lab/workspaces/other?token={TOKEN}&reset")
        other.locator(".jp-Launcher").wait_for()
        # Nobody sees the other.
        other.evaluate(HIDE, True)
        pass_time(server, TO_WARNING, one)
        for page in (one, other):
            expect(warning_of(page)).to_be_visible()
            expect(page).to_have_title(re.compile("^⏳ "))
        told = wait_for(lambda: other.evaluate("window.told"))
        assert len(told) == 1
        assert told[0][0].startswith("This server stops at ")

        # Nobody who can post events hides it.
        for page in (one, other):
            with page.expect_response(is_answer):
                forge(server, phase="active", warning=None)
            fetch(page)
            expect(warning_of(page)).to_be_visible()

        before = server.get("api/mlinfn/idle")["next"]["time"]
        with one.expect_request(re.compile("/api/mlinfn/idle/keepalive")):
            warning_of(one).get_by_role("button", name="I'm still here").click()
        for page in (one, other):
            shows_nothing(page)
        assert server.get("api/mlinfn/idle")["next"]["time"] > before


def test_nobody_who_posts_events_makes_a_false_end(clocked_page: Page, platform: Platform) -> None:
    with lab_that_stops(platform) as server, left_in_time(clocked_page, server):
        page = clocked_page
        with page.expect_response(is_answer):
            open_lab(page, server, reset=True)
        page.wait_for_load_state("networkidle")
        for data in ({}, {"phase": "saving"}, {"warning": {"id": "false", "level": 9, "last": True}}):
            with page.expect_response(is_answer):
                forge(server, **data)
            # The page has drawn the answer by the time that it has had another one.
            fetch(page)
            shows_nothing(page)
        # And nothing is asked by itself before a warning is due, whose event may be lost.
        with requests_of(page, re.compile("/mlinfn/idle")) as asked:
            page.clock.fast_forward(round((TO_WARNING - 60) * 1000))
            fetch(page)
            assert asked == []
        with page.expect_response(is_answer):
            page.clock.fast_forward(90_000)


def test_the_last_warning_is_answered_with_the_keyboard_alone(clocked_page: Page, platform: Platform) -> None:
    with lab_that_stops(platform) as server, shown(clocked_page, server):
        page = clocked_page
        last = last_of(page)
        pass_time(server, TO_WARNING + TO_LAST, page)
        expect(last.get_by_role("button", name="I'm still here")).to_be_focused()
        with input_told(page), page.expect_request(re.compile("/api/mlinfn/idle/keepalive")):
            page.keyboard.press("Enter")
        expect(last).to_have_count(0)
        expect(page.get_by_text("unless it is used.").first).to_be_visible()
        assert server.get("api/mlinfn/idle")["warning"] is None

        # Again: Escape closes it, and it is still told.
        pass_time(server, TO_WARNING + TO_LAST, page)
        expect(last.get_by_role("button", name="I'm still here")).to_be_focused()
        page.keyboard.press("Escape")
        expect(last).to_have_count(0)
        expect(warning_of(page).get_by_role("button", name="I'm still here")).to_be_visible()
        # The key was a person's input, which is told a while later.
        with input_told(page):
            page.clock.fast_forward(10_000)
        shows_nothing(page)

        # And again: for how long, with the keyboard.
        pass_time(server, TO_WARNING + TO_LAST, page)
        expect(last.get_by_role("button", name="I'm still here")).to_be_focused()
        # However slowly somebody types: the first key is not told before the second one answers.
        page.clock.pause_at(page.evaluate("Date.now()") + 15_000)
        page.keyboard.press("Shift+Tab")
        expect(last.get_by_role("button", name="Keep for…")).to_be_focused()
        page.keyboard.press("Enter")
        page.clock.resume()
        keep = page.get_by_role("dialog").filter(has_text="Keep this server")
        expect(keep.get_by_label("1 hour")).to_be_focused()
        page.keyboard.press("ArrowDown")
        expect(keep.get_by_label("2 hours")).to_be_checked()
        expect(keep).to_contain_text(re.compile("is kept until .*, used or not"))
        page.keyboard.press("Enter")
        expect(page.get_by_text(re.compile("This server is kept until")).first).to_be_visible()
        shows_nothing(page)
        assert server.get("api/mlinfn/idle")["kept_until"]


def test_unanswered_it_saves_and_stops(clocked_page: Page, platform: Platform, shoot: Shoot) -> None:
    mine, theirs = platform.root / "mine.txt", platform.root / "theirs.txt"
    mine.write_text("")
    theirs.write_text("")
    with lab_that_stops(platform) as server, shown(clocked_page, server):
        page = clocked_page
        gone = page.context.new_page()
        # Who closes a page says so: nobody waits for it.
        with gone.expect_request(re.compile("/api/mlinfn/idle/page")):
            gone.goto(f"{server.url}/lab/workspaces/gone?token={TOKEN}&reset")
        gone.locator(".jp-Launcher").wait_for()
        gone.close()
        pass_time(server, 60, page)
        with input_told(page):
            edit(page, "mine.txt", "typed and not saved")
        edit(page, "theirs.txt", "also typed")
        theirs.write_text("written by somebody else meanwhile")
        pass_time(server, TO_WARNING + TO_LAST, page)
        expect(last_of(page)).to_be_visible()
        assert mine.read_text() == ""

        pass_time(server, 120, page)
        stopped = page.get_by_role("dialog", name="This server is stopped")
        expect(stopped.locator('[data-fact="saved"]')).to_contain_text("mine.txt")
        not_saved = stopped.locator('[data-fact="unsaved"]')
        expect(not_saved).to_contain_text("theirs.txt. The file has changed")
        expect(not_saved).to_contain_text("The changes are in this page only")
        expect(stopped).to_contain_text("Nothing has happened for")
        shoot(page, "idle-stopped")
        assert mine.read_text().strip() == "typed and not saved"
        assert theirs.read_text() == "written by somebody else meanwhile"
        wait_for(lambda: server.process.poll() is not None)
        assert server.process.returncode == 0
        (record,) = platform.root.rglob("last-stop.json")
        told = json.loads(record.read_text())
        assert told["why"] == "idle"
        assert told["pages"]["saved"] == ["mine.txt"]
        assert [each["path"] for each in told["pages"]["failed"]] == ["theirs.txt"]
        assert (told["pages"]["known"], told["pages"]["silent"]) == (1, 0)


def test_saved_and_stopped_when_asked(clocked_page: Page, platform: Platform) -> None:
    file = platform.root / "mine.txt"
    file.write_text("")
    with lab_that_stops(platform) as server, shown(clocked_page, server):
        page = clocked_page
        with input_told(page):
            edit(page, "mine.txt", "typed and not saved")
        pass_time(server, TO_WARNING, page)
        warning_of(page).get_by_role("button", name="Save and stop now").click()
        sure = page.get_by_role("dialog").filter(has_text="Save and stop this server?")
        expect(sure.get_by_role("button", name="Cancel")).to_be_focused()
        sure.get_by_role("button", name="Save and Stop").click()
        page.mouse.move(300, 300)
        stopped = page.get_by_role("dialog", name="This server is stopped")
        expect(stopped).to_contain_text("You asked for it")
        expect(stopped.locator('[data-fact="saved"]')).to_contain_text("mine.txt")
        wait_for(lambda: server.process.poll() is not None)
        assert server.process.returncode == 0
    assert file.read_text().strip() == "typed and not saved"


def test_what_nobody_can_move_is_not_offered_to_be_moved(clocked_page: Page, platform: Platform) -> None:
    platform.environment = {"SLURM_JOB_END_TIME": str(int(time.time() + TIMEOUT)), "SLURM_JOB_ID": "4711"}
    with lab_that_stops(platform, 12 * TIMEOUT) as server, shown(clocked_page, server):
        page = clocked_page
        pass_time(server, TO_WARNING, page)
        told = "used or not.The allocation 4711 ends then."
        expect(warning_of(page)).to_contain_text(told)
        labels = warning_of(page).locator(".jp-toast-button").all_text_contents()
        assert labels == ["Save and stop now", "Why?"]
        pass_time(server, TO_LAST, page)
        last = last_of(page)
        expect(last).to_contain_text("used or not. The allocation 4711 ends then.")
        expect(last.get_by_role("button", name="Go on working")).to_be_focused()
        expect(last.get_by_role("button", name="I'm still here")).to_have_count(0)
        page.keyboard.press("Enter")
        expect(last).to_have_count(0)
        expect(warning_of(page)).to_have_count(1)
