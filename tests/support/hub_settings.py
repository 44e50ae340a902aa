"""How a hub of the tests and its servers are; see `tests.support.hub`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class HubSettings:
    """How the hub is configured; seconds, whole ones.

    Attributes:
        culler_timeout: of jupyterhub-idle-culler; None for no culler.
        culler_max_age: 0 for none.
        proxy_class: `mlinfn` for ours, empty for the stock one.
        sample_every: between two readings of the proxy's activity.
        poll_every: between two looks whether the servers' processes live.
        slow_stop: after which a stop is answered before its server is gone.
        fresh: all in interpreters of their own, as people start them; else see `tests.support.nursery`.
    """

    culler_timeout: int | None = None
    culler_every: int = 1
    culler_max_age: int = 0
    proxy_class: str = ""
    sample_every: int = 1
    poll_every: int = 1
    slow_stop: int = 600
    fresh: bool = False


@dataclass(frozen=True)
class ServerSettings:
    """How a single-user server is.

    Attributes:
        enabled: with our extension.
        traits: of `MlinfnApp`.
        config: further sections of its jupyter_server_config.json.
        extensions: further server extensions, by module.
        activity_interval: between two reports to the hub; whole seconds, 0 for no reports.
        own_server: its token may read and stop its own server; else it has JupyterHub's default.
        stop_signal: SIGINT as from JupyterHub's local spawner, SIGTERM as from Kubernetes.
        grace: seconds before worse signals; as long as a busy machine takes, where nothing hangs.
        as_extension: JupyterHub's part is a server extension (its default), not a subclass.
    """

    enabled: bool = True
    traits: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    extensions: Mapping[str, bool] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: Sequence[str] = ()
    activity_interval: int = 1
    own_server: bool = False
    stop_signal: Literal["SIGINT", "SIGTERM"] = "SIGINT"
    grace: int = 60
    as_extension: bool = True
