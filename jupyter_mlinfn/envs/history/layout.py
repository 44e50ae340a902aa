"""Where the history of an environment is kept, and what is in it.

Beside the environments, so that files can be hard-linked and a removal of the environment by
other tools leaves it to be found::

    ENVIRONMENTS/.mlinfn/history/NAME/
        identity.json           which environment of that name: the job that made it
        lease, writer.json      who changes it now (`envs.writer`)
        revisions/000003/       revision.json, delta.json, old/; index.json of the newest
        change-ID/              a change that is being made (`transaction`)

Every file is written whole or not at all; a revision appears by one rename.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import files
from ...files import sync_folder
from .tree import Tree

CHANGE = "change-"
INDEX = "index.json"


class Damaged(ValueError):
    """A file of the history is not what was written."""


@dataclass(frozen=True)
class History:
    """The history of one environment; `folder` need not exist yet."""

    folder: Path

    @property
    def revisions(self) -> Path:
        return self.folder / "revisions"

    def revision(self, number: int) -> Path:
        return self.revisions / f"{number:06}"

    def change(self, change_id: str) -> Path:
        return self.folder / (CHANGE + change_id)

    def open(self, job: str) -> None:
        """Make it the history of the environment that `job` made; an older one is thrown away.

        Raises:
            OSError: the storage is gone, full or read-only.
        """
        identity = self.folder / "identity.json"
        try:
            known = json.loads(identity.read_text(encoding="utf-8")).get("job")
        except FileNotFoundError:
            known = None
        except (ValueError, AttributeError):
            known = ""
        if known == job:
            return
        if known is not None:
            # Of an environment of the same name that was removed by other means.
            for entry in (self.revisions, *self.changes()):
                if entry.exists():
                    gone = self.folder / f"gone-{uuid.uuid4().hex}"
                    entry.rename(gone)
                    shutil.rmtree(gone, ignore_errors=True)
        # Not with all its parents: below a volume that went away nothing may be made.
        self.folder.parent.mkdir(exist_ok=True)
        self.folder.mkdir(exist_ok=True)
        self.revisions.mkdir(exist_ok=True)
        write_json(identity, {"version": 1, "job": job})

    def belongs_to(self, job: str) -> bool:
        """Whether this is the history of the environment that `job` made."""
        try:
            return bool(
                json.loads((self.folder / "identity.json").read_text(encoding="utf-8")).get("job") == job
            )
        except (OSError, ValueError, AttributeError):
            return False

    def numbers(self) -> list[int]:
        """The numbers of all revisions, oldest first."""
        try:
            return sorted(int(entry.name) for entry in self.revisions.iterdir() if entry.name.isdigit())
        except OSError:
            return []

    def current(self) -> int | None:
        numbers = self.numbers()
        return numbers[-1] if numbers else None

    def changes(self) -> list[Path]:
        """Folders of changes that are being made, or were when somebody was killed."""
        try:
            return [entry for entry in self.folder.iterdir() if entry.name.startswith(CHANGE)]
        except OSError:
            return []

    def is_past_return(self, change_id: str) -> bool:
        """Whether a change was journalled or made: then it is to be finished, not asked about."""
        if any((change / "journal.json").exists() for change in self._changes_of(change_id)):
            return True
        for number in self.numbers()[-3:]:
            try:
                if self.read_revision(number)["job"] == change_id:
                    return True
            except Damaged:
                continue
        return False

    def has_staged(self, change_id: str) -> bool:
        """Whether a change was begun."""
        return bool(self._changes_of(change_id))

    def _changes_of(self, change_id: str) -> list[Path]:
        return [change for change in self.changes() if change.name.startswith(CHANGE + change_id)]

    def read_revision(self, number: int) -> dict[str, Any]:
        """``revision.json``.

        Raises:
            Damaged: it is missing, cannot be read, or is not what was written.
        """
        body = _read(self.revision(number) / "revision.json")
        if body.get("checksum") != checksum(body) or body.get("number") != number:
            raise Damaged("Its record was changed after it was written.")
        return body

    def read_delta(self, number: int) -> dict[str, Any]:
        """``delta.json``: how to go from that revision back to the one before.

        Raises:
            Damaged: as for `read_revision`; also where it was cleaned up.
        """
        body = _read(self.revision(number) / "delta.json")
        if body.get("checksum") != checksum(body):
            raise Damaged("Its record was changed after it was written.")
        return body

    def read_index(self) -> Tree | None:
        """The files as the newest revision left them; None where that is not known."""
        number = self.current()
        if number is None:
            return None
        try:
            columns = json.loads((self.revision(number) / INDEX).read_bytes())
            stats = zip(columns["sizes"], columns["times"], columns["inodes"], strict=True)
            return dict(zip(columns["paths"], stats, strict=True))
        except (OSError, ValueError, TypeError, LookupError):
            return None

    def forget_older_indexes(self) -> None:
        """Only that of the newest revision is ever read."""
        for number in self.numbers()[:-1][-3:]:
            with suppress(FileNotFoundError):
                (self.revision(number) / INDEX).unlink()


def _read(file: Path) -> dict[str, Any]:
    try:
        body = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise Damaged("What is needed for it was cleaned up.") from None
    except (OSError, ValueError) as error:
        raise Damaged(f"Its record cannot be read: {error}") from error
    if not isinstance(body, dict):
        raise Damaged("Its record cannot be read.")
    return body


def checksum(body: Mapping[str, Any]) -> str:
    """SHA-256 over the body without its own checksum, in canonical JSON."""
    content = {name: value for name, value in body.items() if name != "checksum"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def sealed(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with its checksum, as it is written."""
    return {**body, "checksum": checksum(body)}


def write_parts(folder: Path, revision: Mapping[str, Any], delta: Mapping[str, Any], index: Tree) -> None:
    """Write the files of a revision into a folder that is to become it.

    Raises:
        OSError: the storage is gone, full or read-only.
    """
    # By columns: forty thousand small lists take three times as long to read and write.
    sizes, times, inodes = zip(*index.values(), strict=True) if index else ((), (), ())
    columns = {"paths": list(index), "sizes": sizes, "times": times, "inodes": inodes}
    write_json(folder / INDEX, columns)
    write_json(folder / "delta.json", sealed(delta))
    write_json(folder / "revision.json", sealed(revision))


def write_json(file: Path, body: Mapping[str, Any]) -> None:
    """Write a file of the history, durably.

    Raises:
        OSError: the storage is gone, full or read-only.
    """
    files.write_json(file, body)
    sync_folder(file.parent)
