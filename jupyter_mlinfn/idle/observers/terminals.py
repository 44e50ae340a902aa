"""Which terminals this server has."""

from __future__ import annotations

import fcntl
import struct
from typing import Any

_TIOCGPTN = 0x80045430
"""Number of the terminal whose master this is: https://man7.org/linux/man-pages/man2/TIOCGPTN.2const.html"""


def devices(server: Any) -> dict[str, str]:
    """Path of the device by name of terminal, of `jupyter_server_terminals`; empty without it.

    Args:
        server: the `ServerApp`; asked at each call, as its terminals may be loaded after us.
    """
    manager = server.web_app.settings.get("terminal_manager")
    found = {}
    for name, terminal in list(getattr(manager, "terminals", {}).items()):
        try:
            (number,) = struct.unpack("I", fcntl.ioctl(terminal.ptyproc.fd, _TIOCGPTN, bytes(4)))
        except (OSError, ValueError, AttributeError):
            continue  # It is being closed, or is no pseudo-terminal.
        found[str(name)] = f"/dev/pts/{number}"
    return found
