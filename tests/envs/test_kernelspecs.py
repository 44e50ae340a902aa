"""Kernelspecs on disk: what is in them, and whose are touched."""

import json
import shutil
import threading

import pytest

from jupyter_mlinfn.envs.kernelspecs import KernelspecWriter
from jupyter_mlinfn.envs.scan import EnvironmentScanner
from tests.support.prefixes import add_activation, make_prefix, python_spec

from ..support.patience import PATIENCE


@pytest.fixture
def own(tmp_path):
    folder = tmp_path / "private" / "environments"
    (folder / ".mlinfn").mkdir(parents=True)
    return folder


@pytest.fixture
def kernels(tmp_path):
    return tmp_path / "data" / "kernels"


@pytest.fixture
def writer(kernels):
    return KernelspecWriter(kernels)


@pytest.fixture
def sync(own, writer):
    scanner = EnvironmentScanner(own)

    def sync():
        result = scanner.scan()
        return writer.sync(result.environments, unreachable=result.unreachable)

    return sync


def state(folder):
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.stat().st_ino)
        for path in [folder, *folder.rglob("*")]
    }


def test_what_is_written(own, kernels, sync):
    prefix = make_prefix(own / "torch")
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python").touch()
    spec_dir = prefix / "share" / "jupyter" / "kernels" / "python3"
    (spec_dir / "logo-64x64.png").write_bytes(b"picture")
    add_activation(prefix, "a.sh", "export GDAL_DATA=$CONDA_PREFIX/share/gdal")
    assert sync().added == ("conda-env-torch-py",)
    folder = kernels / "conda-env-torch-py"
    spec = json.loads((folder / "kernel.json").read_text())
    assert spec["argv"] == [f"{prefix}/bin/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    assert spec["display_name"] == "Python [conda env:torch]"
    assert spec["env"]["GDAL_DATA"] == f"{prefix}/share/gdal"
    assert spec["env"]["PATH"] == f"{prefix}/bin:${{PATH}}"
    assert spec["metadata"]["debugger"] is True
    assert spec["metadata"]["conda_env_path"] == str(prefix)
    assert spec["metadata"]["mlinfn"]["label"] == "torch"
    assert spec["metadata"]["mlinfn"]["origin"] == "private"
    assert (folder / "logo-64x64.png").read_bytes() == b"picture"
    assert sorted(path.name for path in folder.iterdir()) == ["kernel.json", "logo-64x64.png"]


def test_commands_that_jupyter_would_misunderstand(own, kernels, sync):
    prefix = own / "odd"
    make_prefix(
        prefix,
        kernels={
            "moved": python_spec("/where/it/was/built/bin/python3.11"),
            "wrapped": {
                "argv": ["{resource_dir}/run.sh", "{prefix}/lib"],
                "display_name": "W",
                "language": "w",
            },
            "elsewhere": python_spec("/bin/sh"),
            "path": python_spec("python") | {"env": {"PATH": "/spec:${PATH}", "OWN": "$x"}},
        },
    )
    (prefix / "bin").mkdir()
    for program in ("python", "python3.11"):
        (prefix / "bin" / program).touch()
    sync()

    def spec(name):
        return json.loads((kernels / f"conda-env-odd-{name}" / "kernel.json").read_text())

    assert spec("moved")["argv"][0] == f"{prefix}/bin/python3.11"
    assert spec("wrapped")["argv"] == [f"{prefix}/share/jupyter/kernels/wrapped/run.sh", f"{prefix}/lib"]
    assert spec("elsewhere")["argv"][0] == "/bin/sh"
    assert spec("path")["env"]["PATH"] == f"{prefix}/bin:/spec:${{PATH}}"
    assert spec("path")["env"]["OWN"] == "$x"


def test_nothing_is_touched_when_nothing_changed(own, kernels, sync):
    make_prefix(own / "torch")
    sync()
    before = state(kernels)
    again = sync()
    assert (again.added, again.changed, again.removed, again.warnings) == ((), (), (), ())
    assert state(kernels) == before


def test_a_removed_environment_takes_its_kernels_with_it(own, kernels, sync):
    make_prefix(own / "torch")
    make_prefix(own / "jax")
    sync()
    shutil.rmtree(own / "torch")
    assert sync().removed == ("conda-env-torch-py",)
    assert [path.name for path in kernels.iterdir()] == ["conda-env-jax-py"]
    shutil.rmtree(own / "jax")
    assert sync().removed == ("conda-env-jax-py",)


def test_a_kernel_with_a_new_name_leaves_its_old_one(own, kernels, sync):
    prefix = make_prefix(own / "torch")
    sync()
    (prefix / "share" / "jupyter" / "kernels" / "python3").rename(
        prefix / "share" / "jupyter" / "kernels" / "other"
    )
    changes = sync()
    assert (changes.added, changes.removed) == (("conda-env-torch-other",), ("conda-env-torch-py",))


@pytest.mark.parametrize("how", ["gone", "empty"])
def test_shared_kernels_outlive_an_unmounted_folder(own, kernels, writer, tmp_path, how):
    shared = tmp_path / "shared"
    make_prefix(shared / "stats")
    writer.sync(EnvironmentScanner(own, [shared]).scan().environments)
    shared.rename(tmp_path / "unmounted")
    if how == "empty":
        shared.mkdir()
    # Another server, which never saw the folder.
    scanner = EnvironmentScanner(own, [shared], remembered=writer.prefixes)
    result = scanner.scan()
    assert KernelspecWriter(kernels).sync(result.environments, unreachable=result.unreachable).removed == ()
    assert (kernels / "conda-env-stats-py" / "kernel.json").exists()
    shutil.rmtree(shared, ignore_errors=True)
    (tmp_path / "unmounted").rename(shared)
    make_prefix(shared / "still-here")
    shutil.rmtree(shared / "stats")
    result = scanner.scan()
    assert writer.sync(result.environments, unreachable=result.unreachable).removed == ("conda-env-stats-py",)


def test_private_kernels_outlive_missing_private_storage(own, kernels, sync, tmp_path):
    make_prefix(own / "torch")
    sync()
    (tmp_path / "private").rename(tmp_path / "unmounted")
    assert sync().removed == ()
    assert (kernels / "conda-env-torch-py" / "kernel.json").exists()


def test_kernels_of_folders_that_only_another_server_knows_are_kept(own, kernels, writer, tmp_path):
    make_prefix(tmp_path / "shared" / "stats")
    writer.sync(EnvironmentScanner(own, [tmp_path / "shared"]).scan().environments)
    assert writer.sync(EnvironmentScanner(own).scan().environments).removed == ()


@pytest.mark.parametrize("content", ['{"argv": ["mine"], "display_name": "mine"}', "no json"])
def test_what_is_not_ours_is_left_alone(own, kernels, sync, content):
    foreign = kernels / "conda-env-torch-py" / "kernel.json"
    foreign.parent.mkdir(parents=True)
    foreign.write_text(content)
    make_prefix(own / "torch")
    changes = sync()
    assert changes.added == ()
    assert "left alone" in changes.warnings[0]
    shutil.rmtree(own / "torch")
    assert sync().removed == ()
    assert foreign.read_text() == content


def test_what_nb_conda_kernels_wrote_for_the_same_kernel_is_taken_over(own, kernels, sync):
    prefix = make_prefix(own / "torch")
    theirs = kernels / "conda-env-torch-py" / "kernel.json"
    theirs.parent.mkdir(parents=True)
    argv = ["python", "-m", "nb_conda_kernels.runner", "/opt/conda", str(prefix), "python"]
    theirs.write_text(json.dumps({"argv": argv, "metadata": {"conda_env_path": str(prefix)}}))
    assert sync().changed == ("conda-env-torch-py",)
    assert "mlinfn" in json.loads(theirs.read_text())["metadata"]


def test_names_that_differ_in_case_only(own, kernels, sync):
    make_prefix(own / "MyEnv")
    lower = make_prefix(own / "myenv")
    changes = sync()
    assert changes.added == ("conda-env-myenv-py",)
    assert "conda-env-myenv-py" in changes.warnings[0]
    spec = json.loads((kernels / "conda-env-myenv-py" / "kernel.json").read_text())
    assert spec["metadata"]["conda_env_path"] == str(lower)


def test_a_kernel_folder_that_cannot_be_written_is_a_warning(own, tmp_path):
    make_prefix(own / "torch")
    (tmp_path / "file").touch()
    changes = KernelspecWriter(tmp_path / "file" / "kernels").sync(
        EnvironmentScanner(own).scan().environments
    )
    assert "cannot be kept up to date" in changes.warnings[0]


def test_deleted_ones_come_back(own, kernels, sync, writer):
    make_prefix(own / "torch")
    make_prefix(own / "jax")
    sync()
    shutil.rmtree(kernels / "conda-env-torch-py")
    assert writer.restore() == ["conda-env-torch-py"]
    shutil.rmtree(own / "jax")
    sync()
    assert writer.restore() == []
    shutil.rmtree(kernels / "conda-env-torch-py")
    assert sync().added == ("conda-env-torch-py",)


def test_two_servers_at_once_never_show_half_a_kernel(own, kernels):
    """A reader looks all the while that two servers write and remove the same twenty kernels."""
    for number in range(20):
        make_prefix(own / f"e{number}")
    environments = EnvironmentScanner(own).scan().environments
    done, seen = threading.Event(), threading.Event()
    problems = []

    def serve():
        writer = KernelspecWriter(kernels)
        rounds = 0
        while rounds < 8 or not seen.is_set():
            rounds += 1
            problems.extend(writer.sync(environments).warnings)
            for folder in list(kernels.iterdir())[::3]:
                shutil.rmtree(folder, ignore_errors=True)

    def read():
        while not done.is_set():
            for path in kernels.glob("*/kernel.json"):
                try:
                    text = path.read_text()
                    seen.set()
                    assert json.loads(text)["metadata"]["mlinfn"]["owner"]
                except FileNotFoundError:
                    continue
                except (ValueError, KeyError) as error:
                    problems.append(repr(error))

    reader = threading.Thread(target=read)
    servers = [threading.Thread(target=serve) for _ in range(2)]
    reader.start()
    for server in servers:
        server.start()
    for server in servers:
        server.join(PATIENCE)
    done.set()
    reader.join(PATIENCE)
    last = KernelspecWriter(kernels).sync(environments)
    assert last.warnings == ()
    assert len(list(kernels.glob("*/kernel.json"))) == 20
    # A folder that vanished under a writer is a warning of that moment, never a broken kernel.
    assert [problem for problem in problems if "cannot be kept up to date" not in problem] == []
