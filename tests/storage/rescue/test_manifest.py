"""What a journal, a folder and a manifest say, also in the moments between two steps."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.storage.rescue.journal import BusyError, Journal
from jupyter_mlinfn.storage.rescue.layout import journal_name, temporary_prefix
from jupyter_mlinfn.storage.rescue.manifest import TOLD, of_left, read_manifest, read_summary, sum_line

from ...support.patience import PATIENCE
from ...support.server import wait_for
from .support import Ground, check_sums, endless, files_below, manifest, sha256, worker_command


class Killed:
    """What a rescue leaves that is killed between two steps, made step by step."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.folder = ground.rescued / "2026-11-25T013000Z"
        self.folder.mkdir(parents=True)
        self.lines: list[dict[str, Any]] = [{"begin": ground.job, "attempt": 1, "time": "t"}]

    def source(self, name: str, text: str) -> Path:
        file = self.ground.root / name
        file.write_text(text)
        self.lines.append({"plan": str(file), "size": len(text)})
        return file

    def temporary(self, number: int) -> Path:
        return self.folder / f"{temporary_prefix(self.ground.job)}1-{number}"

    def verified(self, name: str, number: int) -> None:
        """Whole under its temporary name, and journalled."""
        source = self.ground.root / name
        self.temporary(number).write_bytes(source.read_bytes())
        os.utime(self.temporary(number), ns=(0, source.stat().st_mtime_ns))
        size = source.stat().st_size
        self.lines.append(
            {"kept": name, "source": str(source), "temporary": self.temporary(number).name}
            | {"size": size, "bytes": size, "sha256": sha256(source), "mtime_ns": source.stat().st_mtime_ns}
        )

    def renamed(self, name: str, number: int) -> None:
        self.verified(name, number)
        self.temporary(number).rename(self.folder / name)

    def write(self, torn: str = "") -> None:
        text = "".join(json.dumps(line) + "\n" for line in self.lines) + torn
        (self.folder / journal_name(self.ground.job)).write_text(text)


@pytest.fixture
def killed(ground: Ground) -> Killed:
    killed = Killed(ground)
    for name in ("done", "verified", "half", "never"):
        killed.source(name, name * 10)
    killed.renamed("done", 1)
    killed.verified("verified", 2)
    killed.temporary(3).write_text("hal")
    killed.write(torn='{"kept": "half", "sour')
    return killed


def test_a_killed_rescue_is_read_as_it_is(killed: Killed) -> None:
    found = read_manifest(killed.folder)

    assert found is not None
    assert found.at_work
    assert not found.summary.complete
    assert [entry["path"] for entry in found.files] == ["done"]
    assert {Path(entry["path"]).name for entry in found.left} == {"verified", "half", "never"}


def test_tidying_up_finishes_what_is_whole_and_removes_what_is_not(killed: Killed) -> None:
    answer = killed.ground.run("finish")

    summary = answer["result"]["summary"]
    assert (summary["files"], summary["left"], summary["complete"]) == (2, 2, False)
    assert {path for path, _ in files_below(killed.folder)} == {
        *("done", "verified", "manifest.json", "SHA256SUMS"),
        journal_name(killed.ground.job),
    }
    assert check_sums(killed.folder) == 2
    assert {entry["reason"] for entry in manifest(killed.folder)["left"]} == {"The rescue ended before it."}
    assert killed.ground.run("finish") == answer


def test_taken_up_again_it_copies_the_rest_only(killed: Killed) -> None:
    kept = (killed.folder / "done").stat().st_ino

    folder, summary = killed.ground.rescue()

    assert folder == killed.folder
    assert (summary["files"], summary["left"], summary["complete"]) == (4, 0, True)
    assert (folder / "done").stat().st_ino == kept
    assert check_sums(folder) == 4
    assert not (folder / journal_name(killed.ground.job)).exists()


def test_taken_up_again_a_file_that_was_changed_since_is_copied_anew(killed: Killed) -> None:
    (killed.ground.root / "done").write_text("newer")

    folder, summary = killed.ground.rescue()

    assert (folder / "done").read_text() == "newer"
    assert [entry["sha256"] for entry in manifest(folder)["files"] if entry["path"] == "done"] == [
        sha256(folder / "done")
    ]
    assert summary["files"] == 4
    assert check_sums(folder) == 4


def test_taken_up_by_another_server_it_puts_nothing_over_what_is_kept(killed: Killed) -> None:
    new = killed.ground.root / "done"
    new.write_text("begun anew")

    folder, summary = killed.ground.rescue(foreign=True)

    assert (folder / "done").read_text() == "done" * 10
    assert (summary["files"], summary["left"], summary["left_bytes"]) == (4, 1, len("begun anew"))
    assert [each["path"] for each in summary["told_left"]] == [str(new)]
    assert "as it was on an earlier server" in manifest(folder)["left"][0]["reason"]
    assert check_sums(folder) == 4


