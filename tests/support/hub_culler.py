"""What the hub's culler judges, look by look: it says so in the hub's log.

    wait_for(lambda: spared(ada, age=TIMEOUT + 2))   # it was old enough to be stopped, and was let be
    wait_for(lambda: spared(ada, after=[bob]))       # the same, in a look after bob's last

Tests ask this where they would else watch a clock: however slowly everything goes, who was let be by a
look that would have stopped them is kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .hub import Hub, HubServer

_LINE = re.compile(
    r"(?P<not>Not culling|Culling) server (?P<name>\S+) "
    r"\((?:age: (?P<age>[-\d:]+), )?inactive for (?P<inactive>[-\d:]+)\)"
)


@dataclass(frozen=True)
class Look:
    """Of the culler at one server.

    Attributes:
        name: of the server in the culler's words, see `name_of`.
        culled: the server is stopped by it.
        inactive: seconds since the server's last activity as the hub has it; below 0 for one ahead.
        age: seconds since its start; None where the culler does not say.
    """

    name: str
    culled: bool
    inactive: int
    age: int | None


def looks(hub: Hub) -> list[Look]:
    """At all its servers so far, in order."""
    return [
        Look(
            name=each["name"],
            culled=each["not"] == "Culling",
            inactive=_seconds(each["inactive"]),
            age=None if each["age"] is None else _seconds(each["age"]),
        )
        for each in _LINE.finditer(hub.log())
    ]


def name_of(server: HubServer) -> str:
    return f"{server.user}/{server.name}" if server.name else server.user


def culled(server: HubServer) -> Look | None:
    """The look that stopped it; None for not."""
    found = [each for each in looks(server.hub) if each.culled and each.name == name_of(server)]
    return found[-1] if found else None


def spared(server: HubServer, *, age: float = 0, after: Sequence[HubServer] = ()) -> bool:
    """Whether a look has let it be.

    Args:
        age: seconds: when the server was that old.
        after: in a look after those that stopped all of these servers.
    """
    seen = looks(server.hub)
    ends = {each.name: at for at, each in enumerate(seen) if each.culled}
    others = [name_of(each) for each in after]
    if not all(name in ends for name in others):
        return False
    begin = max((ends[name] + 1 for name in others), default=0)
    return any(
        each.name == name_of(server) and each.age is not None and each.age >= age and not each.culled
        for each in seen[begin:]
    )


def _seconds(text: str) -> int:
    """As the culler writes them; only the hours can be below 0."""
    hours, minutes, seconds = map(int, text.split(":"))
    return hours * 3600 + minutes * 60 + seconds
