"""Prints what code prints in a kernel, which it starts as nbconvert and papermill do.

python -m tests.support.kernel_program NAME CODE SECONDS
"""

from __future__ import annotations

import sys
from typing import Any

from jupyter_client.manager import start_new_kernel


def main() -> None:
    name, code, seconds = sys.argv[1:]
    manager, client = start_new_kernel(kernel_name=name, startup_timeout=float(seconds))

    def show(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            sys.stdout.write(message["content"]["text"])

    client.execute_interactive(code, timeout=float(seconds), output_hook=show)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


if __name__ == "__main__":
    main()
