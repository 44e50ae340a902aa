"""Read by JupyterHub as its configuration: what `tests.support.hub` wrote becomes settings.

JupyterHub hands in `c`; the file with the settings is named by `MLINFN_TEST_HUB_SETTINGS`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import jupyterhub.services.service
import jupyterhub.spawner
import jupyterhub.utils

from tests.support import nursery
from tests.support.hub_spawner import FolderSpawner, scopes

c: Any = get_config()  # type: ignore[name-defined]  # noqa: F821 - given by traitlets
said = json.loads(Path(os.environ["MLINFN_TEST_HUB_SETTINGS"]).read_text())

if not said["fresh"]:
    # Servers and the culler start in a tenth of a second.
    jupyterhub.spawner.Popen = jupyterhub.services.service.Popen = nursery.start  # type: ignore[attr-defined]
    jupyterhub.spawner.LocalProcessSpawner.proc.klass = object
# The hub looks whether a server is there, or gone, several times a second; its own pauses grow to five
# seconds. (First pause, factor, longest pause, timeout, jitter.)
jupyterhub.utils.exponential_backoff.__defaults__ = (0.05, 1.5, 0.2, 10, 0.1)

c.JupyterHub.bind_url = said["url"]
c.JupyterHub.hub_bind_url = said["hub_url"]
c.JupyterHub.db_url = f"sqlite:///{said['folder']}/hub.sqlite"
c.JupyterHub.cookie_secret_file = f"{said['folder']}/cookie-secret"
c.JupyterHub.cleanup_servers = False
c.JupyterHub.cleanup_proxy = False
c.JupyterHub.allow_named_servers = True
c.JupyterHub.last_activity_interval = said["sample_every"]
c.JupyterHub.concurrent_spawn_limit = 0
c.JupyterHub.tornado_settings = {"slow_stop_timeout": said["slow_stop"]}
c.JupyterHub.log_level = "DEBUG"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True

# The proxy is a process of the tests', as it is a pod of its own on Kubernetes: a hub that comes back
# finds it.
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = said["proxy_api"]
if said["proxy_class"]:
    c.JupyterHub.proxy_class = said["proxy_class"]

c.JupyterHub.spawner_class = FolderSpawner
c.FolderSpawner.folder = said["folder"]
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"]
c.Spawner.server_token_scopes = scopes
c.Spawner.poll_interval = said["poll_every"]
# The tests have the patience, and say for what they waited.
c.Spawner.http_timeout = 900
c.Spawner.start_timeout = 900

c.JupyterHub.services = [{"name": "tests", "api_token": said["admin_token"]}]
c.JupyterHub.load_roles = [
    {
        "name": "tests",
        "services": ["tests"],
        "scopes": ["admin:users", "admin:servers", "tokens", "access:servers", "list:users", "proxy"],
    }
]
if said["culler_timeout"] is not None:
    c.JupyterHub.services.append(
        {
            "name": "culler",
            "command": [
                *(sys.executable, "-m", "jupyterhub_idle_culler"),
                f"--timeout={said['culler_timeout']}",
                f"--cull-every={said['culler_every']}",
                f"--max-age={said['culler_max_age']}",
                "--IdleCuller.log_level=DEBUG",
            ],
            "environment": {said["mark_name"]: said["mark"]},
        }
    )
    c.JupyterHub.load_roles.append(
        {
            "name": "culler",
            "services": ["culler"],
            "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        }
    )
