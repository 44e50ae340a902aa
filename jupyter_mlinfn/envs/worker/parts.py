"""What the parts of a change have in common: conda's, pip's, and going back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ..history import differences
from ..history.contents import CondaEntry, Contents, PipEntry
from ..history.drift import Drift
from ..history.layout import History
from .protocol import Output
from .session import Session
from .staging import Stager

NO_COST: Mapping[str, Any] = {
    "download_bytes": 0,
    "installed_bytes": 0,
    "installed_files": 0,
    "estimated": False,
}


@dataclass(frozen=True)
class Request:
    """What is asked for, as the server sends it.

    Attributes:
        action: ``install``, ``update``, ``remove`` or ``rollback``.
        history: the folder of the environment's history.
        wheels: that of the kept wheels.
        trash: that of what is to be deleted.
        change: id of the change, that of its job.
        target: the revision to go back to.
        expected: the revision that the user was shown.
        by: who asks: ``JupyterLab`` or ``command line``.
        cuda: for which packages are chosen, or ``none``.
        keep_cuda: what the environment is to remember of that; None: what it does already.
        cuda_asked: whether the user asked for that, also where no package changes with it.
    """

    action: str
    prefix: str
    history: str
    wheels: str
    trash: str
    change: str = "plan"
    specs: Sequence[str] = ()
    manager: str = "conda"
    target: int | None = None
    expected: int | None = None
    by: str = "JupyterLab"
    cuda: str = "none"
    keep_cuda: str | None = None
    cuda_asked: bool = False

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Request:
        known = {entry.name for entry in fields(cls)}
        return cls(**{name: value for name, value in body.items() if name in known})


@dataclass
class Outcome:
    """What a change comes to.

    Attributes:
        packages: what changes, as in the contract.
        specs, pip_specs, channels: what the user has asked for afterwards, all in all.
        cost: bytes and files, as in `models.Plan`.
        coming: records of conda packages that come.
        nothing: whether all is so already.
        plan: the part's own.
    """

    packages: Sequence[differences.PackageChange]
    specs: list[str]
    pip_specs: list[str]
    channels: list[str]
    cost: Mapping[str, Any] = field(default_factory=lambda: NO_COST)
    files: Mapping[str, Any] = field(default_factory=differences.no_files)
    warnings: list[str] = field(default_factory=list)
    coming: Sequence[Any] = ()
    nothing: bool = False
    plan: Any = None


@dataclass
class Staged:
    """What lies in the staging folder, and what has to go for it.

    Attributes:
        conda, pip: all packages afterwards, by name.
        remove: paths of the prefix that go.
    """

    packages: Sequence[differences.PackageChange]
    conda: dict[str, CondaEntry]
    pip: dict[str, PipEntry]
    remove: list[str]


class Part(ABC):
    """Works out, stages and settles one kind of change.

    Args:
        revision: the newest one's record, of which `now` are the packages.
    """

    def __init__(
        self,
        session: Session,
        output: Output,
        request: Request,
        history: History,
        revision: dict[str, Any],
        now: Contents,
    ) -> None:
        self.session = session
        self.output = output
        self.request = request
        self.history = history
        self.revision = revision
        self.now = now
        self.prefix = Path(request.prefix)
        self.stager = Stager(session, output, Path(request.trash))
        self.unrecorded: Drift | None = None
        """What others changed, where that is no revision yet (a dry run)."""
        self.install_again: list[str] = []
        """Requirements that pip has to install anew once this is done."""

    @property
    def reporter(self) -> Any:
        return self.stager.reporter

    @abstractmethod
    async def work_out(self) -> Outcome:
        """What it comes to; changes nothing."""

    @abstractmethod
    async def stage(self, planned: Outcome, staging: Path) -> None:
        """Get everything that comes into the staging folder."""

    @abstractmethod
    def settle(self, planned: Outcome, staging: Path) -> Staged:
        """What was staged, once all of it is there."""

    def log_entry(self, staged: Staged) -> str:
        """What conda's own log of the environment says of it; empty where it is not conda's."""
        return ""
