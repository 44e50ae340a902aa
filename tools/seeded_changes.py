"""Changes what the product does in N seeded places, one at a time, and says which its tests do not see.

    python tools/seeded_changes.py --list              # the 30 of seed 16, and what is known of them
    python tools/seeded_changes.py                     # try those that were not tried yet
    python tools/seeded_changes.py --only 7 --only 12  # try these again
    python tools/seeded_changes.py --seed 17 --count 5

Rooms get changes by their size, and so do the modules in them; in a module first a kind of change is
drawn, then the place. Each is made in a copy of the checkout, which a mount namespace of its own puts in
the place of the checkout: so that whatever the tests start (servers, workers with an empty environment,
kernels, hubs) cannot but import the copy. The room's tests run, the likely ones first, up to the first
red one. That one then has to be green without the change, alone, and red with it: else it is not believed.
What came out is kept in .build/seeded-changes/SEED-COUNT.json. Needs Linux and root, or user namespaces.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil
from bootstrap import ROOT, sources
from changes_of_behaviour import places

PACKAGE = Path("jupyter_mlinfn")
ROOMS = ("envs", "gpu", "hub", "idle", "jobs", "session", "storage")
TOP = "top level"
NOT_TRIED = ("_version.py", "demo/")
TESTS_OF_TOP = ("tests/test_*.py", *(f"tests/{room}" for room in reversed(ROOMS) if room != "hub"))
"""What all rooms use is tried with their tests."""
MORE_TESTS = {
    "jobs": ("tests/test_api.py", "tests/envs/test_environments.py", "tests/idle/test_kernels.py"),
    "hub": ("tests/ui/*_hub.py",),
    "idle": ("tests/hub/test_*.py",),
    "session": ("tests/hub/test_session.py",),
    "envs": ("tests/ui/test_changes.py", "tests/ui/test_environments.py"),
}
"""Besides `tests/ROOM` and `tests/ui/test_ROOM*.py`."""

PYTEST = ("-p", "no:randomly", "-p", "no:cacheprovider", "-q", "--no-header", "--tb=no", "--timeout=600")
PATIENCE = "45"
"""Seconds for what tests wait for: a change may well make them wait in vain."""


@dataclass
class Change:
    """One change, and what came of it."""

    room: str
    file: str
    line: int
    kind: str
    start: int
    """Of the text that is replaced, in characters of the file."""
    old: str
    new: str
    before: str
    """The whole line."""
    after: str
    state: str = ""
    by: str = ""
    seconds: int = 0
    doubted: list[str] = field(default_factory=list)
    """Tests that were red, and not because of it."""


# Which are tried


def draw(seed: int, count: int) -> list[Change]:
    generator = random.Random(seed)  # noqa: S311
    rooms: dict[str, dict[str, int]] = {room: {} for room in (*ROOMS, TOP)}
    for name in sources([str(PACKAGE)]):
        inside = Path(name).relative_to(PACKAGE)
        if inside.suffix == ".py" and not inside.as_posix().startswith(NOT_TRIED):
            room = inside.parts[0] if inside.parts[0] in ROOMS else TOP
            rooms[room][name] = len((ROOT / name).read_text().splitlines())
    sizes = {room: sum(modules.values()) for room, modules in rooms.items()}
    drawn: list[Change] = []
    for room, share in shares(sizes, count).items():
        taken: set[tuple[str, int]] = set()
        while len(taken) < share:
            name = generator.choices([*rooms[room]], [*rooms[room].values()])[0]
            text = (ROOT / name).read_text()
            found = places(text)
            if not found:
                continue
            kind = generator.choice(sorted({place[0] for place in found}))
            _, start, end, new = generator.choice([place for place in found if place[0] == kind])
            if (name, start) not in taken:
                taken.add((name, start))
                drawn.append(change(room, name, text, kind, start, end, new))
    return drawn


def shares(sizes: dict[str, int], count: int) -> dict[str, int]:
    """By size, and one at least where there are enough."""
    least = 1 if count >= len(sizes) else 0
    rest, total = count - least * len(sizes), sum(sizes.values())
    found = {room: least + rest * size // total for room, size in sizes.items()}
    left = sorted(sizes, key=lambda room: -(rest * sizes[room] % total))
    for room in left[: count - sum(found.values())]:
        found[room] += 1
    return found


def change(room: str, name: str, text: str, kind: str, start: int, end: int, new: str) -> Change:
    changed = text[:start] + new + text[end:]
    line = text.count("\n", 0, start)
    before = text.splitlines()[line].strip()
    after = changed.splitlines()[line].strip()
    return Change(room, name, line + 1, kind, start, text[start:end], new, before, after)


def stages(change: Change) -> list[list[str]]:
    """Files of tests, in the order in which they are tried: the likely ones, the room's, what is dear."""
    room = change.room
    patterns = TESTS_OF_TOP if room == TOP else (f"tests/{room}", f"tests/ui/test_{room}*.py")
    patterns += MORE_TESTS.get(room, ())
    files: list[str] = []
    for pattern in patterns:
        for path in sorted(ROOT.glob(pattern)):
            below = sorted(path.rglob("test_*.py")) if path.is_dir() else [path]
            files += [str(file.relative_to(ROOT)) for file in below]
    files = list(dict.fromkeys(files))
    module = Path(change.file).with_suffix("").name
    # Names of the top are common words.
    word = re.compile(rf"jupyter_mlinfn\.{module}\b" if room == TOP else rf"\b(\w+_)?{module}(_\w+)?\b")
    dear = [file for file in files if file.startswith(("tests/ui/", "tests/hub/")) or "_proof_" in file]
    if room == "hub":
        dear = [file for file in dear if not file.startswith("tests/hub/")]
    cheap = [file for file in files if file not in dear]
    counts = {file: len(word.findall((ROOT / file).read_text())) for file in cheap}
    likely = sorted((file for file in cheap if counts[file]), key=lambda file: -counts[file])[:4]
    likely.sort(key=lambda file: module not in file)
    proofs = [file for file in dear if "_proof_" in file]
    hubs = [file for file in dear if file.startswith("tests/hub/")]
    pages = [file for file in dear if file.startswith("tests/ui/")]
    return [stage for stage in (likely, [f for f in cheap if f not in likely], hubs, proofs, pages) if stage]


