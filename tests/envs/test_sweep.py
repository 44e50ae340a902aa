"""What is cleared when a server starts, and what must stay."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jupyter_mlinfn.envs.marker import Marker, write_marker
from jupyter_mlinfn.envs.places import Places
from jupyter_mlinfn.envs.space.sweep import sweep
from jupyter_mlinfn.envs.writer import Writers
from jupyter_mlinfn.errors import ConflictError

from ..support.server import Platform, running, wait_for


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "private").mkdir()
    places = Places.find(tmp_path)
    places.prepare()
    return places


def history(places: Places, name: str, *names: str) -> Path:
    """A history with an identity, one revision, and whatever else is named."""
    folder = places.history(name)
    (folder / "revisions" / "000001" / "old").mkdir(parents=True)
    (folder / "identity.json").write_text('{"version": 1, "job": "j"}')
    for other in names:
        (folder / other).mkdir()
    return folder


def environment(places: Places, name: str) -> Path:
    prefix = places.prefix(name)
    (prefix / "conda-meta").mkdir(parents=True)
    write_marker(prefix, Marker(name, name, "2026-01-01T00:00:00Z", "ready", [], [], job="j"))
    return prefix


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


async def test_the_history_of_what_is_gone_goes_too(places: Places) -> None:
    gone = history(places, "gone", "change-abc", "record-1")
    environment(places, "there")
    there = history(places, "there", "change-abc", "record-1", "gone-1")
    linked = history(places, "linked")
    # To a volume that is not mounted now.
    places.prefix("linked").symlink_to(places.root / "elsewhere")

    await sweep(places, Writers(places, "a test"))

    assert not gone.exists()
    assert names(there) == ["change-abc", "identity.json", "revisions"]
    assert names(linked) == ["identity.json", "revisions"]
    thrown = {name.rpartition("-")[0] for name in names(places.trash)}
    assert thrown == {"revisions", "change-abc", "record-1", "gone-1"}


async def test_what_somebody_changes_is_left_for_later(places: Places) -> None:
    gone = history(places, "gone")
    other, mine = Writers(places, "another server"), Writers(places, "this server")
    async with other.holding(places.prefix("gone"), "Change"):
        await sweep(places, mine)
        assert {"identity.json", "revisions"} <= set(names(gone))

    await sweep(places, mine)
    assert not gone.exists()


async def test_nothing_is_known_of_storage_that_is_away(places: Places) -> None:
    folder = history(places, "mine")
    environment(places, "mine")
    away = places.anchor.with_name("away")
    places.anchor.rename(away)
    await sweep(places, Writers(places, "a test"))
    assert not places.anchor.exists(), "nothing may be made beside a volume that is away"

    away.rename(places.anchor)
    await sweep(places, Writers(places, "a test"))
    assert names(folder) == ["identity.json", "revisions"]


async def test_one_made_anew_before_the_lease_was_taken_keeps_its_history(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = history(places, "again", "record-1")
    take = Writers._take

    def slowly(self: Writers, *arguments: object) -> bool:
        environment(places, "again")
        return take(self, *arguments)  # type: ignore[arg-type]  # whatever it is given

    monkeypatch.setattr(Writers, "_take", slowly)
    await sweep(places, Writers(places, "a test"))

    assert names(folder) == ["identity.json", "revisions"]


async def test_its_lease_is_free_afterwards(places: Places) -> None:
    environment(places, "mine")
    history(places, "mine", "gone-1")
    await sweep(places, Writers(places, "a test"))

    async with Writers(places, "another").holding(places.prefix("mine"), "Change"):
        with pytest.raises(ConflictError):
            async with Writers(places, "a third").holding(places.prefix("mine"), "Change"):
                await asyncio.sleep(0)


def test_a_server_sweeps_when_it_starts(tmp_path: Path) -> None:
    platform = Platform(tmp_path, ["https://conda.invalid/none"])
    platform.environments.mkdir(parents=True)
    places = Places.find(platform.root)
    places.prepare()
    gone = history(places, "gone")
    with running(platform):
        wait_for(lambda: not gone.exists() and not (places.trash.exists() and names(places.trash)))
