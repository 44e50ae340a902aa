"""Why a framework that was built for a GPU does not use it, in words; the same for all frameworks.

The texts that are looked for are those of CUDA's own errors
(https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__TYPES.html), of the dynamic loader
(dlopen(3)), and what PyTorch and JAX make of them.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace

from ...gpu.models import Device
from .findings import Finding, Here
from .identity import is_another, named
from .run import Ran

Instead = Callable[[], str]
"""What to install instead, in words."""

_DOING = {
    "start": "before it was imported",
    "import": "while it was imported",
    "devices": "while it looked for a GPU",
    "compute": "while it computed on the GPU",
}
_HIDDEN = ("", "-1", "NoDevFiles", "none", "void")

_NO_MEMORY = re.compile(r"out of memory|RESOURCE_EXHAUSTED|CUDA_ERROR_OUT_OF_MEMORY", re.IGNORECASE)
_NO_IMAGE = re.compile(
    r"no kernel image|CUDA_ERROR_NO_BINARY_FOR_GPU|is not compatible with the current PyTorch", re.IGNORECASE
)
_TOO_OLD = re.compile(
    r"driver on your system is too old|driver version is insufficient|unsupported display driver"
    r"|CUDA_ERROR_(SYSTEM_DRIVER_MISMATCH|COMPAT|UNSUPPORTED_PTX)|compiled with an unsupported toolchain",
    re.IGNORECASE,
)
_NO_LIBCUDA = re.compile(r"libcuda\.so(\.1)?\b|Found no NVIDIA driver", re.IGNORECASE)
_NO_DEVICE = re.compile(
    r"No CUDA GPUs are available|no CUDA-capable device|no supported devices found"
    r"|invalid device ordinal|CUDA_ERROR_(NO|INVALID)_DEVICE",
    re.IGNORECASE,
)
_BUSY = re.compile(
    r"busy or unavailable|not yet initialized|CUDA_ERROR_(NOT_INITIALIZED|SYSTEM_NOT_READY)", re.IGNORECASE
)
_MISSING_LIBRARY = re.compile(r"(?P<library>[\w.+-]+\.so[.\d]*): cannot open shared object", re.IGNORECASE)
_MISSING_MODULE = re.compile(r"No module named '(?P<module>[\w.]+)'")

_COMPUTE = "NVIDIA_DRIVER_CAPABILITIES needs compute"


def judge(found: Finding, version: str, ran: Ran, here: Here, instead: Instead) -> Finding:
    """The finding for a framework that is built for CUDA, or could not even be imported.

    Args:
        found: what is known of it so far.
        version: the framework with its version.
    """
    failed = ran.step("failed")
    if ran.step("computed"):
        return _computed(found, version, ran, here)
    if not ran.ended and not failed:
        return _ended(found, version, ran)
    if failed.get("at") == "import":
        return _not_imported(found, version, here, instead)
    if _NO_MEMORY.search(found.details):
        return replace(
            found,
            reason="out_of_memory",
            sentence=f"{version} got no memory on the GPU: it is full.",
            hint="See in the GPU panel what holds it, free some, and check again.",
        )
    if here.gpu is False and found.device is None:
        return _no_gpu_here(found, version, here, instead)
    return _not_fit(found, version, ran, here, instead) or _not_seen(found, version, ran)


def _computed(found: Finding, version: str, ran: Ran, here: Here) -> Finding:
    got, expected = ran.step("computed").get("got"), ran.step("computed").get("expected")
    on = found.device or "the GPU"
    chosen = ran.environ.get("CUDA_VISIBLE_DEVICES")
    if got == expected and here.devices and is_another(found.device, found.uuid, here.devices, chosen):
        return _other_device(found, version, ran, here.devices)
    if got == expected:
        sentence = f"{version} computes on {on}."
        return replace(found, verdict="ok", reason="fine", details="", sentence=sentence)
    return replace(
        found,
        reason="wrong_result",
        sentence=f"{version} computes wrongly on {on}: {got} instead of {expected}.",
        hint="Do not trust what it computes here. Tell your administrator, with the UUID of the GPU.",
    )


def _other_device(found: Finding, version: str, ran: Ran, mine: Sequence[Device]) -> Finding:
    on = " ".join(part for part in (found.device, f"({found.uuid})" if found.uuid else "") if part)
    yours = " and ".join(f"{named(device)} ({device.uuid})" for device in mine)
    chosen = ran.environ.get("CUDA_VISIBLE_DEVICES")
    hint = "Tell your administrator: programs here reach a GPU that was not given to you."
    if chosen is not None:
        hint = (
            f"CUDA_VISIBLE_DEVICES is {chosen!r} there: find who sets it (a script that activates the "
            "environment, or the server) and remove it, or set it to the UUID in the GPU panel."
        )
    return replace(
        found,
        reason="other_device",
        details="",
        sentence=f"{version} computes, but on {on or 'another GPU'}; yours is {yours}.",
        hint=hint,
    )


def _ended(found: Finding, version: str, ran: Ran) -> Finding:
    """It neither came to an end nor said what failed."""
    doing = _DOING.get(ran.doing, "at work")
    if ran.late:
        stuck = " It could not even be ended: it hangs in the driver." if ran.stuck else ""
        hint = "The driver may hang: see the GPU panel, and restart the server if it does."
        if ran.doing == "import":
            hint = "The storage may be slow: check again; the second time it is often faster."
        sentence = f"{version} gave no answer within {ran.seconds:.0f} s, {doing}.{stuck}"
        return replace(found, reason="hang", sentence=sentence, hint=hint)
    if ran.signal == signal.SIGKILL:
        return replace(
            found,
            reason="killed",
            sentence=f"{version} was killed {doing}: probably the memory of the server ran out.",
            hint="Shut down kernels that you do not need and check again.",
        )
    if ran.signal is not None:
        return replace(
            found,
            reason="crash",
            sentence=f"{version} crashed {doing} ({_name_of(ran.signal)}).",
            hint="Its packages may not fit each other: update all of them, or make the environment anew.",
        )
    return replace(
        found,
        reason="ended",
        sentence=f"{version} ended the check {doing} (exit code {ran.code}).",
        hint="See what it said in the details.",
    )


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _not_imported(found: Finding, version: str, here: Here, instead: Instead) -> Finding:
    library, module = _MISSING_LIBRARY.search(found.details), _MISSING_MODULE.search(found.details)
    if library and library["library"].startswith("libcuda.so"):
        if here.gpu is False:
            return _no_gpu_here(found, version, here, instead)
        return replace(
            found,
            reason="no_driver_library",
            sentence=f"{version} cannot be imported: the driver's library libcuda.so.1 is not there.",
            hint=f"This server was given no GPU, or not for computing ({_COMPUTE}): tell your administrator.",
        )
    if library or module:
        missing = f"the library {library['library']}" if library else ""
        missing = missing or f"the package {module['module']}" if module else missing
        return replace(
            found,
            reason="missing_library",
            sentence=f"{version} cannot be imported: {missing} is missing.",
            hint=f"Install {found.framework} again, with all that it needs. {instead()}",
        )
    return replace(
        found,
        reason="import_failed",
        sentence=f"{version} cannot be imported: {_first(found.details)}",
        hint="Its packages may not fit each other: update all of them, or make the environment anew.",
    )


def _no_gpu_here(found: Finding, version: str, here: Here, instead: Instead) -> Finding:
    """Nothing is wrong with it, as far as that can be told without a GPU."""
    if here.remembered and _major(found.build) > _major(here.remembered) > 0:
        return replace(
            found,
            reason="cuda_too_new",
            sentence=f"{version} is built for {found.build}; "
            f"your server with a GPU had a driver that supports CUDA {here.remembered}.",
            hint=instead(),
        )
    made = f" It is built for {found.build}." if found.build else ""
    return replace(
        found,
        verdict="unchecked",
        reason="no_gpu_here",
        sentence=f"{version} could not be checked: this server has no GPU.{made}",
        hint="Check it on a server with a GPU.",
    )


def _not_fit(found: Finding, version: str, ran: Ran, here: Here, instead: Instead) -> Finding | None:
    """The build does not fit this GPU or its driver."""
    if _NO_IMAGE.search(found.details):
        arch, built = ran.step("device").get("arch"), ran.step("device").get("built") or []
        known = f" ({arch}): it is built for {', '.join(map(str, built))}" if arch and built else ""
        sentence = f"{version} has no code for this GPU{known}."
        return replace(found, reason="no_kernel_image", sentence=sentence, hint=instead())
    supported = here.driver.cuda if here.driver else None
    # Within a major version an older driver will do:
    # https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
    newer = supported is not None and _major(found.build) > _major(supported)
    if newer or _TOO_OLD.search(found.details):
        built = found.build or "a newer CUDA"
        than = (
            f"this server's driver supports CUDA {supported}"
            if supported
            else "this server's driver is older"
        )
        sentence = f"{version} is built for {built}; {than}."
        return replace(found, reason="cuda_too_new", sentence=sentence, hint=instead())
    return None


def _not_seen(found: Finding, version: str, ran: Ran) -> Finding:
    """It fits, as far as is known, and sees no GPU."""
    chosen = ran.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None and chosen.strip() in _HIDDEN:
        return replace(
            found,
            reason="hidden",
            sentence=f"{version} sees no GPU: CUDA_VISIBLE_DEVICES is {chosen!r}, which hides every one.",
            hint="Find who sets it (the server, or a script that activates the environment) and remove it.",
        )
    if _NO_LIBCUDA.search(found.details):
        return replace(
            found,
            reason="no_driver_library",
            sentence=f"{version} does not find the driver's library libcuda.so.1.",
            hint=f"This server was given the GPU, but not for computing ({_COMPUTE}): "
            "tell your administrator.",
        )
    looked = ran.step("looked")
    if _NO_DEVICE.search(found.details) or (looked and not looked.get("available") and not found.details):
        if chosen is not None:
            return replace(
                found,
                reason="wrong_device",
                sentence=f"{version} sees no GPU: CUDA_VISIBLE_DEVICES is {chosen!r}, which is not here.",
                hint="Compare it with the UUID in the GPU panel; if the slice is another one now, "
                "restart the server.",
            )
        return replace(
            found,
            reason="no_device",
            sentence=f"{version} sees no GPU, though this server has one.",
            hint="See the GPU panel for the state of the driver; if it is fine, restart the server.",
        )
    if _BUSY.search(found.details):
        return replace(
            found,
            reason="busy",
            sentence=f"{version} cannot use the GPU now: it is busy, or not ready.",
            hint="Check again in a minute; if it stays, tell your administrator.",
        )
    return replace(
        found,
        reason="failed",
        sentence=f"{version} cannot use the GPU: {_first(found.details)}",
        hint="See what it said in the details.",
    )


def _first(text: str) -> str:
    return text.splitlines()[0][:300] if text else "it did not say why."


def _major(version: str | None) -> int:
    """``CUDA 12.4``, ``12.4`` → 12; 0 where there is none."""
    found = re.search(r"\d+", version or "")
    return int(found[0]) if found else 0