def test_with_the_sources_gone_it_says_what_is_lost(killed: Killed) -> None:
    for name in ("done", "verified", "half", "never"):
        (killed.ground.root / name).unlink()

    folder, summary = killed.ground.rescue()

    assert (summary["files"], summary["left"], summary["complete"]) == (2, 2, True)
    assert {Path(entry["path"]).name for entry in manifest(folder)["left"]} == {"half", "never"}


def test_a_kill_after_the_end_and_before_it_was_told_copies_nothing_twice(ground: Ground) -> None:
    (ground.root / "x").write_text("x")
    folder, summary = ground.rescue()

    assert ground.run("finish")["result"] == {"name": folder.name, "summary": summary, "problem": None}
    assert ground.rescue() == (folder, summary)
    assert list(ground.rescued.iterdir()) == [folder]


def test_a_kill_before_anything_was_kept_leaves_nothing(ground: Ground) -> None:
    killed = Killed(ground)
    killed.source("half", "x")
    killed.temporary(1).write_text("")
    killed.write()

    answer = ground.run("finish")

    assert answer["result"]["name"] is None
    assert not list(ground.rescued.iterdir())


def test_a_kill_between_the_folder_and_its_journal_leaves_nothing(ground: Ground) -> None:
    (ground.rescued / "2026-11-25T013000Z").mkdir(parents=True)

    assert ground.run("finish")["result"]["summary"] is None
    assert not list(ground.rescued.iterdir())


def test_nobody_tidies_up_while_another_is_at_work(ground: Ground) -> None:
    endless(ground)
    worker = ground.start()
    try:
        wait_for(lambda: list(ground.rescued.glob(f"*/{temporary_prefix(ground.job)}1-*")))
        answer = ground.run("finish")
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.communicate(timeout=PATIENCE)

    assert answer["error"]["kind"] == "ConflictError"
    assert ground.run("finish")["type"] == "result"


def test_a_worker_ends_with_its_server(ground: Ground) -> None:
    """Killed without a word, as everything here may be."""
    endless(ground)
    request = json.dumps(ground.request())
    script = (
        "import os, subprocess, sys, time; "
        "p = subprocess.Popen([*sys.argv[1:-3], str(os.getpid()), sys.argv[-2]], stdin=subprocess.PIPE); "
        "p.stdin.write(sys.argv[-1].encode() + b'\\n'); p.stdin.flush(); print(p.pid, flush=True); "
        "time.sleep(60)"
    )
    command = [*worker_command(), request]
    with subprocess.Popen(
        [command[0], "-c", script, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        pid = int(server.stdout.readline())
        wait_for(lambda: list(ground.rescued.glob(f"*/{temporary_prefix(ground.job)}1-*")))
        server.kill()
    wait_for(lambda: not Path(f"/proc/{pid}").exists() or "Z" in _state(pid))


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_the_numbers_are_read_without_the_list(ground: Ground) -> None:
    for number in range(50):
        (ground.root / f"{number}").write_text("x")
    folder, summary = ground.rescue()

    found, numbers = read_manifest(folder), read_summary(folder)

    assert found is not None
    assert numbers == found.summary
    assert numbers.files == summary["files"] == 50
    (folder / "manifest.json").write_text(json.dumps(manifest(folder), indent=2))
    assert read_summary(folder) == numbers


def test_a_folder_of_somebody_else_is_none_of_a_rescue(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
    assert read_summary(tmp_path) is None


def test_one_process_writes_to_a_journal(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    first = Journal(folder, "a" * 32, make=True)
    with pytest.raises(BusyError):
        Journal(folder, "a" * 32, make=True)
    first.close()
    Journal(folder, "a" * 32, make=True).close()
    os.close(folder)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (b"plain", b"00  plain\n"),
        (b"a\nb", b"\\00  a\\nb\n"),
        (b"a\\b", b"\\00  a\\\\b\n"),
        (b"a\xff", b"00  a\xff\n"),
    ],
)
def test_a_line_of_sums(name: bytes, line: bytes) -> None:
    assert sum_line("00", name) == line


def test_of_many_files_that_were_left_the_biggest_are_told(tmp_path: Path) -> None:
    sizes = [*range(2 * TOLD), None]
    lines = [{"left": f"file-{size}", "size": size, "reason": "too big"} for size in sizes]

    summary = of_left("job", lines)

    assert summary.left == len(sizes)
    assert [each["size"] for each in summary.told_left] == [*range(2 * TOLD - 1, TOLD - 1, -1)]


def test_a_line_that_has_no_room_is_not_there_in_part(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    made = Journal(folder, "a" * 32, make=True)
    made.write([{"begin": "a"}])
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # As on a disk that is full: some bytes are taken, then none.
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 10, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            made.write([{"plan": "b" * 100, "size": 1}])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file.read_bytes() == whole
    made.write([{"plan": "c", "size": 1}])
    made.close()
    os.close(folder)

    assert file.read_bytes().startswith(whole)
    assert len(file.read_bytes().splitlines()) == 2
