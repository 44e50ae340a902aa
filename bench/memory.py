"""Peak memory of solving and installing against full, unsharded repodata of conda-forge's size.

    python -m bench.memory [--records 900000] [--keep FOLDER] [--json FILE]

Generates (seeded, streaming) a channel whose linux-64 and noarch repodata together have as many
records as conda-forge's, serves it over local HTTP, plain and as .zst, and prints the peak of a
solve and of an install of one small package: bare rattler as it comes, and this project's worker.
Peak is VmHWM; "anonymous" leaves out file pages, which the kernel can take back at any time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from jupyter_mlinfn.envs.worker.protocol import WorkerSettings
from jupyter_mlinfn.envs.worker_process import WorkerProcess
from tests.support.channel_server import ChannelServer
from tests.support.packages import Channel, Package, zstd_stored_blocks

from .report import Section, say

NAMES = 26_000
"""Package names in conda-forge for linux-64 and noarch, roughly."""
CORE = 400
"""Names that most others depend on, each with many builds: python, numpy, openssl, …"""
SPECS = ["small", "ipykernel"]
"""Reaches all of the core: 90,000 records are looked at."""


def records(count: int, noarch: bool, seed: int) -> Iterator[tuple[str, dict[str, object]]]:
    """(file name, record) pairs of about 570 bytes of JSON each; conda-forge's have about 450."""
    chance = random.Random(seed)  # noqa: S311 - repeatable numbers are wanted
    hexadecimal = "0123456789abcdef"
    names = range(1, NAMES, 2) if noarch else range(0, NAMES, 2)
    core = [index for index in names if index < CORE]
    others = [index for index in names if index >= CORE]
    # A tenth of the records belong to the core.
    per_core, per_other = count // 10 // len(core), (count - count // 10) // len(others)
    for index in (*core, *others):
        for build in range(per_core if index < CORE else per_other):
            minor, number = divmod(build, 6)
            name, version = f"package-{index:05d}", f"{1 + minor // 20}.{minor % 20}.{number % 3}"
            depends = [
                f"package-{other:05d} >=1.{chance.randrange(2)},<{chance.randrange(90, 99)}.0a0"
                for other in sorted(
                    chance.sample(range(min(index, CORE)), min(index, chance.randrange(3, 10)))
                )
            ]
            stamp = "".join(chance.choices(hexadecimal, k=8))
            string = f"py3{9 + number % 5}h{stamp[:7]}_{number}"
            yield (
                f"{name}-{version}-{string}.conda",
                {
                    "build": string,
                    "build_number": number,
                    "depends": depends,
                    "license": "BSD-3-Clause",
                    "license_family": "BSD",
                    "md5": "".join(chance.choices(hexadecimal, k=32)),
                    "name": name,
                    "sha256": "".join(chance.choices(hexadecimal, k=64)),
                    "size": chance.randrange(10_000, 20_000_000),
                    "subdir": "noarch" if noarch else "linux-64",
                    "timestamp": 1_600_000_000_000 + chance.randrange(10**11),
                    "version": version,
                }
                | ({"noarch": "python"} if noarch else {}),
            )


def write_repodata(folder: Path, subdir: str, count: int, extra: dict[str, object]) -> int:
    """Stream repodata.json and repodata.json.zst; returns the bytes of the first."""
    folder = folder / subdir
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "repodata.json"
    with path.open("w") as out:
        out.write(json.dumps({"info": {"subdir": subdir}, "repodata_version": 1, "packages": {}})[:-1])
        out.write(', "packages.conda": {')
        out.write(",".join(f"{json.dumps(name)}: {json.dumps(body)}" for name, body in extra.items()))
        separator = "," if extra else ""
        for name, body in records(count, subdir == "noarch", seed=len(subdir)):
            out.write(f"{separator}\n{json.dumps(name)}: {json.dumps(body)}")
            separator = ","
        out.write("}}")
    with path.open("rb") as source, (folder / "repodata.json.zst").open("wb") as out_zst:
        for block in zstd_stored_blocks(iter(lambda: source.read(1 << 20), b"")):
            out_zst.write(block)
    return path.stat().st_size


def build(folder: Path, count: int) -> int:
    """The channel; returns the bytes of its repodata."""
    channel = Channel(folder)
    channel.add(Package("small", depends=["package-25000", "package-25001"]), Package("ipykernel"))
    channel.write()
    extra = json.loads((folder / "noarch" / "repodata.json").read_text())["packages.conda"]
    share = count * 6 // 10
    return write_repodata(folder, "linux-64", share, {}) + write_repodata(
        folder, "noarch", count - share, extra
    )


BARE = """
import asyncio, json, resource, sys, threading, time
import rattler
channel, cache, prefix, specs = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
top = 0
def watch():
    global top
    while True:
        fields = open("/proc/self/statm").read().split()
        top = max(top, (int(fields[1]) - int(fields[2])) * 4096)
        time.sleep(0.02)
threading.Thread(target=watch, daemon=True).start()
async def main():
    gateway = rattler.Gateway(cache_dir=cache)
    virtual = rattler.VirtualPackage.detect()
    found = await rattler.solve([channel], specs, gateway=gateway, virtual_packages=virtual)
    if prefix:
        await rattler.install(found, prefix, cache_dir=cache + "/pkgs", show_progress=False)
    return len(found)
start = time.monotonic()
count = asyncio.run(main())
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"packages": count, "peak": peak, "anonymous": top, "seconds": time.monotonic() - start}))
sys.stdout.flush()
import os; os._exit(0)
"""


