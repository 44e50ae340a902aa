"""Hold memory of the demo's simulated GPU, as a tensor would hold that of a real one.

    import mlinfn_gpu
    held = mlinfn_gpu.hold(gib=3)    # until held.release(), or until this process ends

Each hold is a file in a folder next to the driver's state file; `source/holders.c` adds its memory to the
device. The standard library is enough: the demo's channel has a copy of this file as `mlinfn_gpu`.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import weakref
from pathlib import Path

_VARIABLE = "MLINFN_SIMULATED_DRIVER"
_CHOICES = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")
_GIB = 1024**3
_numbers = itertools.count(1)


class Held:
    """Memory that is held. Let go by `release()`, by being forgotten, and at the end of the process."""

    def __init__(self, path: Path, size: int) -> None:
        self.size = size
        self._release = weakref.finalize(self, _let_go, path, os.getpid())

    def release(self) -> None:
        """Give it back; a second time does nothing."""
        self._release()

    def __repr__(self) -> str:
        state = "held" if self._release.alive else "given back"
        return f"<{self.size / _GIB:.2f} GiB of the simulated GPU, {state}>"


def hold(gib: float | None = None, *, size: int | None = None) -> Held:
    """Hold `gib` GiB, or `size` bytes, of the device that this process may use.

    Keep what it returns: the memory is given back when it is forgotten.

    Raises:
        MemoryError: less is free.
        RuntimeError: there is no simulated GPU here.
        ValueError: no size is given, or one below nothing.
    """
    state_file = os.environ.get(_VARIABLE)
    if not state_file or not Path(state_file).is_file():
        raise RuntimeError(
            "There is no simulated GPU here: it belongs to `jupyter mlinfn demo` on a machine without a GPU."
        )
    wanted = int((gib or 0) * _GIB) if size is None else size
    if wanted <= 0:
        raise ValueError("Say how much to hold: gib=3")
    free = _free()
    if free is not None and wanted > free:
        raise MemoryError(
            f"{wanted / _GIB:.2f} GiB are wanted, {free / _GIB:.2f} GiB of the simulated GPU are free."
        )
    folder = claims_folder(Path(state_file))
    folder.mkdir(exist_ok=True)
    path = folder / f"{os.getpid()}-{next(_numbers)}"
    unfinished = folder / f".{path.name}"
    unfinished.write_text(f"{wanted} {_start_time()} {_device()}\n")
    unfinished.replace(path)
    return Held(path, wanted)


def claims_folder(state_file: Path) -> Path:
    """Where the holds are of the driver that has this state file."""
    return state_file.with_name(f"{state_file.name}.claims")


def _let_go(path: Path, pid: int) -> None:
    if pid == os.getpid():  # not in a child that was forked while it was held
        path.unlink(missing_ok=True)


def _free() -> int | None:
    """Bytes that may still be held; None where the library does not tell."""
    try:
        ask = ctypes.CDLL("libnvidia-ml.so.1").mlinfn_simulated_free
    except (OSError, AttributeError):
        return None
    ask.restype = ctypes.c_int64
    free: int = ask(_device().encode())
    return None if free < 0 else free


def _start_time() -> int:
    """Of this process, in clock ticks: by it a later process with the same id is told apart."""
    after_the_name = Path("/proc/self/stat").read_text().rpartition(")")[2]
    return int(after_the_name.split()[19])


def _device() -> str:
    """The UUID that this process is given; `*` stands for the first that may be used."""
    for variable in _CHOICES:
        first = os.environ.get(variable, "").split(",")[0].strip()
        if first.startswith(("GPU-", "MIG-")):
            return first
    return "*"