# Trying them


class Copy:
    """The checkout as it is, with what was built; its venv and `node_modules` are shared with it."""

    MOUNTED = (".venv", "labextension/node_modules")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._unchanged: dict[Path, str] = {}
        for name in sources():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
        shutil.copy2(ROOT / PACKAGE / "_version.py", folder / PACKAGE)
        shutil.copytree(ROOT / PACKAGE / "labextension", folder / PACKAGE / "labextension")
        for name in self.MOUNTED:
            (folder / name).mkdir(parents=True)

    def apply(self, change: Change) -> None:
        """
        Raises:
            LookupError: the file is another one than when the change was drawn.
        """
        path = self.folder / change.file
        text = self._unchanged.setdefault(path, path.read_text())
        end = change.start + len(change.old)
        line = text.splitlines()[change.line - 1].strip()
        if (text[change.start : end], line) != (change.old, change.before):
            raise LookupError(f"{change.file} is no longer what it was: draw anew (--again).")
        path.write_text(text[: change.start] + change.new + text[end:])

    def revert(self) -> None:
        for path, text in self._unchanged.items():
            path.write_text(text)

    def pytest(self, arguments: Sequence[str], workers: int) -> tuple[int, list[str]]:
        """Its exit code, and the names of red tests."""
        mounts = [f"mount --bind '{ROOT / name}' '{self.folder / name}'" for name in self.MOUNTED]
        script = " && ".join(
            [*mounts, f"mount --rbind '{self.folder}' '{ROOT}'", f"cd '{ROOT}'", 'exec "$@"']
        )
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        command = [
            *("unshare", *user, "--mount", "sh", "-c", script, "sh"),
            *(str(ROOT / ".venv/bin/python"), "-m", "pytest", *PYTEST, "-x", f"-n{workers}", *arguments),
        ]
        environment = os.environ | {"MLINFN_PATIENCE": PATIENCE}
        environment["PATH"] = f"{ROOT / '.venv/bin'}{os.pathsep}{environment['PATH']}"
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
            code = wait_and_clear(process)
            output.seek(0)
            text = output.read()
        red = re.findall(r"^(?:FAILED|ERROR) (tests/\S+?::.+?)(?: - .*)?$", text, re.MULTILINE)
        if code not in (0, 1) and not red:
            print(text[-1500:])
        return code, red


