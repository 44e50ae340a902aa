"""What a job is, and what a room gives to have one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Protocol

from ..times import now

State = Literal["queued", "running", "cancelling", "done", "failed", "cancelled", "interrupted"]

ACTIVE: frozenset[State] = frozenset({"queued", "running", "cancelling"})
ENDED: frozenset[State] = frozenset({"done", "failed", "cancelled"})


@dataclass(frozen=True)
class Progress:
    """How far a piece of work is; what is not known is None, never 0."""

    phase: str
    packages_done: int | None = None
    packages_total: int | None = None
    bytes_done: int | None = None
    bytes_total: int | None = None
    files_done: int | None = None
    files_total: int | None = None
    seconds_left: float | None = None
    """An estimate from the speed of the last seconds."""


@dataclass
class Job:
    """A piece of long work, as it is journalled and as the REST contract shows it.

    Times are ISO 8601 in UTC. `request` is what the work needs to be taken up again; it must
    be JSON and hold no secret, for it lies in the user's storage.
    """

    id: str
    kind: str
    title: str
    subject: dict[str, Any]
    request: dict[str, Any]
    state: State = "queued"
    created: str = field(default_factory=now)
    started: str | None = None
    finished: str | None = None
    progress: Progress | None = None
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    warnings: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Job:
        """The job of a journal entry.

        Raises:
            TypeError, ValueError: the entry is damaged.
        """
        known = {item.name for item in fields(cls)}
        values = {name: value for name, value in body.items() if name in known}
        if values.get("progress") is not None:
            values["progress"] = Progress(**values["progress"])
        if values.get("state") not in ACTIVE | ENDED | {"interrupted"}:
            raise ValueError(f"unknown state {values.get('state')!r}")
        for name, kind in _KINDS.items():
            if name in values and not isinstance(values[name], kind):
                raise TypeError(f"{name} is a {type(values[name]).__name__}")
        return cls(**values)


_KINDS: dict[str, Any] = {
    **dict.fromkeys(("id", "kind", "title", "created"), str),
    **dict.fromkeys(("subject", "request"), dict),
    **dict.fromkeys(("started", "finished"), (str, type(None))),
    **dict.fromkeys(("result", "error"), (dict, type(None))),
    "warnings": list,
}
"""What an entry must hold to be shown and compared with others."""


class JobContext(Protocol):
    """What running work is given; for the loop's thread, and no other."""

    @property
    def job(self) -> Job: ...

    def progress(self, progress: Progress) -> None:
        """Say how far the work is; call it as often as you like."""

    def log(self, text: str) -> None:
        """Add one line to the log."""

    def warn(self, text: str) -> None:
        """Add a warning that stays with the job."""


class Work(Protocol):
    """One kind of job.

    `run` may be cancelled at any await; it then ends what it started before it lets the
    cancellation through. `undo` leaves nothing behind of a run that was cancelled, that
    failed, or that was interrupted and is discarded; it must be safe to call twice.
    """

    async def run(self, context: JobContext) -> dict[str, Any]: ...

    async def undo(self, context: JobContext) -> None: ...
