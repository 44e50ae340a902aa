"""The GPU of the demo: simulated where there is none, and only there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from jupyter_mlinfn.demo.driver.hold import claims_folder
from jupyter_mlinfn.demo.driver.presets import A100_SLICE_UUID
from jupyter_mlinfn.demo.gpu import gpu_environment, has_driver
from jupyter_mlinfn.demo.layout import Layout, lay_out

NOTHING = Path("/nonexistent")
here = pytest.mark.skipif(has_driver(NOTHING), reason="this machine has NVIDIA's library")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return lay_out(tmp_path / "demo")


@here
def test_a_slice_is_simulated(layout: Layout) -> None:
    lines: list[str] = []
    environment = gpu_environment(layout, lines.append, dev=NOTHING)
    assert lines == ["This machine has no GPU: a MIG slice (A100, 1g.5gb) is simulated."]
    assert environment["NVIDIA_VISIBLE_DEVICES"] == A100_SLICE_UUID
    assert environment["CUDA_VISIBLE_DEVICES"] is None
    state_file = Path(environment["MLINFN_SIMULATED_DRIVER"] or "")
    assert A100_SLICE_UUID in state_file.read_text()
    assert "It is **simulated**" in (layout.work / "README.md").read_text()
    # What was held in a demo that was killed is not held in the next one.
    left = claims_folder(state_file) / "1-1"
    left.write_text("1 1 *\n")
    gpu_environment(layout, dev=NOTHING)
    assert not left.exists()


@here
def test_without_a_compiler_the_demo_says_so_and_goes_on(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "ziglang", None)
    lines: list[str] = []
    assert gpu_environment(layout, lines.append, dev=NOTHING) == {}
    (line,) = lines
    assert line.startswith("No simulated GPU: There is no C compiler here")
    assert "simulated" not in (layout.work / "README.md").read_text()


@pytest.mark.parametrize("node", ["nvidia0", "nvidiactl"])
def test_a_real_gpu_is_left_alone(node: str, layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / node).touch()
    lines: list[str] = []
    assert gpu_environment(layout, lines.append, dev=tmp_path / "dev") == {}
    assert lines == []
