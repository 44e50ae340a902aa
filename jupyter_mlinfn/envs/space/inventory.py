"""What a walk over everything found, and what can be reckoned from it without another.

Files are hard-linked between environments, revisions and the cache, so that the space of one
thing is no figure of its own: removing it frees the inodes *all* of whose links lie in it. What
is kept is how many bytes and inodes are linked from which set of things; what removing any of them
frees is then a sum.

Things have ids: ``env:NAME`` (a folder beside the environments too), ``rev:NAME:3`` (what is kept
for going back from revision 3 to the one before), ``pkg:NAME-VERSION-BUILD``, ``wheel:SHA256``,
and ``cache`` (what else lies in the cache).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

Amount = tuple[int, int]
"""Bytes and inodes."""


@dataclass(frozen=True)
class KeptRevision:
    """One revision, as far as space goes."""

    number: int
    created: str
    delta: bool
    """Whether one can go back from it to the revision before."""
    leftover: bool
    """Whether files are there without being of use any more: a clean-up was killed."""
    needs: Sequence[str]
    """Ids of cached packages and wheels that it needs and no environment does at present."""


@dataclass(frozen=True)
class Plan:
    """What a clean-up would remove.

    Attributes:
        things: ids.
        packages: file names of cached packages and wheels.
        revisions: by environment, the revisions that can no longer be gone back to.
    """

    things: Collection[str]
    freed_bytes: int
    freed_files: int
    packages: Sequence[str]
    revisions: Mapping[str, Sequence[int]]


@dataclass
class Inventory:
    """What was found.

    Attributes:
        taken: when, ISO 8601 in UTC.
        stamps: change when it is worth looking again, see `measure.stamps`.
        environments: names of the folders of environments; True where a part could not be read.
        revisions: of each history that belongs to an environment, oldest first.
        orphans: names of histories whose environment is no more.
        packages: ids of cached packages and wheels, with the name that is shown.
        needed: those that an environment needs as it is now.
        groups: ``[ids, elsewhere, bytes, inodes]``: linked from exactly these things, and, where
            `elsewhere` is 1, from something outside of all of them.
    """

    taken: str
    stamps: dict[str, int] = field(default_factory=dict)
    environments: dict[str, bool] = field(default_factory=dict)
    revisions: dict[str, list[KeptRevision]] = field(default_factory=dict)
    orphans: list[str] = field(default_factory=list)
    packages: dict[str, str] = field(default_factory=dict)
    needed: list[str] = field(default_factory=list)
    groups: list[tuple[list[str], int, int, int]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {"version": 1, **asdict(self)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Inventory:
        """Raises `ValueError`, `TypeError`, `KeyError`, `AttributeError` when it is not one."""
        if body["version"] != 1:
            raise ValueError("another version")
        known = {name: body[name] for name in cls.__dataclass_fields__}
        known["revisions"] = {
            name: [KeptRevision(**each) for each in listed] for name, listed in body["revisions"].items()
        }
        known["groups"] = [
            (list(ids), int(elsewhere), int(size), int(files))
            for ids, elsewhere, size, files in body["groups"]
        ]
        return cls(**known)

    def size(self, things: Collection[str]) -> Amount:
        """What the things take, each inode once."""
        wanted = set(things)
        return _sum(group for group in self.groups if not wanted.isdisjoint(group[0]))

    def beside(self) -> Amount:
        """What everything but the environments themselves takes, which may grow meanwhile."""
        return _sum(group for group in self.groups if not any(id_.startswith("env:") for id_ in group[0]))

    def frees(self, things: Collection[str]) -> Amount:
        """What removing all these things together frees."""
        wanted = set(things)
        return _sum(group for group in self.groups if not group[1] and wanted.issuperset(group[0]))

    def frees_each(self, name: str) -> dict[int, int]:
        """Bytes that forgetting each of an environment's revisions alone would free, by its number."""
        numbers = {f"rev:{name}:{each.number}": each.number for each in self.revisions.get(name, ())}
        found = dict.fromkeys(numbers.values(), 0)
        for things, elsewhere, size, _ in self.groups:
            number = numbers.get(things[0]) if len(things) == 1 else None
            if number is not None and not elsewhere:
                found[number] += size
        return found

    def deltas(self, name: str, until: int | None = None) -> list[str]:
        """Ids of what is kept for going back, up to that revision (default: all)."""
        return [
            f"rev:{name}:{each.number}"
            for each in self.revisions.get(name, ())
            if (each.delta or each.leftover) and (until is None or each.number <= until)
        ]

    def restorable(self, name: str, keep_from: int = 0) -> list[int]:
        """Revisions that can be gone back to, the present one included, oldest first; fewer when
        everything before `keep_from` is forgotten."""
        numbers: list[int] = []
        for each in reversed(self.revisions.get(name, ())):
            numbers.append(each.number)
            if not each.delta or each.number <= keep_from:
                break
        return numbers[::-1]

    def unused(self, keep_from: Mapping[str, int] | None = None) -> list[str]:
        """Cached packages and wheels that nobody would need after forgetting what is older than
        `keep_from` (by environment).

        A package with links elsewhere counts as used: other tools may share the cache.
        """
        keep_from = keep_from or {}
        needed = set(self.needed)
        for name, listed in self.revisions.items():
            if name in self.orphans:
                continue
            kept = set(self.restorable(name, keep_from.get(name, 0)))
            needed.update(*(each.needs for each in listed if each.number in kept))
        elsewhere = {thing for ids, outside, *_ in self.groups if outside for thing in ids}
        return [thing for thing in self.packages if thing not in needed and thing not in elsewhere]

    def plan(self, *, cache: bool, keep_from: Mapping[str, int]) -> Plan:
        """What pruning would do.

        Args:
            cache: remove unused packages and wheels.
            keep_from: by environment, the oldest revision to be kept restorable.
        """
        unused = self.unused(keep_from) if cache else []
        things = [*unused, *(id_ for name, number in keep_from.items() for id_ in self.deltas(name, number))]
        lost = {
            name: sorted(set(self.restorable(name)) - set(self.restorable(name, number)))
            for name, number in keep_from.items()
        }
        return Plan(
            things,
            *self.frees(things),
            packages=[self.packages[thing] for thing in unused],
            revisions={name: numbers for name, numbers in lost.items() if numbers},
        )

    def kept_for_revisions(self, keep_from: Mapping[str, int] | None = None) -> int:
        """Bytes that revisions keep from being free: their own, and those of cached packages and
        wheels that only they need; after forgetting what is older than `keep_from`."""
        keep_from = keep_from or {}
        deltas = [
            thing
            for name in self.revisions
            for thing in set(self.deltas(name)) - set(self.deltas(name, keep_from.get(name, 0)))
        ]
        unused = set(self.unused(keep_from))
        needed = set(self.needed)
        only = [thing for thing in self.packages if thing not in needed and thing not in unused]
        return self.frees([*deltas, *only])[0]

    def over(self, limit: int) -> dict[str, int]:
        """What has to be forgotten for the revisions to keep no more than `limit` bytes: by
        environment, the oldest revision that stays restorable. Oldest first over all of them; of each
        environment the one before the present one stays."""
        keep_from: dict[str, int] = {}
        candidates = []
        for name, listed in self.revisions.items():
            # Going back by one must remain possible; nobody goes back in what is no more.
            going = listed if name in self.orphans else listed[:-1]
            latest = ""
            for each in going:
                # A clock that was set back must not turn the order of an environment's round.
                latest = max(latest, each.created)
                if each.delta or each.leftover:
                    candidates.append((name not in self.orphans, latest, name, each.number))
        for _, _, name, number in sorted(candidates):
            if self.kept_for_revisions(keep_from) <= limit:
                break
            keep_from[name] = number
        return keep_from


def _sum(groups: Iterable[tuple[list[str], int, int, int]]) -> Amount:
    size = files = 0
    for _, _, group_size, group_files in groups:
        size += group_size
        files += group_files
    return size, files
