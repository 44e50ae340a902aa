"""What is left of an environment when conda is killed in the middle of a change?

The same packages, the same verifier and moments as random as in tests/envs/test_proof_kills.py, for conda
itself; `make proof` holds ours against it.

    python -m bench.kills_conda [--conda PATH] [--kills N] [--seed N]
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from jupyter_mlinfn.demo.channel import build_channel, default_folder
from tests.support.hashes import State, problems, state
from tests.support.proof_channel import build_proof_channel

from .create import isolated
from .report import say

_CHANGES: tuple[tuple[str, ...], ...] = (
    ("install", "proof-many=2.0"),
    ("install", "proof-shape=2.0"),
    ("install", "proof-many=2.0", "proof-shape=2.0"),
    ("remove", "proof-many"),
    ("remove", "proof-shape"),
)


@dataclass
class Conda:
    """A conda, an environment, and a copy of that as it is before each change."""

    executable: str
    folder: Path
    channels: list[str]

    def __post_init__(self) -> None:
        self.prefix = self.folder / "env"
        self.pristine = self.folder / "pristine"
        self._environ = {**os.environ, **isolated(self.folder)}
        self.run("create", "python", "ipykernel", "proof-many=1.0", "proof-shape=1.0")
        shutil.copytree(self.prefix, self.pristine, symlinks=True)

    def command(self, what: str, *specs: str) -> list[str]:
        places = [word for channel in self.channels for word in ("--channel", channel)]
        options = ["--yes", "--quiet", "--override-channels", *places, "--solver", "classic"]
        return [self.executable, what, *options, "--prefix", str(self.prefix), *specs]

    def run(self, what: str, *specs: str) -> float:
        start = time.monotonic()
        subprocess.run(self.command(what, *specs), env=self._environ, check=True, capture_output=True)
        return time.monotonic() - start

    def run_and_kill(self, after: float, what: str, *specs: str) -> bool:
        """Whether it was killed before it was done."""
        process = subprocess.Popen(
            self.command(what, *specs),
            env=self._environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        with process:
            try:
                process.wait(after)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return True
        return False

    def restore(self) -> None:
        shutil.rmtree(self.prefix)
        shutil.copytree(self.pristine, self.prefix, symlinks=True)


def judged(prefix: Path, old: State, new: State) -> str:
    """What became of it: the old or the new one, or what is wrong."""
    wrong = wrong_in(prefix)
    found = state(prefix)
    if not wrong and found.packages in (old.packages, new.packages):
        return "old" if found.packages == old.packages else "new"
    if any(line.startswith(("missing", "other content")) for line in wrong):
        return "broken: files are missing or wrong"
    if found.packages not in (old.packages, new.packages):
        return "broken: neither the old packages nor the new"
    return "broken: records that do not fit"


def wrong_in(prefix: Path) -> list[str]:
    """What the verifier finds, but files of nobody: conda leaves some (`x.c~`) even if nobody kills it."""
    return [line for line in problems(prefix) if not line.startswith("of nobody")]


def measure(executable: str, kills: int, seed: int) -> str:
    """Kill it that often, and say what came of it."""
    moments = random.Random(seed)  # noqa: S311 - repeatable, not secret
    with tempfile.TemporaryDirectory(prefix="jupyter-mlinfn-kills-") as name:
        folder = Path(name)
        demo = build_channel(default_folder(), log=say)
        proof = build_proof_channel(folder / "channel")
        conda = Conda(executable, folder, [proof.as_uri(), demo.as_uri()])
        old = state(conda.prefix)
        lasts: dict[tuple[str, ...], float] = {}
        after: dict[tuple[str, ...], State] = {}
        for change in _CHANGES:
            lasts[change] = conda.run(*change)
            after[change] = state(conda.prefix)
            if wrong := wrong_in(conda.prefix):
                raise SystemExit(f"The verifier is wrong about conda, which nobody killed: {wrong[:5]}")
            conda.restore()
        tally: Counter[str] = Counter()
        for number in range(kills):
            change = moments.choice(_CHANGES)
            killed = conda.run_and_kill(moments.random() * lasts[change], *change)
            outcome = judged(conda.prefix, old, after[change])
            tally.update([outcome, "killed" if killed else "done before"])
            say(f"{number + 1} of {kills}: {' '.join(change)}: {outcome}")
            conda.restore()
    broken = sum(count for outcome, count in tally.items() if outcome.startswith("broken"))
    told = ", ".join(f"{count} {what}" for what, count in sorted(tally.items()))
    return f"bare conda, killed changes: n = {kills}, {broken} broken, seed {seed}: {told}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.kills_conda", description=__doc__)
    parser.add_argument("--conda", metavar="PATH", default=shutil.which("conda"))
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    if options.conda is None:
        sys.exit("No conda on PATH; name one with --conda.")
    print(measure(options.conda, options.kills, options.seed))


if __name__ == "__main__":
    main()
