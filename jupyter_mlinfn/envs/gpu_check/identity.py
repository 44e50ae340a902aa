"""Whether the device that a framework computed on is one of the user's.

CUDA tells a name, ``NVIDIA A100-PCIE-40GB MIG 1g.5gb``, and a UUID
(https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__DEVICE.html). Of a whole GPU both are NVML's.
Of a MIG instance the UUID is the instance's, or in older ways to ask the board's: it proves that it is the
user's where it is the same, but not that it is another's where it is not. There the name decides, and what
``CUDA_VISIBLE_DEVICES`` names. What one side does not tell is no difference.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...gpu.models import Device

_VENDOR = re.compile(r"^NVIDIA\s+", re.IGNORECASE)
_KIND = re.compile(r"^(GPU|MIG)-", re.IGNORECASE)
_MIG = re.compile(r"\s+MIG\s+(?P<profile>\S+)$")


def named(device: Device) -> str:
    """As CUDA names it, without the vendor."""
    if device.kind == "gpu":
        return device.board.name
    return " ".join(part for part in (device.board.name, "MIG", device.profile) if part)


def is_another(name: str | None, uuid: str | None, mine: Sequence[Device], chosen: str | None = None) -> bool:
    """Whether it is certainly none of the user's.

    Args:
        name, uuid: as the framework tells them; None where it does not.
        chosen: the framework's ``CUDA_VISIBLE_DEVICES``.
    """
    return not any(_may_be(name, uuid, device, chosen) for device in mine)


def _may_be(name: str | None, uuid: str | None, device: Device, chosen: str | None) -> bool:
    if uuid:
        if _bare(uuid) == _bare(device.uuid):
            return True
        if device.kind == "gpu":
            return False
    if _names_another(chosen, device):
        return False
    return name is None or _fits(_VENDOR.sub("", name.strip()), device)


def _names_another(chosen: str | None, device: Device) -> bool:
    """Whether the first element, which is what a program uses, is the UUID of something else. Indices
    and the old form, MIG-GPU-UUID/GI/CI, are not followed here."""
    first = (chosen or "").partition(",")[0].strip().lower()
    if not first.startswith(("gpu-", "mig-")) or first.startswith("mig-gpu-"):
        return False
    return not any(uuid.lower().startswith(first) for uuid in (device.uuid, device.board.uuid))


def _fits(name: str, device: Device) -> bool:
    mig = _MIG.search(name)
    if (mig is not None) != (device.kind == "mig"):
        return False
    board = name[: mig.start()] if mig else name
    if board.lower() != device.board.name.lower():
        return False
    return mig is None or device.profile is None or _size(device.profile) == _size(mig["profile"])


def _size(profile: str) -> str:
    """``1g.5gb+me`` → ``1g.5gb``: older drivers do not name what an instance has besides."""
    return profile.partition("+")[0]


def _bare(uuid: str) -> str:
    return _KIND.sub("", uuid).lower()
