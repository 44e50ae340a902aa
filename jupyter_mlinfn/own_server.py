"""The running server that a terminal or a kernel belongs to, for the command line."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import DependencyError, NotFoundError, from_json
from .idle.room import PID_VARIABLE

_PREFIX = "/api/mlinfn"
_LIMIT = 30.0
_HINT = "Run this in a terminal of JupyterLab, or in a notebook."


@dataclass(frozen=True)
class OwnServer:
    """One server.

    Attributes:
        url: with its base URL, without a slash at the end.
    """

    url: str
    token: str = field(repr=False)

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer of a route of ours, `path` below its prefix.

        Raises:
            MlinfnError: as the server answers it.
            DependencyError: it does not answer.
        """
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"token {self.token}"} if self.token else {}
        request = urllib.request.Request(f"{self.url}{_PREFIX}/{path}", data, headers, method=method)  # noqa: S310
        # Not through a proxy of the environment, which leads elsewhere.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_LIMIT) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            with error:
                said = _json(error.read())
            if error.code == 404 and "kind" not in said:
                raise NotFoundError(
                    "This server cannot be asked that.",
                    reason="jupyter-mlinfn is not enabled in it, or an older one.",
                    hint="Restart the server after an installation.",
                ) from error
            if "kind" in said:
                raise from_json(said) from error
            raise DependencyError(
                "Your server refused to answer.", reason=f"{error.code} {error.reason}", hint=_HINT
            ) from error
        except (OSError, ValueError) as error:
            raise DependencyError(
                "Your server does not answer.", reason=str(error), hint="Try again in a moment."
            ) from error


def find(environment: Mapping[str, str] | None = None) -> OwnServer:
    """The server that this process was started by; else the only one that runs.

    Jupyter Server writes its address and its token into the runtime folder, which only the user can
    read; under a hub there is no token of its own: the hub's for this server is taken.

    Raises:
        NotFoundError: there is none, or several of which none is this one's.
    """
    environment = os.environ if environment is None else environment
    # Not at the top: it takes a third of a second.
    from jupyter_server.serverapp import list_running_servers

    servers = [dict(each) for each in list_running_servers()]
    own = _own(servers, environment)
    if own is None:
        found = "None of yours runs here." if not servers else f"{len(servers)} of yours run here."
        raise NotFoundError("The server of this terminal was not found.", reason=found, hint=_HINT)
    token = own.get("token") or environment.get("JUPYTERHUB_API_TOKEN", "")
    return OwnServer(str(own["url"]).rstrip("/"), str(token))


def _own(servers: Sequence[Mapping[str, Any]], environment: Mapping[str, str]) -> Mapping[str, Any] | None:
    by_process = {each.get("pid"): each for each in servers}
    for process in _ancestors():
        if process in by_process:
            return by_process[process]
    for name in ("JPY_PARENT_PID", PID_VARIABLE):
        told = environment.get(name, "")
        if told.isdigit() and int(told) in by_process:
            return by_process[int(told)]
    prefix = environment.get("JUPYTERHUB_SERVICE_PREFIX")
    fitting = [each for each in servers if prefix is None or each.get("base_url") == prefix]
    return fitting[0] if len(fitting) == 1 else None


def _ancestors() -> Sequence[int]:
    import psutil

    try:
        return [each.pid for each in psutil.Process().parents()]
    except psutil.Error:
        return []


def _json(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
