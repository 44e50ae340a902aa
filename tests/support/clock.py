"""A clock that a test turns."""

from __future__ import annotations


class Clock:
    """Monotonic seconds and, `wall` apart, those since the epoch, which somebody may set anew."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.offset = 1.8e9

    def __call__(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + self.offset

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
