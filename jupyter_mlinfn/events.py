"""The events that this extension sends over Jupyter Server's event bus.

An event only ever says "read again". Any holder of a token may post one, so nobody acts on
what it carries: https://jupyter-server.readthedocs.io/en/latest/operators/security.html
"""

from __future__ import annotations

from pathlib import Path

from jupyter_events import EventLogger

JOBS = "https://events.jupyter.org/jupyter_mlinfn/jobs/v1"
ENVS = "https://events.jupyter.org/jupyter_mlinfn/envs/v1"
GPU = "https://events.jupyter.org/jupyter_mlinfn/gpu/v1"
IDLE = "https://events.jupyter.org/jupyter_mlinfn/idle/v1"
STORAGE = "https://events.jupyter.org/jupyter_mlinfn/storage/v1"
SESSION = "https://events.jupyter.org/jupyter_mlinfn/session/v1"

_SCHEMAS = Path(__file__).parent / "event_schemas"


class Events:
    """Typed emitters; to be called on the event loop's thread only.

    Args:
        logger: the server's event bus; the schemas are registered with it.
    """

    def __init__(self, logger: EventLogger) -> None:
        self._logger = logger
        for schema in sorted(_SCHEMAS.glob("**/*.yaml")):
            logger.register_event_schema(schema)

    def job_changed(self, job_id: str) -> None:
        self._logger.emit(schema_id=JOBS, data={"job": job_id})

    def environments_changed(self) -> None:
        self._logger.emit(schema_id=ENVS, data={})

    def gpu_changed(self) -> None:
        self._logger.emit(schema_id=GPU, data={})

    def idle_changed(self) -> None:
        self._logger.emit(schema_id=IDLE, data={})

    def storage_changed(self) -> None:
        self._logger.emit(schema_id=STORAGE, data={})

    def session_changed(self) -> None:
        self._logger.emit(schema_id=SESSION, data={})
