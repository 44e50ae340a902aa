"""Two servers of one user on one volume, two tabs and a command line, all at one environment.

One of the servers is killed, or frozen for longer than its lease lasts and thawed again. No change is
lost, none is made twice, and none by two at once.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from ..support import command
from ..support.channel_server import ChannelServer
from ..support.hashes import problems, state
from ..support.proof import note, sample
from ..support.proof_channel import build_proof_channel
from ..support.server import Platform, Server, running, wait_for

SEED = int(os.environ.get("MLINFN_SEED") or random.SystemRandom().randrange(10**6))
COUNT = sample(12, 100)
LEASE = 2.0
"""Seconds; `jobs.lease.duration` of all servers here. On a busy machine a server may lose one without having
been frozen; then it has to do as if it had been."""
NAME = "both"
HOUR = 3600
ACTIVE = ("queued", "running", "cancelling")
SPECS = [
    *("proof-small=1.0", "proof-small=2.0", "proof-shape=1.0", "proof-shape=2.0"),
    *("mlinfn-hello=1.0", "mlinfn-hello=1.1"),
]


class OnVolume(Platform):
    """A server's own folders beside a volume that all servers of the user share."""

    @property
    def root(self) -> Path:
        return self.folder.parent / "volume"


def server_of(folder: Path, name: str, channels: list[str], lease: float = LEASE) -> OnVolume:
    environment = {
        "MLINFN_LEASE_SECONDS": str(lease),
        "JUPYTERHUB_SERVER_NAME": name,
    }
    for place in ("private", "shared"):
        (folder / "volume" / place).mkdir(parents=True, exist_ok=True)
    return OnVolume(folder / name, channels, environment=environment)


@pytest.fixture
def channels(tmp_path: Path, slim_channel: Path) -> list[str]:
    return [build_proof_channel(tmp_path / "channel").as_uri(), slim_channel.as_uri()]


class Restartable:
    """A server that can be killed and started again."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self._open = ExitStack()
        self.server = self._open.enter_context(running(platform))
        self._killed: list[Server] = []

    def restart(self) -> None:
        self._killed.append(self.server)
        self.server.kill()
        self._open.close()
        self._open = ExitStack()
        self.server = self._open.enter_context(running(self.platform))

    def close(self) -> None:
        self._open.close()

    def was_killed(self, server: Server) -> bool:
        return any(server is each for each in self._killed)

    def is_writing(self) -> bool:
        """Whether it has the lease of the environment, in which filelock writes whose it is."""
        lease = self.platform.environments / ".mlinfn" / "history" / NAME / "lease"
        try:
            return f"pid={self.server.process.pid}" in lease.read_text().split()
        except OSError:
            return False

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """With all its processes, as a paused container is."""
        process = psutil.Process(self.server.process.pid)
        everybody = [process, *process.children(recursive=True)]
        for each in everybody:
            signalled(each, signal.SIGSTOP)
        try:
            yield
        finally:
            for each in everybody:
                signalled(each, signal.SIGCONT)


def signalled(process: psutil.Process, what: signal.Signals) -> None:
    try:
        process.send_signal(what)
    except psutil.NoSuchProcess:
        return


@dataclass
class Outcomes:
    """What came of the changes that were asked for; filled by many threads."""

    jobs: dict[str, list[str]] = field(default_factory=dict)
    """Of those that were begun, what was asked."""
    refused: list[dict[str, Any]] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    command_line: list[tuple[int, str]] = field(default_factory=list)


def env_id(server: Server) -> str:
    listed = server.get("api/mlinfn/envs")["environments"]
    return next(str(env["id"]) for env in listed if env["name"] == NAME)


def ask(where: Restartable, moments: random.Random, outcomes: Outcomes) -> None:
    """Ask a server for a change and wait until it has ended, one way or another."""
    server = where.server
    try:
        path = "changes"
        body: dict[str, Any] = {"action": "install", "specs": [moments.choice(SPECS)]}
        if moments.random() < 0.3:
            body = {"action": "remove", "specs": [moments.choice(SPECS).partition("=")[0]]}
        elif moments.random() < 0.3:
            listed = server.get(f"api/mlinfn/envs/{env_id(server)}/revisions")["revisions"]
            numbers = [revision["number"] for revision in listed] or [1]
            path, body = "rollback", {"revision": moments.choice(numbers)}
        url = f"api/mlinfn/envs/{env_id(server)}/{path}"
        while not asked(server, url, body, outcomes):
            # As a user does who is told that somebody else is at it.
            time.sleep(moments.random() * 0.5)
    except (OSError, http.client.HTTPException) as error:
        # Killed under our hands: what came of it is seen in the end.
        if not where.was_killed(server):
            raise
        outcomes.unanswered.append(repr(error))


def asked(server: Server, url: str, body: dict[str, Any], outcomes: Outcomes) -> bool:
    """Ask once; whether somebody else's being at it was not the reason for its end."""
    status, answer = server.request("POST", url, body)
    if status != 202:
        outcomes.refused.append({"status": status, **answer})
        return status != 409
    job_id = answer["job"]["id"]
    outcomes.jobs[job_id] = body.get("specs", [])
    return (server.ended(job_id)["error"] or {}).get("kind") != "ConflictError"


