"""Living beside conda and nb_conda_kernels, where a site has them.

nb_conda_kernels replaces the server's kernelspec manager. It then offers the kernels of every
environment that conda knows, and so do our kernelspecs on disk: `install` lets each appear
once, under the name that nb_conda_kernels gives it (that is what notebooks made there hold)
and with our command, which needs no conda and starts without running it.

Conda knows environments outside its own folders from ``~/.conda/environments.txt`` only:
`register` and `unregister` keep ours there.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from logging import Logger, LoggerAdapter
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel

from .kernelspecs import KernelspecWriter, WrittenKernelspec

_EXPIRIES = ("_conda_info_cache_expiry", "_conda_kernels_cache_expiry")
_EXPIRED = 0.0
"""Not None: with that, nb_conda_kernels would run `conda info` at the next request, blocking."""


def is_nb_conda_kernels(manager: object) -> bool:
    """Whether a kernelspec manager is that of nb_conda_kernels, or behaves as it does."""
    return all(hasattr(manager, name) for name in _EXPIRIES)


def install(
    manager: KernelSpecManager, log: Logger | LoggerAdapter[Any], *, writer: KernelspecWriter | None = None
) -> Coexistence | None:
    """Make a server's kernelspec manager and our kernelspecs show each kernel once.

    Call it when the server starts. It changes this one object, not its class. With the stock
    manager nothing is needed, nothing is done, and None is returned.

    Args:
        writer: the one that keeps the kernelspecs in sync: it knows what to bring back when
            nb_conda_kernels deletes it.
    """
    if not is_nb_conda_kernels(manager):
        return None
    coexistence = Coexistence(manager, writer or KernelspecWriter(Path(manager.user_kernel_dir)))
    coexistence.install()
    log.info("nb_conda_kernels is in use: environments appear once, under its names.")
    return coexistence


@dataclass(frozen=True)
class _Pair:
    name: str
    """As nb_conda_kernels spells it, or our own where it does not offer the kernel."""
    theirs: str | None
    ours: WrittenKernelspec


class Coexistence:
    """Our kernelspecs merged into the answers of nb_conda_kernels' manager."""

    def __init__(self, manager: KernelSpecManager, writer: KernelspecWriter) -> None:
        self._manager: Any = manager  # Its private attributes are in no stub.
        self._writer = writer
        self._find: Callable[[], dict[str, str]] = manager.find_kernel_specs
        self._get: Callable[[str], KernelSpec] = manager.get_kernel_spec
        self._refreshing: threading.Thread | None = None

    def install(self) -> None:
        """Answer in place of the manager. To be called once."""
        self._manager.find_kernel_specs = self.find_kernel_specs
        self._manager.get_kernel_spec = self.get_kernel_spec
        self._manager.get_all_specs = self.get_all_specs

    def find_kernel_specs(self) -> dict[str, str]:
        """Folder of each kernelspec; as the manager's, each kernel once.

        It only reads the user's kernel folder, as the stock manager does on the same occasion.
        """
        return self._merge(*self._look())

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """The kernelspec of a name in any case. Raises `NoSuchKernel` as the manager does."""
        wanted = kernel_name.lower()
        for pair in self._look()[1]:
            if wanted in (pair.name.lower(), pair.ours.folder.name.lower()):
                return self._merged(pair)
        return self._get(kernel_name)

    def get_all_specs(self) -> dict[str, Any]:
        """Folder and content of each kernelspec, as the manager's."""
        found, pairs = self._look()
        ours = {pair.name: pair for pair in pairs}
        everything: dict[str, Any] = {}
        for name, folder in self._merge(found, pairs).items():
            try:
                spec = self._merged(ours[name]) if name in ours else self._get(name)
            except NoSuchKernel:
                continue  # Removed between the look and now.
            everything[name] = {"resource_dir": folder, "spec": spec.to_dict()}
        return everything

    def _look(self) -> tuple[dict[str, str], list[_Pair]]:
        found = dict(self._find())
        # With `kernelspec_path` set, that look deleted those of ours that conda does not know.
        self._writer.restore()
        return found, list(self._pairs(found))

    def _merge(self, found: Mapping[str, str], pairs: Sequence[_Pair]) -> dict[str, str]:
        merged = dict(found)
        for pair in pairs:
            for name in {*_same_name(merged, pair.ours.folder.name), *_same_name(merged, pair.name)}:
                del merged[name]
            merged[pair.name] = str(pair.ours.folder)
        allowed = self._manager.allowed_kernelspecs
        return {name: folder for name, folder in merged.items() if name in allowed} if allowed else merged

    def _merged(self, pair: _Pair) -> KernelSpec:
        try:
            ours = KernelSpec.from_resource_dir(str(pair.ours.folder))
        except FileNotFoundError:
            raise NoSuchKernel(pair.name) from None
        if pair.theirs is not None:
            theirs = self._get(pair.theirs)
            # Their configuration (name_format, enable_debugger) decides how it looks.
            ours.display_name = theirs.display_name
            ours.metadata = {**ours.metadata, **theirs.metadata}
        return ours

    def _pairs(self, found: Mapping[str, str]) -> Iterator[_Pair]:
        # nb_conda_kernels answers with the kernelspec's folder inside the prefix.
        by_folder = {os.path.normpath(folder): name for name, folder in found.items()}
        for written in self._writer.written().values():
            inside = written.prefix / "share" / "jupyter" / "kernels" / written.raw_name
            theirs = by_folder.get(os.path.normpath(inside))
            yield _Pair(theirs or written.folder.name, theirs, written)

    def refresh(self) -> None:
        """Let nb_conda_kernels look again, after a change. It runs conda: call it in a thread.

        Its caches are filled from here, so that no request has to wait for conda.
        """
        manager = self._manager
        if manager._conda_info_cache_expiry is None:
            return  # It has not looked yet, and will.
        manager._conda_info_cache_expiry = _EXPIRED
        _ = manager._conda_info  # Starts a thread that runs `conda info`.
        thread = getattr(manager, "_conda_info_cache_thread", None)
        if thread is not None:
            thread.join()
        manager._conda_kernels_cache_expiry = _EXPIRED
        _ = manager._conda_kspecs

    def refresh_soon(self) -> None:
        """`refresh` in a thread of its own; returns at once, for use on the event loop.

        While one runs, another is queued behind it: the first may have looked too early.
        """
        before = self._refreshing

        def run() -> None:
            if before is not None:
                before.join()
            self.refresh()

        # A daemon: a conda that hangs must not keep the server from ending.
        self._refreshing = threading.Thread(target=run, daemon=True, name="refresh nb_conda_kernels")
        self._refreshing.start()


