"""What goes wrong with pip, each fault made to happen to the real pip, and what is said of it."""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from jupyter_mlinfn.envs.worker import pip_install, pip_packages, pip_run
from jupyter_mlinfn.envs.worker.pip_models import PlannedWheel
from jupyter_mlinfn.envs.worker.pip_requirements import check
from jupyter_mlinfn.envs.worker.pip_resolve import resolve
from jupyter_mlinfn.errors import (
    BadInputError,
    ConflictError,
    DependencyError,
    MlinfnError,
    NotFoundError,
    UnsolvableError,
)

from ..support import wheels
from ..support.channel_server import ChannelServer
from ..support.patience import PATIENCE, wait_for
from ..support.processes import is_at_work

SECRET = "s3cretpassw0rd"


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that pip can install for; these tests leave it as it is."""
    prefix = tmp_path_factory.mktemp("python") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True)
    return prefix


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChannelServer]:
    """A package index; pip is told of it by the environment, as the worker's pip is."""
    folder = tmp_path / "index"
    wheels.wheel(folder, "herd", "1.0", requires=["cow>=2"])
    for version in ("1.0", "1.1", "2.0"):
        wheels.wheel(folder, "cow", version)
    wheels.source(folder, "calf", "0.1")
    broken = wheels.source(folder, "mule", "0.1")
    break_backend(broken)
    wheels.simple(folder)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setattr(pip_run, "_RETRIES", 0)
    with ChannelServer(folder) as server:
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple/")
        yield server


def break_backend(archive: Path) -> None:
    with tarfile.open(archive) as old:
        files = {member.name: old.extractfile(member).read() for member in old.getmembers()}  # type: ignore[union-attr]
    with tarfile.open(archive, "w:gz") as new:
        for name, data in files.items():
            content = b"raise SystemExit('no compiler for mules')" if name.endswith("backend.py") else data
            member = tarfile.TarInfo(name)
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))


def answer(prefix: Path, *requirements: str, **more: object) -> list[PlannedWheel]:
    options = {"upgrade": False, "held": {}, "log": lambda line: None} | more
    return resolve(prefix, requirements, **options)  # type: ignore[arg-type]


def said(kind: type[MlinfnError], prefix: Path, *requirements: str, **more: object) -> MlinfnError:
    with pytest.raises(kind) as caught:
        answer(prefix, *requirements, **more)
    assert caught.value.message
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-r requirements.txt", "option"),
        ("--index-url=https://a.example", "option"),
        ("./folder", "folder"),
        ("/etc/passwd", "folder"),
        ("git+https://a.example/b.git", "NAME @ URL"),
        ("https://a.example/b-1.0-py3-none-any.whl", "NAME @ URL"),
        (f"b @ https://me:{SECRET}@a.example/b-1.0-py3-none-any.whl", "password"),
        ("b @ git+https://a.example/b.git", "archive"),
        ("b @ https://a.example/b", "archive"),
        ("b @ file:///srv/../etc/b.whl", ".."),
        ("b ==", ""),
    ],
)
def test_what_is_no_requirement_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadInputError) as caught:
        check(["cow>=1", text])
    (entry,) = caught.value.fields["specs"]
    assert message in entry["message"]
    assert SECRET not in str(caught.value) + str(caught.value.fields)


def test_a_plan_has_versions_hashes_and_what_was_asked(prefix: Path, index: ChannelServer) -> None:
    plan = {one.name: one for one in answer(prefix, "herd")}
    assert {name: (one.version, one.requested, one.is_wheel) for name, one in plan.items()} == {
        "herd": ("1.0", True, True),
        "cow": ("2.0", False, True),
    }
    assert all(len(one.sha256 or "") == 64 for one in plan.values())
    assert not list(prefix.rglob("cow*"))


def test_what_conda_holds_is_told_with_the_way_out(prefix: Path, index: ChannelServer) -> None:
    error = said(UnsolvableError, prefix, "herd", held={"cow": "1.1"})
    assert "cow 1.1 is conda's here" in error.message
    assert "herd 1.0 depends on cow>=2" in error.reason
    assert "install cow>=2 as a conda package" in error.hint
    index.requests.clear()
    error = said(UnsolvableError, prefix, "cow>=2", held={"cow": "1.1"})
    assert "cow 1.1 is conda's here" in error.message
    assert index.requests == []


