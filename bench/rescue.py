"""What does it cost to rescue files, verified, beside copying them?

Interleaved round by round on one disk: `cp -a`, which leaves what it wrote to memory; `cp -a` and
`sync -f`, after which it lies on the disk; the same and reading all of it back from the disk with
`sha256sum` on both sides, which is what a verified copy by hand is; and our rescue, as its worker process
does it: written, synchronised, hashed, read back from the disk and compared, listed. Sources are in memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from jupyter_mlinfn.storage.rescue import process
from jupyter_mlinfn.storage.rescue.layout import SUMS

from .report import Section, below, ratio, say, seconds

GOAL = 1.3
_MAIN = Path(process.__file__).with_name("__main__.py")
_SEED = 1


def measure(scratch: Path, rounds: int) -> list[Section]:
    """One section a tree."""
    return [
        _section(
            scratch / "large",
            "Rescue of 1 GB",
            "200 files of 100 kB to 50 MB, 1 GB in all",
            _sizes_of_a_gigabyte(),
            rounds,
        ),
        _section(
            scratch / "small",
            "Rescue of 10,000 small files",
            "10,000 files of 4 kB in 100 folders",
            [4096] * 10_000,
            rounds,
        ),
    ]


def _sizes_of_a_gigabyte() -> list[int]:
    dice = random.Random(_SEED)  # noqa: S311 - repeatable, not secret
    sizes = [int(10 ** dice.uniform(5, 7.7)) for _ in range(200)]
    return [size * 10**9 // sum(sizes) for size in sizes]


def _section(scratch: Path, title: str, what: str, sizes: Sequence[int], rounds: int) -> Section:
    say(f"rescue: {what}, {rounds} rounds")
    root = scratch / "root"
    (root / "private").mkdir(parents=True)
    for number, size in enumerate(sizes):
        file = root / "work" / f"{number % 100:02}" / f"{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(size))
    os.sync()
    ways: dict[str, Callable[[Path, Path], None]] = {
        "cp -a": _cp,
        "cp -a, sync -f": _cp_sync,
        "cp -a, sync -f, sha256sum of both": _cp_verified,
        "rescue": _rescue,
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            target = root / "private"
            began = time.perf_counter()
            way(root, target)
            times[name].append(time.perf_counter() - began)
            for each in target.iterdir():
                shutil.rmtree(each)
            os.sync()
    shutil.rmtree(scratch)
    plain = times["cp -a"]
    rows = [[name, seconds(each), f"{ratio(each, plain):.2f} ×"] for name, each in times.items()]
    ours = times["rescue"]
    synced, verified = times["cp -a, sync -f"], times["cp -a, sync -f, sha256sum of both"]
    return Section(
        title,
        f"{what}; medians of {rounds} (and the range).",
        ["", "time", "× cp -a"],
        rows,
        [
            below(f"At most {GOAL} × `cp -a`", ratio(ours, plain), GOAL, " ×"),
            below(f"At most {GOAL} × `cp -a` and `sync -f`", ratio(ours, synced), GOAL, " ×"),
            below("No slower than a verified copy by hand", ratio(ours, verified), 1.0, " ×"),
        ],
        [
            "`cp -a` has written nothing to the disk when it ends: it is a copy in memory.",
            f"A rescue hashes everything, {_hash_seconds(sum(sizes)):.2f} s of one core, "
            "and reads all of it back from the disk.",
        ],
    )


def _hash_seconds(size: int) -> float:
    """Of one core, for SHA-256 of that many bytes."""
    block = bytes(1 << 20)
    began = time.process_time()
    for _ in range(64):
        hashlib.sha256(block).digest()
    return (time.process_time() - began) * size / (64 << 20)


def _cp(root: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", str(root / "work"), str(target)], check=True)


def _cp_sync(root: Path, target: Path) -> None:
    _cp(root, target)
    subprocess.run(["sync", "-f", str(target)], check=True)


def _cp_verified(root: Path, target: Path) -> None:
    _cp_sync(root, target)
    files = sorted(str(file.relative_to(root)) for file in (root / "work").rglob("*") if file.is_file())
    for file in files:
        descriptor = os.open(target / file, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
    names = "\0".join(files).encode()
    sums = subprocess.run(
        ["xargs", "-0", "sha256sum"], cwd=root, input=names, stdout=subprocess.PIPE, check=True
    ).stdout
    subprocess.run(["sha256sum", "-c", "--quiet"], cwd=target, input=sums, check=True)


def _rescue(root: Path, target: Path) -> None:
    request = {
        "op": "rescue",
        "job": uuid.uuid4().hex,
        "created": "2026-11-25T01:30:00.000Z",
        "private": str(target),
        "plan": {"bases": [str(root)], "regions": [str(root)], "borders": [str(target)]},
        "paths": None,
        "limit": None,
    }
    done = subprocess.run(
        [
            *(sys.executable, "-I", "-S", "-X", "utf8", str(_MAIN)),
            *(str(os.getpid()), str(_MAIN.parents[3])),
        ],
        input=json.dumps(request).encode() + b"\n",
        stdout=subprocess.PIPE,
        check=True,
    )
    answer = json.loads(done.stdout.splitlines()[-1])
    if answer["type"] != "result" or answer["result"]["summary"]["left"]:
        raise SystemExit(f"the rescue failed: {answer}")
    if not (target / "rescued" / answer["result"]["name"] / SUMS).exists():
        raise SystemExit("the rescue left no list")
