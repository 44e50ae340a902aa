"""Private storage that is full, of bytes or of files, at twenty points of every kind of change.

The storage is a tmpfs of its own. Where it cannot be mounted, the test runs in namespaces of its own,
in which it can.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from ..support.channel_server import ChannelServer
from ..support.hashes import difference, problems, state
from ..support.packages import Channel, Package, tiny_kernel_stack
from ..support.patience import PATIENCE
from ..support.proof import note, sample
from ..support.server import Platform, Server, running, wait_for

SEED = int(os.environ.get("MLINFN_SEED") or random.SystemRandom().randrange(10**6))
POINTS = sample(6, 20)
INSIDE = "MLINFN_IN_NAMESPACE"
NAME = "tight"
SIZE = 150_000_000
FILES = 15_000
KINDS = ("create", "install", "update", "rollback")
NEEDED = {"bytes": 46_000_000, "files": 4_600}
"""Of a change here, as it is estimated; it takes a fifth of that in truth."""
HIT = "ended by a disk that became full"
AMOUNT = re.compile(r"\d[\d.,]*\s(?:bytes|[kMG]B|files)\b")


def bulky(version: str) -> Package:
    """Eight megabytes in two hundred files, half of which are others in each version."""
    contents = {
        f"share/bulky/{number:03}": (f"{number}" + (version if number % 2 else "")).encode() * 12_000
        for number in range(200)
    }
    return Package("bulky", version, depends=["python"], files=contents)


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def works(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=PATIENCE).returncode == 0
    except FileNotFoundError:
        return False


def can_mount(folder: Path) -> bool:
    folder.mkdir(exist_ok=True)
    if not works("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)):
        return False
    return works("umount", str(folder))


class Filler:
    """Takes what is free of the storage, but for a part."""

    def __init__(self, storage: Path, kind: str) -> None:
        self._storage, self._kind = storage, kind
        self._folder = storage / "filler"

    def leave(self, amount: int) -> None:
        free = os.statvfs(self._storage)
        # Full already is as good as filled, also for the folder and for what closing writes.
        with suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            if self._kind == "bytes":
                taken = free.f_bavail * free.f_frsize - amount
                with (self._folder / f"{time.monotonic_ns()}").open("wb", buffering=0) as out:
                    while taken > 0:
                        taken -= out.write(b"\0" * min(taken, 1 << 20))
            else:
                for number in range(free.f_favail - amount - 1):
                    (self._folder / f"{time.monotonic_ns()}-{number}").touch()

    def free(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


class Tight:
    """An environment on storage that is filled now and then."""

    def __init__(self, server: Server, filler: Filler) -> None:
        self.server, self.filler = server, filler
        self.prefix = server.platform.environments / NAME
        self.history = server.platform.environments / ".mlinfn" / "history" / NAME
        self.more = server.platform.environments / "more"

    def id(self) -> str:
        listed = self.server.get("api/mlinfn/envs")["environments"]
        return next(str(env["id"]) for env in listed if env["name"] == NAME)

    def revisions(self) -> int:
        return len(list((self.history / "revisions").glob("[0-9]*")))

    def start(self, kind: str) -> tuple[int, dict[str, Any]]:
        if kind == "create":
            return self.server.request("POST", "api/mlinfn/envs", {"label": "More", "specs": ["bulky=1"]})
        path, body = {
            "install": ("changes", {"action": "install", "specs": ["bulky=1"]}),
            "update": ("changes", {"action": "update", "specs": ["bulky=2"]}),
            "rollback": ("rollback", {"revision": 1}),
        }[kind]
        url = f"api/mlinfn/envs/{self.id()}/{path}"
        return self.server.request("POST", url, body)

    def has_begun(self, kind: str) -> bool:
        """Whether there is something of it on the disk."""
        return self.more.exists() if kind == "create" else any(self.history.glob("change-*"))

    def has_ended(self, job_id: str) -> bool:
        return self.server.job(job_id)["state"] not in ("queued", "running", "cancelling")

    def outcome(self, kind: str) -> dict[str, Any]:
        """The job as it ended; its error alone where it did not even begin."""
        status, answer = self.start(kind)
        if status != 202:
            return {"state": "refused", "error": answer}
        return self.server.ended(answer["job"]["id"])

    def again(self, kind: str, failed: dict[str, Any]) -> dict[str, Any]:
        """The same once more; a creation by its job's "try again", which takes up what it left."""
        if kind != "create" or failed["state"] == "refused":
            return self.outcome(kind)
        status, answer = self.server.request("POST", f"api/mlinfn/jobs/{failed['id']}/resume", {})
        assert status == 202, answer
        return self.server.ended(failed["id"])

    def set_up(self, kind: str) -> None:
        """Be at the revision that this kind of change starts from."""
        versions = {name: found[0] for name, found in state(self.prefix).packages.items()}
        wanted = {"update": "1", "rollback": "2"}.get(kind)
        if versions.get("bulky") == wanted:
            return
        steps = {"create": ["rollback"], "install": ["rollback"]}.get(kind) or (
            ["rollback", "install"] if kind == "update" else ["update" if "bulky" in versions else "install"]
        )
        for step in steps:
            done = self.outcome(step)
            assert done["state"] == "done", done
        if kind == "rollback" and steps == ["install"]:
            assert self.outcome("update")["state"] == "done"


