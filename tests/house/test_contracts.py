"""Each architecture contract catches a planted violation; each ban of the linter bites."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.support.processes import REPOSITORY, SCRIPTS

SOURCES = ("auth-server/src", "mcp-server/src", "shared/src")

A, M, K = "auth-server/src/auth_server", "mcp-server/src/mcp_server", "shared/src/shared_kernel"
PURE, PROTOCOL, SQL = (
    f"{what} only what is named" for what in ("the pure parts import", "the protocol imports", "sql imports")
)
INNER = "ports and flows import only what is named"
DRIVERS, FRAMEWORKS = "databases and processes stay behind adapters", "frameworks stay at the edge"
ONE_SQLGLOT, ONE_AUTHLIB = "sqlglot stays behind one package", "Authlib stays behind one package"

PLANTED = [
    ("the services meet only in shared_kernel", f"{M}/web/guard.py", "auth_server"),
    ("shared_kernel knows neither service, nor any framework or store", f"{K}/scope.py", "starlette"),
    ("auth-server: arrows point down", f"{A}/domain/client.py", "auth_server.flows.token.exchange"),
    ("mcp-server: arrows point down", f"{M}/planning/plan.py", "mcp_server.ports"),
    (PURE, f"{A}/domain/grant.py", "time"),
    (PURE, f"{M}/domain/schema.py", "pydantic"),
    (PURE, f"{M}/access/policy.py", "asyncio"),
    (PURE, f"{M}/planning/plan.py", "subprocess"),
    (PURE, f"{M}/planning/plan.py", "threading"),
    (PURE, f"{M}/planning/plan.py", "sqlite3"),
    (PURE, f"{M}/planning/plan.py", "sqlglot"),
    (PROTOCOL, f"{A}/protocol/__init__.py", "os"),
    (PROTOCOL, f"{A}/protocol/registration.py", "httpx2"),
    (SQL, f"{M}/sql/gate/parse.py", "duckdb"),
    (SQL, f"{M}/sql/lowering/lower.py", "socket"),
    (INNER, f"{A}/ports/clients.py", "redis"),
    (INNER, f"{A}/flows/register.py", "starlette"),
    (INNER, f"{M}/ports/items.py", "aioboto3"),
    (ONE_SQLGLOT, f"{M}/planning/plan.py", "sqlglot"),
    (ONE_SQLGLOT, f"{M}/ports/catalog.py", "sqlglot"),
    (ONE_SQLGLOT, f"{M}/cli.py", "sqlglot"),
    (ONE_AUTHLIB, f"{A}/protocol/authorize.py", "authlib"),
    (ONE_AUTHLIB, f"{A}/web/token.py", "authlib"),
    ("OpenTelemetry stays behind one module", f"{M}/engine/rows.py", "opentelemetry"),
    (DRIVERS, f"{M}/engine/rows.py", "duckdb"),
    (DRIVERS, f"{M}/surface/server.py", "botocore"),
    (DRIVERS, f"{A}/web/token.py", "sqlite3"),
    (DRIVERS, f"{K}/logs.py", "subprocess"),
    (FRAMEWORKS, f"{M}/engine/rows.py", "mcp"),
    (FRAMEWORKS, f"{A}/adapters/passwords.py", "starlette"),
    ("settings are read at the top and passed down", f"{A}/flows/token/exchange.py", "auth_server.settings"),
    ("surfaces never touch adapters", f"{M}/web/guard.py", "mcp_server.adapters.jwks"),
]
"""Contract, file, and what is imported there although the contract does not allow it."""


def contracts() -> list[str]:
    """The names of the contracts in force."""
    content = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    return [contract["name"] for contract in content["tool"]["importlinter"]["contracts"]]


def lint_imports(tree: Path) -> str:
    """What import-linter says of a tree."""
    paths = os.pathsep.join([*(str(tree / source) for source in SOURCES), str(REPOSITORY)])
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


def copy_sources(tree: Path) -> None:
    """Copies the three source trees and their contracts."""
    for source in SOURCES:
        shutil.copytree(REPOSITORY / source, tree / source, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", tree)


def module_of(file: str) -> str:
    """The dotted name of a source file."""
    return file.partition("/src/")[2].removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def part(report: str, contract: str) -> str:
    """What a report says of one broken contract."""
    rule = f"\n{contract}\n{'-' * len(contract)}\n"
    _, found, rest = report.partition(rule)
    assert found, report
    return rest.partition("\n---")[0]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says of the sources with every violation planted in them."""
    tree = tmp_path_factory.mktemp("planted")
    copy_sources(tree)
    for _, file, imported in PLANTED:
        with (tree / file).open("a", encoding="utf-8") as source:
            source.write(f"\nimport {imported}\n")
    return lint_imports(tree)


def test_every_contract_has_a_violation_to_plant() -> None:
    """A new contract comes with its proof."""
    assert set(contracts()) == {contract for contract, _, _ in PLANTED}


@pytest.mark.slow
@pytest.mark.parametrize(("contract", "file", "imported"), PLANTED)
def test_a_contract_catches_a_planted_violation(contract: str, file: str, imported: str, report: str) -> None:
    """The same tree passes before the lines are planted, which `make check` shows."""
    assert f"{contract} BROKEN" in report, report
    assert re.search(rf"{re.escape(module_of(file))} -> {re.escape(imported)} \(l\.", part(report, contract)), report


@pytest.mark.slow
@pytest.mark.parametrize("package", [A, M])
def test_a_stray_module_is_refused(package: str, tmp_path: Path) -> None:
    """Every module of a service belongs to a layer: a `utils` does not."""
    copy_sources(tmp_path)
    (tmp_path / package / "utils.py").write_text("", "utf-8")
    assert "arrows point down BROKEN" in lint_imports(tmp_path)


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
        ("TID251", "import urllib.request\n\nurllib.request.urlopen('http://localhost')\n"),
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
