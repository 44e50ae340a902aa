"""Which kernel, terminal or other program a process belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from .models import Owner, OwnerKind, Program
from .procfs import Proc, Status
from .shortname import program

# What Jupyter gives what it starts, and children inherit. A kernel: the document that its session was
# opened for (jupyter_server, SessionManager.get_kernel_env), none for a kernel without a session, and
# the process of its server (jupyter_client, launcher.launch_kernel). A terminal: nothing that tells
# which one (terminado, TermManagerBase.make_term_env).
_DOCUMENT = "JPY_SESSION_NAME"
_SERVER = "JPY_PARENT_PID"
_TERMINAL = "PYXTERM_DIMENSIONS"

NO_SERVER = 0
"""In place of a server's process, for a command line: it knows programs by their environment alone."""


class Belonging(NamedTuple):
    owner: Owner
    note: str = ""


class Owners:
    """Finds the owner of one process after the other, in one look at the processes.

    Args:
        programs: what runs in this server.
        server: process of this server, or `NO_SERVER`.
        inherited: the server's own environment, of which its children's says nothing about them.
    """

    def __init__(
        self, proc: Proc, programs: Sequence[Program], server: int, inherited: Mapping[str, str]
    ) -> None:
        self._proc = proc
        self._server = server
        self._inherited = inherited if server != NO_SERVER else {}
        self._roots = {program.pid: program for program in programs if program.pid is not None}

    def root(self, pid: int) -> Program | None:
        """What has this process at its root."""
        return self._roots.get(pid)

    def of(self, status: Status) -> Belonging:
        """By its parents; where they are gone (nohup, setsid), by the session that a kernel or a
        terminal leads and its children stay in, and last by what they inherit of its environment."""
        for ancestor in self._line(status):
            if root := self._roots.get(ancestor.pid):
                return Belonging(_owner(root))
            if ancestor.pid == self._server:
                return Belonging(self._other(status), _BY_SERVER if ancestor is not status else _IS_SERVER)
        leader = self._proc.status(status.session)
        root = self._roots.get(status.session)
        if root and leader and leader.started <= status.started:
            return self._detached(root, status)
        return self._by_environment(status)

    def _line(self, status: Status | None) -> Iterator[Status]:
        """The process, its parent, …"""
        met = set()
        while status is not None and status.pid not in met:
            met.add(status.pid)
            yield status
            status = self._proc.status(status.parent)

    def _by_environment(self, status: Status) -> Belonging:
        mine = self._marks(status.pid)
        document = mine.get(_DOCUMENT, "")
        if self._server == NO_SERVER:
            return Belonging(self._by_name(document, mine, status))
        if _SERVER in mine:
            if not self._is_this_server(mine[_SERVER], status):
                return Belonging(self._other(status), "Started by a kernel of another or an earlier server.")
            for pid, root in self._roots.items():
                if root.kind != "terminal" and document and self._marks(pid).get(_DOCUMENT) == document:
                    return self._detached(root, status)
            by = document.rpartition("/")[2] or "a kernel of this server"
            return Belonging(
                self._other(status), f"Started by {by}, and detached from it. {_end(status.pid)}"
            )
        if _TERMINAL in mine:
            note = f"Started in a terminal, and detached from it. {_end(status.pid)}"
            return Belonging(self._other(status), note)
        return Belonging(self._other(status))

    def _by_name(self, document: str, marks: Mapping[str, str], status: Status) -> Owner:
        """What it was started for: a document, a kernel without one, or a terminal."""
        if document:
            kind: OwnerKind = "notebook" if document.endswith(".ipynb") else "kernel"
            return Owner(kind, None, document.rpartition("/")[2], None)
        other = self._other(status)
        if _SERVER in marks:
            return replace(other, kind="kernel")
        return Owner("terminal", None, "a terminal", None) if _TERMINAL in marks else other

    def _marks(self, pid: int) -> dict[str, str]:
        environment = self._proc.environment(pid)
        return {
            name: environment[name]
            for name in (_DOCUMENT, _SERVER, _TERMINAL)
            if name in environment and environment[name] != self._inherited.get(name)
        }

    def _is_this_server(self, pid: str, status: Status) -> bool:
        server = self._proc.status(self._server)
        # An earlier server may have had the same number.
        return pid == str(self._server) and server is not None and server.started <= status.started

    def _detached(self, root: Program, status: Status) -> Belonging:
        if root.kind == "terminal":
            return Belonging(_owner(root))
        # Without the kernel's id: shutting it down would not give this memory back.
        owner = Owner(root.kind, None, root.title, root.path)
        note = f"Detached from its kernel: shutting the kernel down does not end it. {_end(status.pid)}"
        return Belonging(owner, note)

    def _other(self, status: Status) -> Owner:
        return Owner("other", None, program(self._proc.arguments(status.pid), status.name), None)


_IS_SERVER = "This server itself."
_BY_SERVER = "Started by this server."


def _owner(root: Program) -> Owner:
    return Owner(root.kind, root.id, root.title, root.path)


def _end(pid: int) -> str:
    return f"To end it, type “kill {pid}” in a terminal."
