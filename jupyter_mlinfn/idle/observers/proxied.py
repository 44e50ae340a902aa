"""What passes jupyter-server-proxy for the applications behind it.

Its own record (`last_activity_times["jupyter-server-proxy"]`) is not used: it moves with each ping, and
with whatever an application sends to a forgotten tab.
"""

from __future__ import annotations

import itertools
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from ..sources.proxied import ProxiedSource, Request

_MODULE = "jupyter_server_proxy.handlers"

_sources: weakref.WeakKeyDictionary[Any, ProxiedSource] = weakref.WeakKeyDictionary()
"""By web application: the handlers' class is one for the whole process."""

_numbers: Iterator[int] = itertools.count()


def observe(web_app: Any, source: ProxiedSource) -> Callable[[], None] | None:
    """Tell the source what passes; when all extensions are loaded.

    Returns:
        What ends it; None where jupyter-server-proxy is not loaded, or not as it was known to us.
    """
    handler: Any = getattr(sys.modules.get(_MODULE), "ProxyHandler", None)
    if handler is None or not all(hasattr(handler, name) for name in ("prepare", "on_message", "on_close")):
        return None
    if not getattr(handler, "_mlinfn_observed", False):
        handler._mlinfn_observed = True
        _wrap(handler)
    _sources[web_app] = source

    def end() -> None:
        _sources.pop(web_app, None)

    return end


def _wrap(handler: Any) -> None:
    prepare, on_message, on_close = handler.prepare, handler.on_message, handler.on_close

    async def prepare_and_tell(self: Any, *args: Any, **more: Any) -> None:
        await prepare(self, *args, **more)
        source = _sources.get(self.application)
        # Who is not logged in was sent away.
        if source is None or self._finished or not self.current_user or not _counts(self):
            return
        request = self.request
        source.request(Request(_name(self), request.method, request.path, request.headers))

    def on_message_and_tell(self: Any, message: str | bytes) -> Any:
        source = _sources.get(self.application)
        if source is not None and _counts(self):
            if not hasattr(self, "_mlinfn_number"):
                self._mlinfn_number = next(_numbers)
            source.frame(_name(self), self.request.path, self._mlinfn_number, message)
        return on_message(self, message)

    def on_close_and_tell(self: Any, *args: Any, **more: Any) -> Any:
        source = _sources.get(self.application)
        if source is not None and hasattr(self, "_mlinfn_number"):
            source.closed(self._mlinfn_number)
        return on_close(self, *args, **more)

    handler.prepare = prepare_and_tell
    handler.on_message = on_message_and_tell
    handler.on_close = on_close_and_tell


def _counts(handler: Any) -> bool:
    """Whether the admin lets it count, as jupyter-server-proxy's own settings of an application say."""
    update = getattr(handler, "update_last_activity", True)
    if callable(update):
        return bool(update(handler))
    patterns = getattr(handler, "exclude_last_activity_patterns", ())
    return bool(update) and not any(pattern.match(handler.request.path) for pattern in patterns)


def _name(handler: Any) -> str:
    if base := getattr(handler, "proxy_base", ""):
        return str(base)
    port = next((each for each in handler.path_args if str(each).isdigit()), "")
    return f"the application at port {port}" if port else "a proxied application"
