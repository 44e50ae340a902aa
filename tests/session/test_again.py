"""How a server is started again: the right one, and without a secret."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.session.again import command, url

HUB = {
    "JUPYTERHUB_API_URL": "http://hub:8081/hub/api",
    "JUPYTERHUB_USER": "ada",
    "JUPYTERHUB_SERVICE_PREFIX": "/user/ada/",
}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "/hub/spawn/ada"),
        ({"JUPYTERHUB_SERVER_NAME": "gpu"}, "/hub/spawn/ada/gpu"),
        ({"JUPYTERHUB_SERVER_NAME": "a b/c?", "JUPYTERHUB_USER": "ada@infn.it"}, None),
        (
            {"JUPYTERHUB_BASE_URL": "/jhub/", "JUPYTERHUB_HOST": "https://hub.example.org"},
            "https://hub.example.org/jhub/hub/spawn/ada",
        ),
    ],
)
def test_the_hub_starts_this_very_server(more: dict[str, str], expected: str | None) -> None:
    assert url({**HUB, **more}) == (expected or "/hub/spawn/ada@infn.it/a%20b%2Fc%3F")


def test_without_a_hub_there_is_no_page() -> None:
    assert url({"JUPYTERHUB_USER": "ada"}) is None


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["/venv/bin/python3.11", "/venv/bin/jupyter-lab", "--port=9999"], "jupyter lab --port=9999"),
        (["/venv/bin/jupyter-lab", "my work"], "jupyter lab 'my work'"),
        (["/usr/bin/python", "-m", "jupyterlab", "--no-browser"], "python -m jupyterlab --no-browser"),
        (["python", "-c", "import secret"], None),
        ([], None),
    ],
)
def test_the_command_is_as_a_person_types_it(words: list[str], expected: str | None) -> None:
    assert command(words) == expected


@pytest.mark.parametrize(
    "secret",
    [
        ["--IdentityProvider.token=planted"],
        ["--ServerApp.token", "planted"],
        ["--NotebookApp.password=planted"],
        ["--PasswordIdentityProvider.hashed_password", "planted"],
        ["--ServerApp.cookie_secret=planted"],
        ["--MyService.api_key=planted"],
        ["--gateway-url=https://ada:planted@gateway.example.org"],
        ["https://ada:planted@example.org/"],
        ["--GatewayClient.auth_token=planted"],
        ["--GatewayClient.http_pwd=planted"],
        ['--GatewayClient.headers={"Authorization": "Bearer planted"}'],
        ["--GatewayClient.headers", '{"Authorization": "Bearer planted"}'],
        ["--ServerApp.tornado_settings={'cookie_secret': 'planted'}"],
        ["--LabApp.default_url=/lab?token=planted"],
        ["--MlinfnExtension.idle_notify=['slack://planted/b/c']"],
        ["--MlinfnExtension.idle_notify", "slack://planted/b/c"],
        ["--ServerApp.root_dir", "https://ada:planted@example.org/"],
    ],
)
def test_no_secret_is_shown(secret: list[str]) -> None:
    shown = command(["jupyter-lab", "--no-browser", *secret, "--port=1"])

    assert shown == "jupyter lab --no-browser --port=1"
