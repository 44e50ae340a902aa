"""A simulated driver with the user's slice of an A100, and processes that ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jupyter_mlinfn.demo.driver import SimulatedDriver
from tests.support.nvml_client import Client


@pytest.fixture
def new_client(driver: SimulatedDriver) -> Iterator[Callable[..., Client]]:
    made: list[Client] = []

    def make(**more: Any) -> Client:
        made.append(Client(driver, **more))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def ask(new_client: Callable[..., Client]) -> Client:
    """A client that has initialised."""
    client = new_client()
    assert client("nvmlInit()") is None
    return client
