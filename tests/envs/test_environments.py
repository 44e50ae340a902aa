"""The main job through the REST API: real server, real channel, real packages, real kernels."""

from __future__ import annotations

import json
import shutil
import time
import urllib.parse
from pathlib import Path

import psutil
import pytest

from jupyter_mlinfn.envs.prefix import environment_id

from ..support import command
from ..support.channel_server import ChannelServer
from ..support.patience import PATIENCE
from ..support.processes import children_with
from ..support.proof import note
from ..support.server import SECRET, Platform, Server, running, wait_for


def leftovers(platform: Platform) -> list[str]:
    """What lies in the folder of environments beside our state."""
    if not platform.environments.exists():
        return []
    return sorted(entry.name for entry in platform.environments.iterdir() if entry.name != ".mlinfn")


def trash(platform: Platform) -> list[Path]:
    folder = platform.environments / ".mlinfn" / "trash"
    return list(folder.iterdir()) if folder.exists() else []


def half_way(server: Server, channel: ChannelServer) -> dict[str, object]:
    """A creation that has downloaded a part and waits for the rest."""
    channel.faults[".conda"] = "quarters"
    job = server.create("Half way", ["mlinfn-plots"])
    assert channel.hanging.wait(PATIENCE), "no download began"
    return wait_for(
        lambda: (
            (now := server.job(job["id"]))["progress"]
            and now["progress"]["phase"] == "downloading"
            and (now["progress"]["bytes_done"] or 0) > 0
            and now
        )
    )


