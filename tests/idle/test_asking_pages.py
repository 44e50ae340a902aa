"""The server asks its pages which documents they have; one that is asleep is not one that has none."""

from __future__ import annotations

from typing import Any

from jupyter_mlinfn.idle.for_session import ForSession
from jupyter_mlinfn.idle.pages import MOST, SILENT_AFTER

from .conftest import World

ONE, OTHER = "a-page-of-somebody", "another-page"


def documents(asked: str | None, unsaved: list[str], also_open: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"documents": {"asked": asked, "unsaved": unsaved, "open": [*unsaved, *also_open]}}


async def asked(world: World) -> str:
    question = (await world.service.answer())["asked"]
    assert isinstance(question, str)
    return question


async def test_pages_are_asked_and_their_answers_are_put_together() -> None:
    world = World(copies=True)
    side = ForSession(world.service)
    for page in (ONE, OTHER):
        await world.service.page({"page": page, "visible": page == ONE})
    assert (await world.service.answer())["asked"] is None
    assert side.pages() == {"known": 2, "answered": 0, "silent": 0, "asking": False, "unsaved": []}
    changes = world.changes
    side.ask_pages()
    assert world.changes == changes + 1
    assert side.pages()["asking"]
    moves = world.moves
    await world.service.page({"page": ONE, **documents(await asked(world), ["b.ipynb", "a.txt"])})
    await world.service.page({"page": OTHER, **documents(await asked(world), ["a.txt"])})

    assert side.pages() == {
        "known": 2,
        "answered": 2,
        "silent": 0,
        "asking": False,
        "unsaved": ["a.txt", "b.ipynb"],
    }
    assert world.moves == moves + 2


async def test_a_page_that_is_asleep_is_silent_and_counts_when_it_wakes_up() -> None:
    world = World()
    side = ForSession(world.service)
    for page in (ONE, OTHER):
        await world.service.page({"page": page})
    side.ask_pages()
    await world.service.page({"page": ONE, **documents(await asked(world), [])})
    world.clock.pass_time(SILENT_AFTER)
    told = side.pages()
    assert (told["answered"], told["silent"], told["asking"]) == (1, 1, False)
    await world.service.page({"page": OTHER, **documents(await asked(world), ["late.ipynb"])})

    assert side.pages()["silent"] == 0
    assert side.pages()["unsaved"] == ["late.ipynb"]


async def test_answers_to_earlier_questions_are_none() -> None:
    world = World()
    side = ForSession(world.service)
    await world.service.page({"page": ONE})
    side.ask_pages()
    earlier = await asked(world)
    side.ask_pages()
    await world.service.page({"page": ONE, **documents(earlier, ["a.ipynb"])})

    assert side.pages()["answered"] == 0
    assert await asked(world) != earlier


async def test_a_page_that_leaves_takes_its_documents_with_it() -> None:
    world = World(copies=True)
    side = ForSession(world.service)
    await world.service.page({"page": ONE})
    side.ask_pages()
    await world.service.page({"page": ONE, **documents(await asked(world), ["a.ipynb"])})
    moves = world.moves
    await world.service.page({"page": ONE, "closing": True})

    assert side.pages() == {"known": 0, "answered": 0, "silent": 0, "asking": False, "unsaved": []}
    assert world.moves == moves + 1


async def test_pages_that_come_much_later_need_not_answer() -> None:
    world = World()
    ForSession(world.service).ask_pages()
    world.clock.pass_time(121)

    assert (await world.service.answer())["asked"] is None


async def test_what_was_open_is_written_down_by_who_is_stopped_by_others() -> None:
    world = World(hub=True)
    side = ForSession(world.service)
    await world.service.page({"page": ONE})
    side.ask_pages()
    await world.service.page({"page": ONE, **documents(await asked(world), ["b.ipynb"], ("a.ipynb",))})
    await world.at(10)
    await world.service.close()

    (record,) = world.records
    assert record["open"] == ["a.ipynb", "b.ipynb"]
    # It was not asked to save.
    assert record["pages"]["silent"] == 1


async def test_whoever_invents_pages_fills_no_memory() -> None:
    world = World()
    side = ForSession(world.service)
    side.ask_pages()
    question = await asked(world)
    for number in range(MOST + 50):
        await world.service.page({"page": f"invented-{number}", **documents(question, [f"{number}.txt"])})

    assert side.pages()["known"] == MOST
    assert len(side.pages()["unsaved"]) == MOST
