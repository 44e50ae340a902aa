"""Kernel names equal those of nb_conda_kernels.

The table beside this file holds what the real one answered; `tools/kernel_name_table.py CHECKOUT`
makes it anew. With NB_CONDA_KERNELS=CHECKOUT in the environment the real one is asked here too.
"""

import importlib.util
import json
import os
from pathlib import Path

import pytest

from jupyter_mlinfn.envs.kernel_names import name_kernels, offered

HERE = Path(__file__).parent
TABLE = json.loads((HERE / "kernel_name_table.json").read_text())
LAYOUTS = TABLE["layouts"]


def our_answer(layout):
    named = name_kernels(
        {prefix: list(kernels.items()) for prefix, kernels in layout["prefixes"].items()},
        base_prefix=layout["base"],
        current_prefix=layout["current"],
        base_name=layout.get("base_name", "base"),
    )
    return {
        name: {"display_name": kernel.display_name, "metadata": kernel.metadata}
        for name, kernel in offered(named).items()
    }


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout["about"].partition(":")[0])
def test_names_equal_those_of_nb_conda_kernels(layout):
    assert our_answer(layout) == layout["answer"]


def test_the_table_is_large_enough_and_says_where_it_is_from():
    assert sum(len(layout["prefixes"]) for layout in LAYOUTS) >= 30
    assert TABLE["nb_conda_kernels"]["commit"]
    assert TABLE["nb_conda_kernels"]["version"]


if CHECKOUT := os.environ.get("NB_CONDA_KERNELS"):

    @pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout["about"].partition(":")[0])
    def test_the_table_is_what_the_real_one_says(layout):
        spec = importlib.util.spec_from_file_location(
            "kernel_name_table", HERE.parents[1] / "tools" / "kernel_name_table.py"
        )
        tool = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(tool)
        assert tool.ask(Path(CHECKOUT), layout)["kernels"] == layout["answer"]


def test_without_conda_the_rules_are_the_same():
    named = name_kernels({"/envs/pinn": [("python3", "Python 3")], "/p/environments/pinn": [("ir", "R")]})
    assert [kernel.name for kernel in named] == ["conda-env--pinn-py", "conda-env-pinn-r"]


def test_python3_wins_over_python2_in_one_prefix():
    named = name_kernels({"/p/x": [("python3", "Python 3"), ("python2", "Python 2")]})
    assert {kernel.name for kernel in named} == {"conda-env-x-py"}
    assert offered(named)["conda-env-x-py"].raw_name == "python3"
