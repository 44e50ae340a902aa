"""The hub of the tests is a real one: what the other tests rest on."""

from __future__ import annotations

from pathlib import Path

import psutil

from ..support.hub import Hub, HubSettings, ServerSettings, hub_running
from ..support.server import wait_for


def test_a_server_is_started_spoken_to_through_the_proxy_and_culled(stock_hub: Hub) -> None:
    server = stock_hub.start("eve", "second", settings=ServerSettings(enabled=False))
    assert server.get("api/status")["kernels"] == 0
    assert server.request("GET", "api/mlinfn/gpu")[0] == 404
    assert stock_hub.routes()["/user/eve/second"]["server_name"] == "second"
    wait_for(lambda: not server.running())
    assert "Culling server eve/second" in stock_hub.log()


def test_hub_and_proxy_are_killed_and_come_back_and_nothing_is_left(tmp_path: Path) -> None:
    # Here once as people start it.
    with hub_running(tmp_path / "hub", HubSettings(culler_timeout=3600, fresh=True)) as hub:
        server = hub.start("ada", settings=ServerSettings(stop_signal="SIGTERM", grace=60))
        process = server.process()
        assert process is not None
        hub.kill_hub()
        assert process.is_running()
        assert server.request("GET", "api", token="")[0] == 200, "the proxy serves on"
        hub.start_hub()
        assert server.ready()
        hub.kill_proxy()
        hub.start_proxy()
        wait_for(lambda: "/user/ada" in hub.routes())
        server.stop()
        assert not process.is_running()
        hub.start("bob")
        assert len([process for process in psutil.process_iter() if hub.marks(process)]) >= 4
    assert [process for process in psutil.process_iter() if hub.marks(process)] == []
