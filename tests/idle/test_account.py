"""What counts as the last activity."""

from __future__ import annotations

import logging

import pytest

from jupyter_mlinfn.idle.account import Account
from jupyter_mlinfn.idle.models import Busy, Moment

from .conftest import Told

STARTED = 1000.0


def account(*sources: Told, **more: object) -> Account:
    return Account(sources, started=STARTED, **more)  # type: ignore[arg-type]


async def test_the_start_is_the_first_activity() -> None:
    own = account(Told("kernels"))
    await own.look(1100)

    assert (own.last().source, own.last().last) == ("start", STARTED)
    assert own.last().detail


async def test_the_latest_of_all_sources_counts() -> None:
    kernels, terminals = Told("kernels"), Told("terminals")
    kernels.last, terminals.last = 1010, 1020
    own = account(kernels, terminals)
    await own.look(1100)

    assert (own.last().source, own.last().last) == ("terminals", 1020)
    assert [each.source for each in own.signals][:3] == ["terminals", "kernels", "start"]


async def test_two_sources_of_one_name_are_one_signal() -> None:
    one, other = Told("kernels"), Told("kernels")
    one.last, other.last = 1030, 1020
    own = account(one, other)
    await own.look(1100)

    assert [each.last for each in own.signals if each.source == "kernels"] == [1030]


async def test_what_the_admin_ignores_is_shown_and_does_not_count() -> None:
    processes = Told("processes")
    processes.last = 1050
    own = account(processes, ignored=["processes", "keepalive", "start"])
    await own.look(1100)

    assert own.last().source == "start"
    assert [each.counts for each in own.signals if each.source == "processes"] == [False]
    # Who says that they are there is there, and a server has started.
    own.note("keepalive", 1060, "here")
    assert own.last().source == "keepalive"


async def test_nothing_is_active_in_the_future_and_nothing_goes_back() -> None:
    page = Told("page")
    page.last = 9999
    own = account(page)
    await own.look(1100)
    assert own.last().last == 1100

    own.note("page", 1050, "an earlier one")
    page.last = 1020
    await own.look(1200)
    assert own.last().last == 1100


async def test_a_source_that_fails_keeps_the_server_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken, other = Told("processes"), Told("kernels")
    broken.error = OSError("no /proc")
    other.last = 1005
    own = account(broken, other)
    with caplog.at_level(logging.WARNING):
        for now in (1100, 1200):
            await own.look(now)

    assert (own.last().source, own.last().last) == ("processes", 1200)
    assert own.last().detail
    assert [each.getMessage().count("no /proc") for each in caplog.records] == [1]
    # It is believed again when it answers.
    broken.error = None
    await own.look(5000)
    assert own.last().last == 1200


@pytest.mark.parametrize(
    ("now", "others", "last"),
    [
        # Busy alone for less than the life, less the timeout: active now.
        (1000 + 6000, None, 1000 + 6000),
        (1000 + 7000, None, 1000 + 7000),
        # From then on it counts as when that was reached, so that the end is at the longest life.
        (1000 + 9999, None, 1000 + 7000),
        # Whatever else happens lets it begin anew.
        (1000 + 9999, 1000 + 5000, 1000 + 9999),
    ],
)
async def test_a_busy_kernel_alone_keeps_the_server_for_its_longest_life(
    now: Moment, others: Moment | None, last: Moment
) -> None:
    kernels, terminals = Told("kernels"), Told("terminals")
    kernels.last, terminals.last = now, others
    own = account(
        kernels,
        terminals,
        timeout=3000.0,
        longest_life=10_000.0,
        busy=lambda: [Busy("k", "train.ipynb", "train.ipynb", STARTED)],
    )
    await own.look(now)

    assert own.last().last == last


async def test_without_a_longest_life_a_busy_kernel_keeps_it_for_ever() -> None:
    kernels = Told("kernels")
    kernels.last = 10**7
    own = account(kernels, timeout=3600.0, busy=lambda: [Busy("k", "a", None, STARTED)])
    await own.look(10**7)

    assert own.last().last == 10**7
