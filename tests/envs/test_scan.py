"""Which environments are found, what is known of them, and folders that misbehave."""

import json
import os
import threading
from datetime import datetime, timezone
from pathlib import Path

import pytest

from jupyter_mlinfn.envs import scan as scan_module
from jupyter_mlinfn.envs.scan import (
    EnvironmentScanner,
    disk_usage,
    environment_id,
    find_base_prefix,
    packages,
)
from jupyter_mlinfn.errors import NotFoundError
from tests.support.prefixes import make_prefix, python_spec

from ..support.patience import PATIENCE, wait_for

MARKER = {
    "version": 1,
    "name": "torch",
    "label": "My Torch",
    "created": "2026-01-02T03:04:05+00:00",
    "state": "ready",
    "specs": ["torch", "ipykernel"],
    "channels": ["conda-forge"],
    "job": "j1",
}


@pytest.fixture
def own(tmp_path):
    return tmp_path / "private" / "environments"


@pytest.fixture
def shared(tmp_path):
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


def settle(prefix: Path) -> None:
    """Make everything look older than the time within which nothing is kept."""
    for path in [prefix, *prefix.rglob("*")]:
        os.utime(path, (1_700_000_000, 1_700_000_000))


def test_own_and_shared_environments_are_found(own, shared):
    make_prefix(own / "torch", marker=MARKER)
    make_prefix(shared / "stats", kernels={"ir": {"argv": ["R"], "display_name": "R", "language": "R"}})
    (own / ".mlinfn" / "pkgs").mkdir(parents=True)
    (own / "not-one").mkdir()
    result = EnvironmentScanner(own, [shared]).scan()
    assert result.warnings == ()
    torch, stats = result.environments
    assert (torch.name, torch.label, torch.origin, torch.python) == ("torch", "My Torch", "private", "3.11.9")
    assert torch.created == datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    assert (torch.requested_specs, torch.channels) == (("torch", "ipykernel"), ("conda-forge",))
    assert [kernel.name for kernel in torch.kernels] == ["conda-env-torch-py"]
    assert torch.id == environment_id(own / "torch")
    assert (stats.origin, stats.python, stats.kernels[0].name) == ("shared", "3.11.9", "conda-env-stats-r")
    assert stats.kernels[0].display_name == "R [conda env:stats]"


def test_a_shared_folder_may_itself_be_a_prefix(own, tmp_path):
    make_prefix(tmp_path / "cvmfs" / "lcg")
    (environment,) = EnvironmentScanner(own, [tmp_path / "cvmfs" / "lcg"]).scan().environments
    assert environment.prefix == tmp_path / "cvmfs" / "lcg"


def test_one_that_is_being_made_is_not_listed(own):
    make_prefix(own / "torch", marker=MARKER | {"state": "creating"})
    assert EnvironmentScanner(own).scan().environments == ()


def test_one_prefix_by_two_ways_is_listed_once(own, shared):
    make_prefix(shared / "stats")
    own.mkdir(parents=True)
    (own / "linked").symlink_to(shared / "stats")
    assert len(EnvironmentScanner(own, [shared]).scan().environments) == 1


def test_what_conda_made_tells_its_specs_and_channels(shared, own):
    prefix = make_prefix(shared / "made-by-conda")
    (prefix / "conda-meta" / "history").write_text(
        "==> 2024-05-06 07:08:09 <==\n# cmd: conda create\n+conda-forge/linux-64::python-3.11.9-h_0\n"
        "+conda-forge/noarch::pip-24-py_0\n# update specs: "
        "['python=3.11', \"numpy[version='>1']\", 'scipy']\n"
        "==> 2024-06-06 07:08:09 <==\n# remove specs: ['scipy']\n"
    )
    (environment,) = EnvironmentScanner(own, [shared]).scan().environments
    assert environment.requested_specs[0] == "python=3.11"
    assert not any(spec.startswith("scipy") for spec in environment.requested_specs)
    assert environment.channels == ("conda-forge",)
    assert environment.created == datetime(2024, 5, 6, 7, 8, 9).astimezone()


def test_only_a_touched_environment_is_read_again(own, monkeypatch):
    for name in ("one", "two"):
        settle(make_prefix(own / name))
    reads = []
    real = scan_module.read_prefix
    monkeypatch.setattr(
        scan_module, "read_prefix", lambda prefix, **how: (reads.append(prefix.name), real(prefix, **how))[1]
    )
    scanner = EnvironmentScanner(own)
    first = scanner.scan()
    assert scanner.scan().environments is first.environments
    assert reads == ["one", "two"]
    spec = own / "two" / "share" / "jupyter" / "kernels" / "python3" / "kernel.json"
    spec.write_text(json.dumps(python_spec("python") | {"display_name": "Zwei"}))
    assert scanner.scan().environments[1].kernels[0].display_name == "Zwei [conda env:two]"
    assert reads == ["one", "two", "two"]


