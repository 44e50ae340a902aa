"""Asked of the interpreter that is packaged: run by it as a script, so the standard library alone, any version.

Prints one JSON object; `interpreter.Interpreter` gives the meaning of its keys.
"""

import json
import os
import platform
import sys
import sysconfig


def main():  # type: ignore[no-untyped-def]  # runs under any Python 3, also ones without these types
    own_folder = os.path.dirname(os.path.abspath(__file__))
    search_path = [entry for entry in sys.path if entry and os.path.abspath(entry) != own_folder]
    described = {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "base_prefix": os.path.realpath(sys.base_prefix),
        "executable": os.path.realpath(sys.executable),
        "stdlib": os.path.dirname(os.path.realpath(os.__file__)),
        "platlibdir": getattr(sys, "platlibdir", "lib"),
        "include": sysconfig.get_path("include"),
        "platinclude": os.path.dirname(sysconfig.get_config_h_filename()),
        "lib_dirs": [sysconfig.get_config_var(name) or "" for name in ("LIBDIR", "LIBPL")],
        "multiarch": sysconfig.get_config_var("MULTIARCH") or "",
        "extension_dirs": [entry for entry in search_path if os.path.basename(entry) == "lib-dynload"],
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


main()  # type: ignore[no-untyped-call]  # as above
