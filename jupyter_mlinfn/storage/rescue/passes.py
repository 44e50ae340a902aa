"""All files to be rescued, smallest first, however many there are: a walk keeps the smallest it has not
given yet, and walks again for the next ones. Memory is bounded by `AT_ONCE`."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from ..walk import Found
from .copying import weight_of

AT_ONCE = 100_000
"""Files that are remembered: some 40 MB."""


class Candidate(NamedTuple):
    """A file to be rescued; they sort by what they take.

    Attributes:
        weight: bytes without holes.
        base, relative: as in `walk.Found`.
    """

    weight: int
    source: str
    base: str
    relative: str


class Total:
    """Files and bytes that the first walk met."""

    def __init__(self) -> None:
        self.files = 0
        self.bytes = 0


def smallest_first(
    walk: Callable[[], Iterable[Found]],
    wanted: Callable[[Found], bool],
    total: Total,
    at_once: int = AT_ONCE,
) -> Iterator[list[Candidate]]:
    """Candidates in groups, each sorted and after the one before.

    Args:
        walk: gives all files, each time it is called.
        wanted: whether a file is one to be copied; is asked in the first walk only to tell of others.
        total: of the first walk; is complete when the first group is given.
    """
    last: Candidate | None = None
    first = True
    while True:
        # A heap with the largest on top, to be thrown out for a smaller one.
        heap: list[_Reversed] = []
        more = False
        for found in walk():
            if not wanted(found):
                continue
            each = Candidate(weight_of(found.status), found.path, found.base, found.relative)
            if first:
                total.files += 1
                total.bytes += each.weight
            if last is not None and each <= last:
                continue
            if len(heap) < at_once:
                heapq.heappush(heap, _Reversed(each))
            else:
                more = True
                heapq.heappushpop(heap, _Reversed(each))
        first = False
        group = sorted(item.candidate for item in heap)
        heap.clear()
        if group:
            last = group[-1]
            yield group
        if not more:
            return


class _Reversed(NamedTuple):
    candidate: Candidate

    def __lt__(self, other: tuple[object, ...]) -> bool:
        return bool(other[0] < self.candidate)  # type: ignore[operator]
