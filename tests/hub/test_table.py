"""What stops a server and what does not, and who is told: the table in docs/idle-table.md."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from ..support.proof import PROOF, note
from .people import slow_source
from .situations import TIMEOUT, Situation, all_situations
from .table import COLUMNS, Column, Outcome, play
from .table_page import write_page

SEED = 6

_measured: list[Outcome] = []


def of_each_kind(situations: list[Situation]) -> list[Situation]:
    """A few: nobody there and told by mail, told in a page, at work, somebody there."""
    chance = random.Random(SEED)  # noqa: S311 - a sample
    kinds = (
        lambda each: each.must == "stop" and not each.browser and each.after == TIMEOUT,
        lambda each: each.told in ("page", "desktop"),
        lambda each: each.must == "keep" and not each.name.startswith("types"),
        lambda each: each.name == "types_in_terminal",
    )
    chosen = [chance.choice([each for each in situations if kind(each)]) for kind in kinds]
    return [each for each in situations if each in chosen]


def judge(outcomes: list[Outcome]) -> None:
    wrong = [
        f"{each.situation.name}, {each.column.name}: {each.wrong()}" for each in outcomes if each.wrong()
    ]
    kept = sum(each.situation.must == "keep" for each in outcomes)
    stopped = sum(each.situation.must == "keep" and each.stopped is not None for each in outcomes)
    note(f"idle: {len(outcomes)} servers as the table says but {len(wrong)}")
    note(f"idle: {stopped} of {kept} servers at work or in use were stopped")
    assert not wrong, "\n".join(wrong)


@pytest.mark.skipif(PROOF, reason="the whole table is played")
def test_ours_reads_as_the_table_says_in_a_sample(tmp_path: Path) -> None:
    with slow_source() as source, sync_playwright() as playwright:
        chosen = of_each_kind(list(all_situations(source)))
        # Pages last: they take longest to come, and the others are watched meanwhile.
        chosen.sort(key=lambda each: (each.browser, each.must))
        outcomes = play(COLUMNS[2:], chosen, tmp_path, playwright)
    judge(outcomes)
    assert {(each.situation.must, each.column.name) for each in outcomes} == {
        (must, column.name) for must in ("stop", "keep") for column in COLUMNS[2:]
    }


@pytest.mark.proof
@pytest.mark.skipif(not PROOF, reason="takes a quarter of an hour: make proof")
@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_the_whole_table(column: Column, tmp_path: Path) -> None:
    with slow_source() as source, sync_playwright() as playwright:
        outcomes = play([column], all_situations(source), tmp_path, playwright)
    _measured.extend(outcomes)
    if {each.column.name for each in _measured} == {each.name for each in COLUMNS}:
        write_page(_measured, Path(__file__).parents[2] / "docs" / "idle-table.md")
    if column.mine:
        judge(outcomes)
    else:
        # Peers are measured, not judged; but they have to have been measured.
        assert [f"{each.situation.name}: {each.trouble}" for each in outcomes if each.trouble] == []
