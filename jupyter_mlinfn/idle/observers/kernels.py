"""What the kernels of this server are doing, heard on the streams that Jupyter Server has open anyway.

Jupyter Server's own figures are not used: `last_activity` of a kernel moves with whatever a page asks
by itself while the kernel is busy or a widget is alive, and a kernel that waits for an answer to
`input()` is busy like any other. No socket of ours, and a message that is no status costs the search
of a word in its header.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from jupyter_core.utils import ensure_async

from ..sources.kernels import KernelSource, Request

_log = logging.getLogger(__name__)

_DELIMITER = b"<IDS|MSG>"


def observe(manager: Any, source: KernelSource) -> Callable[[], None]:
    """Tell the source what the kernels of `MappingKernelManager` say, those of later too.

    `start_watching_activity` is what the manager calls for a kernel that has started or changed its
    ports. What is wrapped are public methods of instances, not classes: of this server only.

    Returns:
        What ends it, for kernels that start later.
    """
    start, remove = manager.start_watching_activity, manager.remove_kernel

    def start_watching(kernel_id: str) -> None:
        kernel = manager.get_kernel(kernel_id)
        source.gone(kernel_id)
        heard = _Heard(kernel_id, kernel.session, source)
        connect = kernel.connect_iopub
        # For this one call: pages connect to it as well, and they are not ours to listen to.
        kernel.connect_iopub = lambda *args, **more: _also(connect(*args, **more), heard.status)
        try:
            start(kernel_id)
        finally:
            kernel.connect_iopub = connect
        if not getattr(kernel, "_mlinfn_heard", False):
            kernel._mlinfn_heard = True
            heard.listen(kernel)

    def remove_kernel(kernel_id: str, *args: Any, **more: Any) -> Any:
        # One that was shut, or died once too often, says no more of itself.
        source.gone(kernel_id)
        return remove(kernel_id, *args, **more)

    manager.start_watching_activity, manager.remove_kernel = start_watching, remove_kernel
    for kernel_id in manager.list_kernel_ids():
        # One that is starting is watched in a moment, by what is ours by now.
        if getattr(manager.get_kernel(kernel_id), "_activity_stream", None) is not None:
            manager.stop_watching_activity(kernel_id)
            start_watching(kernel_id)

    def end() -> None:
        manager.start_watching_activity, manager.remove_kernel = start, remove

    return end


class _Heard:
    """One kernel."""

    def __init__(self, kernel_id: str, session: Any, source: KernelSource) -> None:
        self._kernel_id = kernel_id
        self._session = session
        self._source = source

    def listen(self, kernel: Any) -> None:
        """Besides what it says: who is asked on stdin, and that its process is replaced."""
        connect_stdin, restart = kernel.connect_stdin, kernel.restart_kernel
        kernel.connect_stdin = lambda *args, **more: self._stdin(connect_stdin(*args, **more))

        async def restart_kernel(*args: Any, **more: Any) -> Any:
            try:
                return await ensure_async(restart(*args, **more))
            finally:
                # A process that was killed said no last word, and the new one's first is often lost.
                self._source.gone(self._kernel_id)

        kernel.restart_kernel = restart_kernel

    def status(self, parts: Sequence[bytes]) -> None:
        """A message on its iopub channel; `parts` as zmq gives them."""
        # https://jupyter-client.readthedocs.io/en/stable/messaging.html#the-wire-protocol
        begin = parts.index(_DELIMITER) + 2
        if b"status" not in parts[begin]:
            return
        unpack = self._session.unpack
        if unpack(parts[begin]).get("msg_type") != "status":
            return
        state = unpack(parts[begin + 3]).get("execution_state")
        if state in ("starting", "restarting", "dead"):
            self._source.gone(self._kernel_id)
            return
        parent = unpack(parts[begin + 1]) or {}
        request = Request(parent.get("msg_id", ""), parent.get("msg_type", ""), parent.get("subshell_id"))
        if state == "busy":
            self._source.begins(self._kernel_id, request)
        elif state == "idle":
            self._source.ends(self._kernel_id, request)

    def _stdin(self, stream: Any) -> Any:
        """Listen to a client's stdin channel: the kernel asks there, and is answered there.

        The server reads it for as long as it has the client's streams, which is also when the page
        was closed: messages are then kept for its return (`buffer_offline_messages`).
        """
        send = stream.send_multipart

        def send_multipart(*args: Any, **more: Any) -> Any:
            self._source.answered(self._kernel_id)
            return send(*args, **more)

        stream.send_multipart = send_multipart
        return _also(stream, lambda _: self._source.asks(self._kernel_id))


def _also(stream: Any, hear: Callable[[Sequence[bytes]], None]) -> Any:
    """The `ZMQStream`, whose every receiver from now on has us behind it."""
    on_recv = stream.on_recv

    def with_us(callback: Callable[[Any], Any] | None, copy: bool = True) -> None:
        if callback is None or not copy:
            on_recv(callback, copy=copy)
            return

        def receive(parts: Sequence[bytes]) -> Any:
            # Theirs first: it raises where the signature is wrong.
            answer = callback(parts)
            try:
                hear(parts)
            except Exception as error:  # noqa: BLE001 - whatever a kernel sends, its messages go on
                _log.warning("A message of a kernel could not be understood: %r", error)
            return answer

        on_recv(receive, copy=copy)

    stream.on_recv = with_us
    return stream
