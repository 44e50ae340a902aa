"""Rescues to a small volume, a tmpfs of its own, and what came of them: a program for `test_full_volume`.

    python -m tests.storage.rescue.full_volume CASE FOLDER [ARGUMENT]

Its mounts are seen by nobody else. It prints JSON, and ends with `NOT_ALLOWED` where nobody may mount.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ...support.patience import PATIENCE, wait_for
from .support import Ground, check_sums, files_below, left, sha256

NOT_ALLOWED = 77
_NEW_MOUNTS, _NEW_USER = 0x20000, 0x10000000


def own_mounts() -> None:
    """As unshare(1), of this process, which has one thread; who is not root becomes it for itself.

    Raises:
        OSError: that is not allowed here.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_NEW_MOUNTS):
        if libc.unshare(_NEW_MOUNTS | _NEW_USER):
            raise OSError(ctypes.get_errno(), "no mounts of one's own")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def too_small(ground: Ground) -> dict[str, Any]:
    """Sixty files, each larger than the one before, of which not all fit."""
    for number in range(60):
        (ground.root / f"{number}").write_bytes(os.urandom(1000 * number * number))
    with mounted(ground.private, "size=20m"):
        folder, summary = ground.rescue()
        free = os.statvfs(folder)
        return {
            "left": left(summary, ground.root),
            "right": check_sums(folder),
            "free": free.f_bavail * free.f_frsize,
        }


def filled_meanwhile(ground: Ground, spare: str) -> dict[str, Any]:
    """Somebody else takes all of it but so many bytes, once the first file is whole.

    The copying stands still meanwhile, so that it cannot be over before.
    """
    size = 3_000_000
    for number in range(40):
        (ground.root / f"{number}").write_bytes(os.urandom(size))
    with mounted(ground.private, "size=100m"):
        worker = ground.start()
        wait_for(lambda: size in _sizes(ground))
        os.killpg(worker.pid, signal.SIGSTOP)
        filler = ground.private / "of somebody else"
        with filler.open("wb", buffering=0) as out:
            try:
                while True:
                    out.write(bytes(100_000))
            except OSError:
                pass
            os.truncate(filler, max(0, filler.stat().st_size - int(spare)))
        was_at_work = worker.poll() is None
        os.killpg(worker.pid, signal.SIGCONT)
        worker.communicate(timeout=PATIENCE)
        # Whether it could tell at the end or not: with room again it is told.
        filler.unlink()
        ground.run("finish")
        kept, wrong, right, rest = 0, [], 0, set()
        for folder in ground.rescued.glob("*"):
            files = dict(files_below(folder))
            copies = {path: file for path, file in files.items() if path.isdigit()}
            wrong += [path for path, file in copies.items() if sha256(file) != sha256(ground.root / path)]
            kept += len(copies)
            right += check_sums(folder)
            rest |= files.keys() - copies.keys()
        return {
            "was_at_work": was_at_work,
            "kept": kept,
            "wrong": wrong,
            "right": right,
            "rest": sorted(rest),
        }


def _sizes(ground: Ground) -> Iterator[int]:
    """Of what is copied so far, under its name or not."""
    for _, file in files_below(ground.rescued):
        with suppress(FileNotFoundError):  # It gets its name just now.
            yield file.stat().st_size


def full(ground: Ground, options: str) -> dict[str, Any]:
    """There is room for nothing."""
    for number in range(30):
        (ground.root / f"{number}").write_bytes(os.urandom(10_000))
    with mounted(ground.private, options):
        answer = ground.run()
        ground.run("finish")
        told = answer["result"]["summary"] if answer["type"] == "result" else None
        return {
            "answer": answer,
            "left": left(told, ground.root) if told is not None else None,
            "files": [path for path, _ in files_below(ground.private)],
            "folders": [each.name for each in ground.rescued.glob("*")],
        }


CASES: Mapping[str, Callable[..., dict[str, Any]]] = {
    each.__name__: each for each in (too_small, filled_meanwhile, full)
}


def main() -> None:
    case, folder, *arguments = sys.argv[1:]
    try:
        own_mounts()
    except (OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(str(error))
        sys.exit(NOT_ALLOWED)
    sys.stdout.write(json.dumps(CASES[case](Ground(Path(folder)), *arguments)))


if __name__ == "__main__":
    main()
