"""The lock files are complete, consistent, up to date with the pyproject files, and usable with any mirror."""

import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.processes import REPOSITORY

LOCKS = (
    "requirements-dev.lock",
    "auth-server/requirements.lock",
    "mcp-server/requirements.lock",
    "deploy/emulator.lock",
    "deploy/bootstrap/uv.lock",
)
CAPPED = {"aioboto3", "aiobotocore", "authlib", "duckdb", "httptools", "mcp", "sqlglot", "uvicorn"}
"""CONTRIBUTING.md, Dependencies."""
OURS = {"dynamosql-shared", "dynamosql-auth-server", "dynamosql-mcp-server"}


@cache
def locked(lock: str) -> dict[str, list[Requirement]]:
    """The pinned requirements of a lock file by canonical name; one name may be pinned per marker."""
    found: dict[str, list[Requirement]] = {}
    for line in (REPOSITORY / lock).read_text("utf-8").splitlines():
        if line and not line.startswith((" ", "#")):
            requirement = Requirement(line.removesuffix("\\").strip())
            found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def pyproject(directory: str) -> dict[str, dict[str, list[str]]]:
    """The dependencies that a pyproject file declares: its `project` ones and its groups."""
    content = tomllib.loads((REPOSITORY / directory / "pyproject.toml").read_text("utf-8"))
    return {"project": {"dependencies": content["project"]["dependencies"]}, "groups": content["dependency-groups"]}


def declared(lock: str) -> list[Requirement]:
    """What a lock file must satisfy, our own distributions opened up."""
    if lock.startswith("deploy/"):
        lines = (REPOSITORY / lock).with_suffix(".in").read_text("utf-8").splitlines()
        return [Requirement(line) for line in lines if not line.startswith("#")]
    shared = tomllib.loads((REPOSITORY / "shared/pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    if lock == "requirements-dev.lock":
        services = [pyproject(name)["project"]["dependencies"] for name in ("auth-server", "mcp-server")]
        lines = [*pyproject(".")["groups"]["dev"], *services[0], *services[1], *shared]
    else:
        service = pyproject(str(Path(lock).parent))
        lines = [*service["project"]["dependencies"], *service["groups"]["build"], *shared]
    return [item for item in map(Requirement, lines) if canonicalize_name(item.name) not in OURS]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_every_declared_requirement_within_its_bounds(lock: str) -> None:
    """Offline stand-in for compiling anew: editing a pyproject file without `make lock` fails here."""
    pins = locked(lock)
    for requirement in declared(lock):
        versions = [next(iter(pin.specifier)).version for pin in pins.get(canonicalize_name(requirement.name), [])]
        assert versions, f"{lock} lacks {requirement}; run: make lock"
        assert all(requirement.specifier.contains(version) for version in versions), (
            f"{lock}: {requirement}: {versions}"
        )


@pytest.mark.parametrize("name", sorted(CAPPED))
def test_what_we_build_on_is_capped_below_its_next_minor_version(name: str) -> None:
    """Each cap admits what is locked, and stops where the next version could change how its internals behave."""
    [pin] = locked("requirements-dev.lock")[name]
    major, minor, *_ = next(iter(pin.specifier)).version.split(".")
    bounds = [item.specifier for item in declared("requirements-dev.lock") if canonicalize_name(item.name) == name]
    assert bounds
    assert not any(bound.contains(f"{major}.{int(minor) + 1}.0") for bound in bounds)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_is_exact_and_hashed(lock: str) -> None:
    """Installers then refuse anything but the very files that were locked."""
    text = (REPOSITORY / lock).read_text("utf-8")
    blocks = re.split(r"\n(?=[a-z])", text[text.index("\n", text.rindex("make lock")) :].strip())
    for block in blocks:
        first = block.splitlines()[0]
        assert re.match(r"[a-z0-9.\[\]-]+==[^ ]+( ; .*)? \\$", first), f"{lock}: {first}"
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), f"{lock}: {first} has no hash"
    assert len(blocks) == sum(map(len, locked(lock).values()))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index_no_path_and_none_of_our_distributions(lock: str) -> None:
    """A lock made on one machine installs on any other, from whichever mirror is configured there."""
    text = (REPOSITORY / lock).read_text("utf-8")
    assert not re.search(r"https?:|file:|^-|--(index|extra|find)|(?<!\w)/\w", text, re.MULTILINE)
    assert not OURS.intersection(locked(lock))


@pytest.mark.parametrize("lock", LOCKS[1:3])
def test_a_service_runs_the_versions_that_were_tested(lock: str) -> None:
    """Every pin of a service's lock is the development environment's pin."""
    development = locked("requirements-dev.lock")
    for name, pins in locked(lock).items():
        assert {str(pin.specifier) for pin in pins} <= {str(pin.specifier) for pin in development[name]}, name
