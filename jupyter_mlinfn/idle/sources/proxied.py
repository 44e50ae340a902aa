"""People who use applications behind jupyter-server-proxy: VS Code, TensorBoard, RStudio, a desktop.

The server sees requests and the frames of websockets, and no person. What can be told:

- A navigation that a person began says so (`Sec-Fetch-User`); what a page loads with itself
  (`Sec-Fetch-Dest`: script, style, image, …) follows from it, and is none of its own.
  https://www.w3.org/TR/fetch-metadata/
- Programs repeat themselves: the same request, or the same small frame, at an even pace or ever
  later, as browsers slow pages down that are hidden. People do not.
- Heartbeats of some protocols are known by their look.

An application that asks at uneven times by itself cannot be told from a person: see `ignored`.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..models import Moment, Signal

_SUBRESOURCES = frozenset(
    {"audio", "embed", "font", "image", "manifest", "object", "script", "serviceworker", "sharedworker"}
    | {"style", "track", "video", "worker", "xslt", "paintworklet", "audioworklet", "report"}
)
_VARYING = re.compile(r"[0-9a-f]{8,}(-[0-9a-f]{4,})*|\d+", re.IGNORECASE)
"""Parts of a path that are another each time: numbers, identifiers."""

_REQUESTS_TOGETHER, _FRAMES_TOGETHER = (2.0, 0.3), (0.05,)
"""Seconds: the same again within them is the same time, as a page loads many things at one tick. What is
a program by one of them is one: of a poll each second the longer sees no end."""
_EVEN = 0.25
"""Part by which the pace of a program may vary."""
_SURE = 5
"""Times that a pace was kept for it to be a timer's."""
_HANDS = 1.0
"""Seconds: who types may be as even for some keys."""
_SPARE, _LONG, _LATE_IN_A_ROW = 0.6, 2.0, 3
"""Paces that a timer may be sooner, for it was late before; from how many it is late by more than a
busy network makes it; and how often."""
_MOST_PACES = 2000
_SMALL = 64
"""Bytes: frames up to that are told from each other by their size."""


@dataclass(frozen=True)
class Request:
    """An authenticated request for a proxied application.

    Attributes:
        application: what the user knows it by: a name, or a port.
        path: without query; it varies more than what is asked for.
        headers: looked up without regard to case.
    """

    application: str
    method: str
    path: str
    headers: Mapping[str, str]


class _Pace:
    """How regularly one thing happens.

    A timer may be late, for a slow network or a hidden page, and be on time again after that; it never
    asks more often than its pace. One that has kept its pace for some time is given more of that than
    what may be a person who did something three times in a row.
    """

    def __init__(self, now: Moment, together: float) -> None:
        self._together = together
        self._began = self._heard = now
        self._gap: float | None = None
        self._pace: float | None = None
        self._kept = 0
        self._late = self._other = 0
        self._spare = 0.0

    def by_program(self, now: Moment) -> bool:
        """It happens again: whether a program does it, or it is the same time still."""
        together = now - self._heard < self._together
        self._heard = now
        if together:
            return True
        gap, before = now - self._began, self._gap
        self._began, self._gap = now, gap
        if before is None:
            return False
        if _even(gap, before):
            self._learn(gap)
            return True
        if self._pace is not None and self._is_excused(gap, self._pace):
            return True
        self._pace, self._kept, self._late = None, 0, 0
        return False

    @property
    def _is_sure(self) -> bool:
        return self._kept >= _SURE and self._pace is not None and self._pace >= _HANDS

    def _learn(self, gap: float) -> None:
        """The pace was kept, or is another."""
        self._late, self._spare = 0, _SPARE
        if self._pace is not None and self._is_sure:
            if _even(gap, self._pace):
                self._other = 0
                self._pace += (gap - self._pace) / 16
                return
            self._other += 1
            if self._other < 2:
                return
        self._pace, self._kept, self._other = gap, self._kept + 1, 0

    def _is_excused(self, gap: float, pace: float) -> bool:
        """Whether a timer may have been as late, or have made up for that."""
        sure = self._is_sure
        if gap > (_LONG if sure else 1 + _EVEN) * pace:
            self._late, self._spare = self._late + 1, _SPARE
            return self._late <= (_LATE_IN_A_ROW if sure else 1)
        self._late = 0
        if not sure:
            return _even(gap, pace)
        self._spare = min(_SPARE, self._spare + gap / pace - 1)
        return self._spare >= 0


