"""Telling the user away from the page: a real mail server and a real webhook, both read back."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from jupyter_mlinfn.idle.config import IdleConfig
from jupyter_mlinfn.idle.mail import GRACE, SEND_LIMIT, Mail
from jupyter_mlinfn.idle.models import Warning_
from jupyter_mlinfn.idle.pages import Pages

from ..support.clock import until
from ..support.patience import PATIENCE
from ..support.ports import reserved_port
from .conftest import SleepyClock, World

# Apprise imports what Python will drop.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

SECRET = "hunter2-of-the-webhook"
ENVIRONMENT = {
    "JUPYTERHUB_USER": "ada",
    "JUPYTERHUB_PUBLIC_URL": "https://hub.example.org/user/ada/",
    "MLINFN_USER_EMAIL": "ada@lab.example.org",
}


class Inbox:
    """What a mail server was given."""

    def __init__(self) -> None:
        self.letters: list[tuple[list[str], email.message.EmailMessage]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.letters.append((envelope.rcpt_tos, message))  # type: ignore[arg-type]
        return "250 OK"


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, int]]:
    box = Inbox()
    with reserved_port() as port:
        controller = Controller(box, hostname="127.0.0.1", port=port, ready_timeout=PATIENCE)
        controller.start()
        try:
            yield box, port
        finally:
            controller.stop()


@pytest.fixture
def webhook() -> Iterator[tuple[list[dict[str, Any]], str]]:
    got: list[dict[str, Any]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            got.append({"path": self.path, **body})
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    # It looks so often whether it is to end.
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield got, f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def clock(jp_asyncio_loop: asyncio.AbstractEventLoop) -> SleepyClock:
    """Also of the event loop: a mail server has as long as it needs, but where time is passed."""
    clock = SleepyClock()
    jp_asyncio_loop.time = clock  # type: ignore[method-assign]
    return clock


def warning(level: int = 1, end: str = "run-policy-9000", *, extendable: bool = True) -> Warning_:
    return Warning_(
        f"{end}-{level}", level, level == 3, 1000.0 + 1800, extendable, "Nothing has happened for 2 h."
    )


def mail_of(urls: list[str], clock: SleepyClock, **environment: str) -> Mail:
    found = Mail.find(
        IdleConfig(idle_notify=urls), ENVIRONMENT | environment, clock.clocks(), logging.getLogger("test")
    )
    assert found is not None
    return found


async def stand(mail: Mail, clock: SleepyClock, what: Warning_, pages: Pages | None = None) -> None:
    """Let the warning stand for as long as a page has to show it."""
    pages = pages or Pages()
    mail.consider(what, pages, clock.now)
    clock.pass_time(GRACE + 1)
    mail.consider(what, pages, clock.now)


async def test_a_letter_and_a_webhook_tell_of_the_end(
    inbox: tuple[Inbox, int], webhook: tuple[list[dict[str, Any]], str], clock: SleepyClock
) -> None:
    (box, port), (posts, host) = inbox, webhook
    mail = mail_of(
        [
            f"mailto://127.0.0.1:{port}?from=jupyter@example.org&to={{address}}&mode=insecure",
            f"json://{host}/hook/{{user}}/{{server}}",
        ],
        clock,
        JUPYTERHUB_SERVER_NAME="gpu 1",
    )
    await stand(mail, clock, warning())
    await until(lambda: mail.sent(warning()) is not None)

    ((recipients, letter),) = box.letters
    assert recipients == ["ada@lab.example.org"]
    body = letter.get_body(("plain", "html"))
    assert body is not None
    text = body.get_content()
    assert "stops at" in letter["Subject"]
    assert "gpu 1" in letter["Subject"]
    assert "https://hub.example.org/user/ada/" in text
    assert "Nothing has happened for 2 h." in text
    assert "not in the notebook file" in text
    # A plain link to the server: what acts by itself would be followed by scanners.
    assert "keepalive" not in text
    (post,) = posts
    assert post["path"] == "/hook/ada/gpu%201"
    assert "https://hub.example.org/user/ada/" in post["message"]


async def test_nobody_is_told_of_what_a_page_has_shown(
    webhook: tuple[list[dict[str, Any]], str], clock: SleepyClock
) -> None:
    posts, host = webhook
    mail = mail_of([f"json://{host}"], clock)
    pages = Pages()
    pages.hear({"page": "somebodys-page", "visible": True, "shown": warning().id}, clock.now)
    await stand(mail, clock, warning(), pages)
    assert mail.sent(warning()) is None

    # The next one nobody saw.
    await stand(mail, clock, warning(2), pages)
    await until(lambda: mail.sent(warning(2)) is not None)
    assert len(posts) == 1


async def test_one_word_for_each_end(webhook: tuple[list[dict[str, Any]], str], clock: SleepyClock) -> None:
    posts, host = webhook
    mail = mail_of([f"json://{host}"], clock)
    await stand(mail, clock, warning())
    await until(lambda: mail.sent(warning()) is not None)
    for level in (1, 2, 3):
        await stand(mail, clock, warning(level))
    assert len(posts) == 1

    await stand(mail, clock, warning(1, "run-policy-19000"))
    await until(lambda: mail.sent(warning(1, "run-policy-19000")) is not None)
    assert len(posts) == 2


async def test_a_warning_that_goes_away_at_once_is_not_told(
    webhook: tuple[list[dict[str, Any]], str], clock: SleepyClock
) -> None:
    posts, host = webhook
    mail = mail_of([f"json://{host}"], clock)
    mail.consider(warning(), Pages(), clock.now)
    clock.pass_time(GRACE - 1)
    mail.consider(warning(), Pages(), clock.now)
    mail.consider(None, Pages(), clock.now)
    clock.pass_time(2)
    mail.consider(warning(), Pages(), clock.now)
    # What is told next is the first that is told.
    other = warning(1, "run-policy-19000")
    await stand(mail, clock, other)
    await until(lambda: mail.sent(other) is not None)

    assert mail.sent(warning()) is None
    assert len(posts) == 1


async def test_an_end_that_cannot_be_moved_offers_no_button(
    webhook: tuple[list[dict[str, Any]], str], clock: SleepyClock
) -> None:
    posts, host = webhook
    mail = mail_of([f"json://{host}"], clock)
    await stand(mail, clock, warning(extendable=False))
    await until(lambda: bool(posts))

    assert "still here" not in posts[0]["message"]
    assert "cannot be moved" in posts[0]["message"]


async def test_a_way_that_fails_is_tried_again_and_its_url_is_nowhere(
    webhook: tuple[list[dict[str, Any]], str], clock: SleepyClock, caplog: pytest.LogCaptureFixture
) -> None:
    _, host = webhook
    with reserved_port() as closed, caplog.at_level(logging.DEBUG):
        mail = mail_of([f"json://ada:{SECRET}@127.0.0.1:{closed}/{SECRET}", f"nonsense://{SECRET}"], clock)
        await stand(mail, clock, warning())
        await until(lambda: "tried again" in caplog.text)
        assert mail.sent(warning()) is None
        mail._urls = [f"json://ada:{SECRET}@{host}/{SECRET}"]
        await stand(mail, clock, warning())
        assert mail.sent(warning()) is None
        await stand(mail, clock, warning())
        await until(lambda: mail.sent(warning()) is not None)

    assert SECRET not in caplog.text


async def test_a_mail_server_that_hangs_stalls_nobody(
    clock: SleepyClock, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as deaf:
        port = deaf.getsockname()[1]
        mail = Mail(
            [f"mailto://127.0.0.1:{port}?from=a@b.org&to=c@d.org"],
            link="",
            name="server",
            clocks=clock.clocks(),
            log=logging.getLogger("test"),
        )
        await stand(mail, clock, warning())
        # It is there, and nobody greets it.
        connection, _ = await asyncio.to_thread(deaf.accept)
        with closing(connection):
            assert "did not end" not in caplog.text
            clock.pass_time(SEND_LIMIT)
            await until(lambda: "did not end" in caplog.text)

    assert mail.sent(warning()) is None


async def test_without_an_address_what_needs_one_is_left_out(
    clock: SleepyClock, caplog: pytest.LogCaptureFixture
) -> None:
    config = IdleConfig(idle_notify=["mailto://h?to={address}"])
    found = Mail.find(config, {"JUPYTERHUB_USER": "ada"}, clock.clocks(), logging.getLogger("test"))
    assert found is None
    assert "no mail address" in caplog.text

    config = IdleConfig(idle_notify=["mailto://h?to={address}"], idle_mail_address="{user}@example.org")
    assert Mail.find(config, {"JUPYTERHUB_USER": "ada"}, clock.clocks(), logging.getLogger("test"))


def test_the_environment_may_say_how(clock: SleepyClock) -> None:
    log = logging.getLogger("test")
    assert Mail.find(IdleConfig(), {}, clock.clocks(), log) is None
    assert Mail.find(IdleConfig(), {"MLINFN_IDLE_NOTIFY": "json://a json://b"}, clock.clocks(), log)


async def test_the_page_is_told_that_somebody_was(webhook: tuple[list[dict[str, Any]], str]) -> None:
    _, host = webhook
    world = World()
    mail = Mail(
        [f"json://{host}"], link="", name="server", clocks=world.service.clocks, log=logging.getLogger("test")
    )
    world.service.around.away = mail
    first = await world.at(1801)
    await world.at(1840)
    await until(lambda: world.service._answer()["mail"]["sent"] is not None)

    assert first["mail"] == {"configured": True, "sent": None}
