"""The reference tables say what the code says, and every link leads somewhere."""

import contextlib
import dataclasses
import json
import re
import shlex
import sqlite3
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import typer.main
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import auth_server.settings
import mcp_server.settings
from auth_server.adapters.sqlite_store.store import SqliteStore
from auth_server.cli.main import commands
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import WIRE
from auth_server.domain.finding import Check
from auth_server.web.administration import VERBS
from auth_server.web.browser import Browser
from auth_server.web.pages import Renderer
from auth_server.web.routes import endpoints, published
from mcp_server.adapters.issuers_file import IssuerEntry
from mcp_server.adapters.schemas_file import ColumnEntry, RuleEntry, SchemaEntry, VirtualTableEntry
from mcp_server.app.serving import product
from mcp_server.domain.failures import FailureCode
from mcp_server.engine.limits import Limits
from mcp_server.planning.access_path import FULL_SCAN_BYTES
from mcp_server.sql.gate.allowed_functions import TOPICS
from mcp_server.surface.offer import Offer
from shared_kernel.settings import ServiceSettings
from tests.support.function_document import sections
from tests.support.processes import REPOSITORY

DOCUMENTS = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")]


def section(document: str, heading: str) -> str:
    """The text under a heading of a document, down to the next heading of its level or above."""
    text = (REPOSITORY / "docs" / document).read_text("utf-8")
    level = heading.split(" ", maxsplit=1)[0]
    _, found, rest = f"\n{text}".partition(f"\n{heading}\n")
    assert found, f"{document} has no {heading!r}"
    return re.split(rf"\n#{{1,{len(level)}}} ", rest)[0]


def first_cells(text: str) -> list[str]:
    """The first cell of every row of the tables in a text, code marks removed."""
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    return [row.replace("`", "") for row in rows]


def setting_rows(prefix: str, fields: Iterable[tuple[str, FieldInfo]]) -> list[str]:
    """The rows that document a settings class."""
    rows = []
    for name, field in fields:
        variable = field.validation_alias or f"{prefix}{name.upper()}"
        if field.is_required():
            default = "required"
        else:
            given = field.get_default(call_default_factory=True)
            value = ",".join(given) if isinstance(given, tuple) else given
            default = f"`{value}`" if given not in ((), {}, None) else "none"
        examples = f" For example `{field.examples[0]}`." if field.examples else ""
        rows.append(f"| `{variable}` | {default} | {field.description}{examples} |")
    return rows


@pytest.mark.parametrize(
    ("service", "settings"),
    [("auth-server", auth_server.settings.Settings), ("mcp-server", mcp_server.settings.Settings)],
)
def test_every_setting_is_documented_as_it_is(service: str, settings: type[ServiceSettings]) -> None:
    """Name, default and meaning come from the settings classes, word by word."""
    written = [line for line in section("settings.md", f"## {service}").splitlines() if line.startswith("| `")]
    expected = setting_rows(settings.model_config["env_prefix"], settings.model_fields.items())
    assert written == expected, "docs/settings.md should have these rows:\n" + "\n".join(expected)


@pytest.mark.parametrize(
    ("prefix", "entry"),
    [
        ("", SchemaEntry),
        ("columns.TABLE.COLUMN.", ColumnEntry),
        ("virtual_tables.", VirtualTableEntry),
        ("rules.", RuleEntry),
    ],
    ids=["schemas", "columns", "virtual tables", "rules"],
)
def test_every_key_of_the_schemas_file_is_documented_as_it_is(prefix: str, entry: type[BaseModel]) -> None:
    """Name, default and meaning come from the models that read the file, word by word."""
    rows = [line for line in section("settings.md", "## The schemas file").splitlines() if line.startswith("| `")]
    nested = ("| `columns.", "| `virtual_tables.", "| `rules.")
    written = [row for row in rows if (row.startswith(f"| `{prefix}") if prefix else not row.startswith(nested))]
    expected = []
    for name, field in entry.model_fields.items():
        default = "required" if field.is_required() else _toml(field.default)
        expected.append(f"| `{prefix}{name}` | {default} | {field.description} |")
    assert written == expected, "docs/settings.md should have these rows:\n" + "\n".join(expected)