def _same_name(names: Mapping[str, str], name: str) -> list[str]:
    return [candidate for candidate in names if candidate.lower() == name.lower()]


def environments_file() -> Path:
    """Where conda keeps the environments that lie outside its own folders."""
    return Path("~/.conda/environments.txt").expanduser()


def register(prefix: Path, *, file: Path | None = None) -> bool:
    """Tell conda of an environment; whether that could be done. Call it in a thread.

    Format: one absolute path a line, appended (conda/core/envs_manager.py, ``register_env``).
    """
    return _edit(prefix, environments_file() if file is None else file, present=True)


def unregister(prefix: Path, *, file: Path | None = None) -> bool:
    """Take an environment off conda's list, other lines untouched; whether that could be done."""
    return _edit(prefix, environments_file() if file is None else file, present=False)


class Registry:
    """Puts environments back on conda's list when somebody took them off. Use it from one thread."""

    def __init__(self) -> None:
        self._seen: tuple[object, ...] | None = None

    def keep(self, prefixes: Sequence[Path]) -> None:
        """See to it that all are listed: one stat as long as neither they nor the list change."""
        file = environments_file()
        if self._seen == (_file_stamp(file), *prefixes):
            return
        try:
            lines = set(file.read_text("utf-8").splitlines())
        except (OSError, ValueError):
            lines = set()
        for prefix in prefixes:
            if os.path.normpath(prefix) not in lines and not _edit(prefix, file, present=True, patience=0):
                break  # Read only, or in another's hands: with the next change.
        self._seen = (_file_stamp(file), *prefixes)


def _file_stamp(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _edit(prefix: Path, file: Path, *, present: bool, patience: float = 5) -> bool:
    # Not at the top: 10 ms that the server's start need not pay for.
    from filelock import FileLock, Timeout

    line = os.path.normpath(prefix)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Among servers of ours only: conda itself does not lock. So an addition is one appended
        # line, as conda's, and only a removal writes the file anew.
        with FileLock(file.with_name(f".{file.name}.lock"), timeout=patience):
            try:
                text = file.read_text("utf-8")
            except FileNotFoundError:
                text = ""
            lines = text.splitlines()
            if present and line not in lines:
                with file.open("a", encoding="utf-8") as stream:
                    stream.write(("" if not text or text.endswith("\n") else "\n") + line + "\n")
            elif not present and line in lines:
                _rewrite(file, [other for other in lines if other != line])
    except (OSError, Timeout):
        return False
    return True


def _rewrite(file: Path, lines: list[str]) -> None:
    part = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        part.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        part.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
