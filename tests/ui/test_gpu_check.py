"""The form says for which CUDA packages are chosen, and marks them; Check GPU leaves a verdict to be seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from jupyter_mlinfn.demo.driver import SimulatedDriver, a100_mig

from ..support.frameworks import add_distribution, add_jax, add_torch, site_packages
from ..support.gpu import MINE
from ..support.prefixes import make_python_prefix
from ..support.server import Platform, Server, running
from .conftest import Shoot, open_lab, shown
from .test_environments import fill_form, open_form

NO_PLUGIN = (
    "Unknown backend: 'gpu' requested, but no platforms that are instances of gpu are present. "
    "Platforms present are: cpu"
)


@pytest.fixture
def gpu_lab(platform: Platform, tmp_path: Path, lab_port: int) -> Iterator[Server]:
    """A server with a slice, whose driver supports CUDA 12.8, and an environment with two frameworks."""
    driver = SimulatedDriver(tmp_path / "driver")
    driver.write(replace(a100_mig(), cuda="12.8"))
    platform.environment = driver.environment() | MINE
    prefix = make_python_prefix(platform.environments / "science")
    (site_packages(prefix) / "borrowed.pth").unlink()
    add_torch(prefix)
    add_jax(prefix, plugin=None, at_devices=f"raise RuntimeError({NO_PLUGIN!r})")
    with running(platform, lab=True, port=lab_port) as server:
        yield server


@pytest.fixture
def gpu_page(blank_page: Page, gpu_lab: Server) -> Iterator[Page]:
    with shown(blank_page, gpu_lab):
        yield blank_page


def test_the_form_and_the_check(gpu_page: Page, gpu_lab: Server, shoot: Shoot) -> None:
    page = gpu_page
    open_form(page)
    fill_form(page, "My env", "mlinfn-tensors", "mlinfn-flows", "mlinfn-units")

    # What the driver supports, and which of the packages get a build for it.
    fold = page.get_by_test_id("cuda")
    expect(fold.locator("summary")).to_contain_text("This server's driver supports CUDA 12.8.")
    expect(fold.locator("summary")).to_contain_text("simulated")
    marks = page.get_by_test_id("cuda-marks").get_by_role("listitem")
    expect(marks).to_have_text(
        [
            "mlinfn-tensors: a build for CUDA 12.6",
            "mlinfn-flows: the build for the CPU; the one for CUDA needs CUDA 12.9 or newer",
        ]
    )
    chips = page.locator(".jp-mlinfn-Chip")
    expect(chips.filter(has_text="mlinfn-tensors")).to_contain_text("CUDA")
    expect(chips.filter(has_text="mlinfn-flows")).to_contain_text("CPU")
    expect(chips.filter(has_text="mlinfn-units")).to_have_text("mlinfn-units")
    fold.locator("summary").click()
    shoot(page, "form-cuda")
    fold.get_by_label("CUDA").select_option("12.9")
    expect(fold.locator("summary")).to_contain_text("for CUDA 12.9, as you asked")
    expect(marks.nth(1)).to_have_text("mlinfn-flows: a build for CUDA 12.9")
    fold.get_by_label("CUDA").select_option("none")
    expect(marks.nth(0)).to_contain_text("mlinfn-tensors: the build for the CPU")

    # The check: each framework with its reason and what to do.
    page.get_by_role("button", name="New Launcher").first.click()
    page.locator(".jp-LauncherCard:visible", has_text="Environments").click()
    page.get_by_role("button", name="Check GPU").click()
    check = page.get_by_test_id("gpu-check")
    torch, jax = (check.locator(f"[data-framework={name}]") for name in ("PyTorch", "JAX"))
    expect(torch).to_contain_text("PyTorch 2.5.1 computes on NVIDIA A100-PCIE-40GB MIG 1g.5gb.")
    expect(jax).to_contain_text("JAX 0.4.35 has no CUDA plugin: it cannot use a GPU.")
    expect(jax).to_contain_text("Install jax[cuda12]")
    badge = page.locator(".jp-mlinfn-Environments-list .jp-mlinfn-GpuBadge")
    expect(badge).to_have_text("GPU problem")
    expect(page.get_by_role("button", name="Check GPU")).to_be_enabled()
    expect(check).to_contain_text("simulated")
    shoot(page, "check-gpu")

    # It is kept, and gets old when the environment changes.
    prefix = gpu_lab.platform.environments / "science"
    add_distribution(prefix, "sympy", "1.13")
    open_lab(page, gpu_lab, reset=True)
    page.locator(".jp-LauncherCard:visible", has_text="Environments").click()
    expect(page.locator(".jp-mlinfn-Environments-list .jp-mlinfn-GpuBadge")).to_have_text(
        "GPU problem, before"
    )
    expect(page.get_by_test_id("gpu-check")).to_contain_text("changed since: check again")

    # The launcher: the tooltip of our own card, for those of kernels are not ours to write.
    page.get_by_role("button", name="New Launcher").first.click()
    card = page.locator(".jp-LauncherCard:visible[title*='GPU problem, before']")
    expect(card).to_contain_text("Environments")
