"""Changing an environment on a real server: what is asked, what changes, and the way back."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support.channel_server import ChannelServer
from ..support.hashes import problems
from ..support.packages import Channel, Package, tiny_kernel_stack
from ..support.patience import PATIENCE
from ..support.server import Platform, Server, running, wait_for


class Changing:
    """An environment on a server, and the few words that these tests need."""

    def __init__(self, server: Server, env_id: str, prefix: Path) -> None:
        self.server = server
        self.id = env_id
        self.prefix = prefix
        self.history = prefix.parent / ".mlinfn" / "history" / prefix.name

    def site(self, name: str) -> Path:
        return next(self.prefix.glob("lib/python3*/site-packages")) / name

    def request(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return self.server.request("POST", f"api/mlinfn/envs/{self.id}/{path}", body)

    def plan(self, path: str = "changes", **body: Any) -> dict[str, Any]:
        status, answer = self.request(path, {**body, "dry_run": True})
        assert status == 200, answer
        return answer

    def start(self, path: str = "changes", **body: Any) -> dict[str, Any]:
        """The job, ended."""
        status, answer = self.request(path, body)
        assert status == 202, answer
        return self.server.ended(answer["job"]["id"])

    def do(self, path: str = "changes", **body: Any) -> dict[str, Any]:
        """The job, done."""
        job = self.start(path, **body)
        assert job["state"] == "done", job
        return job

    def details(self) -> dict[str, Any]:
        return self.server.get(f"api/mlinfn/envs/{self.id}")

    def drift(self) -> dict[str, Any]:
        return dict(wait_for(lambda: self.details()["drift"]))

    def revisions(self) -> dict[int, dict[str, Any]]:
        listed = self.server.get(f"api/mlinfn/envs/{self.id}/revisions")["revisions"]
        return {revision["number"]: revision for revision in listed}

    def versions(self) -> dict[str, str]:
        return {package["name"]: package["version"] for package in self.details()["packages"]}

    def remove(self) -> None:
        """It, and the kernels that run in it; where it is not gone by now."""
        status, answer = self.server.request("DELETE", f"api/mlinfn/envs/{self.id}?stop_kernels=true")
        assert status == 404 or self.server.ended(answer["job"]["id"])["state"] == "done", answer

    def says(self, code: str) -> str:
        """What the environment's own Python prints; it writes byte code, as a kernel does."""
        command = [self.prefix / "bin" / "python", "-c", code]
        writing = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=PATIENCE, env=writing
        ).stdout.strip()


_numbers = itertools.count(1)


