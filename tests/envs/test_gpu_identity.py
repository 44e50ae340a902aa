"""Check GPU compares the device that a framework computed on with those that the GPU panel shows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from jupyter_mlinfn.demo.driver import SimulatedDriver, a100_mig
from jupyter_mlinfn.demo.driver.presets import A100_SLICE_UUID, A100_UUID
from jupyter_mlinfn.envs.gpu_check.identity import is_another
from jupyter_mlinfn.gpu.models import Board, Device

from ..support import command
from ..support.frameworks import add_torch, site_packages
from ..support.gpu import MINE, SECOND_UUID, VARIABLES
from ..support.prefixes import add_activation, make_python_prefix
from ..support.server import Platform

BOARD = Board(0, "GPU-3F6D2A1C", "A100-PCIE-40GB", mig=True, slices=7)
SLICE = Device("MIG-8f3c2a91", "mig", BOARD, gi=9, profile="1g.5gb")
UNNAMED = Device("MIG-8f3c2a91", "mig", BOARD, gi=9)
WHOLE = Device("GPU-aaaa", "gpu", Board(1, "GPU-aaaa", "A100-PCIE-40GB", mig=False))
NAME = "NVIDIA A100-PCIE-40GB"


@pytest.mark.parametrize(
    ("name", "uuid", "device", "another"),
    [
        (f"{NAME} MIG 1g.5gb", "MIG-8F3C2A91", SLICE, False),
        (f"{NAME} MIG 1g.5gb", "GPU-3f6d2a1c", SLICE, False),
        (f"{NAME} MIG 1g.5gb", None, SLICE, False),
        # What CUDA gives as the UUID of an instance is no proof against it.
        (f"{NAME} MIG 1g.5gb", "another", SLICE, False),
        (f"{NAME} MIG 1g.5gb+me", None, SLICE, False),
        (f"{NAME} MIG 2g.10gb", None, SLICE, True),
        (f"{NAME} MIG 2g.10gb", "GPU-3f6d2a1c", SLICE, True),
        (f"{NAME} MIG 2g.10gb", None, UNNAMED, False),
        (NAME, None, SLICE, True),
        (NAME, "GPU-aaaa", WHOLE, False),
        (NAME, "GPU-bbbb", WHOLE, True),
        (f"{NAME} MIG 1g.5gb", None, WHOLE, True),
        ("NVIDIA H100 PCIe", None, WHOLE, True),
        ("A100-PCIE-40GB", None, WHOLE, False),
        (None, None, WHOLE, False),
    ],
)
def test_what_one_side_does_not_tell_is_no_difference(
    name: str | None, uuid: str | None, device: Device, another: bool
) -> None:
    assert is_another(name, uuid, [device]) == another


@pytest.mark.parametrize(
    ("chosen", "another"),
    [
        ("MIG-8f3c", False),
        ("GPU-3f6d2a1c", False),
        ("MIG-another,MIG-8f3c2a91", True),
        ("GPU-another", True),
        ("MIG-GPU-3f6d2a1c/9/0", False),
        ("1", False),
        ("", False),
    ],
)
def test_of_instances_alike_the_variable_tells(chosen: str, another: bool) -> None:
    for uuid in (None, "GPU-3f6d2a1c", "another"):
        assert is_another(f"{NAME} MIG 1g.5gb", uuid, [SLICE], chosen) == another
    # The instance's own UUID is proof enough.
    assert not is_another(f"{NAME} MIG 1g.5gb", "8f3c2a91", [SLICE], chosen)


def test_an_environment_that_is_led_to_another_device_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its activation names the other; the server's own process and the panel have the right one."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    simulated = SimulatedDriver(tmp_path / "driver")
    simulated.write(a100_mig())
    platform = Platform(
        tmp_path / "platform",
        ["https://conda.invalid/none"],
        environment={**simulated.environment(), **MINE},
    )
    prefix = make_python_prefix(platform.environments / "science")
    (site_packages(prefix) / "borrowed.pth").unlink()
    shutil.rmtree(prefix / "etc", ignore_errors=True)
    add_torch(prefix, uuid=SECOND_UUID, name=NAME)
    add_activation(prefix, "other.sh", f"export CUDA_VISIBLE_DEVICES={SECOND_UUID}")

    def check() -> dict[str, str]:
        done = command.run(
            *("env", "check-gpu", "science", "--json"), env=platform.variables(), cwd=platform.root
        )
        [finding] = json.loads(done.stdout)["gpu_check"]["frameworks"]
        return dict(finding)

    other = check()
    add_torch(prefix, uuid=A100_UUID, name=f"{NAME} MIG 1g.5gb")
    add_activation(prefix, "other.sh", f"export CUDA_VISIBLE_DEVICES={A100_SLICE_UUID}")
    mine = check()

    assert (other["verdict"], other["reason"]) == ("problem", "other_device")
    assert (
        f"on {NAME} ({SECOND_UUID}); yours is A100-PCIE-40GB MIG 1g.5gb ({A100_SLICE_UUID})."
        in (other["sentence"])
    )
    assert f"CUDA_VISIBLE_DEVICES is '{SECOND_UUID}' there" in other["hint"]
    assert (mine["verdict"], mine["reason"]) == ("ok", "fine")
