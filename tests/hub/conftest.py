"""One real hub for all tests of this package that do not harm it; see `tests.support.hub`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from ..support.hub import Hub, HubSettings, hub_running

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
    """With a culler after 6 s, and the proxy class that JupyterHub brings."""
    with hub_running(tmp_path_factory.mktemp("stock") / "hub", HubSettings(culler_timeout=6)) as hub:
        yield hub


@pytest.fixture(scope="package")
def plain_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """Without a culler."""
    with hub_running(tmp_path_factory.mktemp("plain") / "hub") as hub:
        yield hub


@pytest.fixture(scope="package")
def following_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """With a culler after 6 s, and our proxy class."""
    settings = HubSettings(culler_timeout=6, proxy_class="mlinfn")
    with hub_running(tmp_path_factory.mktemp("following") / "hub", settings) as hub:
        yield hub
