"""Compiling an environment after it was made, and being told to stop."""

from __future__ import annotations

from pathlib import Path

import psutil

from jupyter_mlinfn.envs.bytecode import BytecodeCompiler

from ..support.patience import until


async def test_compiling_that_is_stopped_leaves_no_process_and_is_not_told_as_done(tmp_path: Path) -> None:
    prefix, begun = tmp_path / "env", tmp_path / "begun"
    (prefix / "lib" / "python3.11").mkdir(parents=True)
    python = prefix / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\necho $$ > '{begun}.new'\nmv '{begun}.new' '{begun}'\nexec sleep 1000\n")
    python.chmod(0o755)
    compiled: list[Path] = []
    compiler = BytecodeCompiler(compiled.append)

    compiler.start(prefix)
    await until(begun.exists)
    pid = int(begun.read_text())
    assert psutil.pid_exists(pid)
    await compiler.stop(tmp_path / "another")
    assert psutil.pid_exists(pid)
    await compiler.stop(prefix)

    assert not psutil.pid_exists(pid)
    assert compiled == []