def test_what_has_just_changed_is_not_kept(own):
    """Two changes within one tick of the clock look the same: the second must still show."""
    prefix = make_prefix(own / "one")
    spec = prefix / "share" / "jupyter" / "kernels" / "python3" / "kernel.json"
    scanner = EnvironmentScanner(own)
    scanner.scan()
    before = spec.stat()
    spec.write_text(spec.read_text().replace("ipykernel)", "ipykerneL)"))
    os.utime(spec, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert scanner.scan().environments[0].kernels[0].spec["display_name"] == "Python 3 (ipykerneL)"


def test_a_missing_shared_folder_is_named_and_breaks_nothing(own, tmp_path):
    make_prefix(own / "torch")
    result = EnvironmentScanner(own, [tmp_path / "gone"]).scan()
    assert [environment.name for environment in result.environments] == ["torch"]
    assert str(tmp_path / "gone") in result.warnings[0]
    assert result.unreachable == (tmp_path / "gone",)


def test_a_folder_that_hangs_delays_nobody_for_long(own, shared, monkeypatch):
    make_prefix(own / "torch")
    make_prefix(shared / "stats")
    # On a busy machine a folder that does not hang may be too slow for so little patience, now and then.
    scanner = EnvironmentScanner(own, [shared], patience=0.2)
    wait_for(lambda: len(scanner.scan().environments) == 2)
    release, asked = threading.Event(), []
    real = scan_module.is_prefix

    def hanging(path):
        asked.append(path)
        release.wait(PATIENCE)
        return real(path)

    monkeypatch.setattr(scan_module, "is_prefix", hanging)
    for _ in range(3):
        result = wait_for(lambda: (seen := scanner.scan()).unreachable == (shared,) and seen)
        assert [environment.name for environment in result.environments] == ["torch", "stats"]
        assert "does not answer" in result.warnings[0]
    assert len(asked) == 1, "each look left another thread hanging"
    release.set()
    scanner._folders[1]._look.thread.join(PATIENCE)
    wait_for(lambda: scanner.scan().warnings == ())


def test_names_stay_reserved_while_a_folder_is_away(own, tmp_path):
    away = tmp_path / "away"
    make_prefix(own / "pinn")
    named = EnvironmentScanner(own, [away], remembered=lambda: [away / "pinn"]).scan()
    # <tmp>/away/pinn sorts before <tmp>/private/environments/pinn, which then counts on.
    assert named.environments[0].kernels[0].name == "conda-env-pinn-2-py"


def test_a_broken_kernelspec_is_named(own):
    prefix = make_prefix(own / "torch")
    broken = prefix / "share" / "jupyter" / "kernels" / "broken"
    broken.mkdir()
    (broken / "kernel.json").write_text("{")
    result = EnvironmentScanner(own).scan()
    assert [kernel.raw_name for kernel in result.environments[0].kernels] == ["python3"]
    assert str(broken) in result.warnings[0]


def test_link_scripts_that_were_not_run(own, shared):
    for folder in (own, shared):
        prefix = make_prefix(folder / "torch")
        (prefix / "bin").mkdir()
        (prefix / "bin" / ".openssl-tools-post-link.sh").touch()
    ours, theirs = EnvironmentScanner(own, [shared]).scan().environments
    assert (ours.link_scripts_not_run, theirs.link_scripts_not_run) == (("openssl-tools",), ())


def test_packages(own):
    prefix = make_prefix(own / "torch", packages=("python-3.11.9-h_0", "pip-24.0-py_0"))
    (prefix / "conda-meta" / "numpy-2.0-h1.json").write_text("half a rec")
    record = prefix / "conda-meta" / "pip-24.0-py_0.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"requested_spec": "pip"}))
    found = {package.name: package for package in packages(prefix)}
    assert found["pip"].requested
    assert not found["python"].requested
    assert (found["numpy"].version, found["numpy"].build, found["numpy"].size) == ("2.0", "h1", None)
    with pytest.raises(NotFoundError):
        packages(own / "gone")


def test_disk_usage_counts_links_once_and_knows_what_is_its_own(own, tmp_path):
    prefix = make_prefix(own / "torch")
    bare, bare_own = disk_usage(prefix)
    assert bare == bare_own
    cached = tmp_path / "cached"
    cached.write_bytes(b"x" * 1_000_000)
    os.link(cached, prefix / "linked")
    (prefix / "single").write_bytes(b"y" * 500_000)
    os.link(prefix / "single", prefix / "again")
    size, own_size = disk_usage(prefix)
    assert size - bare == (cached.stat().st_blocks + (prefix / "single").stat().st_blocks) * 512
    assert own_size - bare_own == (prefix / "single").stat().st_blocks * 512


def test_base_prefix(tmp_path):
    base = make_prefix(tmp_path / "conda")
    child = make_prefix(base / "envs" / "lab")
    elsewhere = make_prefix(tmp_path / "elsewhere")
    assert find_base_prefix(tmp_path / "no-conda", {}) is None
    assert find_base_prefix(child, {}) == base
    assert find_base_prefix(elsewhere, {"CONDA_EXE": str(base / "bin" / "conda")}) == base
    assert find_base_prefix(base, {}) == base
