"""A real JupyterHub with its proxy and its culler, and single-user servers as processes of their own.

    with hub_running(tmp_path / "hub", HubSettings(culler_timeout=8)) as hub:
        ada = hub.start("ada", settings=ServerSettings(activity_interval=1))
        ada.request("GET", "api/mlinfn/idle")      # through the proxy, as a browser would
        context.add_cookies(hub.cookies("ada"))    # for Playwright; then page.goto(ada.url + "/lab")
        wait_for(lambda: not ada.running())
        print(ada.log(), hub.log())

Many users share one hub: what differs between servers is in `ServerSettings`, what differs between
hubs in `HubSettings`. Everything that was started is ended with the hub: what belongs to it bears
a mark in its environment.
"""

from __future__ import annotations

import http.cookiejar
import json
import os
import re
import secrets
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

from . import nursery
from .evidence import shown_if_red
from .hub_settings import HubSettings, ServerSettings
from .hub_tools import kill, listens, request, unless_gone
from .nursery import command_of, environment_of
from .patience import PATIENCE
from .ports import reserved_port
from .server import Platform, Process, wait_for

REPOSITORY = Path(__file__).parents[2]
PROXY = REPOSITORY / "labextension" / "node_modules" / ".bin" / "configurable-http-proxy"
MARK = "MLINFN_TEST_HUB"


