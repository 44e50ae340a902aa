"""Whose figure of activity the proxy class leaves out, with servers that are well and ill."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.httpclient import JupyterHubHTTPClient

from jupyter_mlinfn.hub import proxy as proxy_module
from jupyter_mlinfn.hub.proxy import MlinfnProxy
from jupyter_mlinfn.idle import report

from ..support.patience import PATIENCE
from ..support.proof import PROOF, note
from ..support.routes_server import FIGURE, Conduct, RoutesServer
from ..support.server import wait_for

GIVEN_UP_AFTER = 0.5
"""Seconds, where a server hangs: one that is well may be late as well then, on a busy machine."""


def read(
    server: RoutesServer, changes: Iterable[Mapping[str, Conduct]] = ({},), **traits: Any
) -> list[dict[str, Any]]:
    """The routes' data as the hub gets them, once for each of the changes of conduct."""

    async def run() -> list[dict[str, Any]]:
        app = SimpleNamespace(internal_ssl_key="", internal_ssl_cert="", internal_ssl_ca="")
        proxy = MlinfnProxy(
            app=app,
            api_url=server.url,
            auth_token="any",
            should_start=False,
            **{"answers_within": PATIENCE, **traits},
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
    def others() -> bool:
        (data,) = read(server, answers_within=GIVEN_UP_AFTER)
        assert "/user/ill/" in with_figure(data)
        return with_figure(data) == {"/", "/services/board/", "/user/ill/"}

    with RoutesServer({"ill": conduct, "ada": "declares"}) as server:
        # One that hangs does so until this has ended.
        wait_for(others)


@pytest.mark.parametrize("conduct", ["hangs", "error", "floods"])
def test_a_server_that_declared_is_believed_for_a_while_when_it_falls_ill(conduct: Conduct) -> None:
    ill: Mapping[str, Conduct] = {"ada": conduct}
    well: Mapping[str, Conduct] = {"ada": "declares"}

    def after_it_declared(**traits: Any) -> dict[str, Any] | None:
        first, second = read(server, (well, ill), answers_within=GIVEN_UP_AFTER, **traits)
        return None if "/user/ada/" in with_figure(first) else second

    with RoutesServer({"ada": "declares"}) as server:
        assert "/user/ada/" not in with_figure(wait_for(after_it_declared))
        assert "/user/ada/" in with_figure(wait_for(lambda: after_it_declared(declaration_lasts=0)))


def test_a_declaration_ends_when_the_server_says_so_and_with_the_server() -> None:
    users = {"/user/ada/", "/user/bob/"}

    def after_both_declared() -> list[dict[str, Any]] | None:
        # Another target, as after a restart; nothing is known of that one.
        changes: tuple[dict[str, Conduct], ...] = (
            {"ada": "declares", "bob": "declares"},
            {"ada": "stock", "bob": "gone"},
            {"ada": "hangs"},
        )
        first, *later = read(server, changes, answers_within=GIVEN_UP_AFTER)
        return None if with_figure(first) & users else later

    with RoutesServer({"ada": "declares", "bob": "declares"}) as server:
        second, third = wait_for(after_both_declared)
    assert with_figure(second) & users == users
    assert with_figure(third) & users == users


def test_servers_are_asked_beside_each_other() -> None:
    conduct: dict[str, Conduct] = {f"user{number}": "meets" for number in range(50)}
    with RoutesServer(conduct) as server:
        (data,) = read(server)
    assert with_figure(data) == {"/", "/services/board/"}


def test_five_hundred_servers_of_which_ten_hang_are_read_though_they_hang() -> None:
    conduct: dict[str, Conduct] = {f"user{number}": "declares" for number in range(500)}
    conduct |= {f"ill{number}": "hangs" for number in range(10)}
    hanging = {f"/user/ill{number}/" for number in range(10)}
    took = 0.0

    def others() -> bool:
        nonlocal took
        began = time.monotonic()
        (data,) = read(server, answers_within=2.0)
        took = time.monotonic() - began
        return with_figure(data) - {"/", "/services/board/"} == hanging

    with RoutesServer(conduct) as server:
        wait_for(others)
    if PROOF:
        note(f"proxy: 500 servers, and ten that hang, read in {took:.1f} s")
        assert took < 20
