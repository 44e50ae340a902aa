"""Which of the devices that the driver lists are the user's.

Two variables tell, and they mean different things:

- NVIDIA_VISIBLE_DEVICES is what the container runtime was told to put into the container. ``all`` is
  the default of NVIDIA's images and says nothing; ``void`` and no value mean that the runtime did
  nothing, and then CDI may have put devices in all the same; ``none`` means no device. Indices are the
  host's.
  https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html
  Instead of names it may be a folder, whose entries are then the names:
  https://github.com/NVIDIA/k8s-device-plugin#configuration-option-details
  or CDI names, ``nvidia.com/gpu=0``:
  https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md
- CUDA_VISIBLE_DEVICES is what CUDA programs use of what is in the container: indices or UUIDs, which may be
  abbreviated as long as they fit one device only; the first element that fits none ends the list.
  https://docs.nvidia.com/cuda/cuda-c-programming-guide/index.html#cuda-environment-variables
  A MIG instance is MIG-UUID, or MIG-GPU-UUID/GI/CI with drivers before 470, and a program uses only one:
  https://docs.nvidia.com/datacenter/tesla/mig-user-guide/mig-device-names.html
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from .models import Device, Selection

CUDA, CONTAINER, DRIVER = "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "driver"
CUDA_ORDER = "CUDA_DEVICE_ORDER"

MOUNTS = "/var/run/nvidia-container-devices"
"""Folder whose entries name the devices, where the device plugin works by volume mounts."""

_OLD_MIG = re.compile(r"MIG-(GPU-[0-9a-fA-F-]+)/(\d+)/(\d+)")
_INDEX = re.compile(r"\d+")
_SLOT = re.compile(r"(\d+):(\d+)")
_CDI = re.compile(r"[\w.-]+/[\w.-]+=(.+)")


@dataclass(frozen=True)
class _Named:
    """What the container's variable says.

    Attributes:
        devices: None where it says nothing.
        missing: see `Selection`.
    """

    devices: Sequence[Device] | None
    note: str = ""
    unsure: bool = False
    missing: bool = False


def select(
    devices: Sequence[Device],
    readable: Collection[str],
    environment: Mapping[str, str],
    mounts: Sequence[str] = (),
) -> Selection:
    """The user's devices; where nothing tells which they are, all that may be read, and that it is so.

    Args:
        devices: whole GPUs and MIG instances, in NVML's order; a board in MIG mode is none itself.
        readable: UUIDs of those whose memory the driver lets us read.
        environment: of the server's process.
        mounts: names of what lies in `MOUNTS`, relative to it.
    """
    can_read = [device for device in devices if device.uuid in readable]
    given = _container(devices, can_read, environment.get(CONTAINER), mounts)
    cuda = environment.get(CUDA)
    if cuda is not None:
        within = given.devices if given.devices is not None and not given.unsure else can_read
        return _cuda(cuda, devices, within, by_bus=environment.get(CUDA_ORDER) == "PCI_BUS_ID")
    if given.devices is not None:
        return Selection(given.devices, CONTAINER, given.unsure, given.note, given.missing)
    if len(can_read) > 1:
        note = f"{len(can_read)} devices can be read, and neither {CUDA} nor {CONTAINER} names one."
        return Selection(can_read, DRIVER, True, note)
    return Selection(can_read, DRIVER if can_read else None)


def names_devices(environment: Mapping[str, str], mounts: Sequence[str] = ()) -> bool:
    """Whether somebody meant this server to have a certain GPU; ``all`` is an image's default."""
    names = _elements(environment.get(CONTAINER, ""), mounts)
    used = [name.strip() for name in environment.get(CUDA, "").split(",")]
    return not denies_devices(environment, mounts) and (
        any(name not in ("all", "none", "void") for name in names)
        or any(name[:4].upper() in ("GPU-", "MIG-") for name in used)
    )


def denies_devices(environment: Mapping[str, str], mounts: Sequence[str] = ()) -> bool:
    """Whether somebody meant this server to have no GPU."""
    return _elements(environment.get(CONTAINER, ""), mounts) == ["none"]


def _elements(value: str, mounts: Sequence[str]) -> list[str]:
    """The plain names in NVIDIA_VISIBLE_DEVICES."""
    if mounts or value.rstrip("/") == MOUNTS:
        # The runtime looks there first. cdi/nvidia.com/gpu/UUID is nvidia.com/gpu=UUID as a path.
        names = [name.rpartition("/")[2] for name in mounts]
    else:
        names = [name.strip() for name in value.split(",")]
    return [found.group(1) if (found := _CDI.fullmatch(name)) else name for name in names if name]


