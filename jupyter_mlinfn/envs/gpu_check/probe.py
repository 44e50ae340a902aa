"""Runs in the environment that is checked, by its Python (3.7 or later), apart from everything else.

``python -I probe.py REPORT find|torch|jax``: writes what it does and finds to the file REPORT, one JSON
object a line, each before the next step begins: so it is known where it was if it crashed, or hangs.
It imports nothing but the standard library and the framework in question, and says what it saw; what
that means is said elsewhere (`verdicts`).

The PyTorch calls are those of https://pytorch.org/docs/stable/cuda.html, the JAX calls those of
https://docs.jax.dev/en/latest/jax.html#jax-devices.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import traceback
import warnings
from typing import Any

CHECKED = ("torch", "jax")

OTHERS = (
    ("tensorflow", "TensorFlow"),
    ("cupy", "CuPy"),
    ("numba", "Numba"),
    ("tensorrt", "TensorRT"),
    ("onnxruntime", "ONNX Runtime"),
    ("cudf", "cuDF"),
    ("cuml", "cuML"),
    ("pycuda", "PyCUDA"),
    ("paddle", "PaddlePaddle"),
    ("mxnet", "MXNet"),
)
"""Module and name of what may use a GPU and is only named."""

SIZE = 16
"""Rows of the matrix that is multiplied: its numbers stay below 2**24, exact also in TF32 and float32."""


class Report:
    """The file that the steps are written to."""

    def __init__(self, path: str) -> None:
        self._out = open(path, "a", encoding="utf-8")  # noqa: PTH123, SIM115 - as simple as it gets

    def say(self, step: str, **facts: Any) -> None:
        self._out.write(json.dumps(dict(facts, step=step)) + "\n")
        self._out.flush()

    def failed(self, at: str, error: BaseException) -> None:
        last = traceback.extract_tb(error.__traceback__)[-1:]
        self.say(
            "failed",
            at=at,
            kind=type(error).__name__,
            text=str(error)[:4000],
            module=getattr(error, "name", None),
            where=["%s:%s" % (frame.filename, frame.lineno) for frame in last],  # noqa: UP031
        )


def find(report: Report) -> None:
    """Which frameworks there are, without importing one."""
    try:
        from importlib import metadata
    except ImportError:  # Python 3.7
        metadata = None  # type: ignore[assignment]
    found = []
    names = dict(OTHERS)
    for module in CHECKED + tuple(name for name, _ in OTHERS):
        try:
            spec = importlib.util.find_spec(module)
        except Exception:  # noqa: BLE001 - a broken .pth or import hook of theirs
            spec = None
        # A folder that only bears the name is no framework.
        if spec is None or (spec.origin is None and module not in CHECKED):
            continue
        one = {
            "module": module,
            "name": names.get(module),
            "origin": spec.origin,
            "version": None,
            "by": None,
        }
        for distribution in (module, module + "-gpu", module + "-cuda12x", module + "-cuda11x"):
            try:
                about = metadata.distribution(distribution)
                one["version"] = about.version
                one["by"] = (about.read_text("INSTALLER") or "").strip() or None
                break
            except Exception:  # noqa: BLE001, S112 - damaged metadata is none
                continue
        found.append(one)
    shadows = []
    try:
        import site

        user = None if os.environ.get("PYTHONNOUSERSITE") else site.getusersitepackages()
        shadows = [name for name in CHECKED if user and os.path.exists(os.path.join(user, name))]  # noqa: PTH110, PTH118
    except Exception:  # noqa: BLE001 - then nothing is known of it
        user = None
    report.say("found", frameworks=found, user_site=user, shadows=shadows, python=sys.version.split()[0])


def expected() -> int:
    """The sum of the entries of the product of 0, 1, 2, … (SIZE x SIZE) with itself, in whole numbers."""
    rows = [[SIZE * i + j for j in range(SIZE)] for i in range(SIZE)]
    return sum(sum(rows[i][k] * rows[k][j] for k in range(SIZE)) for i in range(SIZE) for j in range(SIZE))


def check_torch(report: Report) -> None:
    """PyTorch."""
    report.say("doing", what="import")
    try:
        torch: Any = importlib.import_module("torch")
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the answer
        report.failed("import", error)
        return
    version = getattr(torch, "version", None)
    built_for = getattr(version, "cuda", None)
    report.say(
        "imported",
        version=str(torch.__version__),
        cuda=built_for,
        hip=getattr(version, "hip", None),
        file=getattr(torch, "__file__", None),
    )
    if built_for is None:
        report.say("done")
        return
    report.say("doing", what="devices")
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            available = bool(torch.cuda.is_available())
            count = int(torch.cuda.device_count())
        report.say(
            "looked", available=available, count=count, warnings=[str(one.message)[:2000] for one in told]
        )
        # It says why, where there is none.
        torch.cuda.init()
        facts = torch.cuda.get_device_properties(0)
        report.say(
            "device",
            name=str(facts.name),
            uuid=str(getattr(facts, "uuid", "") or ""),
            arch="sm_%s%s" % (facts.major, facts.minor),  # noqa: UP031
            built=[str(name) for name in torch.cuda.get_arch_list()],
        )
    except BaseException as error:  # noqa: BLE001
        report.failed("devices", error)
        return
    report.say("doing", what="compute")
    try:
        matrix = torch.arange(SIZE * SIZE, dtype=torch.float32, device="cuda:0").reshape(SIZE, SIZE)
        entries = (matrix @ matrix).tolist()
        torch.cuda.synchronize()
    except BaseException as error:  # noqa: BLE001
        report.failed("compute", error)
        return
    report.say("computed", got=sum(map(sum, entries)), expected=expected())


def check_jax(report: Report) -> None:
    """JAX."""
    # Three quarters of the memory at once would push out what the user runs beside it
    # (https://docs.jax.dev/en/latest/gpu_memory_allocation.html).
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    report.say("doing", what="import")
    try:
        jax: Any = importlib.import_module("jax")
        jaxlib: Any = importlib.import_module("jaxlib")
    except BaseException as error:  # noqa: BLE001
        report.failed("import", error)
        return
    plugin, built_for = jax_plugin()
    report.say(
        "imported",
        version=str(jax.__version__),
        jaxlib=str(getattr(jaxlib, "__version__", "")),
        plugin=plugin,
        cuda=built_for,
        file=getattr(jax, "__file__", None),
    )
    report.say("doing", what="devices")
    try:
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            devices = jax.devices("gpu")
        device = devices[0]
        report.say("device", name=str(device.device_kind), uuid="", arch=None, built=[])
    except BaseException as error:  # noqa: BLE001
        report.failed("devices", error)
        return
    report.say("doing", what="compute")
    try:
        numpy: Any = importlib.import_module("jax.numpy")
        with jax.default_device(device):
            matrix = numpy.arange(SIZE * SIZE, dtype=numpy.float32).reshape(SIZE, SIZE)
            entries = (matrix @ matrix).tolist()
    except BaseException as error:  # noqa: BLE001
        report.failed("compute", error)
        return
    report.say("computed", got=sum(map(sum, entries)), expected=expected())


def jax_plugin() -> tuple[str | None, str | None]:
    """The part of JAX that drives CUDA, and the CUDA that it was built for; None where it does not say."""
    for major in ("13", "12", "11"):
        name = "jax_cuda%s_plugin" % major  # noqa: UP031
        try:
            if importlib.util.find_spec(name) is None:
                continue
        except Exception:  # noqa: BLE001, S112
            continue
        try:
            number = importlib.import_module(name + "._versions").cuda_runtime_build_version()
            return name, "%d.%d" % (number // 1000, number % 1000 // 10)  # noqa: UP031
        except Exception:  # noqa: BLE001 - it does not say, or cannot be loaded
            return name, major
    return None, None


def die_with_parent() -> None:
    """Be killed when the server dies, and be the first to go when memory runs out."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG, SIGKILL
        with open("/proc/self/oom_score_adj", "w") as out:  # noqa: PTH123
            out.write("1000")
    except Exception:  # noqa: BLE001, S110 - it is a courtesy
        pass


def main() -> None:
    die_with_parent()
    report = Report(sys.argv[1])
    {"find": find, "torch": check_torch, "jax": check_jax}[sys.argv[2]](report)
    report.say("end")
    # Frameworks may crash while the interpreter takes them down: that is no news.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
