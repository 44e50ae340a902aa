"""Whose figure of activity the proxy class leaves out, with servers that are well and ill."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.httpclient import JupyterHubHTTPClient

from jupyter_mlinfn.hub import proxy as proxy_module
from jupyter_mlinfn.hub.proxy import MlinfnProxy
from jupyter_mlinfn.idle import report

from ..support.routes_server import FIGURE, Conduct, RoutesServer


def read(
    server: RoutesServer, changes: Iterable[dict[str, Conduct]] = ({},), **traits: Any
) -> list[dict[str, Any]]:
    """The routes' data as the hub gets them, once for each of the changes of conduct."""

    async def run() -> list[dict[str, Any]]:
        app = SimpleNamespace(internal_ssl_key="", internal_ssl_cert="", internal_ssl_ca="")
        proxy = MlinfnProxy(
            app=app,
            api_url=server.url,
            auth_token="any",
            should_start=False,
            **{"answers_within": 0.5, **traits},
        )
        seen = []
        for change in changes:
            server.conduct.update(change)
            routes = await proxy.get_all_routes()
            seen.append({spec: route["data"] for spec, route in routes.items()})
        proxy._http.close()
        await JupyterHubHTTPClient.loop_instance().close()
        return seen

    return asyncio.run(run())


def with_figure(data: dict[str, Any]) -> set[str]:
    return {spec for spec, each in data.items() if each.get("last_activity") == FIGURE}


def test_the_header_is_the_one_that_servers_bear() -> None:
    assert proxy_module.DECLARATION == report.DECLARATION


def test_the_figure_is_left_out_for_servers_that_declare_and_for_nothing_else() -> None:
    with RoutesServer({"ada": "declares", "bob": "stock"}) as server:
        (data,) = read(server)
    assert with_figure(data) == {"/", "/services/board/", "/user/bob/"}
    assert data["/user/ada/"] == {"user": "ada", "server_name": ""}
    assert sorted(server.asked) == ["ada", "bob"], "neither the hub nor services"


@pytest.mark.parametrize("conduct", ["hangs", "error", "floods", "gone"])
def test_a_server_that_never_said_anything_keeps_its_figure_and_holds_up_nobody(conduct: Conduct) -> None:
    with RoutesServer({"ill": conduct, "ada": "declares"}) as server:
        began = time.monotonic()
        (data,) = read(server)
        took = time.monotonic() - began
    assert with_figure(data) == {"/", "/services/board/", "/user/ill/"}
    assert took < 5


@pytest.mark.parametrize("conduct", ["hangs", "error", "floods"])
def test_a_server_that_declared_is_believed_for_a_while_when_it_falls_ill(conduct: Conduct) -> None:
    with RoutesServer({"ada": "declares"}) as server:
        first, second = read(server, ({}, {"ada": conduct}))
        assert "/user/ada/" not in with_figure(first)
        assert "/user/ada/" not in with_figure(second)
        _, later = read(server, ({"ada": "declares"}, {"ada": conduct}), declaration_lasts=0)
        assert "/user/ada/" in with_figure(later)


def test_a_declaration_ends_when_the_server_says_so_and_with_the_server() -> None:
    with RoutesServer({"ada": "declares", "bob": "declares"}) as server:
        # Another target, as after a restart; nothing is known of that one.
        first, second, third = read(server, ({}, {"ada": "stock", "bob": "gone"}, {"ada": "hangs"}))
    users = {"/user/ada/", "/user/bob/"}
    assert with_figure(first) & users == set()
    assert with_figure(second) & users == users
    assert with_figure(third) & users == users


def test_five_hundred_servers_of_which_ten_hang_are_read_in_seconds() -> None:
    conduct: dict[str, Conduct] = {f"user{number}": "declares" for number in range(500)}
    conduct |= {f"ill{number}": "hangs" for number in range(10)}
    with RoutesServer(conduct) as server:
        began = time.monotonic()
        (data,) = read(server, answers_within=2.0)
        took = time.monotonic() - began
    left = with_figure(data) - {"/", "/services/board/"}
    assert left == {f"/user/ill{number}/" for number in range(10)}
    assert took < 20