def _even(one: float, other: float) -> bool:
    return abs(one - other) <= _EVEN * max(one, other)


_RFB_UPDATE_REQUEST = (b"\x03", 10)
"""A viewer of a desktop asks for what has changed on it: RFC 6143, 7.5.3."""
_VSCODE_CONTROL = 13
"""VS Code's header without anything behind it: acknowledgements and signs of life.
https://github.com/microsoft/vscode/blob/main/src/vs/base/parts/ipc/common/ipc.net.ts"""
_ENGINE_IO = frozenset({"2", "3", "2probe", "3probe", "5"})
"""https://socket.io/docs/v4/engine-io-protocol/"""
_SAYS_PING = re.compile(r'"(ping|pong|heartbeat|keepalive|keep-alive|ka)"', re.IGNORECASE)


def _is_heartbeat(frame: str | bytes) -> bool:
    """Whether a protocol sends it to say no more than that it is there."""
    if isinstance(frame, bytes):
        start, size = _RFB_UPDATE_REQUEST
        if len(frame) == size and frame.startswith(start):
            return True
        return len(frame) == _VSCODE_CONTROL and frame.endswith(bytes(4))
    return frame in _ENGINE_IO or (len(frame) <= _SMALL and bool(_SAYS_PING.search(frame)))


class ProxiedSource:
    """Lives on the event loop's thread.

    Args:
        ignored: patterns (`re.search`) of the paths of requests and websockets that never count.
    """

    source: Literal["proxied"] = "proxied"

    def __init__(self, ignored: Sequence[str] = (), *, clock: Callable[[], Moment] = time.monotonic) -> None:
        self._ignored = [re.compile(pattern) for pattern in ignored]
        self._clock = clock
        self._paces: OrderedDict[tuple[object, ...], list[_Pace]] = OrderedDict()
        self._last: Moment | None = None
        self._application = ""

    async def look(self, now: Moment) -> Signal:
        detail = f"Somebody used {self._application}." if self._last is not None else ""
        return Signal("proxied", self._last, detail)

    def request(self, request: Request) -> None:
        """Somebody, or something, asks."""
        if self._is_ignored(request.path):
            return
        headers = request.headers
        if headers.get("Sec-Fetch-User", "") != "?1":
            if headers.get("Sec-Fetch-Dest", "") in _SUBRESOURCES or request.method in ("HEAD", "OPTIONS"):
                return
            if headers.get("Accept", "") == "text/event-stream" or headers.get("Upgrade"):
                return  # It opens a channel, by itself after each interruption.
            path = _VARYING.sub("#", request.path)
            if self._by_program(_REQUESTS_TOGETHER, request.application, request.method, path):
                return
        self._count(request.application)

    def frame(self, application: str, path: str, connection: int, frame: str | bytes) -> None:
        """A client's websocket sends data; pings are none.

        Args:
            connection: another number for each.
        """
        if not frame or _is_heartbeat(frame) or self._is_ignored(path):
            return
        size, kind = len(frame), type(frame).__name__
        # Of long ones no two are of a size.
        bucket = size if size <= _SMALL else _SMALL << (size // _SMALL).bit_length()
        if not self._by_program(_FRAMES_TOGETHER, connection, kind, bucket):
            self._count(application)

    def closed(self, connection: int) -> None:
        """A websocket is no more."""
        for key in [key for key in self._paces if key[0] == connection]:
            del self._paces[key]

    def _by_program(self, together: tuple[float, ...], *what: object) -> bool:
        now = self._clock()
        paces = self._paces.get(what)
        if paces is None:
            self._paces[what] = [_Pace(now, each) for each in together]
            if len(self._paces) > _MOST_PACES:
                self._paces.popitem(last=False)
            return False
        self._paces.move_to_end(what)
        # Each has to hear of it.
        known = [pace.by_program(now) for pace in paces]
        return any(known)

    def _is_ignored(self, path: str) -> bool:
        return any(pattern.search(path) for pattern in self._ignored)

    def _count(self, application: str) -> None:
        self._last = self._clock()
        self._application = application
