"""Creations that are killed at random moments: SIGKILL to the worker or to the whole server.

After the next start nothing half-made is listed, and resuming makes it whole: every file has the
hash that its package says, and Python starts.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from ..support.channel_server import ChannelServer
from ..support.proof import note, sample
from ..support.server import Platform, Server, running, wait_for

SEED = int(os.environ.get("MLINFN_SEED") or random.SystemRandom().randrange(10**6))
COUNT = sample(3, 60)
SLOW = 12_000_000
"""Bytes per second: a creation then takes about four seconds, so that moments spread over its phases."""


def damaged(prefix: Path) -> list[str]:
    """Files that are missing or are not what conda-meta says (`sha256_in_prefix`)."""
    found = []
    for record in (prefix / "conda-meta").glob("*.json"):
        for entry in json.loads(record.read_text())["paths_data"]["paths"]:
            file = prefix / entry["_path"]
            expected = entry.get("sha256_in_prefix") or entry.get("sha256")
            if not file.exists() and not file.is_symlink():
                found.append(f"missing: {file}")
            elif not expected or file.is_symlink() or not file.is_file():
                continue
            elif hashlib.sha256(file.read_bytes()).hexdigest() != expected:
                found.append(f"changed: {file}")
    return found


def kill_worker(server: Server) -> bool:
    """SIGKILL the process that installs, if there is one."""
    for child in psutil.Process(server.process.pid).children(recursive=True):
        try:
            if "jupyter_mlinfn.envs.worker" in child.cmdline():
                child.send_signal(signal.SIGKILL)
                return True
        except psutil.NoSuchProcess:
            continue
    return False


def start_and_kill(platform: Platform, label: str, moments: random.Random) -> tuple[dict[str, Any], str]:
    """The job, and the phase in which it was hit."""
    with running(platform) as server:
        job = server.create(label, ["mlinfn-plots"])
        # The moment itself is what is random here; nothing is waited for.
        time.sleep(moments.random() * 4)
        state = server.job(job["id"])
        if moments.random() < 0.5:
            server.kill()
        elif kill_worker(server):
            ended = server.ended(job["id"])
            if ended["state"] == "failed":
                assert ended["error"]["hint"], ended
                assert not (platform.environments / state["subject"]["name"]).exists()
    progress = state["progress"] or {"phase": "queued"}
    return job, "done" if state["state"] == "done" else progress["phase"]


def settled(server: Server, job_id: str) -> dict[str, Any]:
    """The job as the next server knows it, once that has looked."""
    return dict(
        wait_for(lambda: (now := server.job(job_id))["state"] in ("interrupted", "failed", "done") and now)
    )


def listed(server: Server) -> dict[str, str]:
    return {env["name"]: env["id"] for env in server.get("api/mlinfn/envs")["environments"]}


@pytest.mark.proof
def test_a_creation_that_is_killed_is_made_whole_by_resuming(
    platform: Platform, channel: ChannelServer
) -> None:
    moments = random.Random(SEED)  # noqa: S311 - repeatable, not secret
    channel.bytes_per_second = SLOW
    hit: dict[str, int] = {}
    for number in range(COUNT):
        name = f"kill-{number}"
        # All is downloaded each time, so that there is time to be hit.
        shutil.rmtree(platform.environments / ".mlinfn" / "pkgs", ignore_errors=True)
        job, phase = start_and_kill(platform, name, moments)
        hit[phase] = hit.get(phase, 0) + 1
        with running(platform) as server:
            if settled(server, job["id"])["state"] != "done":
                assert name not in listed(server)
                assert server.request("POST", f"api/mlinfn/jobs/{job['id']}/resume", {})[0] == 202
                assert server.ended(job["id"])["state"] == "done"
            prefix = platform.environments / name
            assert damaged(prefix) == []
            subprocess.run([prefix / "bin" / "python", "-c", "import ipykernel"], check=True, timeout=60)
            assert f"conda-env-{name}-py" in server.get("api/kernelspecs")["kernelspecs"]
            status, body = server.request("DELETE", f"api/mlinfn/envs/{listed(server)[name]}")
            assert status == 202
            assert server.ended(body["job"]["id"])["state"] == "done"
    note(f"killed creations: n = {COUNT}, 0 broken, MLINFN_SEED={SEED}, hit while {hit}")
