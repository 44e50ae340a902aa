"""Files that are whole whatever happens, and what is in them. All calls block on the file system."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


def write_json(file: Path, body: Mapping[str, Any], *, indent: int | None = None) -> None:
    """Write a file, whole or not at all; `sync_folder` makes also its name survive a power cut.

    Raises:
        OSError: the storage is gone, full or read-only; what was there before is there still.
    """
    separators = None if indent else (",", ":")
    # Not json.dump, which is written in Python.
    text = json.dumps(body, indent=indent, separators=separators)
    # Not the process's id: in two containers that share the volume it may be the same.
    temporary = file.with_name(f".{file.name}-{uuid.uuid4().hex}")
    try:
        with temporary.open("w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(file)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut (fsync(2), "Calling fsync() does not …").

    Raises:
        OSError: the storage is gone.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(file: str | Path) -> str:
    """SHA-256 of a file's content, in hexadecimal; of a symbolic link, of what it leads to.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with open(file, "rb", buffering=0) as data:  # noqa: PTH123 - may be a str, thousands of times
        while block := data.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
