"""The base of all handlers: who may, JSON in and out, errors to statuses."""

from __future__ import annotations

import json
from typing import Any, TypeVar, cast

from jupyter_server.base.handlers import APIHandler
from tornado import web

from . import contract
from .errors import MlinfnError, from_os_error

PREFIX = "/api/mlinfn"

AUTH_RESOURCE = "mlinfn"
"""What an Authorizer is asked about: actions `read`, `write` on this resource."""

Room = TypeVar("Room")


class MlinfnHandler(APIHandler):
    """Parses a request as openapi.yaml describes it, and answers JSON.

    Every method of a subclass bears `@web.authenticated` and `@authorized`; a test holds that.
    """

    auth_resource = AUTH_RESOURCE
    route: str = ""
    """The path in openapi.yaml that this handler serves."""

    def initialize(self, rooms: dict[type, Any], route: str) -> None:
        self._rooms = rooms
        self.route = route
        # Reading is what pages do by themselves: it is no sign of a person. Writing is.
        self._track_activity = self.request.method not in ("GET", "HEAD")

    def room(self, service: type[Room]) -> Room:
        """The service of that type, as app.py wired it."""
        return cast(Room, self._rooms[service])

    def body(self) -> dict[str, Any]:
        """The request's body, valid against the contract.

        Raises:
            BadInputError: it is not.
        """
        return contract.check_body(self.route, self.request.method.lower(), self.request.body)

    def query(self, name: str) -> Any:
        """One parameter of the request's query, valid against the contract.

        Raises:
            BadInputError: the query is not.
        """
        arguments = {key: self.get_query_argument(key) for key in self.request.query_arguments}
        return contract.check_query(self.route, self.request.method.lower(), arguments)[name]

    def answer(self, body: dict[str, Any], status: int = 200) -> None:
        self.set_status(status)
        self.finish(json.dumps(body))

    def no_content(self) -> None:
        self.set_status(204)
        self.finish()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None))[1]
        if isinstance(error, MlinfnError):
            self.set_status(error.status)
            self.finish(json.dumps(error.to_json()))
        elif isinstance(error, OSError):
            storage = from_os_error("Your storage could not be used.", error)
            self.set_status(storage.status)
            self.finish(json.dumps(storage.to_json()))
        elif isinstance(error, web.HTTPError):
            super().write_error(status_code, **kwargs)
        else:
            unexpected = MlinfnError(
                "Something failed on the server that should not.",
                reason=type(error).__name__ if error is not None else "",
                hint="Try again; if it stays, ask your administrator to look at the server's log.",
            )
            self.finish(json.dumps(unexpected.to_json()))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if isinstance(value, MlinfnError):
            self.log.info("%s %s: %s", self.request.method, self.request.path, value.message)
        else:
            super().log_exception(typ, value, tb)
