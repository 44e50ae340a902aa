"""Modules that imitate the public API of PyTorch and JAX, and the texts of their errors.

They stand in for libraries that need hardware which the tests do not have; what is tested is what our check
makes of them. Each knob is a Python statement that is run at its point; the texts are those that
PyTorch 2 and JAX 0.4 and later raise.
"""

from __future__ import annotations

from pathlib import Path

_TORCH = '''
import os, signal, time, warnings
__version__ = {version!r}
{at_import}


class _Version:
    cuda = {cuda!r}
    hip = {hip!r}


version = _Version
float32 = "float32"


class _Tensor:
    def __init__(self, rows):
        self.rows = rows

    def reshape(self, height, width):
        flat = self.rows
        return _Tensor([flat[i * width : (i + 1) * width] for i in range(height)])

    def __matmul__(self, other):
        {at_compute}
        columns = list(zip(*other.rows))
        return _Tensor([[sum(a * b for a, b in zip(row, column)) for column in columns] for row in self.rows])

    def tolist(self):
        rows = [[float(entry) for entry in row] for row in self.rows]
        rows[0][0] += {error!r}
        return rows


def arange(count, dtype=None, device=None):
    assert device == "cuda:0"
    return _Tensor(list(range(count)))


class _Properties:
    name = {name!r}
    uuid = {uuid!r}
    major, minor = 8, 0


class cuda:
    @staticmethod
    def is_available():
        {at_look}
        return {available!r}

    @staticmethod
    def device_count():
        return 1 if {available!r} else 0

    @staticmethod
    def init():
        {at_init}

    @staticmethod
    def get_device_properties(index):
        return _Properties

    @staticmethod
    def get_arch_list():
        return {arches!r}

    @staticmethod
    def synchronize():
        """Nothing is under way."""
'''

_JAX = '''
import os, signal, time
__version__ = {version!r}
{at_import}


class _Device:
    device_kind = {name!r}


class default_device:
    def __init__(self, device):
        """As the real one: a context."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False


def devices(backend=None):
    assert backend == "gpu"
    assert os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    {at_devices}
    return [_Device()]
'''

_JAX_NUMPY = """
float32 = "float32"


class _Array:
    def __init__(self, rows):
        self.rows = rows

    def reshape(self, height, width):
        return _Array([self.rows[i * width : (i + 1) * width] for i in range(height)])

    def __matmul__(self, other):
        {at_compute}
        columns = list(zip(*other.rows))
        return _Array([[sum(a * b for a, b in zip(row, column)) for column in columns] for row in self.rows])

    def tolist(self):
        return [[float(entry) for entry in row] for row in self.rows]


def arange(count, dtype=None):
    return _Array(list(range(count)))
"""

NOTHING = "pass"


def site_packages(prefix: Path) -> Path:
    """Where the environment's Python looks for packages."""
    return next(iter(sorted((prefix / "lib").glob("python3*/site-packages"))))


def add_distribution(prefix: Path, name: str, version: str, installer: str = "pip") -> None:
    """The metadata that an installer leaves."""
    info = site_packages(prefix) / f"{name}-{version}.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "INSTALLER").write_text(f"{installer}\n")


def add_module(prefix: Path, name: str, code: str = "") -> Path:
    """A package of that name."""
    folder = site_packages(prefix) / name
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").write_text(code)
    return folder


def add_torch(
    prefix: Path,
    *,
    version: str = "2.5.1",
    cuda: str | None = "12.4",
    hip: str | None = None,
    available: bool = True,
    name: str = "NVIDIA A100-PCIE-40GB MIG 1g.5gb",
    uuid: str = "8f3c2a91-0000-5a3b-9f5e-1d2c3b4a5968",
    arches: tuple[str, ...] = ("sm_80", "sm_90"),
    error: float = 0.0,
    at_import: str = NOTHING,
    at_look: str = NOTHING,
    at_init: str = NOTHING,
    at_compute: str = NOTHING,
    installer: str = "pip",
) -> None:
    """A PyTorch that behaves as told."""
    code = _TORCH.format(
        version=version,
        cuda=cuda,
        hip=hip,
        available=available,
        name=name,
        uuid=uuid,
        arches=list(arches),
        error=error,
        at_import=at_import,
        at_look=at_look,
        at_init=at_init,
        at_compute=at_compute,
    )
    add_module(prefix, "torch", code)
    add_distribution(prefix, "torch", version, installer)


def add_jax(
    prefix: Path,
    *,
    version: str = "0.4.35",
    plugin: int | None = 12,
    built_for: int = 12060,
    name: str = "NVIDIA A100-PCIE-40GB MIG 1g.5gb",
    at_import: str = NOTHING,
    at_devices: str = NOTHING,
    at_compute: str = NOTHING,
    installer: str = "pip",
) -> None:
    """A JAX that behaves as told. `built_for` is as CUDA counts its versions: 12060 is 12.6."""
    folder = add_module(
        prefix,
        "jax",
        _JAX.format(version=version, name=name, at_import=at_import, at_devices=at_devices),
    )
    (folder / "numpy.py").write_text(_JAX_NUMPY.format(at_compute=at_compute))
    add_module(prefix, "jaxlib", f"__version__ = {version!r}\n")
    add_distribution(prefix, "jax", version, installer)
    if plugin is not None:
        brought = add_module(prefix, f"jax_cuda{plugin}_plugin")
        (brought / "_versions.py").write_text(f"def cuda_runtime_build_version():\n    return {built_for}\n")
