"""Says in which modules less is covered than before; exit code 1 if there is one.

    python tools/coverage_by_module.py BEFORE.json AFTER.json [--all]

Both are outputs of `coverage json` with branches (`make coverage` writes .build/coverage/coverage.json).
A module is lower if the share of its lines, or of its branches, is. Where its statements are on the same
lines as before, those that are covered no more are named.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Measured:
    """Of one module."""

    lines: Fraction
    branches: Fraction
    statements: frozenset[int]
    executed: frozenset[int]
    taken: frozenset[tuple[int, int]]

    @classmethod
    def of(cls, file: Mapping[str, Any]) -> Measured:
        summary, executed = file["summary"], frozenset(file["executed_lines"])
        return cls(
            lines=share(summary["covered_lines"], summary["num_statements"]),
            branches=share(summary["covered_branches"], summary["num_branches"]),
            statements=executed | frozenset(file["missing_lines"]),
            executed=executed,
            taken=frozenset((start, end) for start, end in file["executed_branches"]),
        )


def share(covered: int, of: int) -> Fraction:
    return Fraction(covered, of) if of else Fraction(1)


def read(path: Path) -> tuple[dict[str, Measured], Mapping[str, Any]]:
    data = json.loads(path.read_text())
    if not data["meta"]["branch_coverage"]:
        sys.exit(f"{path} has no branches.")
    if not data["files"]:
        sys.exit(f"{path} has no files.")
    return {name: Measured.of(file) for name, file in data["files"].items()}, data["totals"]


def is_lower(before: Measured, after: Measured) -> bool:
    return after.lines < before.lines or after.branches < before.branches


def lost(before: Measured, after: Measured) -> str:
    if before.statements != after.statements:
        return "changed since"
    branches = sorted(
        (start, end)
        for start, end in before.taken - after.taken
        if start in after.executed  # else the line says it
    )
    words = ranges(sorted(before.executed - after.executed))
    words += [f"{start}→{end if end > 0 else 'exit'}" for start, end in branches]
    return ", ".join(words)


def ranges(numbers: Iterable[int]) -> list[str]:
    found: list[list[int]] = []
    for number in numbers:
        if found and number <= found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return [f"{first}" if first == last else f"{first}-{last}" for first, last in found]


def row(name: str, before: Measured, after: Measured) -> str:
    pairs = ((before.lines, after.lines), (before.branches, after.branches))
    figures = "".join(f"{change(*pair):>20}" for pair in pairs)
    return f"{name:<46}{figures}  {lost(before, after)}".rstrip()


def change(before: Fraction, after: Fraction) -> str:
    return f"{float(before):.2%} → {float(after):.2%}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--all", action="store_true", help="also the modules that are not lower")
    said = parser.parse_args(arguments)
    before, totals_before = read(said.before)
    after, totals_after = read(said.after)
    both = sorted(set(before) & set(after))
    lower = [name for name in both if is_lower(before[name], after[name])]
    higher = [name for name in both if is_lower(after[name], before[name]) and name not in lower]

    print(f"{'module':<46}{'lines':>20}{'branches':>20}  covered no more")
    for name in both if said.all else lower:
        print(row(name, before[name], after[name]))
    for text, names in (("gone", set(before) - set(after)), ("new", set(after) - set(before))):
        for name in sorted(names):
            print(f"{name:<46}  {text}")
    for text, covered, of in (
        ("lines", "covered_lines", "num_statements"),
        ("branches", "covered_branches", "num_branches"),
    ):
        shares = change(*(share(each[covered], each[of]) for each in (totals_before, totals_after)))
        counts = (
            f"{totals_before[covered]} of {totals_before[of]} → {totals_after[covered]} of {totals_after[of]}"
        )
        print(f"all {text}: {shares} ({counts})")
    equal = len(both) - len(lower) - len(higher)
    print(f"{len(lower)} modules lower, {len(higher)} higher, {equal} equal")
    return 1 if lower else 0


if __name__ == "__main__":
    sys.exit(main())
