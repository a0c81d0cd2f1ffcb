"""The operator's command line, on a store of its own."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from shared_kernel.entropy import SystemEntropy
from shared_kernel.key_file import write_key_file
from tests.auth_server.cli.command_line import CommandLine
from tests.support.processes import free_port


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[CommandLine]:
    """A command line with good settings."""
    write_key_file(tmp_path / "master.key", SystemEntropy().bytes(32))
    monkeypatch.setenv("AUTH_ISSUER", "http://localhost:9000")
    monkeypatch.setenv("AUTH_RESOURCES", "http://localhost:8000/mcp")
    monkeypatch.setenv("AUTH_STORE_URL", f"sqlite://{tmp_path / 'auth.db'}")
    monkeypatch.setenv("AUTH_MASTER_KEY_FILE", str(tmp_path / "master.key"))
    monkeypatch.setenv("AUTH_PORT", str(free_port()))
    monkeypatch.setenv("COLUMNS", "100")
    root = logging.getLogger()
    handlers, level, events = root.handlers[:], root.level, structlog.get_config()
    yield CommandLine(tmp_path, monkeypatch, capsys)
    root.handlers[:], root.level = handlers, level
    structlog.configure(**events)
