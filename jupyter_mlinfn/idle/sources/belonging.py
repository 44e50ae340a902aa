"""Whose a process is: of this server, or somebody else's on the same machine.

In a container that was started for this server every process is its own: all that the PID namespace
shows. Elsewhere a process is recognised by a variable that this server gives to whatever it starts,
and that children keep when they are handed over to process 1 (`nohup`, `setsid`, tmux).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Literal

VARIABLE = "MLINFN_SERVER_ID"
"""Ids of the servers that a process descends from, a server in a terminal of another included."""

Scope = Literal["auto", "namespace", "marked"]
Found = Literal["namespace", "marked"]

_INITIAL_PID_NAMESPACE = 0xEFFFFFFC
"""PROC_PID_INIT_INO: https://github.com/torvalds/linux/blob/master/include/linux/proc_ns.h"""
_HUB = "JUPYTERHUB_SERVICE_PREFIX"


def mark(environment: MutableMapping[str, str]) -> str:
    """Give this server's children what they are recognised by; before the first is started.

    Returns:
        The id of this server.
    """
    own = uuid.uuid4().hex
    outer = environment.get(VARIABLE, "")
    environment[VARIABLE] = f"{outer}:{own}" if outer else own
    return own


def scope(environment: Mapping[str, str], pid: int, parent: int, *, proc: Path = Path("/proc")) -> Found:
    """How processes of this server are told: `namespace` if all that can be seen are its own.

    That is so in a PID namespace other than the machine's whose process 1 is this server, or started
    it, or was given the same address below the hub. A container in which somebody works besides this
    server (a hub with local servers, tests) has another process 1, and neither of these.
    """
    try:
        if os.readlink(proc / "self/ns/pid") == f"pid:[{_INITIAL_PID_NAMESPACE}]":  # noqa: PTH115
            return "marked"
    except OSError:
        return "marked"
    if 1 in (pid, parent):
        return "namespace"
    prefix = environment.get(_HUB)
    if prefix and f"{_HUB}={prefix}".encode() in _environ(proc, 1):
        return "namespace"
    return "marked"


def _environ(proc: Path, pid: int) -> list[bytes]:
    try:
        return (proc / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []
