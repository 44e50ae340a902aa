"""Ports that nobody else gets: for what has to be told its port before it listens, or comes back to it.

Whatever can choose a port by itself (port 0) does.
"""

from __future__ import annotations

import fcntl
import random
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_RANGE = range(18_000, 32_000)
"""Below those from which Linux takes one for each connection that somebody opens
(`/proc/sys/net/ipv4/ip_local_port_range`)."""
_LOCKS = Path(tempfile.gettempdir(), "jupyter-mlinfn-tests-ports")
_chance = random.SystemRandom()


@contextmanager
def reserved_port() -> Iterator[int]:
    """A free port of the loopback, which no test on this machine is given until the context ends."""
    _LOCKS.mkdir(exist_ok=True)
    while True:
        port = _chance.choice(_RANGE)
        with (_LOCKS / str(port)).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            yield port
            return
