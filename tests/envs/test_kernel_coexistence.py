"""Beside nb_conda_kernels: each kernel once, ours survive, its caches are refreshed.

With NB_CONDA_KERNELS=CHECKOUT in the environment the real one takes the stand-in's place too.
"""

import importlib
import json
import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

from jupyter_mlinfn.envs import coexistence
from jupyter_mlinfn.envs.coexistence import register, unregister
from jupyter_mlinfn.envs.kernelspecs import KernelspecWriter
from jupyter_mlinfn.envs.scan import EnvironmentScanner
from tests.support.nb_conda_stand_in import StandIn
from tests.support.prefixes import make_prefix

from ..support.patience import PATIENCE, wait_for

LOG = logging.getLogger(__name__)


@pytest.fixture
def own(tmp_path):
    return tmp_path / "private" / "environments"


@pytest.fixture
def writer(tmp_path):
    return KernelspecWriter(tmp_path / "data" / "kernels")


@pytest.fixture
def sync(own, writer):
    scanner = EnvironmentScanner(own)
    return lambda: writer.sync(scanner.scan().environments)


CHECKOUT = os.environ.get("NB_CONDA_KERNELS")


@pytest.fixture(params=["stand-in", "real"] if CHECKOUT else ["stand-in"])
def make_manager(request, tmp_path, writer, monkeypatch):
    """A function of the prefixes that conda knows; further options go to the manager."""
    options = {"data_dir": str(tmp_path / "data"), "kernel_dirs": [str(writer.kernels_dir)]}
    options["ensure_native_kernel"] = False
    if request.param == "stand-in":
        return lambda known, **more: StandIn(map(str, known), **options | more)
    monkeypatch.syspath_prepend(CHECKOUT)
    manager_module = importlib.import_module("nb_conda_kernels.manager")
    answer = tmp_path / "conda-info.json"
    conda = tmp_path / "conda"
    conda.write_text(f"#!{sys.executable}\nprint(open({str(answer)!r}).read())\n")
    conda.chmod(0o755)
    monkeypatch.setattr(manager_module, "CONDA_EXE", str(conda))

    class Known(list):
        def write(self):
            envs = sorted(map(str, self))
            answer.write_text(json.dumps({"conda_prefix": "/opt/conda", "envs": envs, "envs_dirs": []}))

        def append(self, prefix):
            super().append(prefix)
            self.write()

    def make(known, **more):
        known = Known(known)
        known.write()
        manager = manager_module.CondaKernelSpecManager(**options | more)
        manager.known = known
        return manager

    return make


def test_the_stock_manager_needs_nothing(tmp_path):
    manager = KernelSpecManager()
    assert coexistence.install(manager, LOG) is None
    assert "find_kernel_specs" not in vars(manager)


def test_each_kernel_once_under_their_name_with_our_command(own, writer, sync, make_manager):
    both = make_prefix(own / "MyEnv")
    make_prefix(own / "ours-only")
    sync()
    manager = make_manager([both])
    assert len(manager.find_kernel_specs()) == 3, "without us there are two cards for one kernel"
    coexistence.install(manager, LOG, writer=writer)
    assert sorted(manager.find_kernel_specs()) == ["conda-env-MyEnv-py", "conda-env-ours-only-py"]
    everything = manager.get_all_specs()
    assert sorted(everything) == ["conda-env-MyEnv-py", "conda-env-ours-only-py"]
    for name in ("conda-env-MyEnv-py", "conda-env-myenv-py"):
        spec = manager.get_kernel_spec(name)
        assert "nb_conda_kernels.runner" not in spec.argv
        assert spec.env["CONDA_PREFIX"] == str(both)
        assert spec.metadata["mlinfn"]["prefix"] == str(both)
    shown = everything["conda-env-MyEnv-py"]["spec"]
    assert shown["display_name"] in ("Theirs [MyEnv]", "Python [conda env:MyEnv]")
    with pytest.raises(NoSuchKernel):
        manager.get_kernel_spec("conda-env-nothing-py")


def test_allowed_kernelspecs_still_count(own, writer, sync, make_manager):
    make_prefix(own / "torch")
    make_prefix(own / "jax")
    sync()
    manager = make_manager([])
    coexistence.install(manager, LOG, writer=writer)
    manager.allowed_kernelspecs = {"conda-env-jax-py"}
    assert list(manager.find_kernel_specs()) == ["conda-env-jax-py"]


def test_ours_come_back_when_kernelspec_path_deletes_them(
    own, writer, sync, make_manager, tmp_path, monkeypatch
):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    make_prefix(own / "torch")
    sync()
    folder = writer.kernels_dir / "conda-env-torch-py"
    manager = make_manager([], kernelspec_path="--user", conda_only=True)
    coexistence.install(manager, LOG, writer=writer)
    manager._conda_kernels_cache_expiry = 0.0
    assert manager._conda_kspecs == {}
    assert not folder.exists(), "it was expected to delete ours"
    assert list(manager.find_kernel_specs()) == ["conda-env-torch-py"]
    assert (folder / "kernel.json").is_file()
    assert manager.get_kernel_spec("conda-env-torch-py").env["CONDA_PREFIX"] == str(own / "torch")


def test_refresh_shows_what_conda_has_learnt_without_a_blocking_call(own, writer, sync, make_manager):
    manager = make_manager([])
    merged = coexistence.install(manager, LOG, writer=writer)
    assert manager.find_kernel_specs() == {}
    manager.known.append(str(make_prefix(own / "torch")))
    assert manager.find_kernel_specs() == {}, "it was expected to answer from its cache"
    merged.refresh_soon()
    merged.refresh_soon()
    merged._refreshing.join(PATIENCE)
    assert list(manager.find_kernel_specs()) == ["conda-env-torch-py"]
    if isinstance(manager, StandIn):
        assert set(manager.calls) == {"thread"}


def test_registration_keeps_the_lines_of_others(tmp_path):
    file = tmp_path / ".conda" / "environments.txt"
    assert register(tmp_path / "a", file=file)
    file.write_text("/foreign/one\n/not there any more")
    assert register(tmp_path / "a", file=file)
    assert register(tmp_path / "a", file=file)
    assert file.read_text() == f"/foreign/one\n/not there any more\n{tmp_path}/a\n"
    assert unregister(tmp_path / "a", file=file)
    assert file.read_text() == "/foreign/one\n/not there any more\n"
    assert unregister(tmp_path / "b", file=tmp_path / "none" / "environments.txt")


def test_registration_says_when_it_is_not_possible(tmp_path):
    (tmp_path / "file").touch()
    assert not register(tmp_path / "a", file=tmp_path / "file" / "environments.txt")


def test_registrations_at_once_lose_none(tmp_path):
    file = tmp_path / "environments.txt"
    prefixes = [Path(f"/p/{number}") for number in range(16)]
    for action in (register, unregister):
        with ThreadPoolExecutor(max_workers=len(prefixes)) as pool:
            # On a busy machine one may have to wait for the others for longer than it has patience.
            list(pool.map(lambda p, action=action: wait_for(lambda: action(p, file=file)), prefixes))
        expected = sorted(map(str, prefixes)) if action is register else []
        assert sorted(file.read_text().split()) == expected