def test_every_key_of_the_issuers_file_is_documented_as_it_is() -> None:
    """As of the schemas file."""
    rows = [line for line in section("settings.md", "## The issuers file").splitlines() if line.startswith("| `")]
    expected = []
    for name, field in IssuerEntry.model_fields.items():
        default = "required" if field.is_required() else _toml(field.default)
        expected.append(f"| `{name}` | {default} | {field.description} |")
    assert rows == expected, "docs/settings.md should have these rows:\n" + "\n".join(expected)


def _toml(value: object) -> str:
    return "none" if value is None or value in ({}, []) else f"`{json.dumps(value)}`"


def test_every_failure_code_is_documented() -> None:
    """The closed set of tool failures, in its order."""
    assert first_cells(section("errors.md", "## Tools")) == [code.value for code in FailureCode]


def test_every_oauth_error_is_documented() -> None:
    """The error codes that clients of auth-server can see."""
    assert set(first_cells(section("errors.md", "## auth-server"))) == {wire.error for wire in WIRE.values()}


def test_every_check_of_the_doctor_is_documented() -> None:
    """The closed set of checks, in its order."""
    assert first_cells(section("doctor.md", "## Checks")) == [check.value for check in Check]


def test_every_endpoint_of_auth_server_is_documented() -> None:
    """An issuer without a path: each path that answers has its row, and no other."""
    issuer, anything = "https://auth.example.com", Anything()
    browser = Browser(issuer=issuer, render=Renderer(brand="Brand", issuer=issuer))
    routes = endpoints(
        cast("Any", anything),
        published(Deployment(issuer, (), frozenset())),
        store=cast("Any", anything),
        keys=cast("Any", anything),
        issuer=issuer,
        browser=browser,
    )
    written = [cell for cell in first_cells(section("endpoints.md", "## auth-server")) if cell.startswith("/")]
    assert sorted(written) == sorted(routes)


def test_every_verb_over_http_is_documented() -> None:
    """Under the path and the method where it is."""
    lines = section("runbook.md", "## Administration over HTTP").splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| `/")]
    written = {cells[0].strip("`"): cells[1:] for cells in rows}
    assert written.keys() == VERBS.keys()
    for path, verbs in VERBS.items():
        columns = zip(("GET", "POST", "DELETE"), written[path], strict=True)
        told = {method: text.partition(",")[0] for method, text in columns if text}
        assert told == {method: verb.name for method, verb in verbs.items()}


def test_every_tool_argument_and_result_field_is_documented() -> None:
    """Each tool with its scopes, arguments and the fields of its result, in one row."""
    rows = re.findall(
        r"^\| (`\w+`) \| (.*?) \| (.*?) \| (.*?) \|$", (REPOSITORY / "docs/tools.md").read_text("utf-8"), re.MULTILINE
    )
    written = {tool.strip("`"): [words(cell) for cell in cells] for tool, *cells in rows}
    expected = {}
    for tool in offer().tools:
        assert tool.definition.output_schema is not None
        expected[tool.definition.name] = [
            set(tool.scopes),
            set(tool.definition.input_schema["properties"]),
            set(tool.definition.output_schema["properties"]),
        ]
    assert written == expected


def test_every_resource_and_prompt_is_documented() -> None:
    """Resources and templates with their scopes; prompts with their arguments too."""
    resources = {uri: words(scopes) for uri, scopes in three_cells("## Resources")}
    expected = {resource.definition.uri: set(resource.scopes) for resource in offer().resources}
    expected |= {template.definition.uri_template: set(template.scopes) for template in offer().templates}
    assert resources == expected
    prompts = {name: words(scopes) for name, scopes in three_cells("## Prompts")}
    assert prompts == {prompt.definition.name: set(prompt.scopes) for prompt in offer().prompts}
    text = section("tools.md", "## Prompts")
    for prompt in offer().prompts:
        [row] = [line for line in text.splitlines() if line.startswith(f"| `{prompt.definition.name}`")]
        named = re.findall(r"`(\w+)`( \(required\))?", row.split("|")[3])
        arguments = prompt.definition.arguments or []
        assert named == [(one.name, " (required)" if one.required else "") for one in arguments]


