"""Run the server's own pip on a prefix: never the prefix' own, which may be broken or changing.

``pip --python INTERPRETER`` (https://pip.pypa.io/en/stable/user_guide/, "Managing a different
Python interpreter") makes the other Python run this very pip. For a Python that is too old for
it, the prefix' own pip is the only one that can be.
"""

from __future__ import annotations

import codecs
import importlib.metadata
import importlib.util
import os
import re
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import SpecifierSet

from ...errors import ConflictError, DependencyError
from ..redact import redact
from . import pip_packages

STALL = 180.0
"""Seconds without a line after which pip is given up. While something is built, pip says "still
running" every 60 s; a connection that is dead it gives up itself, after `_TIMEOUT` and retries."""
_TIMEOUT = 15
_RETRIES = 2
_KEPT_LINES = 400

UNREACHED = "Could not fetch URL"
"""How pip's own log tells of an index that did not answer; its output tells nothing of it."""

_RAW_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")

Log = Callable[[str], None]
BytesOfFile = Callable[[int, int], None]
"""Takes what has arrived of the file that is being downloaded, and its size."""


@dataclass(frozen=True)
class Outcome:
    """How pip ended. `lines` are its last ones, without credentials; where it failed, with those
    of its log that tell of an index that did not answer."""

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def command(prefix: Path | None) -> list[str]:
    """The beginning of a command line: pip for the Python of `prefix`, or for none in particular.

    Raises:
        ConflictError: the prefix has no Python.
        DependencyError: there is no pip that can do it.
    """
    spec = importlib.util.find_spec("pip")
    if spec is None or spec.origin is None:
        raise DependencyError(
            "pip is not installed where the server is.",
            reason="There is no module `pip`.",
            hint="Reinstall jupyter-mlinfn: python -m pip install --force-reinstall jupyter-mlinfn",
        )
    own = [sys.executable, "-I", "-S", str(Path(spec.origin).parent)]
    if prefix is None:
        return own
    python, version = prefix / "bin" / "python", pip_packages.python_version(prefix)
    if version is None or not python.exists():
        raise ConflictError(
            "This environment has no Python, so pip cannot install anything into it.",
            reason=f"There is no {python}.",
            hint="Install the conda package python first.",
        )
    supported = importlib.metadata.metadata("pip")["Requires-Python"]
    if SpecifierSet(supported or "").contains(version):
        return [*own, "--python", str(python)]
    site = pip_packages.site_packages(prefix)
    if site is None or not (prefix / site / "pip" / "__main__.py").is_file():
        raise ConflictError(
            f"The Python {version} of this environment is too old for the server's pip.",
            reason=f"The server's pip needs Python {supported}, and the environment has no pip of its own.",
            hint="Install the conda package pip first: it brings one that fits.",
        )
    return [str(python), "-m", "pip"]


def environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What pip gets to see: the worker's environment, which holds the settings of the site and
    the user for pip (credentials too, hence never on the command line), and what we insist on."""
    return {
        **environ,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_NO_COLOR": "1",
        "PIP_REQUIRE_VIRTUALENV": "0",  # a setting of the user's; a conda environment is none
        "PIP_ROOT_USER_ACTION": "ignore",
        "PYTHONDONTWRITEBYTECODE": "1",  # the prefix is not to be touched
        "PYTHONIOENCODING": "utf-8",
        "PYTHONNOUSERSITE": "1",  # what is in ~/.local is not in the environment
        "PYTHONUNBUFFERED": "1",
    }


def run(
    prefix: Path | None,
    arguments: Sequence[str],
    *,
    log: Log,
    on_bytes: BytesOfFile | None = None,
    what: str,
    temporary: Path | None = None,
    stall: float = STALL,
    limit: float | None = None,
) -> Outcome:
    """Run pip to its end.

    Must be called on a thread that lives until then: pip is ended with it.

    Args:
        arguments: subcommand and options, without secrets: other users see them.
        log: takes pip's lines, redacted, but those that tell bytes.
        what: what fails if this does, one sentence.
        temporary: folder for downloads and builds on their way, instead of the system's.
        stall: seconds without a word, and `limit` seconds in all, after which pip is ended.

    Raises:
        ConflictError, DependencyError: see `command`; DependencyError: a limit was passed.
        OSError: pip could not be started.
    """
    guard = [sys.executable, "-I", "-S", str(Path(__file__).with_name("pip_guard.py")), str(os.getpid())]
    env = environment() | ({"TMPDIR": str(temporary)} if temporary else {})
    begin, rest = [*guard, *command(prefix), arguments[0]], arguments[1:]
    own = ["--timeout", str(_TIMEOUT), "--retries", str(_RETRIES)]
    code, lines = _follow([*begin, *own, *rest], env, log, on_bytes, what, stall, limit)
    if code != 0 and any("No matching distribution found" in line for line in lines):
        # Is there none, or is the index away? Only a log file tells; with one, the output of builds
        # is not shown: so not from the beginning.
        with tempfile.TemporaryDirectory(prefix="mlinfn-pip-", dir=temporary) as name:
            details = Path(name) / "log"
            own += ["--log", str(details)]
            _follow([*begin, *own, *rest], env, lambda line: None, None, what, stall, limit)
            lines += _unreached(details)
    return Outcome(code, tuple(lines))


def _unreached(details: Path) -> list[str]:
    try:
        with details.open(encoding="utf-8", errors="replace") as lines:
            return [redact(line.rstrip()) for line in lines if UNREACHED in line]
    except FileNotFoundError:
        return []  # it failed before it wrote any


def _follow(
    whole: Sequence[str],
    env: Mapping[str, str],
    log: Log,
    on_bytes: BytesOfFile | None,
    what: str,
    stall: float,
    limit: float | None,
) -> tuple[int, list[str]]:
    process = subprocess.Popen(
        whole,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=env,
        cwd="/",
    )
    kept: list[str] = []
    try:
        for line in _lines(process, what, stall, limit):
            if found := _RAW_PROGRESS.fullmatch(line):
                if on_bytes is not None:
                    on_bytes(int(found.group(1)), int(found.group(2)))
                continue
            clean = redact(line)
            kept = [*kept[1 - _KEPT_LINES :], clean]
            if clean.strip() and not clean.startswith(("Requirement already satisfied", "Saved ", "Would ")):
                log(clean)
        return process.wait(), kept
    finally:
        if process.poll() is None:
            process.terminate()  # the guard ends its group
            process.wait()


def _lines(process: subprocess.Popen[bytes], what: str, stall: float, limit: float | None) -> Iterator[str]:
    """Its lines as they come.

    Raises:
        DependencyError: nothing came for `stall` seconds, or it goes on after `limit`.
    """
    if process.stdout is None:
        raise ValueError("pip needs a pipe")
    begun = heard = time.monotonic()
    decoder, rest = codecs.getincrementaldecoder("utf-8")("replace"), ""
    with selectors.DefaultSelector() as selector, process.stdout as pipe:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            now = time.monotonic()
            if now - heard > stall or (limit is not None and now - begun > limit):
                raise _gave_up(what, now - heard if now - heard > stall else now - begun, now - heard > stall)
            if not selector.select(min(1.0, stall / 4)):
                continue
            heard = time.monotonic()
            data = os.read(pipe.fileno(), 65536)
            *whole, rest = re.split(r"[\r\n]", rest + decoder.decode(data, final=not data))
            yield from whole
            if not data:
                if rest:
                    yield rest
                return


def _gave_up(what: str, seconds: float, stalled: bool) -> DependencyError:
    if stalled:
        return DependencyError(
            what,
            reason=f"pip has said nothing for {seconds:.0f} seconds.",
            hint="Try again; if it stays, tell your administrator.",
        )
    return DependencyError(
        what,
        reason=f"pip has found no answer within {seconds:.0f} seconds: "
        "too many versions would have to be tried.",
        hint="Name the versions that you want: each makes the search shorter.",
    )
