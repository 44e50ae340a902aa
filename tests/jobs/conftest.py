"""Servers that share one journal. No time passes on their event loop by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from ..support.clock import Clock, stand_still
from .rooms import Room


@pytest.fixture(autouse=True)
def clock(jp_asyncio_loop: asyncio.AbstractEventLoop) -> Clock:
    return stand_still(jp_asyncio_loop)


@pytest.fixture
def room(tmp_path: Path, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Callable[[], Room]:
    """Makes servers that share one journal."""
    return lambda: Room(tmp_path / "jobs")
