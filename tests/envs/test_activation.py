"""What activation changes; and that nothing of the server's own variables is ever in it."""

import json
import os
from string import Template

import pytest

from jupyter_mlinfn.envs.activation import ActivationCache, activate
from tests.support.prefixes import add_activation, make_prefix


@pytest.fixture
def prefix(tmp_path):
    return make_prefix(tmp_path / "environments" / "torch")


def expanded(activation, **environ):
    """As jupyter_client does it when it starts a kernel."""
    return {name: Template(value).safe_substitute(environ) for name, value in activation.variables.items()}


def test_without_scripts(prefix):
    activation = activate(prefix)
    assert activation.warnings == ()
    assert activation.variables == {
        "PATH": f"{prefix}/bin:${{PATH}}",
        "CONDA_PREFIX": str(prefix),
        "CONDA_DEFAULT_ENV": str(prefix),
        "CONDA_SHLVL": "1",
    }
    assert expanded(activation, PATH="/own:/bin")["PATH"] == f"{prefix}/bin:/own:/bin"


def test_in_an_envs_folder_the_default_environment_is_its_name(tmp_path):
    prefix = make_prefix(tmp_path / "envs" / "torch")
    assert activate(prefix).variables["CONDA_DEFAULT_ENV"] == "torch"


def test_variables_scripts_and_their_order(prefix):
    declared = prefix / "etc" / "conda" / "env_vars.d" / "package.json"
    declared.parent.mkdir(parents=True)
    declared.write_text(json.dumps({"DECLARED": "package", "PATH": "/evil", "BOTH": "package"}))
    (prefix / "conda-meta" / "state").write_text(
        json.dumps({"env_vars": {"BOTH": "state", "AWAY": "***unset***"}})
    )
    add_activation(
        prefix, "a.sh", 'export FIRST="$BOTH in $CONDA_PREFIX"; export PATH="/first:$PATH"; echo noise'
    )
    add_activation(prefix, "b.sh", 'export SECOND="after $FIRST"; LOCAL=x; [ -n "" ] && true')
    add_activation(prefix, "c.csh", "setenv NEVER 1")
    activation = activate(prefix)
    assert activation.warnings == ()
    variables = expanded(activation, PATH="/bin")
    assert variables["FIRST"] == f"state in {prefix}"
    assert variables["SECOND"] == f"after state in {prefix}"
    assert (variables["DECLARED"], variables["BOTH"]) == ("package", "state")
    assert variables["PATH"] == f"/first:{prefix}/bin:/bin"
    assert not {"AWAY", "LOCAL", "NEVER", "PWD", "SHLVL", "_", "HOME"} & set(variables)


def test_a_dollar_stays_a_dollar(prefix):
    add_activation(prefix, "a.sh", "export PRICE='$5 ${HOME} $$'")
    assert expanded(activate(prefix), HOME="/wrong")["PRICE"] == "$5 ${HOME} $$"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 3", "ended the shell"),
        ("while :; do :; done", "did not end"),
        ("sleep 1000 & wait", "did not end"),
        ("if then", "failed"),
        ("export PATH=/only", "replaced PATH"),
    ],
)
def test_a_bad_script_is_named_and_the_rest_still_works(prefix, script, words):
    add_activation(prefix, "a.sh", "export BEFORE=1")
    bad = add_activation(prefix, "b.sh", script)
    add_activation(prefix, "c.sh", "export AFTER=1")
    # A machine may be too busy for the good ones to end within a second, or within ten.
    for seconds in (1, 10, 100):
        activation = activate(prefix, seconds_per_script=seconds)
        if len(activation.warnings) == 1:
            break
    assert len(activation.warnings) == 1
    assert words in activation.warnings[0]
    assert str(bad) in activation.warnings[0] or words == "replaced PATH"
    assert (activation.variables["BEFORE"], activation.variables["AFTER"]) == ("1", "1")
    assert activation.variables["PATH"] == f"{prefix}/bin:${{PATH}}"


def test_no_variable_of_the_server_is_seen_by_a_script(prefix):
    secrets = {"JUPYTERHUB_API_TOKEN": "s3cr3t", "AWS_SECRET_ACCESS_KEY": "s3cr3t", "BASH_ENV": "/s3cr3t"}
    add_activation(
        prefix, "a.sh", 'export SEEN="$JUPYTERHUB_API_TOKEN $(env) $(cat /proc/$$/environ | tr "\\0" ";")"'
    )
    activation = activate(prefix, environ=dict(os.environ) | secrets)
    assert activation.variables["SEEN"]
    assert "s3cr3t" not in json.dumps(dict(activation.variables))


def test_a_secret_that_a_script_digs_out_is_left_out(prefix, tmp_path):
    (tmp_path / "token").write_text("s3cr3t-t0ken")
    add_activation(prefix, "a.sh", f'export LEAK="x$(cat {tmp_path}/token)" FINE=1')
    activation = activate(prefix, environ=dict(os.environ) | {"JUPYTERHUB_API_TOKEN": "s3cr3t-t0ken"})
    assert "LEAK" not in activation.variables
    assert activation.variables["FINE"] == "1"
    assert "LEAK" in activation.warnings[0]
    assert "t0ken" not in activation.warnings[0]


def test_it_is_worked_out_once_until_a_source_changes(prefix, tmp_path):
    count = tmp_path / "count"
    script = add_activation(prefix, "a.sh", f"echo run >> {count}; export X=1")
    cache = ActivationCache(tmp_path / "cache")
    assert cache.of(prefix).variables["X"] == "1"
    cache.of(prefix)
    # Another server finds it on disk.
    assert ActivationCache(tmp_path / "cache").of(prefix).variables["X"] == "1"
    assert count.read_text().count("run") == 1
    script.write_text(f"echo run >> {count}; export X=22")
    assert cache.of(prefix).variables["X"] == "22"
    assert count.read_text().count("run") == 2


def test_a_failure_is_not_kept_on_disk(prefix, tmp_path):
    add_activation(prefix, "a.sh", "exit 1")
    cache = ActivationCache(tmp_path / "cache")
    assert cache.of(prefix).warnings
    assert cache.of(prefix).warnings
    assert not (tmp_path / "cache").exists()