def made(server: Server, *specs: str, label: str = "", **more: Any) -> Changing:
    """An environment of that server, by default with a name that no other has."""
    job = server.ended(server.create(label or f"Env {next(_numbers)}", specs, **more)["id"])
    assert job["state"] == "done", job
    return Changing(server, job["result"]["env_id"], server.platform.environments / job["subject"]["name"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, slim_channel: Path) -> Iterator[Server]:
    """One for all tests that leave alone what is not their own environment's."""
    with running(Platform(tmp_path_factory.mktemp("changes"), [slim_channel.as_uri()])) as server:
        yield server


@pytest.fixture
def env(server: Server) -> Iterator[Changing]:
    env = made(server, "mlinfn-plots", "pip")
    yield env
    env.remove()


@pytest.fixture
def full_env(tmp_path: Path, demo_channel: Path) -> Iterator[Changing]:
    """One with all the files of a Python."""
    with running(Platform(tmp_path, [demo_channel.as_uri()])) as server:
        yield made(server, "mlinfn-plots", "pip")


def briefly(plan: dict[str, Any]) -> list[tuple[str, str]]:
    return [(change["name"], change["change"]) for change in plan["packages"]]


def test_install_update_remove_and_back_to_each(full_env: Changing) -> None:
    env = full_env
    first = env.versions()
    plan = env.plan(action="install", specs=["mlinfn-hello=1.0"])
    assert briefly(plan) == [("mlinfn-hello", "added")]
    assert plan["revision"] == 1
    assert plan["fits"] is True
    assert "mlinfn-hello" not in env.versions(), "a dry run changes nothing"

    job = env.do(action="install", specs=["mlinfn-hello=1.0"], expected_revision=1)
    assert job["result"]["revision"] == 2
    assert briefly(job["result"]) == [("mlinfn-hello", "added")]
    assert env.versions()["mlinfn-hello"] == "1.0.0"
    assert problems(env.prefix) == []

    env.do(action="install", specs=["mlinfn-hello"])
    assert briefly(env.plan(action="update")) == [("mlinfn-hello", "newer")]
    env.do(action="update")
    assert env.versions()["mlinfn-hello"] == "1.1.0"

    env.do(action="remove", specs=["mlinfn-hello"])
    assert env.versions() == first
    assert env.says("import mlinfn_hello") == ""

    env.do("rollback", revision=2)
    assert env.versions()["mlinfn-hello"] == "1.0.0"
    assert problems(env.prefix) == []
    assert "mlinfn-hello=1.0" in env.details()["environment"]["requested_specs"]
    env.do("rollback", revision=1)
    assert env.versions() == first
    assert problems(env.prefix) == []
    revisions = env.revisions()
    assert [revisions[n]["action"] for n in sorted(revisions)] == [
        *("create", "install", "install", "update", "remove", "rollback", "rollback")
    ]
    assert revisions[6]["target"] == 2
    assert revisions[7]["current"] is True
    assert all(revision["by"] == "JupyterLab" for revision in revisions.values())
    history = (env.prefix / "conda-meta" / "history").read_text()
    assert f"jupyter mlinfn env remove {env.prefix.name} mlinfn-hello" in history


def test_bytes_that_python_compiled_never_outlive_their_source(env: Changing) -> None:
    env.do(action="install", specs=["mlinfn-hello=1.0"])
    assert env.says("import mlinfn_hello; print(mlinfn_hello.__version__)") == "1.0.0"
    assert list(env.site("__pycache__").glob("mlinfn_hello.*.pyc")), "nothing was compiled"
    env.do(action="install", specs=["mlinfn-hello=1.1"])
    assert env.says("import mlinfn_hello; print(mlinfn_hello.__version__)") == "1.1.0"
    env.do("rollback", revision=2)
    assert env.says("import mlinfn_hello; print(mlinfn_hello.__version__)") == "1.0.0"


def test_drift_is_noticed_recorded_and_undone(env: Changing, tmp_path: Path) -> None:
    env.do(action="install", specs=["mlinfn-hello"])
    hello, plots = env.site("mlinfn_hello.py"), env.site("mlinfn_plots.py")
    text = hello.read_text()
    with hello.open("a") as out:
        out.write("# by hand\n")
    plots.unlink()
    env.site("mine.txt").write_text("nobody's")
    drift = env.drift()
    assert drift["packages"] == []
    assert drift["files"]["modified"][0]["package"] == "mlinfn-hello"
    assert drift["files"]["missing"][0]["package"] == "mlinfn-plots"
    assert drift["files"]["unowned"] == 1
    assert env.details()["environment"]["drifted"] is True

    # Back to where it was: what others did is a revision of its own before that.
    plan = env.plan("rollback", revision=2)
    assert plan["files"]["modified_count"] == plan["files"]["missing_count"] == 1
    env.do("rollback", revision=2)
    assert hello.read_text() == text
    assert plots.exists()
    assert env.site("mine.txt").read_text() == "nobody's"
    mine = env.site("mine.txt").relative_to(env.prefix).as_posix()
    assert problems(env.prefix, planted=[mine]) == []
    # Nothing is told of what was not looked at yet.
    wait_for(lambda: env.details()["environment"]["drifted"] is not None)
    assert env.details()["drift"] is None
    revisions = env.revisions()
    assert (revisions[3]["action"], revisions[4]["action"]) == ("outside", "rollback")

    # And what they did can be had again.
    env.do("rollback", revision=3)
    assert hello.read_text() == text + "# by hand\n"
    assert not plots.exists()


def test_a_file_edited_by_hand_does_not_reach_other_environments(env: Changing) -> None:
    env.do(action="install", specs=["mlinfn-hello"])
    hello = env.site("mlinfn_hello.py")
    assert hello.stat().st_nlink > 1, "hard-linked with the cache"
    with hello.open("a") as out:
        out.write("# by hand\n")
    other = made(env.server, "mlinfn-hello")
    assert problems(other.prefix) == []
    assert "# by hand" in hello.read_text()
    other.remove()


def test_going_back_needs_no_channel_and_no_cache(server: Server, channel: ChannelServer) -> None:
    env = made(server, channels=[channel.url])
    env.do(action="install", specs=["mlinfn-hello=1.0"])
    env.do(action="install", specs=["mlinfn-hello=1.1"])
    for folder in ("pkgs", "repodata"):
        shutil.rmtree(server.platform.environments / ".mlinfn" / folder)
    channel.refuse()
    env.do("rollback", revision=2)
    assert env.versions()["mlinfn-hello"] == "1.0.0"
    assert problems(env.prefix) == []
    # Nothing else can be had.
    status, answer = env.request("changes", {"action": "update", "specs": [], "dry_run": True})
    assert status == 424, answer
    env.remove()


def test_a_damaged_record_is_said_and_the_others_serve(env: Changing) -> None:
    env.do(action="install", specs=["mlinfn-hello=1.0"])
    env.do(action="install", specs=["mlinfn-hello=1.1"])
    history = env.history / "revisions"
    (history / "000001" / "revision.json").write_text("{}")
    revisions = env.revisions()
    assert revisions[1]["restorable"] is False
    assert revisions[1]["problem"]
    status, answer = env.request("rollback", {"revision": 1, "dry_run": True})
    assert status == 409, answer
    # The way is damaged, but the packages of the target are known and can be had.
    (history / "000003" / "delta.json").write_text("{}")
    env.do("rollback", revision=2)
    assert env.versions()["mlinfn-hello"] == "1.0.0"
    assert problems(env.prefix) == []


def test_going_back_across_a_version_of_python(server: Server, tmp_path: Path) -> None:
    channel = Channel(tmp_path / "channel")
    channel.add(
        *tiny_kernel_stack(),
        Package(
            "pure",
            depends=["python"],
            noarch="python",
            files={"site-packages/pure/__init__.py": b"pass", "python-scripts/pure": b"#!/bin/sh"},
        ),
    )
    channel.write()
    env = made(server, "python 3.11.*", "pure", channels=[channel.url])
    old, new = (env.prefix / f"lib/python3.{n}/site-packages/pure/__init__.py" for n in (11, 12))
    assert old.exists()
    env.do(action="install", specs=["python 3.12.*"])
    assert env.versions()["python"] == "3.12.4"
    assert (old.exists(), new.exists()) == (False, True), "it goes where the new Python looks"
    assert problems(env.prefix) == []
    env.do("rollback", revision=1)
    assert env.versions()["python"] == "3.11.9"
    assert (old.exists(), new.exists()) == (True, False)
    assert problems(env.prefix) == []
    env.do("rollback", revision=2)
    assert new.exists()
    assert problems(env.prefix) == []
    env.remove()


def test_a_change_that_two_packages_disagree_about_says_so(server: Server, tmp_path: Path) -> None:
    channel = Channel(tmp_path / "channel")
    both = "share/both.txt"
    channel.add(
        *tiny_kernel_stack(),
        Package("one", files={both: b"one", "share/one.txt": b"1"}),
        Package("two", files={both: b"two", "share/two.txt": b"2"}),
    )
    channel.write()
    env = made(server, "one", channels=[channel.url])
    job = env.do(action="install", specs=["two"])
    assert both in str(job), job
    env.do("rollback", revision=1)
    assert (env.prefix / both).read_bytes() == b"one"
    assert not (env.prefix / "share/two.txt").exists()
    assert problems(env.prefix) == []
    env.remove()


def test_what_cannot_be_asked_is_refused_in_words(env: Changing) -> None:
    for path, body, status, words in (
        ("changes", {"action": "install", "specs": []}, 400, "nothing to install"),
        ("changes", {"action": "install", "specs": ["no such =="]}, 400, "Not a package"),
        ("changes", {"action": "install", "specs": ["nosuchpackage"]}, 422, "no package nosuchpackage"),
        ("changes", {"action": "remove", "specs": ["nosuchpackage"]}, 404, "not installed"),
        ("changes", {"action": "remove", "specs": ["traitlets"]}, 409, "cannot be removed alone"),
        ("changes", {"action": "install", "specs": ["pip"], "expected_revision": 7}, 409, "meanwhile"),
        ("rollback", {"revision": 1, "expected_revision": 7}, 409, "meanwhile"),
        ("rollback", {"revision": 9}, 404, "no revision 9"),
    ):
        got, answer = env.request(path, {**body, "dry_run": True})
        assert got == status, answer
        assert words in answer["message"], answer
        assert answer["hint"] or answer["reason"]
    assert env.request("rollback", {"revision": 9})[0] == 404
    assert env.request("changes", {"action": "install", "specs": ["pip"], "expected_revision": 7})[0] == 409


def test_nothing_to_do_makes_no_revision(env: Changing) -> None:
    job = env.do(action="update", specs=["mlinfn-plots"])
    assert job["result"]["packages"] == []
    assert list(env.revisions()) == [1]


def test_kernels_that_run_in_it_are_named(env: Changing) -> None:
    status, kernel = env.server.request("POST", "api/kernels", {"name": f"conda-env-{env.prefix.name}-py"})
    assert status == 201, kernel
    plan = env.plan(action="install", specs=["mlinfn-hello"])
    assert [each["kernel_id"] for each in plan["running"]] == [kernel["id"]]
    job = env.do(action="install", specs=["mlinfn-hello"])
    assert [each["kernel_id"] for each in job["result"]["kernels"]] == [kernel["id"]]


def test_an_environment_of_condas_is_changed_after_it_was_adopted(env: Changing) -> None:
    (env.prefix / "conda-meta" / "mlinfn").unlink()
    shutil.rmtree(env.history, ignore_errors=True)
    assert env.details()["environment"]["adopted"] is False
    status, answer = env.request("changes", {"action": "install", "specs": ["mlinfn-hello"]})
    assert status == 403
    assert "Adopt" in answer["hint"]
    status, answer = env.request("adopt", {})
    assert status == 202, answer
    assert env.server.ended(answer["job"]["id"])["state"] == "done"
    assert env.revisions()[1]["action"] == "adopt"
    env.do(action="install", specs=["mlinfn-hello"])
    env.do("rollback", revision=1)
    assert "mlinfn-hello" not in env.versions()
    assert problems(env.prefix) == []


def test_a_cancelled_change_leaves_everything_as_it_was(tmp_path: Path, channel: ChannelServer) -> None:
    with running(Platform(tmp_path, [channel.url])) as server:
        env = made(server)
        before = env.versions()
        channel.faults["mlinfn-hello"] = "hang"
        _, answer = env.request("changes", {"action": "install", "specs": ["mlinfn-hello"]})
        job_id = answer["job"]["id"]
        wait_for(lambda: (server.job(job_id)["progress"] or {}).get("phase") == "downloading")
        assert env.details()["environment"]["writer"]["mine"] is True
        status, answer = server.request("DELETE", f"api/mlinfn/envs/{env.id}")
        assert status == 202, answer
        removal = server.ended(answer["job"]["id"])
        assert removal["state"] == "failed", "nobody removes what is being changed"
        assert "is being changed" in removal["error"]["message"]
        assert server.request("DELETE", f"api/mlinfn/jobs/{job_id}")[0] == 202
        assert server.ended(job_id)["state"] == "cancelled"
        assert env.versions() == before
        assert problems(env.prefix) == []
        assert list(env.history.glob("change-*")) == []
        assert env.details()["environment"]["writer"] is None


def test_a_change_that_was_made_when_the_server_was_killed_is_not_made_again(
    tmp_path: Path, slim_channel: Path
) -> None:
    platform = Platform(tmp_path, [slim_channel.as_uri()])
    with running(platform) as server:
        env = made(server, "mlinfn-plots")
        job = env.do(action="install", specs=["mlinfn-hello"])
    # As the kill left them: this one made and not yet written down as such, another not even begun.
    jobs = platform.environments / ".mlinfn" / "jobs"
    body = json.loads((jobs / job["id"] / "job.json").read_text())
    for job_id in (job["id"], "f" * 32):
        (jobs / job_id).mkdir(exist_ok=True)
        left = body | {"id": job_id, "state": "running", "ended": None, "result": None}
        (jobs / job_id / "job.json").write_text(json.dumps(left))
    with running(platform) as server:
        env = Changing(server, env.id, env.prefix)
        # It is interrupted for the moment until it is looked at.
        wait_for(lambda: server.job(job["id"])["state"] == "done")
        made_before = server.job(job["id"])
        not_begun = server.ended("f" * 32)
        assert made_before["result"]["revision"] == 2
        assert not_begun["state"] == "interrupted"
        assert sorted(env.revisions()) == [1, 2]
