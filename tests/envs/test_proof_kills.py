"""Creations and changes that are killed at random moments: SIGKILL to worker, server, or both.

After the next start the environment is its old or its new revision, file by file against the hashes
of its packages, and its Python starts.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.kills_conda import measure

from ..support import wheels
from ..support.channel_server import ChannelServer
from ..support.hashes import State, difference, problems, state
from ..support.patience import PATIENCE
from ..support.processes import children_with
from ..support.proof import PROOF, note, sample
from ..support.proof_channel import build_proof_channel
from ..support.server import Platform, Server, running, wait_for
from .test_environments import run_in_kernel

SEED = int(os.environ.get("MLINFN_SEED") or random.SystemRandom().randrange(10**6))
COUNT = sample(10, 200)
"""At least so many: until each kind of kill has hit something that was at work."""
SPEED = 1_500_000
"""Bytes per second: downloads then take about as long as the rest, so that moments spread."""
WARM, COLD = 0.6, 1.6
"""Seconds that a change takes, mostly: with its packages in the cache, and without. On a busy machine the
moments come earlier in it."""
ACTIVE = ("queued", "running", "cancelling")
KILLS = ("server", "worker", "both")


@pytest.fixture(scope="module")
def channels(tmp_path_factory: pytest.TempPathFactory, slim_channel: Path) -> Iterator[list[ChannelServer]]:
    folder = build_proof_channel(tmp_path_factory.mktemp("proof") / "channel")
    with ChannelServer(folder) as proof, ChannelServer(slim_channel) as slim:
        yield [proof, slim]


@dataclass
class Victim:
    """An environment, and the server that is at work on it until it is killed."""

    platform: Platform
    moments: random.Random
    tally: Counter[str] = field(default_factory=Counter)
    name: str = "victim"

    def __post_init__(self) -> None:
        self._open = ExitStack()
        self.server = self._open.enter_context(running(self.platform))

    @property
    def prefix(self) -> Path:
        return self.platform.environments / self.name

    @property
    def history(self) -> Path:
        return self.platform.environments / ".mlinfn" / "history" / self.name

    def close(self) -> None:
        self._open.close()

    def restart(self) -> None:
        self._open.close()
        self._open = ExitStack()
        self.server = self._open.enter_context(running(self.platform))

    def revisions(self) -> int:
        return len(list((self.history / "revisions").glob("[0-9]*")))

    def env_id(self) -> str:
        listed = self.server.get("api/mlinfn/envs")["environments"]
        return next(str(env["id"]) for env in listed if env["name"] == self.name)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        status, answer = self.server.request("POST", f"api/mlinfn/envs/{self.env_id()}/{path}", body)
        assert status in (200, 202), answer
        return answer

    def kill(self, job_id: str) -> str:
        """Kill the worker, the server, or both, and count what was hit; which."""
        whom = self.moments.choice(KILLS)
        at_work = self.server.job(job_id)["state"] in ACTIVE
        hit = whom == "server" or kill_worker(self.server)
        if whom != "worker":
            self.server.kill()
        self.tally.update([f"{whom} killed" if at_work and hit else f"{whom} killed too late"])
        return whom

    def await_moment(self, job_id: str, lasts: float) -> str:
        """Wait for the random moment to strike; which kind it is.

        Args:
            lasts: seconds that the work takes.
        """
        if self.moments.random() < 0.3:
            # In the middle of putting files in place.
            for looks in itertools.count(1):
                if any(self.history.glob("change-*/journal.json")):
                    time.sleep(self.moments.random() * 0.05)
                    return "applying"
                if looks % 50 == 0 and self.server.job(job_id)["state"] not in ACTIVE:
                    return "late"
                time.sleep(0.001)
        # The moment itself is what is random here; nothing is waited for.
        time.sleep(self.moments.random() * lasts)
        return "anywhere"


def kill_worker(server: Server) -> bool:
    """Whether there was one."""
    killed = False
    for child in children_with("envs/worker/", server.process.pid, recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.send_signal(signal.SIGKILL)
            killed = True
    return killed


def settled(victim: Victim, job_id: str, revisions: int = 0) -> dict[str, Any]:
    """The job, once the server has finished what was journalled and knows of what was not.

    Args:
        revisions: how many there were before; with one more the job is going to be done.
    """
    idle = ("interrupted", "failed", "done", "cancelled")

    def look() -> Any:
        job = victim.server.job(job_id)
        left = any(victim.history.glob("change-*"))
        if revisions and victim.revisions() > revisions and job["state"] == "interrupted":
            return None
        return job if job["state"] in idle and not left else None

    return dict(wait_for(look))


def after(before: State, plan: dict[str, Any]) -> dict[str, str]:
    """Name → version of the packages that a change leaves."""
    versions = {name: package[0] for name, package in before.packages.items()}
    for change in plan["packages"]:
        if change["to_version"] is None:
            versions.pop(change["name"], None)
        else:
            versions[change["name"]] = change["to_version"]
    return versions


def check(victim: Victim, job: dict[str, Any], before: State, wanted: dict[str, str]) -> str:
    """Which revision the environment is; fails if it is none."""
    assert problems(victim.prefix) == [], f"{job['title']} broke it, MLINFN_SEED={SEED}"
    now = state(victim.prefix)
    versions = {name: package[0] for name, package in now.packages.items()}
    is_old = now.files == before.files
    if job["state"] == "done":
        assert versions == wanted, f"MLINFN_SEED={SEED}"
    else:
        assert is_old, (job["state"], difference(before, now), f"MLINFN_SEED={SEED}")
    command = [victim.prefix / "bin" / "python", "-c", "import ipykernel"]
    subprocess.run(command, check=True, timeout=PATIENCE)
    numbers = sorted(int(entry.name) for entry in (victim.history / "revisions").glob("[0-9]*"))
    assert numbers == list(range(1, len(numbers) + 1)), f"MLINFN_SEED={SEED}"
    return "old" if is_old else "new"


def next_change(victim: Victim) -> tuple[str, dict[str, Any]]:
    """A change that the environment as it is can be asked for."""
    moments = victim.moments
    now = {name: package[0] for name, package in state(victim.prefix).packages.items()}
    there = [name for name in ("proof-many", "proof-shape") if name in now]
    choices: list[tuple[str, dict[str, Any]]] = []
    for name in ("proof-many", "proof-shape"):
        version = moments.choice(["1.0", "2.0"])
        if now.get(name) != version:
            choices.append(("changes", {"action": "install", "specs": [f"{name}={version}"]}))
    if there:
        choices.append(("changes", {"action": "remove", "specs": [moments.choice(there)]}))
        name = moments.choice(there)
        other = "2.0" if now[name] == "1.0" else "1.0"
        choices.append(("changes", {"action": "update", "specs": [f"{name}={other}"]}))
    if "herd" in now:
        choices.append(("changes", {"action": "remove", "manager": "pip", "specs": ["herd"]}))
    else:
        choices.append(("changes", {"action": "install", "manager": "pip", "specs": ["herd"]}))
    listed = victim.server.get(f"api/mlinfn/envs/{victim.env_id()}/revisions")["revisions"]
    earlier = [
        revision["number"] for revision in listed if revision["restorable"] and not revision["current"]
    ]
    if earlier:
        choices += [("rollback", {"revision": moments.choice(earlier)})] * 2
    return moments.choice(choices)


def kill_a_change(victim: Victim) -> None:
    path, body = next_change(victim)
    before = state(victim.prefix)
    plan = victim.post(path, {**body, "dry_run": True})
    warm = victim.moments.random() < 0.5
    if not warm:
        shutil.rmtree(victim.platform.environments / ".mlinfn" / "pkgs", ignore_errors=True)
    revisions = victim.revisions()
    job = victim.post(path, body)["job"]
    moment = victim.await_moment(job["id"], WARM if warm else COLD)
    whom = victim.kill(job["id"])
    if whom != "worker":
        victim.restart()
    ended = settled(victim, job["id"], revisions)
    which = check(victim, ended, before, after(before, plan))
    kind = body.get("action", path) + (" by pip" if body.get("manager") == "pip" else "")
    victim.tally.update([kind, which, moment])
    if ended["state"] == "interrupted":
        if victim.moments.random() < 0.5:
            assert victim.server.request("POST", f"api/mlinfn/jobs/{job['id']}/resume", {})[0] == 202
            resumed = victim.server.ended(job["id"])
            assert resumed["state"] == "done", resumed
            check(victim, resumed, before, after(before, plan))
            victim.tally.update(["resumed"])
        else:
            victim.server.request("DELETE", f"api/mlinfn/jobs/{job['id']}")
            discarded = victim.server.ended(job["id"])
            assert check(victim, discarded, before, after(before, plan)) == "old"
            victim.tally.update(["discarded"])
        assert not list(victim.history.glob("change-*"))


def kill_a_creation(victim: Victim) -> None:
    """An environment is made as a whole or is none: nothing half-made is listed, and resuming makes it."""
    name = victim.name
    victim.name = f"new-{victim.tally['create']}"
    try:
        shutil.rmtree(victim.platform.environments / ".mlinfn" / "pkgs", ignore_errors=True)
        job = victim.server.create(victim.name, ["proof-many"])
        # The moment itself is what is random here; nothing is waited for.
        time.sleep(victim.moments.random() * COLD * 2)
        whom = victim.kill(job["id"])
        if whom != "worker":
            victim.restart()
        ended = settled(victim, job["id"])
        if ended["state"] != "done":
            listed = {env["name"] for env in victim.server.get("api/mlinfn/envs")["environments"]}
            assert victim.name not in listed
            assert victim.server.request("POST", f"api/mlinfn/jobs/{job['id']}/resume", {})[0] == 202
            ended = victim.server.ended(job["id"])
        assert ended["state"] == "done", ended
        assert problems(victim.prefix) == [], f"MLINFN_SEED={SEED}"
        assert f"conda-env-{victim.name}-py" in victim.server.get("api/kernelspecs")["kernelspecs"]
        status, body = victim.server.request("DELETE", f"api/mlinfn/envs/{victim.env_id()}")
        assert status == 202, body
        assert victim.server.ended(body["job"]["id"])["state"] == "done"
        victim.tally.update(["create", "new"])
    finally:
        victim.name = name


@pytest.mark.proof
def test_whatever_is_killed_the_environment_is_one_of_its_revisions(
    tmp_path: Path, channels: list[ChannelServer]
) -> None:
    moments = random.Random(SEED)  # noqa: S311 - repeatable, not secret
    wheels.wheel(tmp_path / "index", "herd", "1.0", script=True)
    platform = Platform(
        tmp_path / "platform",
        [channel.url for channel in channels],
        environment={
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(tmp_path / "index"),
            "PIP_CONFIG_FILE": os.devnull,
        },
    )
    victim = Victim(platform, moments)
    try:
        made = victim.server.ended(victim.server.create(victim.name, ["proof-shape=1.0"])["id"])
        assert made["state"] == "done", made
        channels[0].bytes_per_second = SPEED
        kinds: list[Callable[[Victim], None]] = [kill_a_change] * 9 + [kill_a_creation]
        done = 0
        while done < COUNT or not all(victim.tally[f"{whom} killed"] for whom in KILLS):
            (kill_a_creation if done == 1 else moments.choice(kinds))(victim)
            done += 1
        assert run_in_kernel(platform, "conda-env-victim-py", "print(6 * 7)") == "42\n"
    finally:
        channels[0].bytes_per_second = None
        victim.close()
    told = ", ".join(f"{count} {what}" for what, count in sorted(victim.tally.items()))
    note(f"killed changes and creations: n = {done}, 0 broken, MLINFN_SEED={SEED}: {told}")


if PROOF:

    @pytest.mark.proof
    def test_bare_conda_is_told_beside() -> None:
        conda = os.environ.get("MLINFN_CONDA") or shutil.which("conda")
        if conda is None:
            pytest.skip("the peer's count needs conda on PATH or in MLINFN_CONDA")
        told = measure(conda, kills=30, seed=SEED)
        assert "n = 30" in told
        note(told)
