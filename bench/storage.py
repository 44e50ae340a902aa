"""How long does it take to tell what would be lost, where that is 100,000 files?

Asked of a real server, as the dialog asks it. For comparison: what looks at the same files without
counting them by folder, `du` and `find`, in processes of their own.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.server import Platform, Server, running, wait_for

from .lag import percentile
from .report import Section, below, say, seconds

_ROOT = Path(__file__).resolve().parent.parent
_FILES = 100_000
_A_FOLDER = 500


def measure(scratch: Path, rounds: int) -> Section:
    """The table; medians over the rounds."""
    folder = scratch / "storage"
    traits = {"ephemeral_folders": ["."], "persistent_folders": ["private", "shared"]}
    platform = Platform(folder, [], traits=traits, environment={"PYTHONPATH": str(_ROOT)})
    enabled = {"ServerApp": {"jpserver_extensions": {"bench.lag_probe": True}}}
    (folder / "config" / "jupyter_server_config.d").mkdir()
    (folder / "config" / "jupyter_server_config.d" / "probe.json").write_text(json.dumps(enabled))
    times: dict[str, list[float]] = {}
    delays: list[float] = []
    with running(platform) as server:
        say(f"storage: making {_FILES:,} files")
        _make(platform.root)
        server.get("api/mlinfn/storage")
        for number in range(rounds):
            say(f"storage, round {number + 1} of {rounds}")
            server.get("bench/lag")
            for name, value in _ours(server).items():
                times.setdefault(name, []).append(value)
            delays += server.get("bench/lag")["delays"]
            root = str(platform.root)
            for name, command in {
                "`du -s --apparent-size`": ["du", "-s", "--apparent-size", root],
                "`find -type f -newermt 1970-01-02 -printf %s`": [
                    *("find", root, "-type", "f", "-newermt", "1970-01-02", "-printf", "%s\n")
                ],
            }.items():
                times.setdefault(name, []).append(_run(command))
    shutil.rmtree(folder)
    answer, first = (sorted(times[name])[rounds // 2] for name in (_ANSWER, _FIRST))
    return Section(
        "What would be lost",
        f"{_FILES:,} files made since the start, {_A_FOLDER} in a folder; medians of {rounds} rounds.",
        ["", "time"],
        [[name, seconds(values)] for name, values in times.items()],
        [
            below("answer with which the dialog opens, below 0.3 s", answer, 0.3, " s"),
            below("first figures below 0.3 s", first, 0.3, " s"),
            below("the loop meanwhile, worst tick below 50 ms", percentile(delays, 1.0), 50, " ms"),
        ],
    )


_ANSWER = "ours: the answer that a count has begun"
_FIRST = "ours: first figures"
_WHOLE = "ours: the whole, by folder, with the hundred biggest"


def _ours(server: Server) -> dict[str, float]:
    began = time.monotonic()
    status, answer = server.request("POST", "api/mlinfn/storage/count", {})
    if status != 202:
        raise SystemExit(f"The count was refused: {answer}")
    answered = time.monotonic() - began
    found = _when(server, lambda lost: bool(lost["files"]))
    first = time.monotonic() - began
    if not found:
        raise SystemExit("Nothing was counted.")
    counted = _when(server, lambda lost: lost["state"] != "counting")
    whole = time.monotonic() - began
    if counted["files"] < _FILES:
        raise SystemExit(f"{counted['files']:,} files were counted: {counted['reason']}")
    return {_ANSWER: answered, _FIRST: first, _WHOLE: whole}


def _when(server: Server, fits: Callable[[dict[str, int]], bool]) -> dict[str, object]:
    def look() -> dict[str, object] | None:
        lost = server.get("api/mlinfn/storage")["ephemeral"]
        return lost if fits(lost) else None

    return dict(wait_for(look))


def _make(root: Path) -> None:
    for number in range(_FILES // _A_FOLDER):
        folder = root / f"run-{number % 10}" / f"{number}"
        folder.mkdir(parents=True)
        for file in range(_A_FOLDER):
            (folder / f"{file}.npy").touch()


def _run(command: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - began
