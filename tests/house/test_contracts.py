"""Each architecture contract catches a planted violation; each ban of the linter bites."""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.support.processes import REPOSITORY, SCRIPTS

SOURCES = ("auth-server/src", "mcp-server/src", "shared/src")

PLANTED = {
    "the services meet only in shared_kernel": ("mcp-server/src/mcp_server/web/guard.py", "import auth_server"),
    "shared_kernel knows neither service, nor any framework or store": (
        "shared/src/shared_kernel/scope.py",
        "import starlette",
    ),
    "auth-server: arrows point down": (
        "auth-server/src/auth_server/domain/client.py",
        "import auth_server.flows.token.exchange",
    ),
    "mcp-server: arrows point down": ("mcp-server/src/mcp_server/planning/plan.py", "import mcp_server.ports"),
    "the pure parts do no I/O and read no clock": ("auth-server/src/auth_server/protocol/__init__.py", "import time"),
    "sqlglot stays behind mcp_server.sql": ("mcp-server/src/mcp_server/planning/plan.py", "import sqlglot"),
    "Authlib stays behind one package": ("auth-server/src/auth_server/protocol/authorize.py", "import authlib.oauth2"),
    "settings are read at the top and passed down": (
        "auth-server/src/auth_server/flows/token/exchange.py",
        "import auth_server.settings",
    ),
    "surfaces never touch adapters": ("mcp-server/src/mcp_server/web/guard.py", "import mcp_server.adapters.jwks"),
}


def contracts() -> list[str]:
    """The names of the contracts in force."""
    content = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    return [contract["name"] for contract in content["tool"]["importlinter"]["contracts"]]


def lint_imports(tree: Path) -> str:
    """What import-linter says of a tree."""
    paths = os.pathsep.join(str(tree / source) for source in SOURCES)
    done = subprocess.run(
        [SCRIPTS / "lint-imports", "--no-cache"],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": paths, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.stdout + done.stderr


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the three source trees with their contracts."""
    for source in SOURCES:
        shutil.copytree(REPOSITORY / source, tmp_path / source, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_has_a_violation_to_plant() -> None:
    """A new contract comes with its proof."""
    assert set(contracts()) == set(PLANTED)


@pytest.mark.slow
@pytest.mark.parametrize("contract", PLANTED)
def test_a_contract_catches_a_planted_violation(contract: str, tree: Path) -> None:
    """The same tree passes before the line is planted, which `make check` shows."""
    file, line = PLANTED[contract]
    path = tree / file
    path.write_text(path.read_text("utf-8") + f"\n{line}\n", "utf-8")
    report = lint_imports(tree)
    assert f"{contract} BROKEN" in report, report


@pytest.mark.slow
@pytest.mark.parametrize("package", ["auth-server/src/auth_server", "mcp-server/src/mcp_server"])
def test_a_stray_module_is_refused(package: str, tree: Path) -> None:
    """Every module of a service belongs to a layer: a `utils` does not."""
    (tree / package / "utils.py").write_text("", "utf-8")
    assert "arrows point down BROKEN" in lint_imports(tree)


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("TID251", "import time\n\nnow = time.time()\n"),
        ("TID251", "import datetime\n\nnow = datetime.datetime.now(datetime.UTC)\n"),
        ("TID251", "import os\n\nhome = os.environ\n"),
        ("TID251", "import os\n\nhome = os.getenv('HOME')\n"),
        ("TID251", "import os\n\nsalt = os.urandom(16)\n"),
        ("TID251", "import secrets\n\nsalt = secrets.token_bytes(16)\n"),
        ("TID251", "import random\n\ndie = random.randrange(6)\n"),
        ("TID251", "import uuid\n\nname = uuid.uuid4()\n"),
        ("TID251", "import time\n\ntime.sleep(1)\n"),
        ("T201", "print(1)\n"),
        ("TID252", "from . import client\n"),
        ("PLC0415", "def load() -> None:\n    import json\n\n    json.loads('1')\n"),
    ],
)
def test_the_linter_bans(rule: str, code: str) -> None:
    """Clock, randomness and environment are parameters; nothing prints; imports are absolute and at the top."""
    planted = "auth-server/src/auth_server/domain/planted.py"
    done = subprocess.run(
        [SCRIPTS / "ruff", "check", "--no-cache", "--output-format=concise", "--stdin-filename", planted, "-"],
        cwd=REPOSITORY,
        input=code,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert rule in done.stdout, done.stdout + done.stderr