def offer() -> Offer:
    """What mcp-server offers."""
    return product(
        cast("Any", SimpleNamespace(browsing=Anything(), queries=Anything(), usage=Anything(), limits=Limits())),
        cast("Any", None),
    )


def three_cells(title: str) -> list[tuple[str, str]]:
    """The first two cells of the rows of a table with three columns."""
    return re.findall(r"^\| `(\S+)` \| (.*?) \| .*? \|$", section("tools.md", title), re.MULTILINE)


def words(cell: str) -> set[str]:
    """The code words of a table's cell."""
    return set(re.findall(r"`(.*?)`", cell))


def test_every_limit_is_documented() -> None:
    """Names and values of what one call may take."""
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) ", section("sql.md", "## Limits"), re.MULTILINE)
    written = {name: float(value.replace(",", "")) for name, value in rows}
    limits = {name: float(value) for name, value in dataclasses.asdict(Limits()).items()}
    assert written == limits | {"FULL_SCAN_BYTES": float(FULL_SCAN_BYTES)}


def test_every_function_is_documented() -> None:
    """docs/functions.md has a section for each topic, and in it the functions that a statement may call, each once."""
    written = {
        title: sorted(name for entry in entries for name in entry.names) for title, entries in sections().items()
    }
    assert written == {topic[0].upper() + topic[1:]: sorted(names.split()) for topic, names in TOPICS.items()}


def test_every_table_of_the_store_is_documented(tmp_path: Path) -> None:
    """docs/storage.md against the schema that the migrations lead to."""
    SqliteStore.open(tmp_path / "auth.db").close()
    with contextlib.closing(sqlite3.connect(tmp_path / "auth.db")) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert set(first_cells(section("storage.md", "## auth-server"))) == tables


class Anything:
    """Stands where flows would; building the table of routes calls none of them."""

    def __getattr__(self, name: str) -> "Anything":
        return self


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_paths_lead_somewhere(document: Path) -> None:
    """Relative links exist; so do the heading anchors they name."""
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", document.read_text("utf-8")):
        path, _, anchor = target.partition("#")
        file = (document.parent / path) if path else document
        assert file.exists(), f"{document.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in anchors, f"{document.name}: {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_make_commands_in_documents_exist(document: Path) -> None:
    """A reader can type what is written."""
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE))
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", document.read_text("utf-8"), re.MULTILINE):
        assert target in targets, f"{document.name}: make {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_modules_that_documents_name_exist(document: Path) -> None:
    """A moved module takes its signposts along."""
    for named in re.findall(r"`((?:\w+/)+\w+\.py)`", document.read_text("utf-8")):
        assert any(path.endswith(f"/{named}") for path in modules()), f"{document.name}: {named}"


@cache
def modules() -> tuple[str, ...]:
    """The paths of all our Python files."""
    roots = ("auth-server", "mcp-server", "shared", "deploy", "tests")
    found = (path for root in roots for path in (REPOSITORY / root).rglob("*.py"))
    return tuple(path.as_posix() for path in found if "node_modules" not in path.parts)


def test_every_command_of_the_runbook_is_one() -> None:
    """Its name, and each option; that they work next to `make run`, with its `.data/env`, test_local_pair shows."""
    text = (REPOSITORY / "docs" / "runbook.md").read_text("utf-8")
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    lines = [line for line in blocks.splitlines() if line.startswith("auth-server ")]
    assert len(lines) > 20
    for line in lines:
        # What a comment says about options ("or --user USER") counts too.
        command, _, comment = line.partition("#")
        entry: Any = typer.main.get_command(commands)
        _, *words = shlex.split(command)
        while hasattr(entry, "commands"):
            entry = entry.commands[words.pop(0)]
        known = {name for parameter in entry.params for name in (*parameter.opts, *parameter.secondary_opts)}
        used = {word for word in [*words, *re.findall(r"--[a-z-]+", comment)] if word.startswith("--")}
        assert used <= known, line
