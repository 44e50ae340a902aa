"""Servers and channels for the tests of this room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..support.channel_server import ChannelServer
from ..support.server import Platform, Server, running
from ..support.slim_channel import build_slim_channel


@pytest.fixture(scope="session")
def slim_channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is a channel with a Python that works and is small; read-only for tests."""
    return build_slim_channel(tmp_path_factory.mktemp("slim") / "channel")


@pytest.fixture
def channel(slim_channel: Path) -> Iterator[ChannelServer]:
    """The slim channel behind HTTP, to be made slow or broken."""
    with ChannelServer(slim_channel) as server:
        yield server


@pytest.fixture
def platform(tmp_path: Path, channel: ChannelServer) -> Platform:
    return Platform(tmp_path / "platform", [channel.url])


@pytest.fixture
def server(platform: Platform) -> Iterator[Server]:
    with running(platform) as server:
        yield server


@pytest.fixture
def full_server(tmp_path: Path, demo_channel: Path) -> Iterator[Server]:
    """A server for environments with all the files of a Python."""
    with running(Platform(tmp_path / "platform", [demo_channel.as_uri()])) as server:
        yield server


@pytest.fixture(scope="module")
def demo_server(tmp_path_factory: pytest.TempPathFactory, demo_channel: Path) -> Iterator[Server]:
    """One server for tests that leave nothing behind; its channel is a folder."""
    platform = Platform(tmp_path_factory.mktemp("server"), [demo_channel.as_uri()])
    with running(platform) as server:
        yield server