class Hub:
    """A running hub. Use `hub_running`."""

    def __init__(self, folder: Path, settings: HubSettings) -> None:
        self.folder = folder
        self.settings = settings
        self.mark = secrets.token_hex(8)
        self._ends = ExitStack()
        ports = [self._ends.enter_context(reserved_port()) for _ in range(3)]
        for name in ("hub", "proxy"):
            self._ends.enter_context(shown_if_red(f"the {name} said", folder / f"{name}.log"))
        self.url = f"http://127.0.0.1:{ports[0]}"
        self._proxy_api, self._hub = (f"http://127.0.0.1:{port}" for port in ports[1:])
        self._admin_token = secrets.token_hex(16)
        self._proxy_token = secrets.token_hex(16)
        self._processes: dict[str, Process] = {}
        self._tokens: dict[str, str] = {}
        (folder / "servers").mkdir(parents=True)

    # The hub and its proxy

    def start_proxy(self) -> None:
        """Without routes; the hub adds those that are missing when it reads the proxy's activity."""
        port, api = (urllib.parse.urlsplit(url).port for url in (self.url, self._proxy_api))
        self._start(
            "proxy",
            [
                *(str(PROXY), "--ip=127.0.0.1", f"--port={port}"),
                *("--api-ip=127.0.0.1", f"--api-port={api}"),
                *(f"--default-target={self._hub}", f"--error-target={self._hub}/hub/error"),
            ],
        )
        wait_for(lambda: listens(self._proxy_api) and listens(self.url))

    def start_hub(self) -> None:
        """Also again, after `kill_hub`: it finds its users, its servers and the proxy."""
        file = self.folder / "hub.json"
        file.write_text(
            json.dumps(
                {
                    **asdict(self.settings),
                    "folder": str(self.folder),
                    "url": self.url,
                    "hub_url": self._hub,
                    "proxy_api": self._proxy_api,
                    "admin_token": self._admin_token,
                    "mark_name": MARK,
                    "mark": self.mark,
                }
            )
        )
        self._start(
            "hub",
            [*(sys.executable, "-m", "jupyterhub"), f"--config={Path(__file__).with_name('hub_config.py')}"],
            MLINFN_TEST_HUB_SETTINGS=str(file),
        )
        wait_for(self._answers)

    def kill_hub(self) -> None:
        """As when its pod is lost: the hub and its culler are gone, proxy and servers stay."""
        lost = self._processes.pop("hub")
        kill([psutil.Process(lost.pid), *self._marked("jupyterhub_idle_culler")])
        lost.wait(PATIENCE)

    def suspend_hub(self) -> None:
        """It takes connections and answers none any more."""
        psutil.Process(self._processes["hub"].pid).suspend()

    def kill_proxy(self) -> None:
        proxy = self._processes.pop("proxy")
        kill([psutil.Process(proxy.pid)])
        proxy.wait(PATIENCE)

    def log(self, name: Literal["hub", "proxy"] = "hub") -> str:
        """The hub's log has the culler's in it."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def close(self) -> None:
        kill([process for process in psutil.process_iter() if self.marks(process)])
        for process in self._processes.values():
            process.wait(PATIENCE)
        self._ends.close()

    # The API, as an admin

    def api(
        self, method: str, path: str, body: Any = None, *, token: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON of the hub's answer; `path` is below `/hub/api/`.

        Args:
            token: default: an admin's.
        """
        return request(method, f"{self.url}/hub/api/{path}", token or self._admin_token, body)

    def routes(self) -> dict[str, Any]:
        """Of the proxy, with its own figures of activity."""
        status, body = request("GET", f"{self._proxy_api}/api/routes", self._proxy_token)
        assert status == 200, body
        return body

    def token(self, user: str) -> str:
        """One with which requests through the proxy are the user's."""
        if user not in self._tokens:
            self._user(user)
            status, body = self.api("POST", f"users/{user}/tokens", {"note": "of the tests"})
            assert status == 201, body
            self._tokens[user] = str(body["token"])
        return self._tokens[user]

    def cookies(self, user: str) -> list[dict[str, Any]]:
        """Of a user who has logged in at the hub, as Playwright's `add_cookies` takes them."""
        jar = http.cookiejar.CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        with opener.open(f"{self.url}/hub/login", timeout=PATIENCE) as page:
            found = re.search(r'name="_xsrf"\s+value="([^"]+)"', page.read().decode())
        assert found, "no form at the hub's login"
        form = {"username": user, "password": "any", "_xsrf": found[1]}
        data = urllib.parse.urlencode(form).encode()
        with opener.open(f"{self.url}/hub/login?next=/hub/home", data, timeout=PATIENCE) as home:
            assert home.url.endswith("/hub/home"), home.url
        return [
            {"name": cookie.name, "value": cookie.value, "domain": "127.0.0.1", "path": cookie.path}
            for cookie in jar
        ]

    # Servers

    def start(
        self,
        user: str,
        name: str = "",
        *,
        settings: ServerSettings | None = None,
        wait: bool = True,
    ) -> HubServer:
        """Have the hub start a server; again after it was stopped: the same folder, perhaps with
        other settings.

        Args:
            name: of a named server.
            wait: until it is ready.
        """
        self._user(user)
        server = HubServer(self, user, name)
        server.prepare(settings or ServerSettings())
        self._ends.enter_context(shown_if_red(f"the server of {user} {name} said", server.log_file))
        status, body = self.api("POST", f"users/{user}/servers/{name}")
        assert status in (201, 202), body
        if wait:
            wait_for(server.ready)
        return server

    def _user(self, user: str) -> None:
        status, body = self.api("POST", f"users/{user}")
        assert status in (201, 409), body

    # Processes

    def _start(self, name: str, command: Sequence[str], **environment: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as output:
            self._processes[name] = (subprocess.Popen if self.settings.fresh else nursery.start)(
                command,
                cwd=self.folder,
                env=os.environ
                | {
                    # Node may be one of the virtual environment's programs.
                    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                    "PYTHONPATH": str(REPOSITORY),
                    "CONFIGPROXY_AUTH_TOKEN": self._proxy_token,
                    MARK: self.mark,
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        assert self._processes["hub"].poll() is None, self.log()[-4000:]
        try:
            return self.api("GET", "users")[0] == 200
        except OSError:
            return False

    def _marked(self, module: str) -> list[psutil.Process]:
        return [
            process
            for process in psutil.process_iter()
            if self.marks(process) and module in unless_gone(lambda process=process: command_of(process), [])
        ]

    def marks(self, process: psutil.Process) -> bool:
        """Whether a process was started by this hub, however indirectly."""
        environment: dict[str, str] = unless_gone(lambda: environment_of(process), {})
        return environment.get(MARK) == self.mark


@dataclass(frozen=True)
class HubServer:
    """A single-user server of a hub."""

    hub: Hub
    user: str
    name: str = ""

    @property
    def url(self) -> str:
        """Through the proxy."""
        return f"{self.hub.url}/user/{self.user}" + (f"/{self.name}" if self.name else "")

    @property
    def platform(self) -> Platform:
        return Platform(self.hub.folder / "users" / f"{self.user}@{self.name}", [])

    def prepare(self, settings: ServerSettings) -> None:
        """Write what the spawner and the server read at the next start."""
        platform = self.platform
        config = {
            **{section: dict(traits) for section, traits in settings.config.items()},
            "MlinfnApp": {"channels": [], **settings.traits},
        }
        config.setdefault("ServerApp", {})["jpserver_extensions"] = {
            "jupyter_mlinfn": settings.enabled,
            **settings.extensions,
        }
        (platform.folder / "config" / "jupyter_server_config.json").write_text(json.dumps(config))
        own = ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "MLINFN_ROOT")
        variables = platform.variables()
        said = {
            "home": str(platform.root / "private"),
            "root": str(platform.root),
            "arguments": list(settings.arguments),
            "own_server": settings.own_server,
            "stop_signal": settings.stop_signal,
            "grace": settings.grace,
            "environment": {
                **{variable: variables[variable] for variable in own},
                "PYTHONPATH": str(REPOSITORY),
                "JUPYTERHUB_ACTIVITY_INTERVAL": str(settings.activity_interval),
                "JUPYTERHUB_SINGLEUSER_EXTENSION": "1" if settings.as_extension else "0",
                MARK: self.hub.mark,
                **settings.environment,
            },
        }
        file = self.hub.folder / "servers" / f"{self.user}@{self.name}.json"
        file.write_text(json.dumps(said))

    def request(
        self, method: str, path: str, body: Any = None, *, token: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON of an answer through the proxy, which counts it as activity.

        Args:
            token: empty for none; default: one of the user's.
        """
        token = self.hub.token(self.user) if token is None else token
        return request(method, f"{self.url}/{path}", token, body)

    def get(self, path: str) -> dict[str, Any]:
        status, body = self.request("GET", path)
        assert status == 200, body
        return body

    def state(self) -> dict[str, Any] | None:
        """The hub's view of the server; None when it neither runs nor starts nor stops."""
        status, body = self.hub.api("GET", f"users/{self.user}")
        assert status == 200, body
        return dict(body["servers"][self.name]) if self.name in body["servers"] else None

    def ready(self) -> bool:
        state = self.state()
        assert state is not None, f"the server did not start:\n{self.log()[-4000:]}"
        return bool(state["ready"])

    def running(self) -> bool:
        return self.state() is not None

    def stop(self) -> None:
        """As the user does on the hub's page; returns when it is stopped."""
        status, body = self.hub.api("DELETE", f"users/{self.user}/servers/{self.name}")
        assert status in (202, 204), body
        wait_for(lambda: not self.running())

    def process(self) -> psutil.Process | None:
        """The server's; None when there is none."""
        prefix = f"/user/{self.user}/" + (f"{self.name}/" if self.name else "")
        for process in self.hub._marked("jupyterhub.singleuser"):
            environment: dict[str, str] = unless_gone(lambda process=process: environment_of(process), {})
            if environment.get("JUPYTERHUB_SERVICE_PREFIX") == prefix:
                return process
        return None

    @property
    def log_file(self) -> Path:
        return self.hub.folder / "servers" / f"{self.user}@{self.name}.log"

    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""


@contextmanager
def hub_running(folder: Path, settings: HubSettings | None = None) -> Iterator[Hub]:
    """A hub for as long as the context lasts.

    Args:
        folder: does not exist yet.
    """
    hub = Hub(folder, settings or HubSettings())
    try:
        hub.start_proxy()
        hub.start_hub()
        yield hub
    finally:
        hub.close()
