"""What can go wrong, in words for the person in front of the screen.

Every error that may reach a user is an `MlinfnError`: it knows its HTTP status, says what
failed (`message`), why (`reason`) and what can be done about it (`hint`). The statuses are
those of docs/DESIGN: 400 bad input, 403 not allowed, 404 unknown, 409 conflicting state,
422 unsolvable, 424 a service that we depend on failed, 507 no space.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from . import disk


class MlinfnError(Exception):
    """Base of every error that is shown to a user.

    Args:
        message: what failed, one sentence.
        reason: why, as far as it is known; may have several lines.
        hint: what the user can do next.
        fields: per field of the request, what is wrong with which of its values:
            ``{"specs": [{"value": "nunpy", "message": "…", "suggestions": ["numpy"]}]}``.
    """

    status: ClassVar[int] = 500

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        hint: str = "",
        fields: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.hint = hint
        self.fields = {name: [dict(entry) for entry in entries] for name, entries in (fields or {}).items()}

    def __str__(self) -> str:
        return "\n".join(part for part in (self.message, self.reason, self.hint) if part)

    def to_json(self) -> dict[str, Any]:
        """The error as the REST contract and the worker protocol carry it."""
        body: dict[str, Any] = {
            "kind": type(self).__name__,
            "message": self.message,
            "reason": self.reason,
            "hint": self.hint,
        }
        if self.fields:
            body["fields"] = self.fields
        return body


class BadInputError(MlinfnError):
    """The request cannot be meant as it is."""

    status = 400


class NotAllowedError(MlinfnError):
    """The request is understood, and not permitted."""

    status = 403


class NotFoundError(MlinfnError):
    """There is no such environment, job or package."""

    status = 404


class ConflictError(MlinfnError):
    """The request does not fit the present state: a name is taken, kernels are running."""

    status = 409


class UnsolvableError(MlinfnError):
    """No set of packages satisfies what was asked for."""

    status = 422


class DependencyError(MlinfnError):
    """A service that we depend on failed: a channel, the worker process."""

    status = 424


class NoSpaceError(MlinfnError):
    """The disk, its quota or the memory does not suffice."""

    status = 507


_KINDS: dict[str, type[MlinfnError]] = {
    kind.__name__: kind
    for kind in (
        BadInputError,
        NotAllowedError,
        NotFoundError,
        ConflictError,
        UnsolvableError,
        DependencyError,
        NoSpaceError,
        MlinfnError,
    )
}


def from_json(body: Mapping[str, Any]) -> MlinfnError:
    """The error that `MlinfnError.to_json` described; an unknown kind becomes the base class."""
    kind = _KINDS.get(str(body.get("kind", "")), MlinfnError)
    return kind(
        str(body.get("message", "")),
        reason=str(body.get("reason", "")),
        hint=str(body.get("hint", "")),
        fields=body.get("fields"),
    )


def from_os_error(
    message: str, error: OSError, folder: Path | None = None, need: disk.Need | None = None
) -> MlinfnError:
    """What an error of the operating system means for the user.

    Args:
        message: what failed, one sentence.
        folder: where files were written, if the error does not name the one it was about.
        need: what the work takes, for the message when there is no room for it.
    """
    reason = f"{error.strerror or error}: {error.filename}" if error.filename else str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpaceError(
            message,
            reason=disk.full(folder or _folder(error), need, quota=error.errno == errno.EDQUOT),
            hint=disk.MAKE_ROOM,
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return NotAllowedError(
            message, reason=reason, hint="The folder is read only for you: ask your administrator."
        )
    if error.errno in (errno.ENOENT, errno.ESTALE, errno.EIO, errno.ENOTCONN, errno.EHOSTDOWN):
        return DependencyError(
            message,
            reason=reason,
            hint="Your storage may be away for a moment: try again; if it stays, ask your administrator.",
        )
    if error.errno in (errno.EEXIST, errno.ENOTDIR, errno.EISDIR):
        return ConflictError(
            message, reason=reason, hint="A file is where a folder ought to be: move it out of the way."
        )
    return MlinfnError(message, reason=reason, hint="Try again; if it stays, ask your administrator.")


def _folder(error: OSError) -> Path | None:
    named = error.filename2 or error.filename
    return Path(os.fsdecode(named)).parent if isinstance(named, (str, bytes)) else None
