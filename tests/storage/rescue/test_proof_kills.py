"""Rescues, and stops that rescue, which are killed at random moments: SIGKILL to worker, server, or both.

Right after it every file under its name has the hash of its source and the manifest tells the truth; the
next start tidies up; taken up again it is whole, also where the sources are gone: then it says so.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_mlinfn.storage.rescue.layout import MANIFEST, SUMS
from jupyter_mlinfn.storage.rescue.manifest import read_manifest

from ...support.patience import PATIENCE
from ...support.processes import children_with
from ...support.proof import note, sample
from ...support.server import Platform, running, wait_for
from .support import check_sums, files_below, sha256

SEED = int(os.environ.get("MLINFN_SEED") or random.SystemRandom().randrange(10**6))
RESCUES = sample(6, 100)
STOPS = sample(6, 200)
"""At least so many kills that hit what was at work, one of each kind and one after something was kept."""
FILES = sample(100, 250)
LASTS = sample(5, 10) / 10
"""Seconds that a rescue of these files takes, mostly; moments are spread over them. On a busy machine they
come earlier in it, and on a fast one some come too late: they count for nothing, and another is tried."""
STOP_LASTS = LASTS + 1.0
"""The same of a stop: it rescues, and ends. One that saves waits besides for a page that may be there."""
NOBODY = 1.0
TRAITS = {"persistent_folders": ["private"], "ephemeral_folders": ["."]}
ACTIVE = ("queued", "running", "cancelling")
KILLS = ("server", "worker", "both")


@dataclass
class Victim:
    """A server at work on a rescue, until it is killed."""

    platform: Platform
    moments: random.Random
    tally: Counter[str] = field(default_factory=Counter)
    looked_at: int = 0
    sources: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._open = ExitStack()
        self.server = self._open.enter_context(running(self.platform))

    @property
    def root(self) -> Path:
        return self.platform.root

    @property
    def rescued(self) -> Path:
        return self.root / "private" / "rescued"

    def close(self) -> None:
        self._open.close()

    def restart(self) -> None:
        self._open.close()
        self._open = ExitStack()
        self.server = self._open.enter_context(running(self.platform))

    def make_tree(self) -> None:
        """Files of several sizes, made since the server started; their hashes by path."""
        shutil.rmtree(self.root / "work", ignore_errors=True)
        shutil.rmtree(self.rescued, ignore_errors=True)
        for number in range(FILES):
            size = self.moments.choice([0, 10, 5_000, 5_000, 70_000, 900_000, 3_000_000])
            file = self.root / "work" / f"{number % 5}" / f"{number % 3}" / f"file {number}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self.moments.randbytes(size))
        self.sources = {path: sha256(file) for path, file in files_below(self.root / "work")}

    def kill(self, whom: str) -> None:
        """Kill the worker, the server, or both. None of them runs when this returns."""
        workers = self._workers()
        if whom != "server":
            for worker in workers:
                with suppress(psutil.NoSuchProcess):
                    worker.send_signal(signal.SIGKILL)
        if whom != "worker":
            self.server.kill()
        _, alive = psutil.wait_procs(workers, timeout=PATIENCE)
        assert not alive, "a worker outlived its server"

    def hits(self) -> int:
        """Kills of what was at work."""
        return sum(self.tally[f"{whom} killed"] for whom in KILLS)

    def _workers(self) -> list[psutil.Process]:
        try:
            return children_with("storage/rescue", self.server.process.pid, recursive=True)
        except psutil.NoSuchProcess:
            return []

    def job(self, job_id: str) -> dict[str, Any]:
        return self.server.job(job_id)

    def latest(self) -> dict[str, Any] | None:
        """The job of the latest rescue; None where there was none."""
        jobs = self.server.get("api/mlinfn/jobs")["jobs"]
        return next((dict(job) for job in jobs if job["kind"] == "rescue"), None)

    def forget_jobs(self) -> None:
        self.server.request("DELETE", "api/mlinfn/jobs")

    def stays_or_ended(self) -> bool:
        """Whether a stop has come to its end: the server's own, or that it was called off."""
        if self.server.process.poll() is not None:
            return True
        try:
            return self.server.get("api/mlinfn/session")["stop"]["phase"] is None
        except OSError:
            return False  # About to end.


