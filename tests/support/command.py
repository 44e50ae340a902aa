"""A command line, run to its end and forked from the nursery: what it prints, and its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from . import nursery
from .patience import PATIENCE


def run(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    module: str = "jupyter_mlinfn.cli",
) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True)`.

    Raises:
        AssertionError: it did not end in all the time that a test has patience for.
    """
    command = [sys.executable, "-m", module, *arguments]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("stdout", "stderr")]
        with files[0].open("wb") as stdout, files[1].open("wb") as stderr:
            process = nursery.start(
                command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
            )
        try:
            code = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            said = "\n".join(file.read_text(errors="replace")[-3000:] for file in files)
            raise AssertionError(f"{command} did not end in {PATIENCE:.0f} s; it said:\n{said}") from None
        out, error = (file.read_text() for file in files)
    return subprocess.CompletedProcess(command, code, out, error)