def _container(
    devices: Sequence[Device], can_read: Sequence[Device], value: str | None, mounts: Sequence[str]
) -> _Named:
    names = _elements(value or "", mounts)
    if not names or names == ["void"]:
        return _Named(None)
    if names == ["none"]:
        return _Named((), f"{CONTAINER} is “none”: no GPU was given to this container.")
    if "all" in names:
        # CUDA takes the first MIG instance that it finds, which is nobody's choice.
        whole = [device for device in can_read if device.kind == "gpu"]
        return _Named(whole if len(whole) > 1 and len(whole) == len(can_read) else None)
    if all(_INDEX.fullmatch(name) or _SLOT.fullmatch(name) for name in names):
        return _by_host_index(names, can_read)
    found: list[Device] = []
    unknown, unsure = [], False
    for name in names:
        fitting = _fitting(name, devices)
        if not fitting:
            unknown.append(name)
        elif len(fitting) > 1:
            # The name of a board in MIG mode: of its instances, those that may be read.
            fitting = [device for device in fitting if device in can_read]
            unsure |= len(fitting) > 1
        found += [device for device in fitting if device not in found]
    if unsure:
        note = f"{CONTAINER} names a board that has several MIG instances, and none of them."
    elif unknown:
        note = f"{CONTAINER} names {_list(unknown)}, which the driver does not list."
    else:
        note = _one_at_a_time(found)
    return _Named(found, note, unsure, missing=bool(unknown))


def _by_host_index(names: Sequence[str], can_read: Sequence[Device]) -> _Named:
    """Indices count the host's devices, and the driver here counts those of the container."""
    named = len(set(names))
    if not can_read:
        return _Named((), f"{CONTAINER} is {','.join(names)}, and no device can be read.")
    if len(can_read) <= named:
        # Nothing else is in the container, so these are meant, whatever their numbers.
        missing = named - len(can_read)
        note = f"{CONTAINER} names {named} devices; {missing} of them cannot be read." if missing else ""
        return _Named(can_read, note or _one_at_a_time(can_read), missing=missing > 0)
    note = (
        f"{CONTAINER} is {','.join(names)}, which counts the devices of the host; here "
        f"{len(can_read)} can be read, and their numbers need not be the same."
    )
    return _Named(can_read, note, unsure=True)


def _cuda(value: str, devices: Sequence[Device], within: Sequence[Device], *, by_bus: bool) -> Selection:
    """What a CUDA program with this variable sees.

    Args:
        within: what is in the container, as far as known.
        by_bus: whether CUDA counts devices as NVML does; else it begins with the fastest.
    """
    if not value.strip():
        return Selection((), CUDA, False, f"{CUDA} is empty: CUDA programs see no GPU.")
    found: list[Device] = []
    for element in [part.strip() for part in value.split(",")]:
        of_board, sure = True, True
        if number := _INDEX.fullmatch(element):
            fitting = _numbered(int(number.group()), within)
            sure = by_bus or len({each.board.name for each in within}) < 2
        else:
            fitting = _fitting(element, devices)
            of_board = element.upper().startswith("GPU-") and _one_board(fitting)
            if of_board and len(fitting) > 1:
                # In MIG mode: of its instances, those that may be read.
                fitting = [each for each in fitting if each in within]
        if len(fitting) > 1 and of_board:
            note = f"{CUDA} is {value}, and that fits {len(fitting)} MIG instances."
            return Selection([*found, *fitting], CUDA, True, note)
        if fitting and not sure:
            note = (
                f"{CUDA} is {value}, and the boards differ: CUDA counts the fastest first, unless "
                f"{CUDA_ORDER} is PCI_BUS_ID."
            )
            return Selection(within, CUDA, True, note)
        if len(fitting) != 1:
            fits = "several devices" if fitting else "no device"
            sees = "only those before it" if found else "no GPU"
            note = f"{CUDA} is {value}: “{element}” fits {fits} here, so CUDA programs see {sees}."
            return Selection(found, CUDA, False, note)
        found += [device for device in fitting if device not in found]
    return Selection(found, CUDA, False, _one_at_a_time(found))


def _numbered(number: int, within: Sequence[Device]) -> Sequence[Device]:
    """CUDA counts the whole GPUs; only where there is none, it takes one MIG instance as number 0."""
    whole = [device for device in within if device.kind == "gpu"]
    if whole:
        return whole[number : number + 1]
    return within if number == 0 else ()


def _fitting(name: str, devices: Sequence[Device]) -> list[Device]:
    """All devices that a UUID, its beginning, or ``BOARD:SLOT`` may mean."""
    if slot := _SLOT.fullmatch(name):
        board, number = int(slot.group(1)), int(slot.group(2))
        return [device for device in devices if device.board.index == board and device.slot == number]
    if _INDEX.fullmatch(name):
        return [device for device in devices if device.board.index == int(name)]
    if old := _OLD_MIG.fullmatch(name):
        board_uuid, gi, ci = old.group(1).lower(), int(old.group(2)), int(old.group(3))
        return [
            device
            for device in devices
            if device.board.uuid.lower().startswith(board_uuid) and (device.gi, device.ci) == (gi, ci)
        ]
    start = name.lower()
    if start.startswith("gpu-") and len(start) > len("gpu-"):
        return [device for device in devices if device.board.uuid.lower().startswith(start)]
    if start.startswith("mig-") and len(start) > len("mig-"):
        return [device for device in devices if device.uuid.lower().startswith(start)]
    return []


def _one_board(devices: Sequence[Device]) -> bool:
    return len({device.board.uuid for device in devices}) == 1


def _one_at_a_time(devices: Sequence[Device]) -> str:
    if len(devices) > 1 and any(device.kind == "mig" for device in devices):
        return f"A CUDA program uses one MIG instance at a time: the first, unless {CUDA} names another."
    return ""


def _list(names: Sequence[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"