def names(victim: Victim) -> tuple[dict[str, Path], list[Path]]:
    """What is under its name in all rescues, by its path in the tree; and what is not."""
    finals, temporary = {}, []
    for folder in victim.rescued.glob("*"):
        for path, file in files_below(folder):
            if file.name.startswith(".rescue-"):
                temporary.append(file)
            elif path not in (MANIFEST, SUMS):
                finals[path.removeprefix("work/")] = file
    return finals, temporary


def check_truth(victim: Victim) -> int:
    """What must hold whenever one looks; how many files are under their names."""
    finals, _ = names(victim)
    hashes = {file: sha256(file) for file in finals.values()}
    for path, file in finals.items():
        assert hashes[file] == victim.sources[path], (path, f"MLINFN_SEED={SEED}")
    told: dict[str, str] = {}
    for folder in victim.rescued.glob("*"):
        found = read_manifest(folder)
        for entry in found.files if found else ():
            told[entry["path"].removeprefix("work/")] = entry["sha256"]
            assert hashes.get(folder / entry["path"]) == entry["sha256"], (entry, f"MLINFN_SEED={SEED}")
    assert set(told) == set(finals), f"MLINFN_SEED={SEED}"
    victim.looked_at += len(finals)
    return len(finals)


def check_tidied(victim: Victim) -> None:
    """What must hold once somebody looked after it: nothing half, and every source kept or named."""
    check_truth(victim)
    finals, temporary = names(victim)
    journals = [file for file in temporary if file.suffix == ".jsonl"]
    assert temporary == journals, f"MLINFN_SEED={SEED}"
    folders = list(victim.rescued.glob("*"))
    assert len(folders) == (1 if finals else 0), (folders, f"MLINFN_SEED={SEED}")
    for folder in folders:
        assert check_sums(folder) == len(finals)
        found = read_manifest(folder)
        assert found is not None
        left = {os.path.relpath(entry["path"], victim.root / "work") for entry in found.left}
        # With the sources gone, what was asked for is named as well.
        left.discard(".")
        assert left.isdisjoint(finals)
        planned = left | set(finals)
        # A kill in the first moments comes before it was written down what there is.
        assert planned in (set(victim.sources), set(finals)), f"MLINFN_SEED={SEED}"


def lists(victim: Victim) -> dict[Path, int]:
    """When the manifests of rescues with a journal were written: whoever tidies up writes those anew."""
    found = {}
    for file in victim.rescued.glob(f"*/{MANIFEST}"):
        with suppress(FileNotFoundError):
            if any(file.parent.glob(".rescue-*.jsonl")):
                found[file] = file.stat().st_mtime_ns
    return found


def is_tidied(victim: Victim, job_id: str, before: dict[Path, int]) -> bool:
    """Args:
    before: the lists, before the server started that tidies up.
    """
    state = victim.job(job_id)["state"]
    if state in ACTIVE or (state == "interrupted" and before.items() & lists(victim).items()):
        return False
    finals, temporary = names(victim)
    half = [file for file in temporary if file.suffix != ".jsonl"]
    whole = all((folder / MANIFEST).exists() for folder in victim.rescued.glob("*"))
    return not half and whole and (bool(finals) or not any(victim.rescued.glob("*")))


def await_moment(victim: Victim, whom: str, lasts: float, is_over: Callable[[], bool]) -> str:
    """Wait for the random moment to strike; which kind it is. A worker there is only in the middle."""
    kind = victim.moments.choice(["copying", "after the first file", "anywhere", "anywhere"])
    if whom == "worker":
        kind = "copying"
    if kind != "anywhere":
        begun = "*/work/*/*/.rescue-*" if kind == "copying" else "*/work/*/*/file*"
        for looks in itertools.count(1):
            if any(victim.rescued.glob(begun)):
                break
            if looks % 50 == 0 and is_over():
                return "late"
            time.sleep(0.002)
        lasts *= 0.3
    # The moment itself is what is random here; nothing is waited for.
    time.sleep(victim.moments.random() * lasts)
    return kind


