"""The container files fit the repository. No container engine takes part: that they build is not shown here."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import auth_server.settings
import mcp_server.settings
from shared_kernel.settings import ServiceSettings
from tests.support.processes import REPOSITORY

SETTINGS: dict[str, type[ServiceSettings]] = {
    "auth-server": auth_server.settings.Settings,
    "mcp-server": mcp_server.settings.Settings,
}


@pytest.fixture
def services() -> dict[str, Any]:
    """The services of compose.yaml."""
    document = yaml.safe_load((REPOSITORY / "compose.yaml").read_text("utf-8"))
    assert set(document["services"]) == set(SETTINGS)
    return dict(document["services"])


@pytest.mark.parametrize("service", SETTINGS)
def test_compose_sets_every_required_setting_and_none_that_does_not_exist(
    service: str, services: dict[str, Any]
) -> None:
    """A renamed setting cannot be forgotten here."""
    settings = SETTINGS[service]
    fields = {
        f"{settings.model_config['env_prefix']}{name.upper()}": field for name, field in settings.model_fields.items()
    }
    written = set(services[service]["environment"])
    assert written <= set(fields)
    assert {name for name, field in fields.items() if field.is_required()} <= written


@pytest.mark.parametrize("service", SETTINGS)
def test_compose_publishes_the_services_port_on_loopback_only(service: str, services: dict[str, Any]) -> None:
    """The TLS proxy in front is the operator's; nothing plain is offered to the network."""
    port = SETTINGS[service].model_fields["port"].default
    assert services[service]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"EXPOSE {port}\n" in dockerfile(service, services).read_text("utf-8")


@pytest.mark.parametrize("service", SETTINGS)
def test_an_image_is_made_of_files_that_exist_by_the_documented_recipe(service: str, services: dict[str, Any]) -> None:
    """What is copied is there and is not ignored; the install lines are those of docs/deployment.md."""
    text = dockerfile(service, services).read_text("utf-8")
    ignored = (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines()
    for source in re.findall(r"^COPY (?!--from)(\S+) ", text, re.MULTILINE):
        assert (REPOSITORY / source).exists(), source
        assert f"!{source.partition('/')[0]}" in ignored
    assert f"--require-hashes -r {service}/requirements.lock" in text
    assert f"--no-deps --no-build-isolation ./shared ./{service}" in text
    assert "USER " in text


def dockerfile(service: str, services: dict[str, Any]) -> Path:
    """The Dockerfile that compose.yaml names."""
    build: dict[str, str] = services[service]["build"]
    return REPOSITORY / build["context"] / build["dockerfile"]
