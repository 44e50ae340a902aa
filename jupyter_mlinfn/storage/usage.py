"""How much room a volume has. Blocks, also for ever on storage that hangs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .models import Quota, Usage
from .rules import DISK, NETWORK

_IMPLAUSIBLE = 1 << 60
"""Bytes: object storage without a limit says some exabytes (s3fs 2^64 and less, JuiceFS 2^60)."""

_QUOTA_LIMIT = 1.5
"""Seconds for the program: an NFS server without rquotad is asked for minutes."""


def read(path: str, fs_type: str, point: str) -> Usage:
    """The room at a folder, as statvfs(3) has it for users, and the user's quota.

    Args:
        fs_type: as in the table of mounts.
        point: where it is mounted.

    Raises:
        OSError: the storage fails.
    """
    status = os.statvfs(path)
    size = status.f_blocks * status.f_frsize
    files = status.f_files or None
    quota = _of_ceph(path, point) if "ceph" in fs_type else _of_program(fs_type, point)
    if not 0 < size < _IMPLAUSIBLE:
        return Usage(quota=quota)
    return Usage(
        size_bytes=size,
        used_bytes=size - status.f_bfree * status.f_frsize,
        free_bytes=status.f_bavail * status.f_frsize,
        # A volume without a fixed number of inodes (btrfs, many network file systems) says 0.
        files=files,
        files_used=files - status.f_ffree if files else None,
        files_free=status.f_favail if files else None,
        quota=quota,
    )


def _of_ceph(path: str, point: str) -> Quota | None:
    """The quota of the nearest folder that has one: https://docs.ceph.com/en/latest/cephfs/quota/."""
    for folder in _upwards(path, point):
        limits = [_ceph_number(folder, f"ceph.quota.{each}") for each in ("max_bytes", "max_files")]
        # 0 is none.
        if any(limits):
            used = [_ceph_number(folder, f"ceph.dir.{each}") for each in ("rbytes", "rfiles")]
            return Quota(limits[0] or None, used[0], limits[1] or None, used[1])
    return None


def _upwards(path: str, point: str) -> Iterator[str]:
    for folder in (Path(path), *Path(path).parents):
        yield str(folder)
        if str(folder) == point:
            return


def _ceph_number(folder: str, name: str) -> int | None:
    try:
        return int(os.getxattr(folder, name))
    except (OSError, ValueError):
        return None


def _of_program(fs_type: str, point: str) -> Quota | None:
    """What `quota` says (Linux DiskQuota, quota(1)), where that is installed."""
    program = shutil.which("quota")
    if program is None or (fs_type not in DISK and fs_type not in NETWORK):
        return None
    command = [program, "--user", "--no-wrap", "--raw-grace", "--verbose", f"--filesystem={point}"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_QUOTA_LIMIT,
            check=False,
            env={"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_quota(done.stdout.decode(errors="replace"))


def parse_quota(text: str) -> Quota | None:
    """The last line of what `quota --no-wrap --raw-grace` writes: file system, then blocks of 1,024 bytes,
    soft and hard limit, grace, and the same of files; the number has a star where it is over the limit.
    None where there is no limit."""
    fields = text.rstrip().rpartition("\n")[2].split()
    try:
        used, soft, hard, _, files, soft_files, hard_files, _ = (
            int(each.rstrip("*")) for each in fields[-8:]
        )
    except ValueError:
        return None
    limit, limit_files = hard or soft, hard_files or soft_files
    if not limit and not limit_files:
        return None
    return Quota(limit * 1024 or None, used * 1024, limit_files or None, files)
