"""From what PyTorch and JAX did and said to a finding, with what to install instead.

What they raise is in ``torch/cuda/__init__.py`` and ``jax/_src/xla_bridge.py``; how a build for CUDA is
asked for in https://conda-forge.org/docs/user/cuda/.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from .failures import judge
from .findings import Finding, Framework, Here
from .run import Ran

_NO_PLUGIN = re.compile(r"Unknown backend|no platforms that are instances of gpu", re.IGNORECASE)

_OTHER_PYTORCH = "https://pytorch.org/get-started/locally/"
_OTHER_JAX = "https://docs.jax.dev/en/latest/installation.html"


def pytorch(framework: Framework, ran: Ran, here: Here) -> Finding:
    """The finding for PyTorch."""
    found, version = _begin(framework, ran)
    imported = ran.step("imported")
    if imported and not imported.get("cuda"):
        build, reason = "CPU", "cpu_build"
        sentence = f"{version} is a build for the CPU: it cannot use a GPU."
        if imported.get("hip"):
            build, reason = f"ROCm {imported['hip']}", "rocm_build"
            sentence = f"{version} is built for GPUs of AMD: it cannot use one of NVIDIA."
        hint = _torch_instead(framework, here)
        return replace(found, build=build, reason=reason, sentence=sentence, hint=hint)
    return judge(found, version, ran, here, lambda: _torch_instead(framework, here))


def jax(framework: Framework, ran: Ran, here: Here) -> Finding:
    """The finding for JAX."""
    found, version = _begin(framework, ran)
    imported, failed = ran.step("imported"), ran.step("failed")
    at_devices = failed.get("at") == "devices" and _NO_PLUGIN.search(str(failed.get("text")))
    if imported and not imported.get("plugin") and at_devices:
        return replace(
            found,
            build="CPU",
            reason="no_plugin",
            sentence=f"{version} has no CUDA plugin: it cannot use a GPU.",
            hint=_jax_instead(framework, here),
        )
    return judge(found, version, ran, here, lambda: _jax_instead(framework, here))


CHECKS: dict[str, Callable[[Framework, Ran, Here], Finding]] = {"torch": pytorch, "jax": jax}


def _begin(framework: Framework, ran: Ran) -> tuple[Finding, str]:
    """A finding without a verdict, and the framework with its version."""
    imported, device = ran.step("imported"), ran.step("device")
    version = imported.get("version") or framework.version
    warnings = ran.step("looked").get("warnings") or ()
    said = [str(ran.step("failed").get("text") or ""), *map(str, warnings), ran.output]
    found = Finding(
        framework=framework.name,
        module=framework.module,
        version=str(version) if version else None,
        build=f"CUDA {imported['cuda']}" if imported.get("cuda") else None,
        verdict="problem",
        reason="failed",
        sentence="",
        device=str(device["name"]) if device.get("name") else None,
        uuid=_uuid(device.get("uuid"), str(device.get("name") or "")),
        details="\n".join(dict.fromkeys(text.strip() for text in said if text.strip()))[:4000],
        seconds=round(ran.seconds, 1),
    )
    return found, f"{framework.name} {version}" if version else framework.name


def _uuid(told: object, name: str) -> str | None:
    """As NVML writes it: PyTorch leaves the kind out, and of a MIG instance it may be the instance's."""
    if not told:
        return None
    known = str(told).startswith(("GPU-", "MIG-")) or " MIG " in name
    return str(told) if known else f"GPU-{told}"


def _torch_instead(framework: Framework, here: Here) -> str:
    if framework.by == "conda":
        return f"Install a build for {_cuda(here)} instead: {_command(here, 'pytorch=*=cuda*')}"
    older = " or older" if here.cuda else ""
    return f"Install a build for {_cuda(here)}{older} instead, see {_OTHER_PYTORCH}"


def _jax_instead(framework: Framework, here: Here) -> str:
    if framework.by == "conda":
        return f"Install a jaxlib for {_cuda(here)} instead: {_command(here, 'jaxlib=*=cuda*')}"
    extra = f"cuda{here.cuda.split('.')[0]}" if here.cuda else "cuda12"
    return f"Install jax[{extra}] by pip instead, see {_OTHER_JAX}"


def _cuda(here: Here) -> str:
    return f"CUDA {here.cuda}" if here.cuda else "CUDA"


def _command(here: Here, spec: str) -> str:
    return f"jupyter mlinfn env install {here.env} '{spec}' --cuda {here.cuda or 'VERSION'}"
