"""Asked of the interpreter that is packaged: run by it as a script, with the standard library alone.

Prints one JSON object; `interpreter.Interpreter` gives the meaning of its keys.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import sysconfig
from pathlib import Path


def main() -> None:
    own_folder = Path(__file__).resolve().parent
    search_path = [entry for entry in sys.path if entry and Path(entry).resolve() != own_folder]
    described = {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "base_prefix": str(Path(sys.base_prefix).resolve()),
        "executable": str(Path(sys.executable).resolve()),
        "stdlib": str(Path(os.__file__).resolve().parent),
        "platlibdir": sys.platlibdir,
        "include": sysconfig.get_path("include"),
        "platinclude": str(Path(sysconfig.get_config_h_filename()).parent),
        "lib_dirs": [sysconfig.get_config_var(name) or "" for name in ("LIBDIR", "LIBPL")],
        "multiarch": sysconfig.get_config_var("MULTIARCH") or "",
        "extension_dirs": [entry for entry in search_path if Path(entry).name == "lib-dynload"],
        "search_path": search_path,
        "glibc": platform.libc_ver()[0] == "glibc",
        "markers": {
            "implementation_name": sys.implementation.name,
            "implementation_version": platform.python_version(),
            "os_name": os.name,
            "platform_machine": platform.machine(),
            "platform_release": platform.release(),
            "platform_system": platform.system(),
            "platform_version": platform.version(),
            "platform_python_implementation": platform.python_implementation(),
            "python_full_version": platform.python_version(),
            "python_version": ".".join(platform.python_version_tuple()[:2]),
            "sys_platform": sys.platform,
        },
    }
    json.dump(described, sys.stdout)


main()
