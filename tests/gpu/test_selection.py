"""Which devices are the user's: the variables in all their forms, and what nobody can tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pytest

from jupyter_mlinfn.gpu.models import Board, Device
from jupyter_mlinfn.gpu.selection import MOUNTS, names_devices, select

A_UUID = "GPU-3f6d2a1c-58b7-4e0d-9c41-7a25d0b9e613"
B_UUID = "GPU-3f99b5c3-94ed-4a27-a6d9-2f70c81e5b34"
C_UUID = "GPU-c0ffee00-94ed-4a27-a6d9-2f70c81e5b34"
A = Board(0, A_UUID, "A100-PCIE-40GB", mig=True, slices=7)
M1 = Device("MIG-c7a4f0de-1b52-5d8e-8f3a-90d6b2e4715c", "mig", A, slot=1, gi=8, ci=0)
M3 = Device("MIG-c7a4ffff-1b52-5d8e-8f3a-90d6b2e4715c", "mig", A, slot=3, gi=11, ci=0)
M5 = Device("MIG-0badcafe-1b52-5d8e-8f3a-90d6b2e4715c", "mig", A, slot=5, gi=13, ci=1)
WHOLE_A = Device(A_UUID, "gpu", Board(0, A_UUID, "A100-PCIE-40GB", mig=False))
WHOLE_B = Device(B_UUID, "gpu", Board(1, B_UUID, "A100-PCIE-40GB", mig=False))
WHOLE_C = Device(C_UUID, "gpu", Board(2, C_UUID, "T4", mig=False))

MIGS = (M1, M3, M5)
WHOLE = (WHOLE_A, WHOLE_B)
ALL: Sequence[Device] | None = None
"""Every device may be read."""


class Case(NamedTuple):
    """`mine` of `devices`, where `readable` may be read.

    Attributes:
        note: a part of the sentence; empty for no sentence.
        ambiguous: then `mine` are those that it may be.
    """

    name: str
    devices: Sequence[Device]
    mine: Sequence[Device]
    source: str | None
    cuda: str | None = None
    container: str | None = None
    readable: Sequence[Device] | None = ALL
    ambiguous: bool = False
    note: str = ""
    mounts: Sequence[str] = ()
    order: str | None = None


CUDA, CONTAINER, DRIVER = "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "driver"

BY_THE_DRIVER = [
    Case("nothing there", (), (), None),
    Case("one board", (WHOLE_A,), (WHOLE_A,), DRIVER),
    Case("one slice", (M3,), (M3,), DRIVER),
    Case("one readable of three", MIGS, (M3,), DRIVER, readable=(M3,)),
    Case("none readable", MIGS, (), None, readable=()),
    Case("two boards", WHOLE, WHOLE, DRIVER, ambiguous=True, note="2 devices can be read"),
    Case("three slices", MIGS, MIGS, DRIVER, ambiguous=True, note="3 devices can be read"),
    Case("empty", MIGS, (M3,), DRIVER, container="", readable=(M3,)),
    # CDI puts devices in and tells the old hook to keep off.
    Case("void, and CDI", MIGS, (M3,), DRIVER, container="void", readable=(M3,)),
    Case("void, nothing in", (), (), None, container="void"),
    Case("all, one slice readable", MIGS, (M3,), DRIVER, container="all", readable=(M3,)),
    Case("all, many slices", MIGS, MIGS, DRIVER, container="all", ambiguous=True, note="3 devices"),
    Case("all, one board", (WHOLE_A,), (WHOLE_A,), DRIVER, container="all"),
]

BY_THE_CONTAINER = [
    Case("all, boards", WHOLE, WHOLE, CONTAINER, container="all"),
    Case("none", WHOLE, (), CONTAINER, container="none", note="no GPU was given"),
    Case("slice", MIGS, (M3,), CONTAINER, container=M3.uuid),
    Case("slice, upper case", MIGS, (M3,), CONTAINER, container=M3.uuid.upper()),
    Case("slice that may not be read", MIGS, (M3,), CONTAINER, container=M3.uuid, readable=()),
    Case("two slices", MIGS, (M5, M1), CONTAINER, container=f"{M5.uuid},{M1.uuid}", note="one MIG instance"),
    Case("named twice", MIGS, (M1,), CONTAINER, container=f"{M1.uuid},{M1.uuid}"),
    Case("board", WHOLE, (WHOLE_B,), CONTAINER, container=B_UUID),
    Case("boards", WHOLE, (WHOLE_B, WHOLE_A), CONTAINER, container=f"{B_UUID}, {A_UUID}"),
    Case("unknown", MIGS, (), CONTAINER, container="MIG-99999999", note="which the driver does not list"),
    Case(
        "one of two unknown",
        MIGS,
        (M1,),
        CONTAINER,
        container=f"{M1.uuid},MIG-99999999",
        note="names MIG-99999999, which the driver does not list",
    ),
    Case("board in MIG mode, one readable", MIGS, (M5,), CONTAINER, container=A_UUID, readable=(M5,)),
    Case(
        "board in MIG mode, several readable",
        MIGS,
        (M1, M5),
        CONTAINER,
        container=A_UUID,
        readable=(M1, M5),
        ambiguous=True,
        note="none of them",
    ),
    Case("old name of a slice", MIGS, (M5,), CONTAINER, container=f"MIG-{A_UUID}/13/1"),
    Case("old name, no such instance", MIGS, (), CONTAINER, container=f"MIG-{A_UUID}/13/0", note="not list"),
    # The host's numbers: what is in the container counts, whatever its number here.
    Case("host's index of the only board", (WHOLE_A,), (WHOLE_A,), CONTAINER, container="3"),
    Case("host's index of two boards", WHOLE, WHOLE, CONTAINER, container="2,3"),
    Case("host's index, one readable", WHOLE, (WHOLE_B,), CONTAINER, container="0", readable=(WHOLE_B,)),
    Case("host's index of a slice", MIGS, (M3,), CONTAINER, container="2:0", readable=(M3,)),
    Case(
        "host's index, more are readable",
        WHOLE,
        WHOLE,
        CONTAINER,
        container="0",
        ambiguous=True,
        note="counts the devices of the host",
    ),
    Case(
        "host's index of a slice, more are readable",
        MIGS,
        MIGS,
        CONTAINER,
        container="0:1",
        ambiguous=True,
        note="counts the devices of the host",
    ),
    Case(
        "host's indices, one cannot be read",
        WHOLE,
        (WHOLE_A,),
        CONTAINER,
        container="0,1",
        readable=(WHOLE_A,),
        note="1 of them cannot be read",
    ),
    Case(
        "host's index, none readable", WHOLE, (), CONTAINER, container="1", readable=(), note="no device can"
    ),
    Case("CDI name of a slice", MIGS, (M3,), CONTAINER, container=f"nvidia.com/gpu={M3.uuid}"),
    Case(
        "CDI name of the plugin",
        MIGS,
        (M3,),
        CONTAINER,
        container=f"k8s.device-plugin.nvidia.com/gpu={M3.uuid}",
    ),
    Case("CDI name by index", (WHOLE_A,), (WHOLE_A,), CONTAINER, container="nvidia.com/gpu=1"),
    Case(
        "CDI name of a slice by index", MIGS, (M3,), CONTAINER, container="nvidia.com/gpu=0:3", readable=(M3,)
    ),
    Case("CDI name for all", WHOLE, WHOLE, CONTAINER, container="nvidia.com/gpu=all"),
    Case("mounts", MIGS, (M3,), CONTAINER, container=MOUNTS, mounts=(M3.uuid,)),
    Case("mounts, with a slash", MIGS, (M3,), CONTAINER, container=f"{MOUNTS}/", mounts=(M3.uuid,)),
    Case(
        "mounts of CDI", MIGS, (M3,), CONTAINER, container=MOUNTS, mounts=(f"cdi/nvidia.com/gpu/{M3.uuid}",)
    ),
    Case("mounts go before the image's all", WHOLE, (WHOLE_B,), CONTAINER, container="all", mounts=(B_UUID,)),
    Case("mounts, folder empty", MIGS, (M1,), DRIVER, container=MOUNTS, readable=(M1,)),
]

BY_CUDA = [
    Case("slice", MIGS, (M3,), CUDA, cuda=M3.uuid),
    Case("slice, abbreviated", MIGS, (M5,), CUDA, cuda="MIG-0bad"),
    Case("abbreviated too far", MIGS, (), CUDA, cuda="MIG-c7a4f", note="fits several devices"),
    Case("old name", MIGS, (M3,), CUDA, cuda=f"MIG-{A_UUID}/11/0"),
    Case("old name, abbreviated", MIGS, (M3,), CUDA, cuda="MIG-GPU-3f6d2a1c/11/0"),
    Case("slot", MIGS, (M3,), CUDA, cuda="0:3"),
    Case("empty slot", MIGS, (), CUDA, cuda="0:4", note="fits no device"),
    Case("index of the only slice", (M3,), (M3,), CUDA, cuda="0"),
    Case("index of the only readable slice", MIGS, (M3,), CUDA, cuda="0", readable=(M3,)),
    Case("index of many slices", MIGS, MIGS, CUDA, cuda="0", ambiguous=True, note="fits 3 MIG instances"),
    Case("index of a slice beyond the first", MIGS, (), CUDA, cuda="1", note="fits no device"),
    Case("board", WHOLE, (WHOLE_B,), CUDA, cuda=B_UUID),
    Case("board, abbreviated", WHOLE, (WHOLE_A,), CUDA, cuda="GPU-3f6d"),
    Case("board, abbreviated too far", WHOLE, (), CUDA, cuda="GPU-3f", note="fits several devices"),
    Case("only the prefix", WHOLE, (), CUDA, cuda="GPU-", note="fits no device"),
    Case("order counts", WHOLE, (WHOLE_B, WHOLE_A), CUDA, cuda="1,0"),
    Case("blanks", WHOLE, (WHOLE_B, WHOLE_A), CUDA, cuda=" 1 , 0 "),
    Case("twice", WHOLE, (WHOLE_B,), CUDA, cuda="1,1"),
    Case(
        "an invalid element ends the list", WHOLE, (WHOLE_B,), CUDA, cuda="1,-1,0", note="only those before"
    ),
    Case("invalid at once", WHOLE, (), CUDA, cuda="-1,0", note="no GPU"),
    Case("beyond the last", WHOLE, (WHOLE_A,), CUDA, cuda="0,7", note="“7” fits no device"),
    Case("a word", WHOLE, (), CUDA, cuda="NoDevFiles", note="“NoDevFiles” fits no device"),
    Case("empty", WHOLE, (), CUDA, cuda="", note="is empty"),
    Case("blank", WHOLE, (), CUDA, cuda="  ", note="is empty"),
    Case("board in MIG mode, one readable", MIGS, (M5,), CUDA, cuda=A_UUID, readable=(M5,)),
    Case("board in MIG mode", MIGS, MIGS, CUDA, cuda=A_UUID, ambiguous=True, note="fits 3 MIG instances"),
    Case("before the container's", WHOLE, (WHOLE_B,), CUDA, cuda=B_UUID, container="all"),
    Case("index within the container's", WHOLE, (WHOLE_B,), CUDA, cuda="0", container=B_UUID),
    Case("slice index within the container's", MIGS, (M5,), CUDA, cuda="0", container=M5.uuid),
    Case("index beyond the container's", WHOLE, (), CUDA, cuda="1", container=B_UUID, note="fits no device"),
    Case("whole boards go before slices", (WHOLE_B, M1), (WHOLE_B,), CUDA, cuda="0"),
    Case(
        "boards that differ",
        (WHOLE_A, WHOLE_C),
        (WHOLE_A, WHOLE_C),
        CUDA,
        cuda="0",
        ambiguous=True,
        note="counts the fastest first",
    ),
    Case("boards that differ, by bus", (WHOLE_A, WHOLE_C), (WHOLE_C,), CUDA, cuda="1", order="PCI_BUS_ID"),
    Case("boards that differ, by name", (WHOLE_A, WHOLE_C), (WHOLE_C,), CUDA, cuda="GPU-c0ff"),
]


@pytest.mark.parametrize(
    "case", [*BY_THE_DRIVER, *BY_THE_CONTAINER, *BY_CUDA], ids=lambda case: f"{case.source}-{case.name}"
)
def test_which_devices_are_mine(case: Case) -> None:
    variables = {CUDA: case.cuda, CONTAINER: case.container, "CUDA_DEVICE_ORDER": case.order}
    environment = {name: value for name, value in variables.items() if value is not None}
    readable = {device.uuid for device in (case.devices if case.readable is None else case.readable)}

    chosen = select(case.devices, readable, environment, case.mounts)

    assert list(chosen.devices) == list(case.mine)
    assert chosen.source == case.source
    assert chosen.ambiguous == case.ambiguous
    assert case.note in chosen.note
    assert bool(case.note) == bool(chosen.note)
    assert not chosen.note or chosen.note.endswith(".")


@pytest.mark.parametrize(
    ("value", "mounts", "expected"),
    [
        (None, (), False),
        ("", (), False),
        ("all", (), False),
        ("void", (), False),
        ("none", (), False),
        (M3.uuid, (), True),
        ("0", (), True),
        ("nvidia.com/gpu=0", (), True),
        (MOUNTS, (), False),
        (MOUNTS, (M3.uuid,), True),
    ],
)
def test_whether_a_gpu_was_asked_for(value: str | None, mounts: Sequence[str], expected: bool) -> None:
    environment = {} if value is None else {CONTAINER: value}

    assert names_devices(environment, mounts) == expected
