"""What environments, revisions and the cache take, and cleaning up, on a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support import command
from ..support.hashes import problems
from ..support.server import Platform, Server, running, wait_for
from .test_changes import Changing, made


@pytest.fixture
def platform(tmp_path: Path, slim_channel: Path) -> Platform:
    return Platform(tmp_path, [slim_channel.as_uri()])


@pytest.fixture
def env(platform: Platform) -> Iterator[Changing]:
    with running(platform) as server:
        yield made(server, "mlinfn-plots", label="My env")


def use(server: Server, **expected: int) -> dict[str, Any]:
    """The space once it was measured, with so many revisions of the one environment."""

    def look() -> Any:
        body = server.get("api/mlinfn/space")
        return body["measured"] and body["environments"][0]["revisions"] == expected["revisions"] and body

    return dict(wait_for(look))


def prune(env: Changing, **body: Any) -> dict[str, Any]:
    status, answer = env.server.request("POST", "api/mlinfn/space/prune", body)
    assert status == 202, answer
    job = env.server.ended(answer["job"]["id"])
    assert job["state"] == "done", job
    return job


def test_sizes_are_net_of_hard_links(env: Changing) -> None:
    assert env.server.get("api/mlinfn/space")["measured"] is None, "nobody waits for the first measurement"
    env.do(action="install", specs=["mlinfn-hello"])
    body = use(env.server, revisions=2)
    (mine,) = body["environments"]
    assert mine["size_own"] < mine["size"], "files that the cache has too"
    assert body["cache"]["unused_packages"] == 0
    expected = sum(file.lstat().st_blocks * 512 for file in [env.prefix, *env.prefix.rglob("*")])
    assert mine["size"] == pytest.approx(expected, rel=0.05)
    assert body["revisions_limit"] == 2 * 1024**3


def test_pruning_the_cache_leaves_what_somebody_needs(env: Changing, platform: Platform) -> None:
    cache = platform.environments / ".mlinfn" / "pkgs"
    env.do(action="install", specs=["mlinfn-hello=1.0"])
    env.do(action="install", specs=["mlinfn-hello=1.1"])
    status, plan = env.server.request("POST", "api/mlinfn/space/prune", {"cache": True, "dry_run": True})
    assert (status, plan["packages"]) == (200, []), "revision 2 needs what it had"
    body = {"cache": True, "revisions": [{"id": env.id, "keep_from": 3}]}
    status, plan = env.server.request("POST", "api/mlinfn/space/prune", {**body, "dry_run": True})
    assert status == 200
    assert len(plan["packages"]) == 1
    assert plan["revisions"] == [{"id": env.id, "label": "My env", "numbers": [1, 2]}]
    assert len(list(cache.glob("mlinfn-hello-1.0*"))) > 0, "a dry run removes nothing"
    job = prune(env, **body)
    assert job["result"]["freed_bytes"] > 0
    assert list(cache.glob("mlinfn-hello-1.0*")) == []
    assert len(list(cache.glob("mlinfn-hello-1.1*"))) > 0
    revisions = env.revisions()
    assert [revisions[n]["restorable"] for n in (1, 2, 3)] == [False, False, True]
    status, answer = env.request("rollback", {"revision": 1, "dry_run": True})
    assert (status, "cleaned up" in answer["reason"]) == (409, True)
    assert problems(env.prefix) == []


def test_revisions_keep_within_the_limit_but_for_the_last_step(env: Changing) -> None:
    status, body = env.server.request("PATCH", "api/mlinfn/space", {"revisions_limit": 0})
    assert (status, body["revisions_limit"]) == (200, 0)
    for version in ("1.0", "1.1"):
        env.do(action="install", specs=[f"mlinfn-hello={version}"])
    wait_for(lambda: not env.revisions()[1]["restorable"])
    revisions = env.revisions()
    assert [revisions[n]["restorable"] for n in (1, 2, 3)] == [False, True, True]
    env.do("rollback", revision=2)
    assert env.versions()["mlinfn-hello"] == "1.0.0"
    status, body = env.server.request("PATCH", "api/mlinfn/space", {"revisions_limit": None})
    assert body["revisions_limit"] == 2 * 1024**3


def test_the_history_goes_with_its_environment(env: Changing, platform: Platform) -> None:
    env.do(action="install", specs=["mlinfn-hello"])
    history = platform.environments / ".mlinfn" / "history" / "my-env"
    assert (history / "revisions" / "000002").is_dir()
    status, answer = env.server.request("DELETE", f"api/mlinfn/envs/{env.id}")
    assert status == 202
    env.server.ended(answer["job"]["id"])
    assert not history.exists()
    # One of the same name made by other means after that begins anew.
    again = env.server.ended(env.server.create("My env", ["mlinfn-plots"])["id"])
    assert again["state"] == "done"
    env.prefix.rename(platform.folder / "moved by hand")
    made = env.server.ended(env.server.create("My env")["id"])
    assert made["state"] == "done", made
    assert list(env.revisions()) == [1]


def test_from_the_command_line(platform: Platform) -> None:
    platform.write_config()
    cache = platform.environments / ".mlinfn" / "pkgs"

    def env(*arguments: str) -> str:
        done = command.run("env", *arguments, env=platform.variables())
        assert done.returncode == 0, done.stderr
        return done.stdout

    env("create", "small", "mlinfn-hello=1.0")
    env("install", "small", "mlinfn-hello=1.1")
    body = json.loads(env("space", "--json"))
    assert [(each["name"], each["revisions"]) for each in body["environments"]] == [("small", 2)]
    assert "Package cache private/environments/.mlinfn/pkgs: " in env("space")
    assert "mlinfn-hello" not in env("prune", "--cache", "--dry-run"), "revision 1 needs it"

    wanted = ("prune", "--cache", "--keep-from", "small", "2")
    plan = json.loads(env(*wanted, "--dry-run", "--json"))
    assert len(plan["packages"]) == 1
    assert [each["numbers"] for each in plan["revisions"]] == [[1]]
    assert len(list(cache.glob("mlinfn-hello-1.0*"))) > 0
    assert "came back" in env(*wanted)
    assert list(cache.glob("mlinfn-hello-1.0*")) == []
    assert json.loads(env("space", "--json"))["environments"][0]["revisions"] == 1
