"""What `/metrics` says of the user's GPU."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_mlinfn.demo.driver.presets import A100_SLICE_UUID

from ..support.gpu import GIB, MIB

USED = 3 * GIB + 13 * MIB
"""Of the user's slice, in `clocked.HELD`."""


def assert_gauges(lines: Sequence[str]) -> None:
    used = [line.split(" ") for line in lines if line.startswith("mlinfn_gpu_memory_used_bytes{")]
    states = {
        line.rpartition(" ")[0]: line.rpartition(" ")[2] for line in lines if "mlinfn_gpu_state{" in line
    }

    assert [name for name, _ in used] == [f'mlinfn_gpu_memory_used_bytes{{device="{A100_SLICE_UUID}"}}']
    assert float(used[0][1]) == USED
    assert states['mlinfn_gpu_state{state="fine"}'] == "1.0"
    assert [value for value in states.values() if value != "0.0"] == ["1.0"]
    assert any(line.startswith("mlinfn_gpu_held_seconds_total{") for line in lines)
    assert any(line.startswith("mlinfn_gpu_used_seconds_total{") for line in lines)