def ask_on_the_command_line(platform: Platform, moments: random.Random, outcomes: Outcomes) -> None:
    done = command.run("env", "install", NAME, moments.choice(SPECS), "--yes", env=platform.variables())
    outcomes.command_line.append((done.returncode, done.stderr))


def packages(revision: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {each["name"]: (each["version"], each["build"]) for each in revision["conda"]}


def check_revisions(history: Path, prefix: Path) -> list[dict[str, Any]]:
    """All records: without a gap, each what the one before and its own changes make, the last what is."""
    records = [
        json.loads((folder / "revision.json").read_text())
        for folder in sorted((history / "revisions").glob("[0-9]*"))
    ]
    assert [record["number"] for record in records] == list(range(1, len(records) + 1))
    for before, after in pairwise(records):
        folded = packages(before)
        for change in after["packages"]:
            if change["to_version"] is None:
                del folded[change["name"]]
            else:
                folded[change["name"]] = (change["to_version"], change["to_build"])
        assert folded == packages(after), (after["number"], after["packages"])
    now = {name: found[:2] for name, found in state(prefix).packages.items()}
    assert now == packages(records[-1]), f"MLINFN_SEED={SEED}"
    assert problems(prefix) == [], f"MLINFN_SEED={SEED}"
    return records


@pytest.mark.proof
def test_no_change_is_lost_and_none_is_made_by_two(tmp_path: Path, channels: list[str]) -> None:
    moments = random.Random(SEED)  # noqa: S311 - repeatable, not secret
    gpu = Restartable(server_of(tmp_path, "gpu", channels))
    cpu = Restartable(server_of(tmp_path, "cpu", channels))
    outcomes, tally = Outcomes(), Counter[str]()
    try:
        made = gpu.server.ended(gpu.server.create(NAME, ["proof-small=1.0"])["id"])
        assert made["state"] == "done", made
        prefix = gpu.platform.environments / NAME
        history = gpu.platform.environments / ".mlinfn" / "history" / NAME
        blows = list[str]()
        askers = [
            *(lambda own: ask(gpu, own, outcomes), lambda own: ask(gpu, own, outcomes)),
            *(lambda own: ask(cpu, own, outcomes), lambda own: ask(cpu, own, outcomes)),
            lambda own: ask_on_the_command_line(gpu.platform, own, outcomes),
        ]
        with ThreadPoolExecutor(max_workers=4) as pool:

            def ask_by(asker: Any) -> Future[None]:
                return pool.submit(asker, random.Random(moments.random()))  # noqa: S311

            asking = [ask_by(askers[number % len(askers)]) for number in range(COUNT)]
            while not all(each.done() for each in asking) or not (tally["killed"] and tally["frozen"]):
                if all(each.done() for each in asking):
                    # Nothing was hit by now: there has to be something to be hit.
                    asking.append(ask_by(askers[2]))
                # The moment itself is what is random here, but every other time.
                time.sleep(moments.random())
                if moments.random() < 0.5:
                    wait_for(lambda: cpu.is_writing() or all(each.done() for each in asking))
                if not blows:
                    blows = moments.sample(["killed", "frozen"], 2)
                blow = blows.pop()
                if blow == "killed":
                    tally.update([blow if cpu.is_writing() else f"{blow} when idle"])
                    cpu.restart()
                else:
                    with cpu.frozen():
                        tally.update([blow if cpu.is_writing() else f"{blow} when idle"])
                        # Until the other one has made a change, for which it had to take over.
                        wait_for(lambda: took_over(gpu.server, moments, outcomes))
            for each in asking:
                each.result()
        # A change that nobody was left to see the end of is finished by who looks.
        wait_for(lambda: cpu.server.get(f"api/mlinfn/envs/{env_id(cpu.server)}/revisions"))
        wait_for(lambda: not any(history.glob("change-*/journal.json")))
        last = wait_for(lambda: _installed(gpu.server))
        ends = {job: found for job in outcomes.jobs if (found := _settled(gpu.server, job)) is not None}
        records = check_revisions(history, prefix)
    finally:
        gpu.close()
        cpu.close()
    assert last["state"] == "done"
    by_number = {record["number"]: record for record in records}
    done = [job for job in ends.values() if job["state"] == "done" and job["result"]["packages"]]
    numbers = [job["result"]["revision"] for job in done]
    assert len(set(numbers)) == len(numbers), "two changes claim one revision"
    for job in done:
        record = by_number[job["result"]["revision"]]
        assert record["packages"] == job["result"]["packages"], job
        assert record["job"] == job["id"]
    for answer in outcomes.refused:
        assert answer["message"], answer
        assert answer.get("reason") or answer.get("hint"), answer
        assert answer["status"] in (404, 409, 422), answer
    for code, words in outcomes.command_line:
        assert code == 0 or words, "refused without a word"
    states = Counter(job["state"] for job in ends.values())
    assert done, "no change was made"
    note(
        f"changes by two servers, two tabs and a command line: n = {COUNT}, 0 lost, 0 doubled, "
        f"{len(records)} revisions, MLINFN_SEED={SEED}: {dict(states)}, {len(outcomes.refused)} refused, "
        f"{len(outcomes.unanswered)} unanswered, one server {dict(tally)}"
    )


def took_over(server: Server, moments: random.Random, outcomes: Outcomes) -> bool:
    """Ask for a change; whether it is made."""
    url = f"api/mlinfn/envs/{env_id(server)}/changes"
    before = set(outcomes.jobs)
    asked(server, url, {"action": "install", "specs": [moments.choice(SPECS)]}, outcomes)
    # As a user does who is told that somebody else is at it.
    time.sleep(LEASE / 4)
    return any(server.job(job)["state"] == "done" for job in set(outcomes.jobs) - before)


def _installed(server: Server) -> dict[str, Any] | None:
    """A last change, once whoever was killed has lost its lease."""
    path = f"api/mlinfn/envs/{env_id(server)}/changes"
    status, answer = server.request("POST", path, {"action": "install", "specs": ["mlinfn-units"]})
    if status != 202:
        assert status == 409, answer
        return None
    job = server.ended(answer["job"]["id"])
    return job if job["state"] == "done" else None


def _settled(server: Server, job_id: str) -> dict[str, Any] | None:
    """The job as it ended; None where it is forgotten by now."""

    def look() -> dict[str, Any]:
        status, answer = server.request("GET", f"api/mlinfn/jobs/{job_id}")
        return {"state": "forgotten"} if status == 404 else dict(answer["job"])

    job = wait_for(lambda: (now := look())["state"] not in ACTIVE and now)
    return None if job["state"] == "forgotten" else dict(job)


@pytest.mark.proof
@pytest.mark.parametrize("offset", [HOUR, -HOUR][: sample(1, 2)])
def test_a_clock_that_is_an_hour_off_neither_ends_a_lease_nor_keeps_it(
    tmp_path: Path, slim_channel: Path, offset: int
) -> None:
    # So long that no server loses it by being slow.
    lasts = 2 * LEASE
    with ChannelServer(slim_channel) as channel, ExitStack() as stack:
        gpu = stack.enter_context(running(server_of(tmp_path, "gpu", [channel.url], lasts)))
        cpu = Restartable(server_of(tmp_path, "cpu", [channel.url], lasts))
        stack.callback(cpu.close)
        assert gpu.ended(gpu.create(NAME, ["mlinfn-units"])["id"])["state"] == "done"
        prefix = gpu.platform.environments / NAME
        lease = gpu.platform.environments / ".mlinfn" / "history" / NAME / "lease"
        path = f"api/mlinfn/envs/{env_id(cpu.server)}/changes"
        channel.faults["mlinfn-hello"] = "hang"
        hello = {"action": "install", "specs": ["mlinfn-hello"]}
        _, answer = cpu.server.request("POST", path, hello)
        slow = answer["job"]["id"]
        job = wait_for(
            lambda: (
                (channel.hanging.is_set() and {"state": "hanging"})
                or ((now := cpu.server.get(f"api/mlinfn/jobs/{slow}")["job"])["state"] not in ACTIVE and now)
            )
        )
        assert job["state"] == "hanging", job["error"]
        units = {"action": "remove", "specs": ["mlinfn-units"]}

        # For longer than a lease lasts, as a host writes whose clock is wrong: each beat of the heart with
        # its own time. Whoever asks sees another beat each time.
        begun, beats = time.monotonic(), 0
        while beats < 3 or time.monotonic() < begun + lasts * 1.25:
            beats += 1
            os.utime(lease, (time.time() + offset + random.random(),) * 2)  # noqa: S311
            status, answer = gpu.request("POST", path, units)
            if status == 202:
                refused = gpu.ended(answer["job"]["id"])
                assert refused["state"] == "failed", refused
                answer = refused["error"]
            assert "your server cpu" in answer["message"], answer
            assert answer["hint"]

        with cpu.frozen():
            os.utime(lease, (time.time() + offset,) * 2)
            assert not _done(gpu, path, units), "it was not heard of for a moment only"
            wait_for(lambda: _done(gpu, path, units))
        # The one that was frozen must not go on with what it had begun.
        channel.faults.clear()
        channel.release.set()
        thawed = cpu.server.ended(slow)
        assert thawed["state"] in ("failed", "interrupted"), thawed
        assert problems(prefix) == []
        names = state(prefix).packages
        assert "mlinfn-units" not in names
        assert "mlinfn-hello" not in names


def _done(server: Server, path: str, body: dict[str, Any]) -> bool:
    status, answer = server.request("POST", path, body)
    return status == 202 and server.ended(answer["job"]["id"])["state"] == "done"
