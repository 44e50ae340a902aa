"""Times that others keep by the wall clock, as moments of ours."""

from __future__ import annotations

from ..models import Moment


class Stamp:
    """One such time, looked at again and again.

    The wall clock may be set between two looks, so what it says is believed only as far as the time
    between them reaches: a stamp that has moved was written since the last look, and one that has
    not moved stays the moment that it was taken for.

    Args:
        since: of the first look, as nobody looked before: this moment counts as the look before.
    """

    def __init__(self, since: Moment) -> None:
        self._looked = since
        self._value: float | None = None
        self.moment: Moment | None = None

    def look(self, value: float, now: Moment, wall: float) -> Moment:
        """The moment of it.

        Args:
            value: seconds since the epoch, as it was written.
            wall: seconds since the epoch, now.
        """
        if self.moment is None or value != self._value:
            ago = min(max(0.0, wall - value), max(0.0, now - self._looked))
            self.moment = now - ago
            self._value = value
        self._looked = now
        return self.moment
