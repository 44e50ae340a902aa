"""What environments, their revisions and the package cache take on the disk, and freeing some of it.

`measure` and `clean` run in a worker process (`work`), for they walk trees; `inventory` is what a
walk finds, small enough to be kept and reckoned with; `service`, `prune` and `handlers` run in the
server.
"""