def kill_a_rescue(victim: Victim, whom: str) -> None:
    moments = victim.moments
    victim.make_tree()
    status, answer = victim.server.request("POST", "api/mlinfn/storage/rescue", {"paths": ["work"]})
    assert status == 202, answer
    job_id = answer["job"]["id"]
    moment = await_moment(victim, whom, LASTS, lambda: victim.job(job_id)["state"] not in ACTIVE)
    victim.kill(whom)
    kept, before = check_truth(victim), lists(victim)
    if whom != "worker":
        victim.restart()
    wait_for(lambda: is_tidied(victim, job_id, before))
    check_tidied(victim)
    state = victim.job(job_id)["state"]
    if state == "done":
        victim.tally.update([f"{whom} missed"])
        return
    victim.tally.update([moment, f"{whom} killed", state, "some kept" if kept else "nothing kept"])
    what = moments.choice(["resumed", "resumed", "discarded", "sources gone"])
    victim.tally.update([what])
    if what == "discarded":
        if state == "interrupted":
            victim.server.request("DELETE", f"api/mlinfn/jobs/{job_id}")
            assert victim.server.ended(job_id)["state"] == "cancelled"
        check_tidied(victim)
        return
    if what == "sources gone":
        shutil.rmtree(victim.root / "work")
    assert victim.server.request("POST", f"api/mlinfn/jobs/{job_id}/resume", {})[0] == 202
    ended = victim.server.ended(job_id)
    assert ended["state"] == "done", (ended, f"MLINFN_SEED={SEED}")
    check_tidied(victim)
    finals, temporary = names(victim)
    assert not temporary, f"MLINFN_SEED={SEED}"
    assert ended["result"]["files"] == len(finals)
    if what == "resumed":
        assert set(finals) == set(victim.sources), f"MLINFN_SEED={SEED}"
        assert ended["result"]["left_count"] == 0


def kill_a_stop(victim: Victim, whom: str) -> None:
    victim.make_tree()
    victim.forget_jobs()
    save = victim.moments.random() < 0.5
    wish = {"when": "now", "keep": True, "save": save}
    status, answer = victim.server.request("POST", "api/mlinfn/session/stop", wish)
    assert status == 202, answer
    lasts = STOP_LASTS + NOBODY if save else STOP_LASTS
    moment = await_moment(victim, whom, lasts, lambda: victim.server.process.poll() is not None)
    victim.kill(whom)
    if whom == "worker":
        # It goes on without: kept or not, it ends, or says why it stays.
        wait_for(victim.stays_or_ended)
    was_killed = victim.server.process.poll() == -signal.SIGKILL
    kept, before = check_truth(victim), lists(victim)
    victim.restart()
    job = victim.latest()
    if job is None:
        assert not kept, f"MLINFN_SEED={SEED}"
    else:
        wait_for(lambda: is_tidied(victim, job["id"], before))
        check_tidied(victim)
    finals, _ = names(victim)
    told = victim.server.get("api/mlinfn/session/welcome")["stopped"]
    if told is not None and told["rescue"] is not None:
        # What was whole and had no name yet got it afterwards.
        assert told["rescue"]["files"] <= len(finals), f"MLINFN_SEED={SEED}"
    victim.server.request("POST", "api/mlinfn/session/welcome", {})
    state = victim.job(job["id"])["state"] if job is not None else "not begun"
    if state != "failed" if whom == "worker" else not was_killed:
        victim.tally.update([f"{whom} missed"])
        return
    victim.tally.update([moment, f"{whom} killed", state, "some kept" if kept else "nothing kept"])


@pytest.mark.proof
@pytest.mark.parametrize(
    ("what", "count", "kill_one"), [("rescues", RESCUES, kill_a_rescue), ("stops", STOPS, kill_a_stop)]
)
def test_whatever_is_killed_no_file_is_half_there_and_the_manifest_is_true(
    tmp_path: Path, what: str, count: int, kill_one: Callable[[Victim, str], None]
) -> None:
    moments = random.Random(SEED)  # noqa: S311 - repeatable, not secret
    victim = Victim(Platform(tmp_path / "platform", [], traits=TRAITS), moments)
    try:
        needed = ("some kept", *(f"{whom} killed" for whom in KILLS))
        for whom in itertools.cycle(KILLS):
            if victim.hits() >= count and all(victim.tally[each] for each in needed):
                break
            kill_one(victim, whom)
    finally:
        victim.close()
    told = ", ".join(f"{times} {each}" for each, times in sorted(victim.tally.items()))
    looked = f"{victim.looked_at:,} files looked at, 0 of them half there"
    note(f"killed {what}: {victim.hits()} at work, {looked}, MLINFN_SEED={SEED}: {told}")
