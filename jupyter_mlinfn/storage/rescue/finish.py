"""After a rescue that was killed or ended: what is whole gets its name, what is not goes, and it is told."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Any

from ...errors import NotFoundError
from . import claim, manifest
from .journal import BusyError, Journal
from .places import FOLDER


def finish(request: Mapping[str, Any]) -> dict[str, Any]:
    """Tidy up after a rescue that was ended, and write down what is kept and what is not; may be repeated.

    Its journal stays, for the rescue to be taken up again.

    Args:
        request: `job`, `created`, `private`.
    Returns:
        As `Rescue.run`.
    Raises:
        MlinfnError, OSError: it is at work, or the storage is gone.
    """
    job, created, private = str(request["job"]), str(request["created"]), str(request["private"])
    nothing = {"name": None, "summary": None, "problem": None}
    try:
        with claim.rescued(private, make=False) as rescued, ExitStack() as stack:
            name = claim.find(rescued, created, job)
            if name is None and (done := claim.find_finished(rescued, created, job)):
                return {"name": done[0], "summary": done[1], "problem": None}
            if name is None:
                claim.remove_empty(rescued, created)
                return nothing
            folder = os.open(name, FOLDER, dir_fd=rescued)
            stack.callback(os.close, folder)
            try:
                stack.callback(Journal(folder, job, make=False).close)
            except BusyError as error:
                raise claim.busy() from error
            account = manifest.Account(folder, job)
            claim.tidy(folder, account)
            if next(account.kept(), None) is None:
                summary = account.summary(complete=False)
                claim.remove(rescued, name, job)
                return {"name": None, "summary": summary, "problem": None}
            # On a full disk the journal has to do: it says the same.
            with suppress(OSError):
                return {"name": name, "summary": manifest.write(folder, account), "problem": None}
            return {"name": name, "summary": account.summary(complete=False), "problem": None}
    except NotFoundError:
        return nothing
