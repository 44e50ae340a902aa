"""Who may write in an environment, within one server; between servers: test_proof_two_writers.py."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from jupyter_mlinfn.envs.places import Places
from jupyter_mlinfn.envs.writer import Writers
from jupyter_mlinfn.errors import ConflictError

NAME = "mine"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "private").mkdir()
    places = Places.find(tmp_path)
    places.prepare()
    places.prefix(NAME).mkdir()
    return places


async def at_once(places: Places, asked: Sequence[tuple[str, bool]]) -> tuple[list[str], list[str]]:
    """Who wrote, in order, and who was refused, when all ask in one go: (title, brief)."""
    writers = Writers(places, "this server")
    wrote, refused = list[str](), list[str]()

    async def write(title: str, brief: bool) -> None:
        try:
            async with writers.holding(places.prefix(NAME), title, brief=brief):
                wrote.append(f"{title} begins")
                await asyncio.sleep(0)
                wrote.append(f"{title} ends")
        except ConflictError:
            refused.append(title)

    await asyncio.gather(*(write(title, brief) for title, brief in asked))
    return wrote, refused


async def test_who_comes_while_something_brief_takes_its_lease_waits(places: Places) -> None:
    wrote, refused = await at_once(places, [("record", True), ("install", False)])

    assert wrote == ["record begins", "record ends", "install begins", "install ends"]
    assert refused == []


async def test_something_brief_goes_where_somebody_writes(places: Places) -> None:
    wrote, refused = await at_once(places, [("install", False), ("record", True), ("look", True)])

    assert wrote == ["install begins", "install ends"]
    assert sorted(refused) == ["look", "record"]


async def test_one_of_two_changes_is_refused_and_the_next_is_not(places: Places) -> None:
    _, refused = await at_once(places, [("install", False), ("update", False)])
    assert len(refused) == 1

    wrote, refused = await at_once(places, [("remove", False)])
    assert wrote == ["remove begins", "remove ends"]
    assert refused == []
