"""The container files fit the repository. No container engine takes part: that they build is not shown here."""

import http.client
import json
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

import auth_server.settings
import mcp_server.settings
from auth_server.app.serving import SHUTDOWN_SECONDS
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
    assert f"USER {service}\n" in text.rpartition("FROM ")[2]


@pytest.mark.parametrize("service", SETTINGS)
def test_a_container_can_do_no_more_than_its_service_needs(service: str, services: dict[str, Any]) -> None:
    """No capability, no new privilege, no writable file but its data, and an end to memory and processes."""
    written = services[service]
    assert written["read_only"] is True
    assert written["cap_drop"] == ["ALL"]
    assert written["security_opt"] == ["no-new-privileges:true"]
    assert written["mem_limit"].endswith("g")
    assert 0 < written["pids_limit"] <= 1024
    writable = [volume.partition(":")[2] for volume in written["volumes"] if not volume.endswith(":ro")]
    assert writable == (["/data"] if service == "auth-server" else [])


@pytest.mark.parametrize("service", SETTINGS)
def test_a_container_is_healthy_when_its_service_is_ready(
    service: str, services: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image's own check asks `/readyz`, and gives 0 for 200 alone."""
    text = dockerfile(service, services).read_text("utf-8").replace("\\\n", "")
    (command,) = re.findall(r"^HEALTHCHECK .*CMD (\[.*\])$", text, re.MULTILINE)
    program, option, code = json.loads(command)
    assert (program, option) == (f"/opt/{service}/bin/python", "-c")
    port = SETTINGS[service].model_fields["port"].default
    asked = []

    class Probe(http.client.HTTPConnection):
        status = 200

        def request(self, method: str, url: str, *_: Any, **__: Any) -> None:
            asked.append((self.host, self.port, method, url))

        def getresponse(self) -> Any:
            return SimpleNamespace(status=self.status)

    monkeypatch.setattr("http.client.HTTPConnection", Probe)
    for status, exit_code in ((200, False), (503, True)):
        monkeypatch.setattr(Probe, "status", status)
        with pytest.raises(SystemExit) as ended:
            exec(compile(code, "HEALTHCHECK", "exec"), {})  # our own file
        assert ended.value.code is exit_code
    assert asked == [("127.0.0.1", port, "GET", "/readyz")] * 2


def test_mcp_server_starts_when_the_keys_it_fetches_are_there(services: dict[str, Any]) -> None:
    """Otherwise the first requests would get 503."""
    assert services["mcp-server"]["depends_on"] == {"auth-server": {"condition": "service_healthy"}}


@pytest.mark.parametrize("service", SETTINGS)
def test_a_container_gets_the_time_that_its_service_takes_to_stop(service: str, services: dict[str, Any]) -> None:
    """SIGKILL comes after the delay and the shutdown."""
    fields = SETTINGS[service].model_fields
    shutdown = fields["shutdown_seconds"].default if service == "mcp-server" else SHUTDOWN_SECONDS
    grace = int(services[service]["stop_grace_period"].removesuffix("s"))
    assert grace >= fields["shutdown_delay_seconds"].default + shutdown + 5


@pytest.mark.parametrize("service", SETTINGS)
def test_an_image_names_its_base_once_and_exactly(service: str, services: dict[str, Any]) -> None:
    """Both stages are made of the same Python, whose tag names a patch version."""
    text = dockerfile(service, services).read_text("utf-8")
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["${PYTHON}", "${PYTHON}"]
    (base,) = re.findall(r"^ARG PYTHON=(.*)$", text, re.MULTILINE)
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{64})?", base)


@pytest.mark.parametrize("answer", ["sha256:" + "ab" * 32, "no such manifest"])
def test_pinning_writes_the_digest_that_the_registry_gives(tmp_path: Path, answer: str) -> None:
    """`make pin-images` twice, with a docker that gives this answer. Without a digest, nothing changes."""
    for source in ("bootstrap/pin-images", "auth-server.Dockerfile", "mcp-server.Dockerfile"):
        copy = tmp_path / "deploy" / source
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text((REPOSITORY / "deploy" / source).read_text("utf-8"))
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(f"#!/bin/sh\necho '{answer}'\n")
    docker.chmod(0o755)
    before = (tmp_path / "deploy" / "mcp-server.Dockerfile").read_text("utf-8")
    path = f"{docker.parent}:/usr/bin:/bin"
    for _ in range(2):
        script = [shutil.which("sh") or "sh", str(tmp_path / "deploy/bootstrap/pin-images")]
        done = subprocess.run(script, env={"PATH": path}, capture_output=True, check=False, timeout=60)
        assert (done.returncode == 0) is answer.startswith("sha256:")
    after = (tmp_path / "deploy" / "mcp-server.Dockerfile").read_text("utf-8")
    if answer.startswith("sha256:"):
        assert re.search(rf"^ARG PYTHON=python:[^@\n]+@{answer}$", after, re.MULTILINE)
        assert after.replace(f"@{answer}", "") == re.sub("@sha256:[0-9a-f]+", "", before)
    else:
        assert after == before


def dockerfile(service: str, services: dict[str, Any]) -> Path:
    """The Dockerfile that compose.yaml names."""
    build: dict[str, str] = services[service]["build"]
    return REPOSITORY / build["context"] / build["dockerfile"]
