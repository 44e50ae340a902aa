"""What a rescue leaves on disk, and how it is called.

``PRIVATE/rescued/DATE/`` holds the files with their tree as it is below JupyterLab's root, what lies in
a home outside of that below ``home/``; `MANIFEST` and `SUMS` are added at the end. While the rescue is at
work, and after one that did not come to its end, there is a journal as well; files that are not whole
yet have names of `temporary_prefix`. Neither is shown by JupyterLab.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime

RESCUED = "rescued"
"""Folder in the user's private storage."""
MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
HOME = "home"

_OURS = re.compile(r"_*(?:manifest\.json|SHA256SUMS|\.rescue-[0-9a-f]{32}\..*)", re.DOTALL)
_OURS_WITH_HOME = re.compile(rf"{_OURS.pattern}|_*home", re.DOTALL)


def folder_name(moment: datetime, number: int = 1) -> str:
    """``2026-11-25T013000Z``, ``…Z-2`` for the second of that second: sorts, and has no character that
    any file system refuses.

    Args:
        moment: in UTC.
    """
    name = moment.strftime("%Y-%m-%dT%H%M%SZ")
    return name if number == 1 else f"{name}-{number}"


def is_folder_name(name: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\dT\d{6}Z(-\d+)?", name) is not None


def journal_name(job: str) -> str:
    return f".rescue-{job}.jsonl"


def job_of(name: str) -> str | None:
    """The job whose journal has that name; None where it is no journal."""
    match = re.fullmatch(r"\.rescue-([0-9a-f]{32})\.jsonl", name)
    return match.group(1) if match else None


def temporary_prefix(job: str) -> str:
    """How the names of a job's files begin until they are whole."""
    return f".rescue-{job}."


def path_in_rescue(relative: str, *, of_home: bool, two_bases: bool) -> str:
    """Where a file is put, below the rescue's folder.

    A file at the top that is called as one of ours gets one more ``_`` before its name, and so do those
    that have some already: no two files meet.

    Args:
        relative: below its base.
        of_home: its base is the home, outside of the root.
        two_bases: there is such a home.
    """
    if of_home:
        return f"{HOME}/{relative}"
    top = relative.partition("/")[0]
    ours = _OURS_WITH_HOME if two_bases else _OURS
    return "_" + relative if ours.fullmatch(top) else relative


def printable(path: str) -> str:
    """A name in one line, in characters that logs and terminals take."""
    whole = path
    # Of halves of characters that no file system gives, but clients may send, each is shown by itself.
    with suppress(UnicodeEncodeError):
        whole = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in whole)
