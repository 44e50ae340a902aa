"""Real mounts in a namespace of their own: what the table says against what the kernel says of a file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..support.patience import PATIENCE

SCRIPT = """
import json, os, subprocess, sys
from pathlib import Path
from jupyter_mlinfn.storage.mounts import MountTable
from jupyter_mlinfn.storage.rules import Rules

base = Path(sys.argv[1])
def mount(*arguments): subprocess.run(["mount", *map(str, arguments)], check=True)
def folder(*names):
    for name in names: (base / name).mkdir(parents=True)

subprocess.run(["mount", "--make-rprivate", "/"], check=True)
folder("a b/x", "stack", "lower", "upper", "work", "merged", "source/deep", "bound", "deep", "covered/below")
mount("-t", "tmpfs", "none", base / "a b"); folder("a b/in/tmpfs")
mount("-t", "tmpfs", "one", base / "stack"); mount("-t", "ramfs", "two", base / "stack"); folder("stack/top")
mount("--bind", base / "source", base / "bound")
mount("--bind", base / "source" / "deep", base / "deep")
mount("-t", "tmpfs", "none", base / "bound" / "deep"); folder("bound/deep/er")
mount("-t", "tmpfs", "hidden", base / "covered" / "below"); mount("-t", "tmpfs", "none", base / "covered")
folder("covered/below/new")
odd = os.fsdecode(os.fsencode(base) + b"/\\xff\\n")
os.mkdir(odd); mount("-t", "tmpfs", "none", odd)
mount("-o", "remount,bind,ro", base / "deep")
try:
    options = f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work"
    mount("-t", "overlay", "overlay", "-o", options, base / "merged")
except subprocess.CalledProcessError:
    pass
table = MountTable.read()
rules = Rules(table)
told = {}
for path, _, _ in os.walk(base):
    descriptor = os.open(path, os.O_RDONLY)
    info = Path(f"/proc/self/fdinfo/{descriptor}").read_text().split("mnt_id:")[1].split()[0]
    os.close(descriptor)
    found = table.of(path)
    told[os.path.relpath(path, base)] = {
        "kernel": int(info), "ours": found.mount_id, "type": found.fs_type, "root": found.root,
        "read_only": found.read_only, "persistence": rules.of(path).persistence,
    }
print(json.dumps(told))
"""


SERVER = """
import json, subprocess, sys
from pathlib import Path
from tests.support.server import Platform, running, wait_for

base = Path(sys.argv[1])
def mount(*arguments): subprocess.run(["mount", *map(str, arguments)], check=True)

subprocess.run(["mount", "--make-rprivate", "/"], check=True)
root = base / "platform" / "work"
root.mkdir(parents=True)
mount("-t", "tmpfs", "none", root)
platform = Platform(base / "platform", [], traits={"persistent_folders": []})
mount("--bind", base, root / "private")
# In a process of its own: what is forked from the nursery has the nursery's mounts.
with running(platform, fresh=True) as server:
    (root / "lost.txt").write_text("lost")
    (root / "private" / "kept.txt").write_text("kept")
    status, answer = server.request("POST", "api/mlinfn/storage/count", {})
    def counted():
        found = server.get("api/mlinfn/storage")
        return found if found["ephemeral"]["state"] != "counting" else None
    answer = wait_for(counted)
    asked = ("a/b.txt", "private/b.txt")
    places = {path: server.get(f"api/mlinfn/storage/place?path={path}") for path in asked}
print(json.dumps({"answer": answer, "places": places}))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return in_namespace(SCRIPT, tmp_path_factory.mktemp("mounts").resolve())


def in_namespace(script: str, base: Path) -> dict[str, Any]:
    """What a script prints that mounts what it likes below `base`, seen by nobody else."""
    unshare = shutil.which("unshare")
    if os.geteuid() != 0 or unshare is None:
        pytest.skip("only root may mount, and unshare(1) is needed")
    done = subprocess.run(
        [unshare, "--mount", sys.executable, "-c", script, str(base)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        cwd=Path(__file__).parents[2],
    )
    refused = any(words in done.stderr.lower() for words in ("permission denied", "not permitted"))
    if done.returncode and refused:
        pytest.skip(f"this machine lets nobody mount: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_every_folder_lies_on_the_mount_that_the_kernel_says(told: dict[str, Any]) -> None:
    assert len(told) > 15
    assert {path: each["ours"] for path, each in told.items()} == {
        path: each["kernel"] for path, each in told.items()
    }


def test_what_is_mounted_is_seen_as_what_it_is(told: dict[str, Any]) -> None:
    assert told["a b/in/tmpfs"]["type"] == "tmpfs"
    assert told["stack/top"]["type"] == "ramfs"
    assert told["bound/deep/er"]["type"] == "tmpfs"
    assert told["covered/below/new"]["type"] == "tmpfs"
    assert {told[path]["persistence"] for path in ("a b", "stack", "bound/deep", "covered/below")} == {
        "ephemeral"
    }
    assert told["bound"]["root"].endswith("/source")
    assert told["deep"]["root"].endswith("/source/deep")
    assert (told["deep"]["read_only"], told["bound"]["read_only"]) == (True, False)


def test_a_bind_mount_is_as_what_it_is_of(told: dict[str, Any]) -> None:
    assert told["bound"]["persistence"] == told["source"]["persistence"]


def test_an_overlay_of_somebody_is_not_taken_for_the_container(told: dict[str, Any]) -> None:
    if told["merged"]["type"] != "overlay":
        pytest.skip("this kernel mounts no overlay here")
    assert told["merged"]["persistence"] == "unknown"


def test_a_server_on_a_root_in_memory_with_private_storage_mounted(tmp_path: Path) -> None:
    """Nothing is configured: the table of mounts tells."""
    told = in_namespace(SERVER, tmp_path.resolve())
    lost = told["answer"]["ephemeral"]

    assert [each["root_path"] for each in lost["biggest"]] == ["lost.txt"]
    assert (lost["state"], lost["files"], lost["bytes"]) == ("known", 1, 4)
    assert told["places"]["a/b.txt"]["persistence"] == "ephemeral"
    assert told["places"]["a/b.txt"]["private"]["root_path"] == "private"
    # The disk of the tests is under /tmp or not: of that it is not known, of others it lasts.
    assert told["places"]["private/b.txt"]["persistence"] != "ephemeral"
