"""What pip installs into an environment, as changes of it like any other."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..support import wheels
from ..support.hashes import problems
from ..support.server import Platform, Server, running
from .test_changes import Changing, briefly, made


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once, so that each is the same all the time."""
    folder = tmp_path_factory.mktemp("pip") / "archives"
    wheels.wheel(folder, "herd", "1.0", requires=["cow>=1"], script=True)
    wheels.wheel(folder, "cow", "1.0")
    wheels.wheel(folder, "cow", "1.1")
    wheels.source(folder, "calf", "0.1")
    wheels.wheel(folder, "traitlets", "999.0")
    wheels.wheel(folder, "modern", "1.0", requires=["traitlets>=900"])
    return folder


@pytest.fixture(scope="module")
def server(archives: Path, slim_channel: Path) -> Iterator[Server]:
    """One for all tests: each has its own environment, and the index as it was at first."""
    index = archives.with_name("index")
    variables = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_CONFIG_FILE": "/dev/null"}
    platform = Platform(archives.with_name("platform"), [slim_channel.as_uri()], environment=variables)
    with running(platform) as server:
        yield server


@pytest.fixture(autouse=True)
def index(archives: Path) -> Iterator[Path]:
    """A folder that pip finds packages in; nothing else can be reached."""
    folder = archives.with_name("index")
    shutil.copytree(archives, folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def env(server: Server) -> Iterator[Changing]:
    env = made(server)
    yield env
    env.remove()


def test_install_update_remove_and_back(env: Changing, index: Path) -> None:
    plan = env.plan(action="install", manager="pip", specs=["herd", "cow==1.0"])
    assert briefly(plan) == [("cow", "added"), ("herd", "added")]
    env.do(action="install", manager="pip", specs=["herd", "cow==1.0"])
    herd = subprocess.run([env.prefix / "bin" / "herd"], capture_output=True, text=True, check=True)
    assert herd.stdout == "herd 1.0\n"
    assert (env.prefix / "share" / "herd.txt").read_text() == "1.0"
    assert problems(env.prefix) == []
    assert env.details()["environment"]["pip_specs"] == ["herd", "cow==1.0"]
    of_pip = {p["name"]: p["requested"] for p in env.details()["packages"] if p["manager"] == "pip"}
    assert of_pip == {"cow": True, "herd": True}
    listed = subprocess.run(
        [env.prefix / "bin" / "python", "-c", "import importlib.metadata as m; print(m.version('cow'))"],
        **{"capture_output": True, "text": True, "check": True},
    )
    assert listed.stdout == "1.0\n"

    env.do(action="install", manager="pip", specs=["cow==1.1"])
    assert env.says("import cow; print(cow.__version__)") == "1.1"
    assert problems(env.prefix) == []
    env.do(action="remove", manager="pip", specs=["herd"])
    assert not (env.prefix / "bin" / "herd").exists()
    assert not (env.prefix / "share" / "herd.txt").exists()
    assert problems(env.prefix) == []

    shutil.rmtree(index)
    env.do("rollback", revision=2)
    assert env.says("import cow; print(cow.__version__)") == "1.0"
    subprocess.run([env.prefix / "bin" / "herd"], check=True, capture_output=True)
    assert problems(env.prefix) == []
    # What was removed outside is had from the kept wheels.
    env.site("cow.py").unlink()
    env.do("rollback", revision=5)
    assert env.says("import cow; print(cow.__version__)") == "1.0"
    assert problems(env.prefix) == []
    env.do("rollback", revision=1)
    assert env.says("import cow") == ""
    assert problems(env.prefix) == []


def test_a_source_distribution_is_built_and_its_wheel_kept(env: Changing, index: Path) -> None:
    env.do(action="install", manager="pip", specs=["calf"])
    assert env.says("import calf; print(calf.__version__)") == "0.1"
    kept = list(kept_wheels(env.server).glob("*/calf-*.whl"))
    assert len(kept) == 1
    env.do(action="remove", manager="pip", specs=["calf"])
    (index / "calf-0.1.tar.gz").unlink()
    env.do("rollback", revision=2)
    assert env.says("import calf; print(calf.__version__)") == "0.1"


def kept_wheels(server: Server) -> Path:
    return server.platform.environments / ".mlinfn" / "wheels"


def test_a_damaged_kept_wheel_is_not_used(env: Changing) -> None:
    env.do(action="install", manager="pip", specs=["cow==1.0"])
    (kept,) = kept_wheels(env.server).glob("*/cow-1.0-*.whl")
    kept.write_bytes(b"damaged")
    env.site("cow.py").unlink()
    env.do("rollback", revision=2)
    assert env.says("import cow; print(cow.__version__)") == "1.0"
    assert problems(env.prefix) == []


def test_what_was_given_by_its_url_is_had_again_with_that(env: Changing, index: Path) -> None:
    url = (index / "cow-1.0-py3-none-any.whl").as_uri()
    env.do(action="install", manager="pip", specs=[f"cow @ {url}"])
    assert url in env.site("cow-1.0.dist-info/direct_url.json").read_text()
    env.site("cow-1.0.dist-info/direct_url.json").unlink()
    env.do("rollback", revision=2)
    assert url in env.site("cow-1.0.dist-info/direct_url.json").read_text()
    assert problems(env.prefix) == []


def test_what_conda_owns_is_held_and_said(env: Changing) -> None:
    before = env.versions()
    for spec in ("traitlets==999.0", "modern"):
        status, answer = env.request("changes", {"action": "install", "manager": "pip", "specs": [spec]})
        assert status == 202
        job = env.server.ended(answer["job"]["id"])
        assert job["state"] == "failed"
        assert "traitlets" in job["error"]["message"] + job["error"]["reason"]
        assert "conda" in job["error"]["hint"]
    status, answer = env.request(
        "changes", {"action": "remove", "manager": "pip", "specs": ["traitlets"], "dry_run": True}
    )
    assert (status, "conda" in answer["message"]) == (409, True)
    assert env.versions() == before


def test_what_pip_cannot_do_is_said(env: Changing) -> None:
    for spec, status in (("nosuchthing", 404), ("-r /etc/passwd", 400), ("cow==7", 422), ("./here", 400)):
        body = {"action": "install", "manager": "pip", "specs": [spec], "dry_run": True}
        got, answer = env.request("changes", body)
        assert got == status, answer
        assert answer["message"]


def test_a_conda_package_takes_over_from_pips(env: Changing, index: Path) -> None:
    wheels.wheel(index, "mlinfn_hello", "0.1")
    env.do(action="install", manager="pip", specs=["mlinfn-hello"])
    assert env.says("import mlinfn_hello; print(mlinfn_hello.__version__)") == "0.1"
    env.do(action="install", specs=["mlinfn-hello"])
    assert env.says("import mlinfn_hello; print(mlinfn_hello.__version__)") == "1.1.0"
    assert problems(env.prefix) == []
    env.do("rollback", revision=2)
    assert env.says("import mlinfn_hello; print(mlinfn_hello.__version__)") == "0.1"
    assert problems(env.prefix) == []


def test_an_environment_is_made_with_what_pip_installs(server: Server) -> None:
    status, plan = server.request(
        "POST", "api/mlinfn/envs", {"label": "Herd", "pip": ["herd"], "dry_run": True}
    )
    assert status == 200, plan
    assert any("herd" in warning for warning in plan["warnings"])
    env = made(server, pip=["herd", "cow==1.0"])
    assert env.says("import herd, cow; print(cow.__version__)") == "1.0"
    assert problems(env.prefix) == []
    revisions = env.revisions()
    assert [revisions[n]["action"] for n in sorted(revisions)] == ["create", "install"]
    assert env.details()["environment"]["pip_specs"] == ["herd", "cow==1.0"]
    env.do("rollback", revision=1)
    assert env.says("import cow") == ""
    env.remove()


def test_where_pip_fails_the_environment_stays_and_the_job_says_so(server: Server) -> None:
    body = {"label": "Herd", "pip": ["cow", "-r /etc/passwd"]}
    status, answer = server.request("POST", "api/mlinfn/envs", body)
    assert status == 400, answer
    assert [entry["value"] for entry in answer["fields"]["pip"]] == ["-r /etc/passwd"]
    job = server.ended(server.create("Herd", pip=["nosuchthing"])["id"])
    assert job["state"] == "failed", job
    assert job["error"]["message"] == "Herd is made, but pip could not install nosuchthing."
    assert "panel" in job["error"]["hint"]
    listed = {each["name"]: each for each in server.get("api/mlinfn/envs")["environments"]}
    assert [kernel["name"] for kernel in listed["herd"]["kernels"]] == ["conda-env-herd-py"]
    prefix = server.platform.environments / "herd"
    assert problems(prefix) == []
    Changing(server, listed["herd"]["id"], prefix).remove()


def test_a_creation_that_is_resumed_installs_what_pip_missed(server: Server, index: Path) -> None:
    job = server.ended(server.create("Flock", pip=["lamb"])["id"])
    assert job["state"] == "failed", job
    wheels.wheel(index, "lamb", "1.0")
    status, answer = server.request("POST", f"api/mlinfn/jobs/{job['id']}/resume")
    assert status == 202, answer
    job = server.ended(job["id"])
    assert job["state"] == "done", job
    env = Changing(server, job["result"]["env_id"], server.platform.environments / "flock")
    assert env.says("import lamb; print(lamb.__version__)") == "1.0"
    assert sorted(env.revisions()) == [1, 2]
    env.remove()