def bare(url: str, cache: Path, specs: list[str], prefix: str, environ: dict[str, str]) -> dict[str, float]:
    """Rattler as it comes, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", BARE, url, str(cache), prefix, *specs],
        check=True,
        capture_output=True,
        env={**os.environ, **environ},
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


async def ours(url: str, state: Path, specs: list[str], prefix: str) -> dict[str, float]:
    """The worker of this project, with its settings."""
    settings = WorkerSettings([url], str(state / "pkgs"), str(state / "repodata"))
    worker = await WorkerProcess.start(lambda line: print(line, file=sys.stderr))
    request = {"op": "install" if prefix else "plan", "specs": specs, "settings": settings.to_json()}
    start = time.monotonic()
    try:
        answer = await worker.ask({**request, "prefix": prefix or None}, lambda event: None)
    finally:
        await worker.kill()
    plan = answer["plan"] if prefix else answer
    return {
        "packages": len(plan["packages"]),
        "peak": worker.peak_memory or 0,
        "anonymous": worker.peak_anonymous or 0,
        "seconds": time.monotonic() - start,
    }


def measure(server: ChannelServer, folder: Path) -> dict[str, dict[str, float]]:
    """Every row of the table."""
    rows: dict[str, dict[str, float]] = {}
    for encoding in ("zst", "json"):
        server.faults = {} if encoding == "zst" else {".zst": "404"}
        for who in ("rattler", "ours"):
            state = folder / f"{encoding}-{who}"
            state.mkdir()
            for what, specs, prefix in (
                ("solve, cold", SPECS, ""),
                ("solve, warm", SPECS, ""),
                ("install one, warm", ["ipykernel"], str(state / "prefix")),
            ):
                if who == "ours":
                    row = asyncio.run(ours(server.url, state, specs, prefix))
                else:
                    row = bare(server.url, state, specs, prefix, {})
                rows[f"{encoding}, {what}, {who}"] = row
    return rows


def section(channel: Path, scratch: Path, count: int) -> Section:
    """The table, for a channel of `count` records that `build` made."""
    size = sum((channel / subdir / "repodata.json").stat().st_size for subdir in ("linux-64", "noarch"))
    say("memory: solving and installing")
    folder = scratch / "memory"
    folder.mkdir()
    with ChannelServer(channel) as server:
        rows = measure(server, folder)
    worst = max(row["anonymous"] for label, row in rows.items() if label.endswith("ours"))
    return Section(
        "Peak memory",
        f"Full, unsharded repodata: {count:,} records, {size / 1e6:.0f} MB (conda-forge has about 900,000).\n"
        "The peak includes file pages, which the kernel can take back; anonymous memory does not.",
        ["repodata, what, who", "anonymous", "peak", "time", "packages"],
        [
            [
                label,
                f"{row['anonymous'] / 1e6:.0f} MB",
                f"{row['peak'] / 1e6:.0f} MB",
                f"{row['seconds']:.1f} s",
                f"{row['packages']:.0f}",
            ]
            for label, row in rows.items()
        ],
        notes=[
            f"ours at worst: {worst / 1e6:.0f} MB, {worst / size:.2f} bytes a byte of repodata; n = 1 each"
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=900_000)
    parser.add_argument("--keep", type=Path, help="folder for the channel, reused when it is there")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        channel = options.keep or Path(temporary) / "channel"
        if not (channel / "linux-64" / "repodata.json").exists():
            print(f"generating {options.records:,} records …", flush=True)
            build(channel, options.records)
        size = sum((channel / subdir / "repodata.json").stat().st_size for subdir in ("linux-64", "noarch"))
        print(f"repodata.json: {size / 1e6:.0f} MB, {options.records:,} records\n")
        with ChannelServer(channel) as server:
            rows = measure(server, Path(temporary))
        print(f"{'':32} {'packages':>8} {'peak MB':>8} {'anonymous MB':>13} {'seconds':>8}")
        for label, row in rows.items():
            print(
                f"{label:32} {row['packages']:8.0f} {row['peak'] / 1e6:8.0f}"
                f" {row['anonymous'] / 1e6:13.0f} {row['seconds']:8.1f}"
            )
        worst = max(row["anonymous"] for label, row in rows.items() if label.endswith("ours"))
        print(f"\nours, worst: {worst / 1e6:.0f} MB, {worst / size:.2f} bytes a byte of repodata")
        for what in ("zst, solve, cold", "zst, solve, warm", "json, solve, cold"):
            ratio = rows[f"{what}, ours"]["anonymous"] / rows[f"{what}, rattler"]["anonymous"]
            print(f"{what}: ours / rattler = {ratio:.2f}")
        if options.json:
            options.json.write_text(json.dumps({"repodata_bytes": size, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
