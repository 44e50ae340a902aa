"""What people have in their folders, and what happens to it meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from jupyter_mlinfn.storage.rescue import passes
from jupyter_mlinfn.storage.rescue.copying import Copier, LeftError
from jupyter_mlinfn.storage.rescue.layout import folder_name, path_in_rescue, printable
from jupyter_mlinfn.storage.walk import Plan, walk
from jupyter_mlinfn.times import utc_now

from ...support.patience import PATIENCE
from ...support.proof import note
from .support import PACKAGES, Ground, check_sums, files_below, left, manifest, sha256

LONG_AGO = 1_700_000_000_123_456_789


def test_a_tree_is_copied_with_times_and_permissions_and_its_hashes(ground: Ground) -> None:
    for number, size in enumerate((0, 1, 4095, 4096, 1_000_000, 5_000_000, 20_000_001)):
        file = ground.root / "deep" / f"{number}" / "data"
        file.parent.mkdir(parents=True)
        file.write_bytes(os.urandom(size))
        file.chmod(0o751 if number % 2 else 0o400)
        os.utime(file, ns=(LONG_AGO, LONG_AGO + number))
        os.utime(file.parent, ns=(LONG_AGO, LONG_AGO))
    (ground.home / "notes.txt").write_text("of home")
    os.setxattr(ground.home / "notes.txt", "user.colour", b"blue")

    folder, summary = ground.rescue()

    assert check_sums(folder) == 8
    for number in range(7):
        source, kept = (base / "deep" / f"{number}" / "data" for base in (ground.root, folder))
        assert sha256(kept) == sha256(source)
        assert kept.stat().st_mtime_ns == LONG_AGO + number
        assert stat.S_IMODE(kept.stat().st_mode) == stat.S_IMODE(source.stat().st_mode)
        assert kept.parent.stat().st_mtime_ns == LONG_AGO
    assert (folder / "home" / "notes.txt").read_text() == "of home"
    assert os.getxattr(folder / "home" / "notes.txt", "user.colour") == b"blue"
    assert (summary["files"], summary["left"], summary["complete"]) == (8, 0, True)
    assert {path for path, _ in files_below(folder)} == {
        *(entry["path"] for entry in manifest(folder)["files"]),
        "manifest.json",
        "SHA256SUMS",
    }


@pytest.mark.parametrize(
    "name",
    [b"new\nline", b"latin-\xe9.txt", b"back\\slash", b"-rf", b" blank ", b"'\"$(x)", "π ∮.ipynb".encode()],
)
def test_any_name_is_kept_and_checked_by_sha256sum(ground: Ground, name: bytes) -> None:
    with open(os.fsencode(ground.root) + b"/" + name, "wb") as out:  # noqa: PTH123 - bytes
        out.write(name)

    folder, _ = ground.rescue()

    assert check_sums(folder) == 1
    with open(os.fsencode(folder) + b"/" + name, "rb") as kept:  # noqa: PTH123 - bytes
        assert kept.read() == name
    assert [os.fsencode(entry["path"]) for entry in manifest(folder)["files"]] == [name]


def test_what_is_no_file_is_named_and_never_opened(ground: Ground) -> None:
    os.mkfifo(ground.root / "pipe")
    folder = os.open(ground.root, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as listening:
        # Its address may have 107 bytes at most.
        listening.bind(f"/proc/self/fd/{folder}/socket")
    os.close(folder)
    expected = {"pipe": "pipe", "socket": "socket"}
    with suppress(PermissionError):
        # Of no driver: it could not be opened.
        os.mknod(ground.root / "device", 0o666 | stat.S_IFCHR, os.makedev(240, 200))
        expected["device"] = "device"
    (ground.root / "file").write_text("x")

    _, summary = ground.rescue()

    reasons = left(summary, ground.root)
    assert set(reasons) == set(expected)
    assert all(expected[name] in reason for name, reason in reasons.items())
    assert (summary["files"], summary["left"]) == (1, 0)


def test_what_is_no_file_is_lost_to_who_asked_for_it(ground: Ground) -> None:
    os.mkfifo(ground.root / "pipe")

    answer = ground.run(paths=[str(ground.root / "pipe")])

    assert answer["result"]["summary"]["left"] == 1


def test_links_are_kept_as_links_and_lead_nowhere(ground: Ground, tmp_path: Path) -> None:
    secret = tmp_path / "elsewhere"
    secret.mkdir()
    (secret / "secret").write_text("not yours")
    (ground.root / "out").symlink_to(secret)
    (ground.root / "loop").symlink_to("loop")
    (ground.root / "up").symlink_to(".")
    (ground.root / "gone").symlink_to("nowhere")

    folder, summary = ground.rescue()

    kept = {entry["path"]: entry["link"] for entry in manifest(folder)["files"]}
    assert kept == {"out": str(secret), "loop": "loop", "up": ".", "gone": "nowhere"}
    assert all((folder / path).readlink() == Path(to) for path, to in kept.items())
    assert summary["bytes"] == 0


def test_holes_stay_holes_and_count_for_nothing(ground: Ground) -> None:
    sparse = ground.root / "sparse"
    with sparse.open("wb") as out:
        out.write(b"begin")
        out.seek(100_000_000)
        out.write(b"end")
        out.truncate(180_000_000)
    before = sparse.stat()
    if before.st_blocks * 512 > 1_000_000:
        pytest.skip("this file system knows no holes")

    folder, summary = ground.rescue(limit=1_000_000)

    kept = (folder / "sparse").stat()
    assert kept.st_size == before.st_size
    assert kept.st_blocks <= before.st_blocks + 16
    assert check_sums(folder) == 1
    assert summary["bytes"] == before.st_blocks * 512


def test_a_file_that_is_nothing_but_a_hole_is_kept(ground: Ground) -> None:
    with (ground.root / "hole").open("wb") as out:
        out.truncate(100_000_000)

    folder, summary = ground.rescue(limit=1000)

    assert (folder / "hole").stat().st_size == 100_000_000
    assert (folder / "hole").stat().st_blocks == 0
    assert (summary["files"], summary["left"]) == (1, 0)


def test_a_huge_file_is_left_and_named_and_the_small_ones_are_kept(ground: Ground) -> None:
    for number in range(10):
        (ground.root / f"small{number}").write_bytes(b"x" * 1000)
    (ground.root / "big").write_bytes(b"x" * 50_000)

    folder, summary = ground.rescue(limit=20_000)

    assert summary["files"] == 10
    assert list(left(summary, ground.root)) == ["big"]
    assert "limit of 20.0 kB" in left(summary, ground.root)["big"]
    assert manifest(folder)["left"] == summary["told_left"]


def test_smallest_first_where_not_all_fit(ground: Ground) -> None:
    sizes = [70_000, 10_000, 40_000, 20_000, 60_000]
    for size in sizes:
        (ground.root / f"{size}").write_bytes(os.urandom(size))

    _, summary = ground.rescue(limit=80_000)

    assert set(left(summary, ground.root)) == {"70000", "60000"}


def test_hard_links_are_kept_each(ground: Ground) -> None:
    (ground.root / "one").write_text("the same")
    os.link(ground.root / "one", ground.root / "two")

    folder, _ = ground.rescue()

    assert (folder / "one").read_text() == (folder / "two").read_text() == "the same"


def test_names_of_ours_are_given_to_nobody_else(ground: Ground) -> None:
    for name in ("manifest.json", "_manifest.json", "SHA256SUMS", f".rescue-{ground.job}.jsonl"):
        (ground.root / name).write_text(name)
    (ground.root / "home").mkdir()
    (ground.root / "home" / "x").write_text("of the root")
    (ground.home / "x").write_text("of home")

    folder, summary = ground.rescue()

    assert summary["files"] == 6
    assert (folder / "_manifest.json").read_text() == "manifest.json"
    assert (folder / "__manifest.json").read_text() == "_manifest.json"
    assert (folder / "_home" / "x").read_text() == "of the root"
    assert (folder / "home" / "x").read_text() == "of home"
    assert check_sums(folder) == 6


def test_no_two_files_are_put_in_one_place() -> None:
    names = [
        f"{under}{name}" for under in ("", "_", "__") for name in ("manifest.json", "home", "x", "SHA256SUMS")
    ]
    placed = [path_in_rescue(name, of_home=False, two_bases=True) for name in names]
    assert len(set(placed)) == len(names)
    assert not {"manifest.json", "SHA256SUMS", "home"} & set(placed)


def test_what_cannot_be_read_is_named(ground: Ground) -> None:
    for each in (ground.root, ground.home, ground.private):
        each.chmod(0o777)
    (ground.root / "open").write_text("x")
    (ground.root / "closed").write_text("x")
    (ground.root / "closed").chmod(0)
    (ground.root / "closed folder").mkdir(mode=0)
    command: list[str] = []
    if os.geteuid() == 0:
        for each in (ground.folder.resolve(), *ground.folder.resolve().parents):
            with suppress(OSError):
                if each != Path("/") and not each.stat().st_mode & 0o001:
                    each.chmod(each.stat().st_mode | 0o001)
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        (ground.root / "open").chmod(0o644)
        probe = [*command, sys.executable, "-c", "import sys; open(sys.argv[1])", str(ground.root / "open")]
        if (
            shutil.which("setpriv") is None
            or subprocess.run(probe, check=False, capture_output=True).returncode
        ):
            pytest.skip("cannot become somebody else here")

    _, summary = ground.rescue(command=command)

    assert {name: reason.partition(":")[0] for name, reason in left(summary, ground.root).items()} == {
        "closed": "It cannot be read",
        "closed folder": "It cannot be read",
    }
    assert summary["files"] == 1


def test_nothing_to_rescue_leaves_no_folder(ground: Ground) -> None:
    (ground.root / "empty").mkdir()

    answer = ground.run()

    assert answer["result"]["name"] is None
    assert answer["result"]["summary"]["files"] == 0
    assert not list(ground.rescued.iterdir())


def test_nothing_kept_leaves_no_folder_and_says_what_is_left(ground: Ground) -> None:
    (ground.root / "big").write_bytes(b"x" * 5000)

    answer = ground.run(limit=10)

    assert answer["result"]["name"] is None
    assert list(left(answer["result"]["summary"], ground.root)) == ["big"]
    assert not list(ground.rescued.iterdir())


def test_two_rescues_of_one_second_have_two_folders(ground: Ground) -> None:
    (ground.root / "x").write_text("x")
    (ground.rescued / "2026-11-25T013000Z").mkdir(parents=True)
    (ground.rescued / "2026-11-25T013000Z" / "mine").write_text("by hand")
    others = [Ground(ground.folder) for _ in range(3)]

    workers = [each.start() for each in others]
    answers = [json.loads(worker.communicate(timeout=PATIENCE)[0].splitlines()[-1]) for worker in workers]

    names = sorted(answer["result"]["name"] for answer in answers)
    assert names == [f"2026-11-25T013000Z-{number}" for number in (2, 3, 4)]
    assert all(check_sums(ground.rescued / name) == 1 for name in names)
    assert [each.name for each in (ground.rescued / "2026-11-25T013000Z").iterdir()] == ["mine"]


def test_folders_sort_by_time_and_have_no_odd_character() -> None:
    name = folder_name(utc_now())
    assert not set(name) & set('<>:"/\\|?* ')
    assert sorted([f"{name}-2", name]) == [name, f"{name}-2"]


def test_chosen_files_and_what_is_left_out(ground: Ground) -> None:
    for path in ("a/one", "a/two", "b/three", "four"):
        (ground.root / path).parent.mkdir(exist_ok=True)
        (ground.root / path).write_text(path)
    (ground.private / "lasts").write_text("x")
    root = str(ground.root)

    folder, summary = ground.rescue(
        paths=[f"{root}/a", f"{root}/four", f"{root}/private/lasts", "/etc/passwd", f"{root}/nowhere"],
        **{"except": [f"{root}/a/two"]},
    )

    assert {entry["path"] for entry in manifest(folder)["files"]} == {"a/one", "four"}
    reasons = {each["path"]: each["reason"] for each in summary["told_left"]}
    assert set(reasons) == {f"{root}/private/lasts", "/etc/passwd", f"{root}/nowhere"}
    assert "lasts" in reasons[f"{root}/private/lasts"]


def test_a_link_in_place_of_the_folder_of_rescues_is_refused(ground: Ground, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    ground.rescued.symlink_to(tmp_path / "elsewhere")
    (ground.root / "x").write_text("x")

    answer = ground.run()

    assert answer["error"]["kind"] == "ConflictError"
    assert not list((tmp_path / "elsewhere").iterdir())


def test_private_storage_that_is_away_is_not_written_beside(ground: Ground) -> None:
    (ground.root / "x").write_text("x")
    ground.private.rmdir()

    answer = ground.run()

    assert answer["error"]["kind"] == "NotFoundError"
    assert not ground.private.exists()


class Copying:
    """The copier alone, with somebody who does something to a file in the middle."""

    def __init__(self, tmp_path: Path) -> None:
        self.source, self.target = tmp_path / "source", tmp_path / "target"
        self.source.mkdir()
        self.target.mkdir()
        self.file = self.source / "file"
        self.moved = 0
        self.steps: Iterator[object] = iter(())

    def copier(self) -> Copier:
        def moved(count: int) -> None:
            self.moved += count
            next(self.steps, None)

        return Copier(os.open(self.target, os.O_RDONLY), threading.Event(), moved)

    def copy(self, relative: str = "file") -> object:
        base = os.open(self.source, os.O_RDONLY)
        try:
            return self.copier().copy(base, relative, relative, ".temporary")
        finally:
            os.close(base)


def test_a_file_that_changes_once_is_copied_again(tmp_path: Path) -> None:
    copying = Copying(tmp_path)
    copying.file.write_bytes(b"a" * 3_000_000)
    copying.steps = (copying.file.write_bytes(b"b" * 3_000_000) for _ in range(1))

    copy = copying.copy()

    assert (tmp_path / "target" / ".temporary").read_bytes() == b"b" * 3_000_000
    assert getattr(copy, "changed", None) is False
    assert copying.moved == 3_000_000


def test_a_file_that_does_not_stop_changing_is_kept_and_named(tmp_path: Path) -> None:
    copying = Copying(tmp_path)
    copying.file.write_bytes(b"a" * 3_000_000)

    def append() -> Iterator[None]:
        while True:
            with copying.file.open("ab") as out:
                out.write(b"more")
            yield

    copying.steps = append()

    copy = copying.copy()

    kept = tmp_path / "target" / ".temporary"
    assert getattr(copy, "changed", None) is True
    assert sha256(kept) == getattr(copy, "sha256", "")
    assert copying.file.read_bytes().startswith(kept.read_bytes())


def test_a_file_that_is_made_shorter_is_kept_as_it_is_then(tmp_path: Path) -> None:
    copying = Copying(tmp_path)
    copying.file.write_bytes(b"a" * 6_000_000)
    copying.steps = (os.truncate(copying.file, 2_000_000) for _ in range(1))

    copying.copy()

    assert (tmp_path / "target" / ".temporary").read_bytes() == b"a" * 2_000_000


def test_a_file_that_vanishes_or_becomes_something_else_is_left(tmp_path: Path) -> None:
    copying = Copying(tmp_path)
    with pytest.raises(LeftError, match="removed meanwhile"):
        copying.copy()
    os.mkfifo(copying.file)
    with pytest.raises(LeftError, match="named pipe"):
        copying.copy()
    assert not list((tmp_path / "target").iterdir())


def test_a_folder_that_is_swapped_for_a_link_gives_nothing_from_elsewhere(tmp_path: Path) -> None:
    copying = Copying(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_text("secret")
    (copying.source / "folder").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LeftError, match="replaced meanwhile"):
        copying.copy("folder/file")

    # And nothing is written elsewhere.
    (copying.source / "other").mkdir()
    (copying.source / "other" / "file").write_text("mine")
    (tmp_path / "target" / "other").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Exception, match=r"Not a directory|symbolic links"):
        copying.copy("other/file")
    assert [each.name for each in (tmp_path / "elsewhere").iterdir()] == ["file"]


def test_memory_is_bounded_and_all_come_smallest_first(tmp_path: Path) -> None:
    sizes = [(number * 37) % 101 for number in range(500)]
    for number, size in enumerate(sizes):
        (tmp_path / f"{number % 7}").mkdir(exist_ok=True)
        (tmp_path / f"{number % 7}" / f"{number}").write_bytes(b"x" * size)
    plan = Plan([str(tmp_path)], [str(tmp_path)], [])
    total = passes.Total()

    groups = list(passes.smallest_first(lambda: walk(plan), lambda _: True, total, at_once=60))

    weights = [each.weight for group in groups for each in group]
    assert max(map(len, groups)) == 60
    assert weights == sorted(sizes)
    assert len({each.source for group in groups for each in group}) == 500
    assert (total.files, total.bytes) == (500, sum(sizes))


def test_time_that_is_over_names_what_is_left(ground: Ground) -> None:
    for number in range(20):
        (ground.root / f"{number}").write_text("x")

    answer = ground.run(seconds=0.0)

    summary = answer["result"]["summary"]
    assert summary["files"] == 0
    assert set(left(summary, ground.root).values()) == {"There was no time left for it."}
    assert len(left(summary, ground.root)) == 20


def test_a_rescue_begins_at_once(ground: Ground) -> None:
    """It has tens of milliseconds, so its process imports little: nothing of Jupyter, and no other room."""
    # What was there before is Python's, or measures it.
    code = (
        "import sys; before = {*sys.modules}; sys.path.insert(1, sys.argv[1]); "
        "import jupyter_mlinfn.storage.rescue.serving; print(*({*sys.modules} - before))"
    )
    command = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run([*command, str(PACKAGES)], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    ours = {name.split(".")[1] for name in loaded if name.startswith("jupyter_mlinfn.")}

    assert "jupyter_mlinfn.storage.rescue.work" in loaded
    assert ours == {"_version", "disk", "errors", "sizes", "storage", "times"}
    assert loaded.isdisjoint({"asyncio", "socket", "ssl", "subprocess", "tempfile", "importlib.metadata"})
    began = time.perf_counter()
    assert ground.run("probe")["result"]["free_bytes"] > 0
    note(f"a rescue's process answered after {1000 * (time.perf_counter() - began):.0f} ms")


def test_a_home_that_is_not_there_keeps_nothing_else_from_being_kept(ground: Ground) -> None:
    (ground.root / "a").write_text("work")
    ground.home.rmdir()

    folder, summary = ground.rescue()

    assert (folder / "a").read_text() == "work"
    assert (summary["files"], summary["left"]) == (1, 0)


@pytest.mark.parametrize("odd", ["/q\0b/c", "/\ud800/c", "relative"])
def test_what_is_no_path_at_all_is_named_and_the_rest_is_kept(ground: Ground, odd: str) -> None:
    (ground.root / "a").write_text("work")
    (ground.root / "b").write_text("more")

    _, summary = ground.rescue(
        paths=[str(ground.root / "a"), str(ground.root / "b"), odd],
        **{"except": [odd, str(ground.root / "b")]},
    )

    assert summary["files"] == 1
    assert [(each["path"], each["reason"]) for each in summary["told_left"]] == [
        (odd, "It is no absolute path.")
    ]


@pytest.mark.parametrize(
    ("name", "shown"), [("a\nb", "a\\nb"), ("caf\udce9", "caf\\xe9"), ("\ud800", "\\ud800"), ("è", "è")]
)
def test_any_name_can_be_written_in_a_log(name: str, shown: str) -> None:
    assert printable(name) == shown
