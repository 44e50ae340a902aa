"""One real hub for all tests of this package that do not harm it; see `tests.support.hub`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from ..support.hub import Hub, HubSettings, hub_running

TIMEOUT = 8
"""Seconds of the hubs' cullers. A server is kept by what goes on several times a second: only a machine that
stands still for so long could stop it."""

_numbers = count(1)


@pytest.fixture
def user() -> str:
    """Somebody whom no other test knows."""
    return f"user{next(_numbers)}"


@pytest.fixture(autouse=True)
def jp_asyncio_loop() -> None:
    """No loop of pytest-jupyter's here: the servers are other processes."""


@pytest.fixture(autouse=True)
def jp_server_cleanup() -> None:
    """Nothing of pytest-jupyter's to clean."""


@pytest.fixture(scope="package")
def stock_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """With a culler, and the proxy class that JupyterHub brings."""
    settings = HubSettings(culler_timeout=TIMEOUT)
    with hub_running(tmp_path_factory.mktemp("stock") / "hub", settings) as hub:
        yield hub


@pytest.fixture(scope="package")
def plain_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """Without a culler."""
    with hub_running(tmp_path_factory.mktemp("plain") / "hub") as hub:
        yield hub


@pytest.fixture(scope="package")
def following_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """With a culler, and our proxy class."""
    settings = HubSettings(culler_timeout=TIMEOUT, proxy_class="mlinfn")
    with hub_running(tmp_path_factory.mktemp("following") / "hub", settings) as hub:
        yield hub
