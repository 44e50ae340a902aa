"""Wheels: fetched or built by pip, kept by their hash, and unpacked into a staging folder.

The wheels of everything that pip installed here are kept, so that a revision can be had again when
the index is away. Unpacking is PyPA's `installer`: it writes the files that pip would, without
running anything, into whatever folder it is told.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.exceptions import InstallerError
from installer.sources import WheelFile
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from ...disk import Need
from ...errors import DependencyError, MlinfnError, from_os_error
from ...files import sha256_of
from . import pip_packages, pip_run
from .pip_failures import translate
from .pip_models import PlannedWheel, Staged, Wheel

WHAT = "pip's packages could not be fetched."

_LOADING = ".loading-"
_YOUNG = 60.0
"""Seconds: a folder that was made just now may not be locked yet."""

Progress = Callable[[dict[str, Any]], None]


def fetch(
    planned: Sequence[PlannedWheel],
    store: Path,
    *,
    prefix: Path,
    log: pip_run.Log,
    progress: Progress | None = None,
    python_version: str | None = None,
) -> list[Wheel]:
    """The wheels of what is planned, each at ``store/SHA256/NAME.whl``, in the order of the plan.

    What is kept is not fetched again, and needs no network. Source distributions are built, by pip
    in the environment, and what was built is kept. Blocks.

    Args:
        progress: takes fields of `models.Progress`.
        python_version: ``3.12``, where the wheels are for another Python than the prefix has.

    Raises:
        MlinfnError: pip does not get it, see `pip_failures.translate`.
        OSError: the storage is gone, full or read-only.
    """
    found: dict[str, Wheel] = {}
    missing = []
    for each in planned:
        kept = kept_wheel(store, each)
        if kept is None:
            missing.append(each)
        else:
            found[each.name] = kept
    if missing:
        # Not with its parents: below a volume that went away nothing may be made.
        store.mkdir(exist_ok=True)
        # Hashes are for all of a call of pip's or for none.
        for group in ([e for e in missing if e.sha256], [e for e in missing if not e.sha256]):
            if group:
                found |= _load(group, store, prefix, log, progress, python_version)
    return [found[each.name] for each in planned]


def kept_wheel(store: Path, planned: PlannedWheel) -> Wheel | None:
    """The kept wheel of a plan; None where there is none, or it is not what it was."""
    if planned.sha256 is None:
        return None
    for folder in (store / planned.sha256, *_built_from(store, planned.sha256)):
        for file in sorted(folder.glob("*.whl")):
            if sha256_of(file) == folder.name:
                return _wheel(planned, file, folder.name)
    return None


def stage(
    wheels: Iterable[Wheel], *, staging: Path, prefix: Path, python_version: str | None = None
) -> list[Staged]:
    """Unpack wheels into a staging folder as if it were the prefix: scripts run the prefix' Python.

    Args:
        python_version: as for `fetch`.

    Raises:
        MlinfnError: a wheel is none, or wants to write where it must not.
        OSError: the storage is gone, full or read-only.
    """
    site = pip_packages.site_packages(prefix)
    if python_version is not None:
        site = f"lib/python{python_version}/site-packages"
    if site is None:
        raise MlinfnError("The environment has no Python.", hint="Install the conda package python first.")
    python = site.split("/")[1]
    staged = []
    for wheel in wheels:
        # The schemes of a posix_prefix Python (sysconfig), below the staging folder.
        schemes = {
            "purelib": site,
            "platlib": site,
            "scripts": "bin",
            "data": "",
            "headers": f"include/{python}/{wheel.name}",
        }
        destination = SchemeDictionaryDestination(
            {name: os.fspath(staging / folder) for name, folder in schemes.items()},
            interpreter=os.fspath(prefix / "bin" / "python"),
            script_kind="posix",
            overwrite_existing=True,
        )
        metadata = {"INSTALLER": b"pip\n"}
        if wheel.requested:
            metadata["REQUESTED"] = b""
        if wheel.direct_url is not None:
            metadata["direct_url.json"] = json.dumps(wheel.direct_url).encode()
        try:
            with WheelFile.open(wheel.file) as source:
                install(source=source, destination=destination, additional_metadata=metadata)
                folder = f"{site}/{source.dist_info_dir}"
        except (InstallerError, ValueError, KeyError) as error:
            raise MlinfnError(
                f"{wheel.file.name} cannot be installed.",
                reason=str(error),
                hint="Its author has to mend it: install another version.",
            ) from error
        staged.append(_staged(wheel, staging, folder))
    return staged


def _load(
    planned: Sequence[PlannedWheel],
    store: Path,
    prefix: Path,
    log: pip_run.Log,
    progress: Progress | None,
    python_version: str | None,
) -> dict[str, Wheel]:
    done = 0
    total = None if any(e.size is None for e in planned) else sum(e.size or 0 for e in planned)
    current = [0, 0]

    def on_bytes(arrived: int, size: int) -> None:
        nonlocal done
        if arrived < current[0] or size != current[1]:
            done += current[0]
        current[:] = [arrived, size]
        if progress is not None:
            shown = done + arrived if total is None else min(total, done + arrived)
            progress({"phase": "downloading", "bytes_done": shown, "bytes_total": total})

    need = Need(total) if total is not None else None
    sweep(store)
    with tempfile.TemporaryDirectory(prefix=_LOADING, dir=store) as name, _in_use(Path(name)):
        work = Path(name)
        wanted = work / "requirements.txt"
        wanted.write_text("".join(map(_requirement, planned)), encoding="utf-8")
        arguments = ["--no-deps", "--progress-bar", "raw", "--requirement", str(wanted)]
        if python_version is None or python_version == pip_packages.python_version(prefix):
            arguments = ["wheel", "--wheel-dir", name, *arguments]
            python: Path | None = prefix
        else:
            only = ["--only-binary=:all:", "--python-version", python_version]
            arguments = ["download", "--dest", name, *only, *arguments]
            python = None
        try:
            outcome = pip_run.run(python, arguments, log=log, on_bytes=on_bytes, what=WHAT, temporary=work)
        except OSError as error:
            raise from_os_error(WHAT, error, store, need) from error
        if outcome.code != 0:
            raise translate(outcome.text, WHAT, None, store, need)
        return _keep(planned, work, store)


def sweep(store: Path) -> None:
    """Remove what fetches that were killed have left; those at work hold a lock."""
    for folder in store.glob(f"{_LOADING}*"):
        with contextlib.suppress(OSError):  # locked, gone meanwhile, or no locks here: then it stays
            if time.time() - folder.stat().st_mtime < _YOUNG:
                continue
            with _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
                shutil.rmtree(folder)


@contextlib.contextmanager
def _in_use(folder: Path) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a file system without locks: nobody sweeps there either
            stack.enter_context(_locked(folder, fcntl.LOCK_EX))
        yield


@contextlib.contextmanager
def _locked(folder: Path, kind: int) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, kind)
        yield
    finally:
        os.close(descriptor)


def _requirement(planned: PlannedWheel) -> str:
    """A line of a requirements file
    (https://pip.pypa.io/en/stable/reference/requirements-file-format/)."""
    source = f"=={planned.version}"
    if planned.direct_url is not None and planned.url:
        source = f" @ {planned.url}"
    return planned.name + source + (f" --hash=sha256:{planned.sha256}\n" if planned.sha256 else "\n")


def _keep(planned: Sequence[PlannedWheel], work: Path, store: Path) -> dict[str, Wheel]:
    """Move what pip has loaded into the store."""
    by_name: dict[str, Path] = {}
    for loaded in work.glob("*.whl"):
        try:
            by_name[parse_wheel_filename(loaded.name)[0]] = loaded
        except InvalidWheelFilename:
            continue
    found = {}
    for each in planned:
        file = by_name.get(canonicalize_name(each.name))
        if file is None:
            raise DependencyError(
                f"{each.name} {each.version} could not be fetched.",
                reason="pip has left no wheel of it.",
                hint="Try again; if it stays, give the job's log to your administrator.",
            )
        sha256 = sha256_of(file)
        folder = store / sha256
        folder.mkdir(exist_ok=True)
        with file.open("rb") as data:
            os.fsync(data.fileno())
        file.replace(folder / file.name)
        if each.sha256 not in (None, sha256):
            # Built from a source distribution: the next time it is found by that one's hash.
            (folder / f"{each.sha256}.source").touch()
        found[each.name] = _wheel(each, folder / file.name, sha256)
    return found


def _built_from(store: Path, sha256: str) -> list[Path]:
    return [mark.parent for mark in store.glob(f"*/{sha256}.source")]


def _wheel(planned: PlannedWheel, file: Path, sha256: str) -> Wheel:
    return Wheel(
        planned.name, planned.version, file, sha256, planned.url, planned.requested, planned.direct_url
    )


def _staged(wheel: Wheel, staging: Path, folder: str) -> Staged:
    record = f"{folder}/RECORD"
    files: Mapping[str, str | None] = {}
    for one in pip_packages.distributions_in(staging, folder.rpartition("/")[0]):
        if one.folder == folder:
            files = one.files or {}
    sha256 = sha256_of(staging / record)
    return Staged(wheel.name, wheel.version, wheel.sha256, sha256, {**files, record: None})
