"""As much of nb_conda_kernels' manager as ours has to live with, for tests without a checkout."""

import json
import shutil
import threading
import time
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from traitlets import Bool, Unicode

RUNNER = ["python", "-m", "nb_conda_kernels.runner", "/opt/conda"]


class StandIn(KernelSpecManager):
    """Names are `conda-env-<basename>-py`; `known` is what `conda info` would list."""

    conda_only = Bool(False)
    kernelspec_path = Unicode(None, allow_none=True)

    def __init__(self, known=(), **options):
        super().__init__(**options)
        self.known = list(known)
        self.calls = []
        self._conda_info_cache = list(self.known)
        self._conda_info_cache_expiry = time.time() + 60
        self._conda_info_cache_thread = None
        self._conda_kernels_cache = None
        self._conda_kernels_cache_expiry = None

    @property
    def _conda_info(self):
        thread = self._conda_info_cache_thread
        if self._conda_info_cache_expiry is None:
            self.calls.append("blocking")
            self._conda_info_cache = list(self.known)
            self._conda_info_cache_expiry = time.time() + 60
        elif thread is not None and not thread.is_alive():
            self._conda_info_cache = list(self.known)
            self._conda_info_cache_expiry = time.time() + 60
            self._conda_info_cache_thread = None
        elif thread is None and self._conda_info_cache_expiry < time.time():
            self._conda_info_cache_thread = threading.Thread(target=self.calls.append, args=["thread"])
            self._conda_info_cache_thread.start()
        return self._conda_info_cache

    @property
    def _conda_kspecs(self):
        expiry = self._conda_kernels_cache_expiry
        if expiry is None or expiry < time.time():
            self._conda_kernels_cache = self._all_specs()
            self._conda_kernels_cache_expiry = time.time() + 60
        return self._conda_kernels_cache

    def _all_specs(self):
        specs = {}
        for prefix in map(Path, self._conda_info):
            for path in prefix.glob("share/jupyter/kernels/*/kernel.json"):
                spec = json.loads(path.read_text())
                spec["argv"] = [*RUNNER, str(prefix), *spec["argv"]]
                spec["display_name"] = f"Theirs [{prefix.name}]"
                spec["metadata"] = {"conda_env_path": str(prefix), "conda_raw_kernel_name": path.parent.name}
                specs[f"conda-env-{prefix.name}-py"] = KernelSpec(resource_dir=str(path.parent), **spec)
        if self.kernelspec_path is not None:
            for folder in Path(self.user_kernel_dir).glob("conda-*"):
                if folder.name not in specs:
                    shutil.rmtree(folder)
        return specs

    def find_kernel_specs(self):
        found = {} if self.conda_only else super().find_kernel_specs()
        return found | {name: spec.resource_dir for name, spec in self._conda_kspecs.items()}

    def get_kernel_spec(self, kernel_name):
        return self._conda_kspecs.get(kernel_name) or super().get_kernel_spec(kernel_name)
