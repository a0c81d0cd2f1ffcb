"""ARCHITECTURE.md describes the tree as it is."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.support.processes import REPOSITORY

TEXT = (REPOSITORY / "ARCHITECTURE.md").read_text("utf-8")
SERVICES = {"auth-server": "auth_server", "mcp-server": "mcp_server"}
ROOTS = [
    REPOSITORY,
    REPOSITORY / "shared/src",
    *(REPOSITORY / service / "src" / part for service, package in SERVICES.items() for part in ("", package)),
]


def rows(heading: str) -> list[tuple[str, str]]:
    """The rows of the table under a heading: its first two cells."""
    _, found, rest = TEXT.partition(f"\n## {heading}\n")
    assert found, heading
    table = rest.partition("\n## ")[0]
    cells = re.findall(r"^\| (.+?) \| (.+?) \|$", table, re.MULTILINE)[1:]
    assert cells, heading
    return cells


def places() -> dict[str, str]:
    """The places of the module table, with what they hold. `…` stands for the package of the row before."""
    found: dict[str, str] = {}
    package = ""
    for place, content in rows("The modules"):
        name = place.strip("`")
        if name.startswith("…"):
            name = package + name.removeprefix("…")
        elif "/src/" in name:
            package = "/".join(name.split("/")[:3])
        found[name] = content
    return found


def packages(directory: Path) -> set[str]:
    """The names of the packages in a directory."""
    return {file.parent.name for file in directory.glob("*/__init__.py")}


def test_every_place_of_the_module_table_exists() -> None:
    for place in places():
        assert (REPOSITORY / place).is_dir(), place


@pytest.mark.parametrize(("service", "package"), SERVICES.items())
def test_every_package_of_a_service_has_its_row(service: str, package: str) -> None:
    """And every package within it is named there: rooms that nobody finds are built twice."""
    root = f"{service}/src/{package}"
    named = places()
    assert {place.removeprefix(f"{root}/") for place in named if place.startswith(f"{root}/")} == packages(
        REPOSITORY / root
    )
    for place, content in named.items():
        if place.startswith(root):
            assert {name for name in packages(REPOSITORY / place) if f"`{name}`" not in content} == set(), place


def test_every_path_of_the_table_of_changes_leads_somewhere() -> None:
    """A path stands from the repository's top, or from a service's package; `<word>` stands for any name."""
    for change, target in rows("To change X, go to Y"):
        paths = [path for path in re.findall(r"`([^`]+)`", target) if "/" in path or path.endswith(".py")]
        paths += re.findall(r"docs/[\w.]+", target)
        assert paths or ".md" in target, change
        for path in paths:
            pattern = re.sub("<[^>]+>", "*", path).rstrip("/")
            assert any(next(root.glob(pattern), None) for root in ROOTS), f"{change}: {path}"


@pytest.mark.parametrize(("service", "package"), SERVICES.items())
def test_the_arrows_are_those_that_import_linter_checks(service: str, package: str) -> None:
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract.get("containers") == [package]]
    (drawn,) = re.findall(rf"^{service} +(.*)$", TEXT, re.MULTILINE)
    assert drawn.split(" → ") == [*layers, "shared_kernel"]
