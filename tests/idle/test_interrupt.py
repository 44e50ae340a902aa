"""Ctrl-C on a laptop asks first, as ever, also with a policy."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from tornado import web

from ..support import nursery
from ..support.evidence import shown_if_red
from ..support.patience import PATIENCE
from ..support.ports import reserved_port
from ..support.server import TOKEN, Platform, wait_for

ROUTE = "ctrl-c-of-the-tests"


class Ends(JupyterHandler):
    """Tells what Ctrl-C does now: Jupyter Server puts that back just after it has said that it goes on."""

    @web.authenticated
    def get(self) -> None:
        self.finish(getattr(signal.getsignal(signal.SIGINT), "__name__", ""))


def _load_jupyter_server_extension(serverapp: Any) -> None:
    serverapp.web_app.add_handlers(".*$", [(f"{serverapp.base_url}{ROUTE}", Ends)])


def test_ctrl_c_on_a_laptop_keeps_asking(tmp_path: Path) -> None:
    platform = Platform(tmp_path / "platform", ["https://channel.invalid"], traits={"idle_timeout": 3600.0})
    platform.write_config()
    outer, inner = pty.openpty()
    log = platform.folder / "server.log"
    with reserved_port() as port, log.open("wb") as output, shown_if_red("the server said", log):
        process = nursery.start(
            [
                *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"),
                *(f"--port={port}", f"--IdentityProvider.token={TOKEN}"),
                f"--ServerApp.jpserver_extensions={ {'jupyter_mlinfn': True, __name__: True} }",
            ],
            env=platform.variables(),
            cwd=platform.root,
            stdin=inner,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        os.close(inner)

        def does() -> str:
            address = f"http://127.0.0.1:{port}/{ROUTE}?token={TOKEN}"
            with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
                return str(answer.read().decode())

        def first() -> str:
            try:
                return does()
            except urllib.error.URLError:
                return ""

        def asked() -> int:
            return len(re.findall(r"Shut down this Jupyter server \(y/\[n\]\)", log.read_text()))

        try:
            # After our own part has started, too.
            wait_for(lambda: f"127.0.0.1:{port}" in log.read_text())
            # What it says of itself may be there before it takes connections.
            asks = wait_for(first)
            for times, answer in ((1, b"n\n"), (2, b"y\n")):
                # Typed ahead, for it waits only five seconds for it.
                os.write(outer, answer)
                process.send_signal(signal.SIGINT)
                wait_for(lambda wanted=times: asked() == wanted)
                if times == 1:
                    wait_for(lambda: "resuming operation" in log.read_text())
                    wait_for(lambda: does() == asks)
                    assert process.poll() is None
            assert process.wait(PATIENCE) == 0
            assert "No answer" not in log.read_text()
        finally:
            os.close(outer)
            if process.poll() is None:
                process.kill()
                process.wait(PATIENCE)
