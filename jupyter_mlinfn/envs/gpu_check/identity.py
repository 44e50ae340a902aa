"""Whether the device that a framework computed on is one of the user's.

What CUDA tells of a MIG instance is its name, ``NVIDIA A100-PCIE-40GB MIG 1g.5gb``, and a UUID: the
instance's (``cuDeviceGetUuid_v2``) or, in older ways to ask, the board's
(https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__DEVICE.html). So a UUID that is neither the
device's nor its board's is another device; where there is none, or the board's, the names decide. What
one side does not tell is no difference.
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


def is_another(name: str | None, uuid: str | None, mine: Sequence[Device]) -> bool:
    """Whether it is certainly none of the user's.

    Args:
        name, uuid: as the framework tells them; None where it does not.
    """
    return not any(_may_be(name, uuid, device) for device in mine)


def _may_be(name: str | None, uuid: str | None, device: Device) -> bool:
    if uuid:
        told = _bare(uuid)
        if told == _bare(device.uuid):
            return True
        if told != _bare(device.board.uuid):
            return False
    return name is None or _fits(_VENDOR.sub("", name.strip()), device)


def _fits(name: str, device: Device) -> bool:
    mig = _MIG.search(name)
    if (mig is not None) != (device.kind == "mig"):
        return False
    board = name[: mig.start()] if mig else name
    same_board = board.lower() == device.board.name.lower()
    return same_board and (mig is None or device.profile in (None, mig["profile"]))


def _bare(uuid: str) -> str:
    return _KIND.sub("", uuid).lower()