def run_in_kernel(platform: Platform, name: str, code: str) -> str:
    """What `code` prints in the kernel of that name, started as nbconvert and papermill start it."""
    done = command.run(
        name, code, str(PATIENCE), module="tests.support.kernel_program", env=platform.variables()
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def workers(server: Server) -> list[psutil.Process]:
    """The processes of the server that solve and install."""
    return children_with("envs/worker/", server.process.pid, recursive=True)


def test_an_environment_is_made_and_is_a_kernel_at_once(full_server: Server) -> None:
    server = full_server
    job = server.ended(server.create("My env", ["mlinfn-units"])["id"])
    specs = server.get("api/kernelspecs")["kernelspecs"]

    assert job["state"] == "done", job
    assert job["result"]["kernels"] == ["conda-env-my-env-py"]
    assert "conda-env-my-env-py" in specs
    prefix = server.platform.environments / "my-env"
    printed = run_in_kernel(
        server.platform,
        "conda-env-my-env-py",
        "import os, shutil, sys; print(sys.prefix); print(os.environ['CONDA_PREFIX']); "
        "print(shutil.which('python')); print(os.environ.get('MLINFN_UNITS_HOME', 'not activated'))",
    ).split()
    assert printed[:3] == [str(prefix), str(prefix), str(prefix / "bin" / "python")]
    assert printed[3] == str(prefix / "share" / "mlinfn-units")


def test_what_was_made_is_listed_measured_and_removed_again(server: Server) -> None:
    made = server.ended(server.create("My env")["id"])
    environment_id_ = made["result"]["env_id"]
    details = server.get(f"api/mlinfn/envs/{environment_id_}")
    environment = details["environment"]

    assert environment["id"] == environment_id(server.platform.environments / "my-env")
    assert environment["label"] == "My env"
    assert environment["requested_specs"] == ["ipykernel"]
    assert 0 < environment["size_own"] < environment["size"]
    assert {package["name"] for package in details["packages"]} >= {"python", "ipykernel"}
    assert [package["name"] for package in details["packages"] if package["requested"]] == ["ipykernel"]

    status, body = server.request("DELETE", f"api/mlinfn/envs/{environment_id_}")
    assert status == 202
    removed = server.ended(body["job"]["id"])

    assert removed["state"] == "done"
    assert removed["result"]["freed_bytes"] > 0
    assert leftovers(server.platform) == []
    assert trash(server.platform) == []
    assert "conda-env-my-env-py" not in server.get("api/kernelspecs")["kernelspecs"]
    assert server.request("GET", f"api/mlinfn/envs/{environment_id_}")[0] == 404


def test_it_is_compiled_behind_everybodys_back(tmp_path: Path, slim_channel: Path) -> None:
    platform = Platform(tmp_path, [slim_channel.as_uri()], traits={"compile_environments": True})
    with running(platform) as server:
        job = server.ended(server.create("My env", ["mlinfn-plots"])["id"])
        assert job["state"] == "done", job
        wait_for(lambda: list((platform.environments / "my-env").rglob("mlinfn_plots.*.pyc")))


def test_the_label_changes_and_the_name_stays(server: Server) -> None:
    made = server.ended(server.create("My env")["id"])
    path = f"api/mlinfn/envs/{made['result']['env_id']}"

    status, body = server.request("PATCH", path, {"label": "Thesis, final"})

    assert status == 200
    assert body["environment"]["label"] == "Thesis, final"
    again = server.get(path)["environment"]
    assert (again["label"], again["name"]) == ("Thesis, final", "my-env")
    assert [kernel["name"] for kernel in again["kernels"]] == ["conda-env-my-env-py"]


def test_removing_names_the_kernels_that_run_and_stops_them_only_if_asked(server: Server) -> None:
    made = server.ended(server.create("My env")["id"])
    status, _ = server.request(
        "POST",
        "api/sessions",
        {"path": "work.ipynb", "type": "notebook", "name": "", "kernel": {"name": "conda-env-my-env-py"}},
    )
    assert status == 201
    path = f"api/mlinfn/envs/{made['result']['env_id']}"

    assert [kernel["path"] for kernel in server.get(path)["environment"]["running"]] == ["work.ipynb"]
    status, error = server.request("DELETE", path)
    assert status == 409
    assert "work.ipynb" in error["reason"]
    assert leftovers(server.platform) == ["my-env"]

    status, body = server.request("DELETE", f"{path}?stop_kernels=true")
    assert status == 202
    assert server.ended(body["job"]["id"])["state"] == "done"
    assert server.get("api/sessions") == []
    assert server.get("api/kernels") == []


def test_cancel_half_way_ends_what_works_and_leaves_nothing(server: Server, channel: ChannelServer) -> None:
    job = half_way(server, channel)
    progress = job["progress"]
    assert isinstance(progress, dict)
    assert progress["bytes_done"] < progress["bytes_total"]
    assert workers(server), "who works was not found"

    begun = time.monotonic()
    status, _ = server.request("DELETE", f"api/mlinfn/jobs/{job['id']}")
    ended = server.ended(str(job["id"]))
    took = time.monotonic() - begun

    assert status == 202
    assert ended["state"] == "cancelled"
    assert leftovers(server.platform) == []
    assert not workers(server)
    # The job waits a second at most for what is out of sight already.
    wait_for(lambda: not trash(server.platform))
    note(f"a creation that is cancelled half way ended in {took:.1f} s (2 are promised)")


def test_a_killed_server_leaves_a_job_that_the_next_one_resumes(
    platform: Platform, channel: ChannelServer
) -> None:
    with running(platform) as first:
        job = half_way(first, channel)
        first.kill()
    channel.faults.clear()
    channel.release.set()

    with running(platform) as second:
        wait_for(lambda: second.job(str(job["id"]))["state"] == "interrupted")
        assert second.get("api/mlinfn/envs")["environments"] == []
        status, _ = second.request("POST", f"api/mlinfn/jobs/{job['id']}/resume", {})
        assert status == 202
        ended = second.ended(str(job["id"]))

        assert ended["state"] == "done", ended
        assert "conda-env-half-way-py" in second.get("api/kernelspecs")["kernelspecs"]
        assert leftovers(platform) == ["half-way"]


def test_an_interrupted_creation_can_be_discarded(platform: Platform, channel: ChannelServer) -> None:
    with running(platform) as first:
        job = half_way(first, channel)
        first.process.terminate()
        first.process.wait(PATIENCE)
    channel.faults.clear()
    channel.release.set()

    with running(platform) as second:
        wait_for(lambda: second.job(str(job["id"]))["state"] == "interrupted")
        assert leftovers(platform) == ["half-way"]
        second.request("DELETE", f"api/mlinfn/jobs/{job['id']}")

        assert second.ended(str(job["id"]))["state"] == "cancelled"
        assert leftovers(platform) == []
        # The name is free again.
        assert second.ended(second.create("Half way")["id"])["state"] == "done"


def test_two_servers_cannot_both_create_one_name(platform: Platform, channel: ChannelServer) -> None:
    with running(platform) as first, running(platform) as second:
        job = half_way(first, channel)
        status, refused = second.request("POST", "api/mlinfn/envs", {"label": "Half way"})
        seen = second.job(str(job["id"]))
        status_cancel, _ = second.request("DELETE", f"api/mlinfn/jobs/{job['id']}")
        channel.faults.clear()
        channel.release.set()
        ended = first.ended(str(job["id"]))

    assert status == 409
    assert "half-way" in refused["message"]
    assert (seen["state"], seen["mine"]) == ("running", False)
    assert status_cancel == 409
    assert ended["state"] == "done", ended
    assert leftovers(platform) == ["half-way"]


def test_a_failed_creation_leaves_nothing_and_can_be_tried_again(
    server: Server, channel: ChannelServer
) -> None:
    channel.faults["mlinfn-plots"] = "corrupt"
    job = server.ended(server.create("My env", ["mlinfn-plots"])["id"])

    assert job["state"] == "failed", job
    assert "mlinfn-plots" in json.dumps(job["error"])
    assert job["error"]["hint"]
    assert leftovers(server.platform) == []

    channel.faults.clear()
    server.request("POST", f"api/mlinfn/jobs/{job['id']}/resume", {})
    assert server.ended(job["id"])["state"] == "done"


def test_a_channel_that_does_not_answer_is_named(server: Server, channel: ChannelServer) -> None:
    channel.refuse()
    status, error = server.request("POST", "api/mlinfn/envs", {"label": "x", "dry_run": True})

    assert status == 424
    assert channel.url in json.dumps(error)
    assert error["hint"]


def test_storage_that_goes_away_during_the_work_is_named(server: Server, channel: ChannelServer) -> None:
    job = half_way(server, channel)
    private = server.platform.root / "private"
    private.rename(server.platform.root / "unmounted")
    ended = server.ended(str(job["id"]))

    assert ended["state"] == "failed"
    assert "private" in json.dumps(ended["error"])
    assert ended["error"]["hint"]
    # py-rattler goes on until it is ended and makes the folders of its cache anew; nothing of ours does.
    environments = server.platform.environments
    assert not (environments / "half-way").exists()
    assert not (environments / ".mlinfn" / "jobs").exists()
    shutil.rmtree(private, ignore_errors=True)
    channel.faults.clear()
    channel.release.set()
    (server.platform.root / "unmounted").rename(private)
    assert server.job(str(job["id"]))["state"] == "failed"
    assert server.get("api/mlinfn/envs")["environments"] == []
    status, _ = server.request("POST", "api/mlinfn/envs", {"label": "Afterwards", "dry_run": True})
    assert status == 200


@pytest.mark.parametrize(
    "request_body",
    [
        {"label": ""},
        {"label": "x", "name": "a/b"},
        {"label": "x", "name": ".."},
        {"label": "x", "name": "-rf"},
        {"label": "x", "name": ".hidden"},
        {"label": "x", "name": "a\u0007b"},
        {"label": "x", "name": "n" * 300},
        {"label": "x", "specs": ["numpy >=<"]},
        {"label": "x", "specs": ["../../etc/passwd"]},
    ],
)
def test_bad_input_is_refused_in_words(request_body: dict[str, object], demo_server: Server) -> None:
    status, error = demo_server.request("POST", "api/mlinfn/envs", request_body | {"dry_run": True})

    assert status in (400, 422), error
    assert error["message"]
    assert error["hint"]
    assert error["fields"]


def test_a_taken_name_is_a_conflict(server: Server) -> None:
    server.ended(server.create("My env")["id"])
    status, error = server.request("POST", "api/mlinfn/envs", {"label": "my ENV"})

    assert status == 409
    assert error["fields"]["name"][0]["value"] == "my-env"


def test_no_secret_of_the_server_is_in_a_kernelspec_a_job_or_a_log(server: Server) -> None:
    job = server.ended(server.create("My env", ["mlinfn-units"])["id"])
    log = server.get(f"api/mlinfn/jobs/{job['id']}/log")

    assert SECRET in server.platform.variables().values()
    assert SECRET not in json.dumps([server.get("api/kernelspecs"), job, log])
    written = [*server.platform.kernels.glob("*/kernel.json")]
    written += [p for p in (server.platform.environments / ".mlinfn" / "jobs").rglob("*") if p.is_file()]
    assert written
    assert not [path for path in written if SECRET in path.read_text()]


PASSWORD = "typed-password"


def test_a_password_typed_with_a_channel_is_used_and_never_stored_shown_or_logged(
    server: Server, channel: ChannelServer
) -> None:
    host = channel.url.removeprefix("http://")
    typed = f"http://somebody:{PASSWORD}@{host}"
    job = server.ended(server.create("My env", ["mlinfn-units"], channels=[typed])["id"])
    query = urllib.parse.urlencode({"q": "mlinfn", "channels": typed})
    found = server.get(f"api/mlinfn/packages?{query}")
    refused, too_long = server.request(
        "POST", "api/mlinfn/envs", {"label": "x", "channels": [typed + "/" + "x" * 500]}
    )
    shown = [job, found, too_long, server.get("api/mlinfn/jobs"), server.get("api/mlinfn/envs")]

    assert job["state"] == "done", job
    assert job["request"] == {
        "name": "my-env",
        "label": "My env",
        "specs": ["mlinfn-units"],
        "pip": [],
        "cuda": None,
        "cuda_decided": "none",
        "cuda_kept": "",
        "by": "JupyterLab",
        "channels": [channel.url],
    }
    assert any("authorization" in map(str.lower, headers) for headers in channel.headers)
    assert refused == 400
    assert PASSWORD not in json.dumps(shown)
    folders = (server.platform.environments, server.platform.kernels)
    files = [server.platform.folder / "server.log"]
    files += [
        p for folder in folders for p in folder.rglob("*.json*") if p.is_file() and "pkgs" not in p.parts
    ]
    files += [server.platform.environments / "my-env" / "conda-meta" / name for name in ("mlinfn", "history")]
    assert len(files) > 10
    assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    "bad", ["http://[::1", "~nobody-of-that-name/x", "a\u0000b", "http://", "http://h:99999999", "http://h:x"]
)
def test_what_cannot_be_a_channel_is_refused_in_words(bad: str, demo_server: Server) -> None:
    status, error = demo_server.request(
        "POST", "api/mlinfn/envs", {"label": "x", "channels": [bad], "dry_run": True}
    )
    searched, _ = demo_server.request(
        "GET", "api/mlinfn/packages?" + urllib.parse.urlencode({"q": "x", "channels": bad})
    )

    assert (status, searched) == (400, 400), error
    assert error["hint"]
    assert list(error["fields"]) == ["channels"]


@pytest.mark.parametrize(
    "spec", ["https://u:p@host/channel::numpy", "https://host/t/TOKEN/c::numpy", "a\ud800"]
)
def test_a_spec_that_must_not_be_stored_is_refused(spec: str, demo_server: Server) -> None:
    status, error = demo_server.request("POST", "api/mlinfn/envs", {"label": "x", "specs": [spec]})

    assert status == 400
    assert list(error["fields"]) == ["specs"]


def test_a_body_that_is_too_large_or_too_deep_is_refused(demo_server: Server) -> None:
    status, error = demo_server.request("POST", "api/mlinfn/envs", {"label": "x" * 2_000_000})
    assert (status, "too large" in error["message"]) == (400, True)


def test_storage_that_cannot_be_read_is_named_and_is_no_failure_of_the_server(
    server: Server,
) -> None:
    """A file where the folder of environments ought to be."""
    server.platform.environments.parent.joinpath("environments").write_text("in the way")

    listed = server.get("api/mlinfn/envs")
    status, error = server.request("POST", "api/mlinfn/envs", {"label": "x"})

    assert listed["environments"] == []
    assert listed["warnings"]
    assert status < 500, error
    assert error["hint"]