def wait_and_clear(process: subprocess.Popen[bytes]) -> int:
    """Its exit code; what it has left behind is ended: a change may have made it immortal."""
    while process.returncode is None:
        pid, status = os.wait()
        if pid == process.pid:
            process.returncode = os.waitstatus_to_exitcode(status)
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            child.kill()
    with suppress(ChildProcessError):
        while True:
            os.wait()
    return process.returncode


def become_reaper() -> None:
    """Orphans below this process become its children (prctl(2), PR_SET_CHILD_SUBREAPER)."""
    ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)


def attempt(change: Change, copy: Copy, workers: int) -> None:
    begun = time.monotonic()
    change.state, change.by, change.doubted = "unseen", "", []
    remaining = stages(change)
    while remaining and change.state == "unseen":
        copy.apply(change)
        code, red = copy.pytest([*remaining[0], *(f"--deselect={name}" for name in change.doubted)], workers)
        if code == 0:
            remaining.pop(0)
        elif red and not is_because_of(red[0], copy):
            change.doubted.append(red[0])
        elif red or is_because_of("--collect-only", copy):
            change.state, change.by = "seen", red[0] if red else f"pytest's exit code {code}"
        else:
            sys.exit(f"pytest ended with {code}, and does so without the change.")
    copy.revert()
    change.seconds = round(time.monotonic() - begun)


def is_because_of(test: str, copy: Copy) -> bool:
    """Whether a test is red with the change, alone, and green without."""
    again = copy.pytest([test], 0)[0]
    copy.revert()
    return again != 0 and copy.pytest([test], 0)[0] == 0


# The account


def say(seed: int, count: int, number: int, change: Change) -> None:
    outcome = change.state or "not tried"
    if change.by:
        outcome += f" by {change.by}"
    if change.state:
        outcome += f" in {change.seconds} s"
    print(f"seed {seed}, {number}/{count}: {change.file}:{change.line} ({change.room}, {change.kind})")
    print(f"  - {change.before}\n  + {change.after}\n  {outcome}")
    for name in change.doubted:
        print(f"  red, but not because of it: {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=16)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--list", action="store_true", help="try nothing")
    parser.add_argument("--only", type=int, action="append", metavar="K", help="number of one, tried again")
    parser.add_argument("--room", help="only those of one room")
    parser.add_argument("--again", action="store_true", help="draw anew, and forget what came out")
    parser.add_argument("-n", "--workers", type=int, default=2)
    said = parser.parse_args()
    state = ROOT / ".build" / "seeded-changes" / f"{said.seed}-{said.count}.json"
    if state.exists() and not said.again:
        changes = [Change(**each) for each in json.loads(state.read_text())]
    else:
        changes = draw(said.seed, said.count)
    state.parent.mkdir(parents=True, exist_ok=True)
    numbers = said.only or [n for n, each in enumerate(changes, 1) if said.list or not each.state]
    numbers = [n for n in numbers if said.room in (None, changes[n - 1].room)]
    become_reaper()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="mlinfn-changes-") as folder:
        copy = None
        for number in numbers:
            change = changes[number - 1]
            if not said.list:
                copy = copy or Copy(Path(folder) / "checkout")
                attempt(change, copy, said.workers)
                state.write_text(json.dumps([asdict(each) for each in changes], indent=1))
            say(said.seed, said.count, number, change)
            sys.stdout.flush()
    if said.list and not state.exists():
        state.write_text(json.dumps([asdict(each) for each in changes], indent=1))
    counts = Counter(each.state or "not tried" for each in changes)
    print(", ".join(f"{count} {name}" for name, count in sorted(counts.items())))


if __name__ == "__main__":
    main()
