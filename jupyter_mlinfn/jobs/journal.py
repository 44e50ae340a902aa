"""The jobs on disk: what is left to tell after any process was killed.

Layout below the folder: ``ID/job.json`` (replaced atomically), ``ID/log.jsonl`` (appended,
one ``{"time", "text"}`` a line) and ``ID/lease`` (who runs it; see `lease`). All calls
block on the file system: use them from a thread.
"""

from __future__ import annotations

import json
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..files import write_json
from .models import Job

_ID = re.compile(r"[0-9a-f]{32}")
_LOG_READ = 256 * 1024


class Journal:
    """The journal of all jobs below one folder; several servers may share it.

    Args:
        folder: is made when the first job is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def lease_file(self, job_id: str) -> Path:
        return self._folder / job_id / "lease"

    def begin(self, job_id: str) -> None:
        """Make the entry of a new job; it is a job for others once it is written.

        Raises:
            OSError: the storage is gone, full or read-only.
        """
        (self._folder / job_id).mkdir(parents=True)

    def write(self, job: Job) -> None:
        """Journal the job as it is now.

        Raises:
            OSError: the storage is gone, full or read-only.
        """
        # No mkdir here: a volume that went away must not be written beside.
        write_json(self._folder / job.id / "job.json", job.to_json())

    def read(self, job_id: str) -> Job | None:
        """The job, or None when there is none or its entry is damaged."""
        if not _ID.fullmatch(job_id):
            return None
        try:
            body = json.loads((self._folder / job_id / "job.json").read_text(encoding="utf-8"))
            job = Job.from_json(body)
        except (OSError, ValueError, TypeError, AttributeError):
            return None
        return job if job.id == job_id else None

    def read_all(self) -> list[Job]:
        """All readable jobs, in no order."""
        try:
            names = [entry.name for entry in self._folder.iterdir()]
        except OSError:
            return []
        return [job for name in names if (job := self.read(name)) is not None]

    def forget(self, job_id: str) -> None:
        """Remove the job's entry, its log included."""
        entry = self._folder / job_id
        # First the name, so that a half-removed entry is never read as a job.
        with suppress(OSError):
            (entry / "job.json").unlink()
        shutil.rmtree(entry, ignore_errors=True)

    def append_log(self, job_id: str, lines: list[dict[str, str]]) -> None:
        """Append lines to the log.

        Raises:
            OSError: the storage is gone, full or read-only.
        """
        text = "".join(json.dumps(line) + "\n" for line in lines)
        with (self._folder / job_id / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(text)

    def read_log(self, job_id: str, offset: int) -> tuple[list[dict[str, Any]], int]:
        """Lines of the log from `offset` (bytes) on, and the offset to go on from."""
        try:
            with (self._folder / job_id / "log.jsonl").open("rb") as file:
                file.seek(offset)
                data = file.read(_LOG_READ)
        except OSError:
            return [], offset
        # A line that is still being written comes with the next call.
        complete = data[: data.rfind(b"\n") + 1]
        lines = []
        for raw in complete.splitlines():
            with suppress(ValueError):
                line = json.loads(raw)
                if isinstance(line, dict):
                    lines.append({"time": str(line.get("time", "")), "text": str(line.get("text", ""))})
        return lines, offset + len(complete)