def said_what_is_missing(error: dict[str, Any]) -> bool:
    text = f"{error['message']} {error.get('reason')} {error.get('hint')}"
    return AMOUNT.search(text) is not None


@pytest.mark.proof
@pytest.mark.parametrize("kind_of_limit", ["bytes", "files"])
def test_a_full_disk_leaves_the_old_revision(tmp_path: Path, kind_of_limit: str) -> None:
    if not can_mount(tmp_path / "probe"):
        run_in_a_namespace(kind_of_limit)
        return
    moments = random.Random(SEED)  # noqa: S311 - repeatable, not secret
    channel = Channel(tmp_path / "channel")
    channel.add(*tiny_kernel_stack(), bulky("1"), bulky("2"))
    channel.write()
    options = f"size={SIZE},mode=755" + (f",nr_inodes={FILES}" if kind_of_limit == "files" else "")
    with ExitStack() as stack:
        served = stack.enter_context(ChannelServer(channel.folder))
        stack.callback(served.release.set)
        platform = Platform(tmp_path / "platform", [served.url])
        private = platform.root / "private"
        stack.enter_context(mounted(private, options))
        server = stack.enter_context(running(platform))
        tight = Tight(server, Filler(private, kind_of_limit))
        made = server.ended(server.create(NAME)["id"])
        assert made["state"] == "done", made
        tally = Counter[str]()
        for point in range(POINTS):
            at_a_point(tight, served, KINDS[point % len(KINDS)], point, kind_of_limit, moments, tally)
        assert tally[HIT], "nothing was at work when the disk became full"
    told = ", ".join(f"{count} {what}" for what, count in sorted(tally.items()))
    note(f"disk full of {kind_of_limit}: n = {POINTS}, 0 broken, MLINFN_SEED={SEED}: {told}")


def at_a_point(
    tight: Tight,
    channel: ChannelServer,
    kind: str,
    point: int,
    limit: str,
    moments: random.Random,
    tally: Counter[str],
) -> None:
    """One change on a disk that has room for a part of it, or fills while it is being made."""
    tight.set_up(kind)
    packages = tight.server.platform.environments / ".mlinfn" / "pkgs"
    for cached in packages.glob("bulky*"):
        shutil.rmtree(cached) if cached.is_dir() else cached.unlink()
    before, revisions = state(tight.prefix), tight.revisions()
    if point % 2:
        # Filled from the start, but for a part of what is needed.
        tight.filler.leave(NEEDED[limit] * point // POINTS)
        ended = tight.outcome(kind)
    else:
        # Room enough at first, and none any more at some moment.
        tight.filler.leave(NEEDED[limit])
        held = kind != "rollback" and (point == 0 or moments.random() < 0.5)
        channel.faults.update({"bulky": "quarters"} if held else {})
        status, answer = tight.start(kind)
        assert status == 202, answer
        if held:
            wait_for(lambda: channel.hanging.is_set() or tight.has_ended(answer["job"]["id"]))
        elif moments.random() < 0.5:
            wait_for(lambda: tight.has_begun(kind) or tight.has_ended(answer["job"]["id"]))
        else:
            # The moment itself is what is random here; nothing is waited for.
            time.sleep(moments.random() * 0.3)
        tight.filler.leave(0)
        channel.faults.clear()
        channel.release.set()
        ended = tight.server.ended(answer["job"]["id"])
        tally.update([HIT] if ended["state"] != "done" else [])
        channel.release.clear()
        channel.hanging.clear()
    where = f"{kind} at point {point} of {limit}: {ended['state']} {ended['error']}, MLINFN_SEED={SEED}"
    assert problems(tight.prefix) == [], where
    now = state(tight.prefix)
    if ended["state"] == "done":
        tally.update([f"{kind} in time"])
    else:
        assert said_what_is_missing(ended["error"]), where
        assert now.files == before.files, (where, difference(before, now))
        # What it was made as may have been noted only now.
        assert tight.revisions() in (revisions, max(1, revisions)), where
        tally.update([f"{kind} {ended['state']}"])
    tight.filler.free()
    if ended["state"] != "done":
        again = tight.again(kind, ended)
        assert again["state"] == "done", (where, again)
        assert problems(tight.prefix) == [], where
    wait_for(lambda: not any(tight.history.glob("change-*")))
    if kind == "create":
        assert problems(tight.more) == [], where
        listed = tight.server.get("api/mlinfn/envs")["environments"]
        path = next(f"api/mlinfn/envs/{env['id']}" for env in listed if env["name"] == "more")
        status, answer = tight.server.request("DELETE", path)
        assert status == 202, answer
        assert tight.server.ended(answer["job"]["id"])["state"] == "done"


def run_in_a_namespace(case: str) -> None:
    """The same test as root of a user namespace, where file systems can be mounted."""
    if os.environ.get(INSIDE) or not works("unshare", "--user", "--map-root-user", "--mount", "true"):
        pytest.skip("needs to mount a tmpfs: neither this user nor a namespace may")
    done = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "--mount", sys.executable, "-m", "pytest", "-q"),
            *(
                "-p",
                "no:cacheprovider",
                f"{__file__}::{test_a_full_disk_leaves_the_old_revision.__name__}[{case}]",
            ),
        ],
        env=os.environ | {INSIDE: "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = [line for line in done.stdout.splitlines() if line.startswith("disk full of")]
    if not told:
        pytest.skip("needs to mount a tmpfs: a namespace may not either")
    for line in told:
        note(line)
