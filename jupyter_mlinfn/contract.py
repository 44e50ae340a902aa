"""The REST contract, openapi.yaml, as the thing that requests are held against."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from .envs.redact import redact
from .errors import BadInputError

BODY_LIMIT = 1_000_000
"""Bytes; the largest that the contract allows has about 260,000, and reading more would hold up
the event loop."""

FILE = Path(__file__).with_name("openapi.yaml")


@cache
def document() -> dict[str, Any]:
    """The parsed contract; read at the first request, not at start-up."""
    # The loader in C where there is one: 10 ms on the event loop instead of 100.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    contract: dict[str, Any] = yaml.load(FILE.read_bytes(), Loader=loader)  # noqa: S506
    return contract


def check_body(path: str, method: str, body: bytes) -> dict[str, Any]:
    """The JSON body of a request, valid against the contract.

    Args:
        path: as in openapi.yaml, e.g. ``/envs/{id}``.
    Raises:
        BadInputError: it is no JSON, or not what the contract says; names the field.
    """
    if len(body) > BODY_LIMIT:
        raise BadInputError(
            "The body of the request is too large.",
            reason=f"It has {len(body):,} bytes; {BODY_LIMIT:,} are allowed.",
            hint="See openapi.yaml for what this request takes.",
        )
    try:
        value = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadInputError("The body of the request is no JSON.", reason=str(error)) from error
    schema = document()["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]
    _check(value, schema, "body")
    return dict(value)


def check_query(path: str, method: str, arguments: dict[str, str]) -> dict[str, Any]:
    """The query of a request: every parameter of the contract, defaults filled in.

    Parameters that the contract does not know are ignored: Jupyter adds some of its own.

    Raises:
        BadInputError: one is missing or not what the contract says.
    """
    parameters = [p for p in document()["paths"][path][method].get("parameters", []) if p["in"] == "query"]
    values: dict[str, Any] = {}
    for parameter in parameters:
        name, schema = parameter["name"], parameter["schema"]
        if name in arguments:
            values[name] = _typed(arguments[name], schema["type"])
            _check(values[name], schema, name)
        elif parameter.get("required"):
            raise BadInputError(f"The parameter {name!r} is missing.")
        else:
            values[name] = schema.get("default")
    return values


def _typed(text: str, kind: str) -> Any:
    if kind == "integer" and text.lstrip("-").isascii() and text.lstrip("-").isdigit():
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


def _check(value: Any, schema: dict[str, Any], where: str) -> None:
    validator = Draft202012Validator({**schema, "components": document()["components"]})
    problem = min(validator.iter_errors(value), key=lambda error: len(error.path), default=None)
    if problem is not None:
        field = ".".join(str(part) for part in problem.path) or where
        # It quotes the value, which may be a channel with a password, and it is logged.
        text = redact(problem.message)[:300]
        raise BadInputError(
            f"{field}: {text}",
            hint="See openapi.yaml for what this request takes.",
            fields={str(problem.path[0]): [{"message": text}]} if problem.path else None,
        )