def test_versions_that_do_not_fit_together(prefix: Path, index: ChannelServer) -> None:
    error = said(UnsolvableError, prefix, "herd", "cow<2")
    assert "herd 1.0 depends on cow>=2" in error.reason
    assert "conda" not in error.reason


def test_what_there_is_not(prefix: Path, index: ChannelServer) -> None:
    assert "nosuchthing" in said(NotFoundError, prefix, "nosuchthing").message
    error = said(UnsolvableError, prefix, "cow==7")
    assert error.reason == "There are 1.0, 1.1, 2.0."
    error = said(MlinfnError, prefix, "calf==0.1", python_version="3.12")
    assert "calf" in error.message


def test_a_build_that_fails(prefix: Path, index: ChannelServer) -> None:
    error = said(UnsolvableError, prefix, "mule")
    assert error.message == "mule could not be built."
    assert "no compiler for mules" in error.reason


def test_an_index_that_does_not_answer(
    prefix: Path, index: ChannelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    host = index.url.removeprefix("http://")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://me:{SECRET}@{host}/simple/")
    index.refuse()
    error = said(DependencyError, prefix, "cow", log=lines.append)
    assert "connection refused" in error.reason
    assert SECRET not in str(error) + "".join(lines)
    index.listen()
    index.faults["simple/cow"] = "500"
    assert "HTTP 500" in said(DependencyError, prefix, "cow").reason
    index.faults["simple/cow"] = "404"
    assert "no cow" in said(NotFoundError, prefix, "cow").message


@pytest.mark.parametrize(
    ("fault", "words"), [("corrupt", "checksum"), ("truncate", "broke off"), ("404", "404"), ("500", "500")]
)
def test_a_wheel_that_does_not_arrive(
    prefix: Path, index: ChannelServer, tmp_path: Path, fault: str, words: str
) -> None:
    plan = answer(prefix, "cow")
    store = tmp_path / "wheels"
    index.faults["cow-2.0"] = fault  # type: ignore[assignment]
    with pytest.raises(DependencyError) as caught:
        pip_install.fetch(plan, store, prefix=prefix, log=lambda line: None)
    assert words in caught.value.reason
    assert list(store.iterdir()) == []
    index.faults.clear()
    (wheel,) = pip_install.fetch(plan, store, prefix=prefix, log=lambda line: None)
    index.refuse()
    assert pip_install.fetch(plan, store, prefix=prefix, log=lambda line: None) == [wheel]


def test_what_a_killed_fetch_left_is_swept(prefix: Path, index: ChannelServer, tmp_path: Path) -> None:
    plan = answer(prefix, "cow")
    store = tmp_path / "wheels"
    for name in ("killed", "at-work", "young"):
        (store / f".loading-{name}").mkdir(parents=True)
        (store / f".loading-{name}" / "half.whl").write_bytes(b"half")
    for name in ("killed", "at-work"):
        os.utime(store / f".loading-{name}", (1, 1))
    descriptor = os.open(store / ".loading-at-work", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    pip_install.fetch(plan, store, prefix=prefix, log=lambda line: None)
    os.close(descriptor)
    assert {path.name for path in store.glob(".*")} == {".loading-at-work", ".loading-young"}


def test_pip_that_says_nothing_is_ended_with_all_it_started(prefix: Path, index: ChannelServer) -> None:
    index.faults["cow"] = "hang"
    before = set(psutil.Process().children(recursive=True))
    with ThreadPoolExecutor(max_workers=1) as pool:
        running = pool.submit(
            pip_run.run,
            prefix,
            ["install", "--dry-run", "--report", os.devnull, "cow"],
            log=lambda line: None,
            what="Nothing came.",
            stall=2.0,
        )
        # Where pip has not begun to ask within that time, it is given up all the same.
        wait_for(lambda: index.hanging.is_set() or running.done())
        started = set(psutil.Process().children(recursive=True)) - before
        with pytest.raises(DependencyError) as caught:
            running.result()
    assert "nothing for" in caught.value.reason
    wait_for(lambda: not any(map(is_at_work, started)))


def test_pip_ends_with_the_worker(prefix: Path, index: ChannelServer) -> None:
    index.faults["cow"] = "hang"
    code = (
        "import os, sys; from pathlib import Path; from jupyter_mlinfn.envs.worker import pip_run\n"
        "pip_run.run(Path(sys.argv[1]), ['install', '--dry-run', '--report', os.devnull, 'cow'],"
        " log=print, what='')"
    )
    worker = subprocess.Popen([sys.executable, "-c", code, str(prefix)], stdout=subprocess.DEVNULL)
    assert index.hanging.wait(PATIENCE)
    started = psutil.Process(worker.pid).children(recursive=True)
    assert len(started) >= 2
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    wait_for(lambda: not any(map(is_at_work, started)))


def test_a_prefix_without_python(tmp_path: Path, index: ChannelServer) -> None:
    (tmp_path / "empty" / "conda-meta").mkdir(parents=True)
    assert "no Python" in said(ConflictError, tmp_path / "empty", "cow").message


def test_a_wheel_that_would_write_elsewhere(prefix: Path, tmp_path: Path) -> None:

    good = wheels.wheel(tmp_path, "cow", "1.0")
    bad = tmp_path / "bad" / good.name
    bad.parent.mkdir()
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(bad, "w") as new:
        for entry in old.namelist():
            data = old.read(entry)
            if entry.endswith("RECORD"):
                data += b"../../../../../outside.txt,,\n"
            new.writestr(entry, data)
        new.writestr("../../../../../outside.txt", "gotcha")
    wheel = pip_install.Wheel("cow", "1.0", bad, "0" * 64)
    staging = tmp_path / "a" / "staging"
    with pytest.raises(MlinfnError):
        pip_install.stage([wheel], staging=staging, prefix=prefix)
    assert not list(tmp_path.rglob("outside.txt"))


def test_damaged_records_are_told_apart(prefix: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(prefix, copy, symlinks=True)
    store = wheels.wheel(tmp_path / "w", "cow", "1.0")
    pip_install.stage([pip_install.Wheel("cow", "1.0", store, "0" * 64)], staging=copy, prefix=copy)
    (cow,) = pip_packages.distributions(copy)
    site = pip_packages.site_packages(copy)
    assert (cow.installer, set(cow.files or ())) == (
        "pip",
        {
            f"{site}/cow.py",
            *(f"{cow.folder}/{name}" for name in ("INSTALLER", "METADATA", "RECORD", "WHEEL")),
        },
    )
    record = copy / cow.folder / "RECORD"
    record.write_text(record.read_text() + "../../../../../../etc/passwd,,\n/etc/hosts,,\n")
    (cow,) = pip_packages.distributions(copy)
    assert not [path for path in cow.files or () if "etc" in path]
    record.write_bytes(b"\xff\xfe,only two\n")
    (cow,) = pip_packages.distributions(copy)
    assert cow.files is None
    with pytest.raises(ConflictError, match="nobody knows which files"):
        pip_packages.removal(copy, [cow], ["cow"])


def test_a_removal_names_who_needs_it_here(tmp_path: Path) -> None:
    def one(name: str, *requires: str) -> pip_packages.Distribution:
        return pip_packages.Distribution(
            name, name, "1.0", f"{name}-1.0.dist-info", "dist-info", requires=requires, files={}
        )

    found = [
        one("cow"),
        one("herd", "grass", "Cow >=1"),
        one("tractor", "cow ; sys_platform == 'win32'", "diesel"),
        one("old", "cow (>=1", "hay"),
        one("calf", "cow ; extra == 'milk'"),
    ]

    assert pip_packages.removal(tmp_path, found, ["cow"]).dependents == {"cow": ("herd",)}


def test_byte_code_goes_with_its_module(prefix: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(prefix, copy, symlinks=True)
    store = wheels.wheel(tmp_path / "w", "cow", "1.0")
    pip_install.stage([pip_install.Wheel("cow", "1.0", store, "0" * 64)], staging=copy, prefix=copy)
    writing = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([copy / "bin" / "python", "-c", "import cow"], check=True, env=writing)
    removal = pip_packages.removal(copy, pip_packages.distributions(copy), ["Cow"])
    assert [path for path in removal.paths if path.endswith(".pyc")]
    left = {path.relative_to(copy).as_posix() for path in copy.rglob("*cow*/*")} - set(removal.paths)
    assert left == set()
