"""Servers and channels for the tests of this room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..support.channel_server import ChannelServer
from ..support.server import Platform, Server, running


@pytest.fixture
def channel(demo_channel: Path) -> Iterator[ChannelServer]:
    """The demo channel behind HTTP, to be made slow or broken."""
    with ChannelServer(demo_channel) as server:
        yield server


@pytest.fixture
def platform(tmp_path: Path, channel: ChannelServer) -> Platform:
    return Platform(tmp_path / "platform", [channel.url])


@pytest.fixture
def server(platform: Platform) -> Iterator[Server]:
    with running(platform) as server:
        yield server


@pytest.fixture(scope="module")
def demo_server(tmp_path_factory: pytest.TempPathFactory, demo_channel: Path) -> Iterator[Server]:
    """One server for tests that leave nothing behind; its channel is a folder."""
    platform = Platform(tmp_path_factory.mktemp("server"), [demo_channel.as_uri()])
    with running(platform) as server:
        yield server
