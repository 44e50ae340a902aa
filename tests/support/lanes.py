"""Gives tests to whichever worker is free, the long ones first, those that wait beside those that compute.

A pytest plugin for pytest-xdist (`tests/conftest.py`). A worker begins in a lane of its own and goes
on wherever most is left, so that what a lane shares (a hub, a browser) is started by few workers.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

WORKERS = 4
"""For two cores: half of the tests wait for another process most of the time."""

LANES = (
    # Real hubs: they wait, for cullers and servers that end.
    ("tests/hub/", "tests/ui/test_idle_hub.py", "tests/ui/test_session_hub.py"),
    # Pages: each computes for seconds until it is loaded.
    ("tests/ui/",),
    # Servers that make and change environments.
    ("tests/envs/",),
    # All others.
    ("",),
)

LONG = ("test_proof_", "tests/hub/test_table", "tests/hub/test_on_time", "tests/test_api.py::test_no_input")
"""Are begun first: at the end everybody would wait for them."""

TOGETHER = ("tests/gpu/", "tests/idle/", "tests/demo/", "tests/jobs/")
"""Folders of many small tests: these are handed out by file."""


STARTS = frozenset({"server", "demo_server", "live", "lab", "browser", "plain_hub", "demo_channel"})
"""Fixtures of tests that start more than themselves: `make quick` goes without these."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        module = vars(getattr(item, "module", None) or object)
        if fixtures & STARTS or {"running", "hub_running"} & set(module) or item.get_closest_marker("proof"):
            item.add_marker("slow")


def lane_of(nodeid: str) -> int:
    return next(number for number, begins in enumerate(LANES) if nodeid.startswith(begins))


class Lanes(LoadScopeScheduling):
    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0] if nodeid.startswith(TOGETHER) else nodeid

    def _assign_work_unit(self, node: Any) -> None:
        lanes: list[list[str]] = [[] for _ in LANES]
        for scope in self.workqueue:
            lanes[lane_of(scope)].append(scope)
        own = lanes[int(node.gateway.id.removeprefix("gw")) % len(LANES)]
        chosen = own or max(lanes, key=len)
        scope = next((scope for scope in chosen if any(each in scope for each in LONG)), chosen[0])
        self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: Any) -> None:
        super()._reschedule(node)
        # A worker runs a test only when it knows the next one, or that there is none.
        while not node.shutting_down and self._pending_of(self.assigned_work[node]) < 2:
            if self.workqueue:
                self._assign_work_unit(node)
            else:
                node.shutdown()

    def remove_node(self, node: Any) -> str | None:
        """What a worker that died had not done goes back, but for the test that it died of."""
        workload = self.assigned_work.pop(node)
        left = [(scope, test) for scope, unit in workload.items() for test, done in unit.items() if not done]
        if not left:
            return None
        (_, died_of), *rest = left
        for scope, test in rest:
            self.workqueue.setdefault(scope, {})[test] = False
        for other in self.assigned_work:
            self._reschedule(other)
        return died_of


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return Lanes(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One test needs no workers, a file two."""
    named = [each for each in config.args if ".py" in each]
    if len(named) != len(config.args):
        return WORKERS
    alone = all("::" in each for each in named)
    return 0 if alone and len(named) == 1 else min(WORKERS, 2 * len(named))
