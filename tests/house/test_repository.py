"""What no file of the repository may hold, and what the Makefile promises."""

import gc
import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import REPOSITORY

# Put together here, so that this file does not hold them.
HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("deb", "debian", "org"),
        ("proxy", "golang", "org"),
    )
]
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:work|home/\w+|root|tmp/w)/")
BINARY = {".png", ".ico", ".woff2", ".gz", ".parquet"}
SEARCHED_AT_IMPORT = gc.isenabled()


def files() -> list[Path]:
    """Every tracked or new file that git does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [REPOSITORY / line for line in listed.stdout.splitlines()]
    return [path for path in paths if path.is_file() and path.suffix not in BINARY]


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    """What is committed works with any mirror and in any directory."""
    for path in files():
        text = path.read_text("utf-8")
        assert not [host for host in HOSTS if host in text], path
        assert not (found := MACHINE_PATHS.search(text)), f"{path}: {found}"


def test_npm_locks_carry_no_addresses() -> None:
    """`resolved` would name a registry; `integrity` is what pins the content."""
    for path in files():
        if path.name == "package-lock.json":
            packages = json.loads(path.read_text("utf-8"))["packages"]
            assert all("resolved" not in package for package in packages.values()), path
            assert all("integrity" in package for name, package in packages.items() if name), path


def test_no_file_holds_a_private_key() -> None:
    """Keys are generated where they are used."""
    marker = "-----BEGIN " + "PRIVATE KEY"
    assert not [path for path in files() if marker in path.read_text("utf-8")]


def test_nothing_is_left_for_later() -> None:
    """What is not there yet is absent, not promised in the code."""
    marks = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)) + r")\b")
    for path in files():
        if path.suffix == ".py":
            assert not marks.search(path.read_text("utf-8")), path


@pytest.mark.parametrize("target", ["run", "test", "check", "demo", "bench", "lock", "pin-images", "help"])
def test_make_help_lists_the_target(target: str) -> None:
    """`make` alone explains itself."""
    shown = subprocess.run(["make"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert re.search(rf"^  make {target}\s+\S", shown, re.MULTILINE)


@pytest.mark.parametrize("target", ["check", "test"])
def test_make_checks_all_else_beside_the_tests_that_are_not_slow(target: str) -> None:
    """Types take one core for as long as tests could use two."""
    told = subprocess.run(
        ["make", "--dry-run", target], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    beside = told[told.index("--jobs=2 lint quick-tests") :]
    parts = ["bin/ruff format --check", "bin/ruff check", "bin/mypy", "bin/lint-imports", '-m "not slow"']
    assert [part for part in parts if part not in beside] == []


def test_garbage_is_searched_for_while_tests_run_but_not_while_they_are_collected() -> None:
    """A search looks through all that was imported, and finds nothing."""
    assert gc.isenabled()
    assert not SEARCHED_AT_IMPORT


def test_ci_runs_the_tests_and_nothing_else() -> None:
    """CI sees what a contributor sees."""
    lines = (REPOSITORY / ".ci/run").read_text("utf-8").splitlines()
    assert lines == ["#!/usr/bin/env bash", "set -euo pipefail", 'cd "$(dirname "$0")/.."', "make test"]
