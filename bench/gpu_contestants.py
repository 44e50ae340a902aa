"""Who shows the GPU in JupyterLab, and the same JupyterLab without either, on one simulated hardware."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page

from jupyter_mlinfn.demo.driver import SimulatedDriver, full_gpu
from tests.support.server import Platform
from tests.ui.conftest import setting

from .report import say

OURS, NVDASHBOARD, NEITHER = "jupyter-mlinfn", "jupyterlab-nvdashboard", "JupyterLab with neither"
CHARTS = ("GPU Memory", "GPU Utilization", "GPU Resources", "PCIe Throughput", "Machine Resources")
"""Of nvdashboard: all but NVLink, which the simulated board has not."""

_ROOT = Path(__file__).resolve().parent.parent
_GIB = 1024**3


@dataclass(frozen=True)
class Contestant:
    """One of those who are compared.

    Attributes:
        show: opens all that it has to show in a page of JupyterLab.
        paths: by which its requests are told from JupyterLab's.
    """

    name: str
    show: Callable[[Page], None]
    paths: str = "\0"
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_ours(self) -> bool:
        return self.name == OURS

    def platform(self, folder: Path) -> tuple[Platform, SimulatedDriver]:
        """A place for a server of its own, with `lag_probe`, and its driver: a whole GPU with one process."""
        driver = SimulatedDriver(folder / "driver")
        driver.write(full_gpu({os.getpid(): 3 * _GIB}))
        path = os.pathsep.join(filter(None, [self.environment.get("PYTHONPATH"), str(_ROOT)]))
        variables = {**self.environment, **driver.environment(), "PYTHONPATH": path}
        platform = Platform(folder, ["https://channel.invalid"], environment=variables)
        setting(platform, "@jupyterlab/apputils-extension/notification", {"fetchNews": "false"})
        config = folder / "config"
        _write(
            config / "jupyter_server_config.d" / "probe.json",
            {"ServerApp": {"jpserver_extensions": {"bench.lag_probe": True}}},
        )
        if not self.is_ours:
            _write(
                config / "labconfig" / "page_config.json", {"disabledExtensions": {"jupyter-mlinfn": True}}
            )
        return platform, driver


def ours() -> Contestant:
    return Contestant(OURS, _show_ours, "/api/mlinfn/gpu")


def neither() -> Contestant:
    return Contestant(NEITHER, lambda page: None)


def nvdashboard(scratch: Path) -> Contestant | None:
    """Installed from PyPI beside this Python's packages; None where that cannot be had."""
    folder = Path(tempfile.mkdtemp(prefix="nvdashboard-", dir=scratch))
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--target", str(folder), "jupyterlab-nvdashboard==0.15.*"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        say(f"jupyterlab-nvdashboard cannot be installed here: {done.stderr.strip()[-300:]}")
        return None
    environment = {
        "PYTHONPATH": str(folder),
        "JUPYTER_PATH": str(folder / "share" / "jupyter"),
        "JUPYTER_CONFIG_PATH": str(folder / "etc" / "jupyter"),
    }
    return Contestant(NVDASHBOARD, _show_nvdashboard, "/nvdashboard/", environment)


def _show_ours(page: Page) -> None:
    page.locator(".jp-mlinfn-GpuStatus-button").click()
    page.locator(".jp-mlinfn-Gpu", has_text="of 40").wait_for()


def _show_nvdashboard(page: Page) -> None:
    page.locator(".lm-TabBar-tab[title*='GPU Dashboards']").first.click()
    for chart in CHARTS:
        page.get_by_role("button", name=chart).first.click()
        page.locator(".lm-DockPanel-tabBar .lm-TabBar-tabLabel", has_text=chart).first.wait_for()


def _write(file: Path, content: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
