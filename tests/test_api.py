"""Every route: in the contract and no other, authenticated, authorized, and never a 5xx."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import booleans
from jupyter_server.auth.authorizer import Authorizer
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance
from tornado.httpclient import HTTPClientError

from jupyter_mlinfn.api import MlinfnHandler
from jupyter_mlinfn.contract import FILE, document

from .support.packages import Channel, tiny_kernel_stack
from .support.patience import PATIENCE
from .support.proof import count, sample
from .support.server import TOKEN, Platform, running

OPERATIONS = [
    (path, method)
    for path, item in document()["paths"].items()
    for method in item
    if method in ("get", "post", "put", "patch", "delete")
]


class ReadOnly(Authorizer):
    """May look at everything and change nothing."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return action == "read"


@pytest.fixture
def jp_server_config(request: pytest.FixtureRequest) -> dict[str, Any]:
    config: dict[str, Any] = {
        "ServerApp": {
            "jpserver_extensions": {"jupyter_mlinfn": True},
            "allow_unauthenticated_access": False,
        }
    }
    if request.node.get_closest_marker("read_only"):
        config["ServerApp"]["authorizer_class"] = ReadOnly
    return config


def test_every_route_is_in_the_contract_and_no_other(jp_serverapp: Any) -> None:
    served = set()
    for rule in _rules(jp_serverapp.web_app.default_router):
        handler = rule.target
        if isinstance(handler, type) and issubclass(handler, MlinfnHandler):
            route = rule.target_kwargs["route"]
            pattern = rule.matcher.regex.pattern
            expected = "/api/mlinfn" + re.sub(r"{\w+}", "([^/]+)", route)
            assert pattern.rstrip("$").endswith(expected)
            served |= {
                (route, method)
                for method in ("get", "post", "put", "patch", "delete")
                if getattr(handler, method) is not getattr(MlinfnHandler, method)
            }

    assert served == set(OPERATIONS)


def _rules(router: Any) -> Iterator[Any]:
    for rule in router.rules:
        if hasattr(rule.target, "rules"):
            yield from _rules(rule.target)
        else:
            yield rule


def _url(path: str) -> list[str]:
    return [
        "api",
        "mlinfn",
        *path.replace("{id}", "0" * 16).replace("{name}", "python").strip("/").split("/"),
    ]


async def _status(jp_fetch: Any, path: str, method: str, **more: Any) -> int:
    body = None if method in ("get", "delete") else "{}"
    try:
        answer = await jp_fetch(
            *_url(path),
            method=method.upper(),
            body=body,
            params={"q": "x"},
            allow_nonstandard_methods=True,
            **more,
        )
    except HTTPClientError as error:
        return error.code
    return int(answer.code)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
async def test_nobody_gets_in_without_a_token(jp_fetch: Any, path: str, method: str) -> None:
    assert await _status(jp_fetch, path, method, headers={"Authorization": ""}) == 403


@pytest.mark.read_only
@pytest.mark.parametrize(("path", "method"), [op for op in OPERATIONS if op[1] != "get"])
async def test_who_may_only_read_cannot_write(jp_fetch: Any, path: str, method: str) -> None:
    assert await _status(jp_fetch, path, method) == 403


@pytest.mark.read_only
async def test_who_may_only_read_can_read(jp_fetch: Any) -> None:
    answer = await jp_fetch("api", "mlinfn", "envs")
    assert "environments" in json.loads(answer.body)


async def test_a_bad_body_says_what_is_wrong_with_it(jp_fetch: Any) -> None:
    with pytest.raises(HTTPClientError) as caught:
        await jp_fetch("api", "mlinfn", "envs", method="POST", body='{"label": "x", "spces": []}')

    assert caught.value.code == 400
    assert caught.value.response is not None
    error = json.loads(caught.value.response.body)
    assert "spces" in error["message"]
    assert error["hint"]


async def test_reading_is_no_activity_of_the_user(jp_serverapp: Any, jp_fetch: Any) -> None:
    before = jp_serverapp.web_app.last_activity()
    await jp_fetch("api", "mlinfn", "envs")
    await jp_fetch("api", "mlinfn", "jobs")

    assert jp_serverapp.web_app.last_activity() == before


@dataclass(frozen=True)
class Live:
    """A server, and what there is in it by the path under which it is found."""

    url: str
    ids: Mapping[str, str]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """With an environment, and the job that made it."""
    folder = tmp_path_factory.mktemp("contract")
    channel = Channel(folder / "channel")
    channel.add(*tiny_kernel_stack())
    channel.write()
    with running(Platform(folder / "platform", [channel.url])) as server:
        job = server.ended(server.create("My env")["id"])
        assert job["state"] == "done", job
        yield Live(server.url, {"/envs": job["result"]["env_id"], "/jobs": job["id"]})


EXAMPLES = sample(8, 300)
CONTRACT = schemathesis.openapi.from_path(FILE)
# What ends the server is tested where servers may end: tests/idle, tests/session.
FUZZED = [(path, method) for path, method in OPERATIONS if path not in ("/idle/stop", "/session/stop")]
KINDS = {"as the contract has it": GenerationMode.POSITIVE, "otherwise": GenerationMode.NEGATIVE}


# Not `CONTRACT.parametrize()`: with pytest 9.2 all that it makes bear one name, and one of them runs.
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("path", "method"), FUZZED)
def test_no_input_makes_the_server_fail(path: str, method: str, kind: str, live: Live) -> None:
    tried = 0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=CONTRACT[path][method.upper()].as_strategy(generation_mode=KINDS[kind]), there=booleans())
    def fuzz(case: schemathesis.Case, there: bool) -> None:
        nonlocal tried
        if there and "{id}" in path:
            case.path_parameters["id"] = live.ids[path.partition("/{id}")[0]]
        answer = case.call(
            base_url=f"{live.url}/api/mlinfn", headers={"Authorization": f"token {TOKEN}"}, timeout=PATIENCE
        )
        tried += 1
        # 507 is an answer of the contract: the volume has no room for what was asked.
        assert answer.status_code < 500 or answer.status_code == 507, answer.text
        case.validate_response(answer, checks=[content_type_conformance, response_schema_conformance])

    fuzz()
    assert tried
    count(f"fuzz of the contract, operations asked {kind}")
    count(f"fuzz of the contract, examples {kind}", tried)
