"""The worker process: everything that touches rattler happens here, never in the server.

A worker reads one JSON request a line on stdin and writes one JSON message a line on stdout;
see `protocol`. It has a process group of its own, dies with its parent, and is the first that
the kernel kills when memory runs out. Run by `engine.Engine`; for a look by hand:
``python -m jupyter_mlinfn.envs.worker``.
"""
