"""Ctrl-C on a laptop asks first, as ever, also with a policy."""

from __future__ import annotations

import os
import pty
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

from ..support.patience import PATIENCE
from ..support.server import Platform, wait_for


def test_ctrl_c_on_a_laptop_keeps_asking(tmp_path: Path) -> None:
    platform = Platform(tmp_path / "platform", ["https://channel.invalid"], traits={"idle_timeout": 3600.0})
    platform.write_config()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    outer, inner = pty.openpty()
    log = platform.folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"),
                *(f"--port={port}", "--ServerApp.jpserver_extensions={'jupyter_mlinfn': True}"),
            ],
            env=platform.variables() | {"PYTHONUNBUFFERED": "1"},
            cwd=platform.root,
            stdin=inner,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    os.close(inner)

    def asked() -> int:
        return len(re.findall(r"Shut down this Jupyter server \(y/\[n\]\)", log.read_text()))

    try:
        # After our own part has started, too.
        wait_for(lambda: f"127.0.0.1:{port}" in log.read_text())
        for times, answer in ((1, b"n\n"), (2, b"y\n")):
            process.send_signal(signal.SIGINT)
            wait_for(lambda wanted=times: asked() == wanted)
            assert process.poll() is None
            os.write(outer, answer)
            if times == 1:
                wait_for(lambda: "resuming operation" in log.read_text())
        assert process.wait(PATIENCE) == 0
    finally:
        os.close(outer)
        if process.poll() is None:
            process.kill()
            process.wait(PATIENCE)
