"""What is said to have run has run: collected, named and reported tests are the same, or the run is red.

A pytest plugin (`tests/conftest.py`). It exists because they once were not: of 35 items of one name a
scheduler kept one, the bar ended at 98 %, and the exit was 0.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

KEY = pytest.StashKey["Accounts"]()


class Accounts:
    """Of the process that decides on the exit code.

    Attributes:
        collected: names of tests to be run.
        reported: of those that had a report, whatever it says.
        skipped: of those, what said why it did not run.
        died: workers that died, and with them what they had counted.
        cut_short: -x, Ctrl-C or an error ended the run, which is red.
    """

    def __init__(self) -> None:
        self.collected: set[str] = set()
        self.reported: set[str] = set()
        self.skipped: set[str] = set()
        self.died: list[str] = []
        self.cut_short = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.reported.add(report.nodeid)
        if report.skipped:
            self.skipped.add(report.nodeid)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        if error:
            self.died.append(node.gateway.id)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        self.collected |= set(ids)

    def missing(self) -> list[str]:
        return sorted(self.collected - self.reported)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    if not _is_worker(config):
        config.stash[KEY] = Accounts()
        config.pluginmanager.register(config.stash[KEY], "accounts of tests")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """
    Raises:
        pytest.UsageError: two tests bear one name: of such a scheduler may keep one.
    """
    names = Counter(item.nodeid for item in session.items)
    doubled = [f"{name} ({count} times)" for name, count in names.items() if count > 1]
    if doubled:
        raise pytest.UsageError("These tests bear the same name:\n" + "\n".join(doubled))
    if not _is_worker(session.config) and not session.config.option.collectonly:
        session.config.stash[KEY].collected |= set(names)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if _is_worker(session.config) or session.config.option.collectonly:
        return
    accounts = session.config.stash[KEY]
    accounts.cut_short = bool(session.shouldstop or session.shouldfail) or exitstatus not in (
        pytest.ExitCode.OK,
        pytest.ExitCode.TESTS_FAILED,
        pytest.ExitCode.NO_TESTS_COLLECTED,
    )
    if accounts.missing() and not accounts.cut_short:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if config.option.collectonly:
        return
    accounts = config.stash[KEY]
    missing = [] if accounts.cut_short else accounts.missing()
    terminalreporter.section("accounts")
    skipped = f", {len(accounts.skipped)} of them skipped" if accounts.skipped else ""
    terminalreporter.write_line(
        f"{len(accounts.collected)} tests collected, {len(accounts.reported)} reported{skipped}"
    )
    for worker in accounts.died:
        terminalreporter.write_line(f"{worker} died; what it had counted is not below", red=True)
    for name in missing[:20]:
        terminalreporter.write_line(f"collected and never run: {name}", red=True)
    if len(missing) > 20:
        terminalreporter.write_line(f"… and {len(missing) - 20} more", red=True)
