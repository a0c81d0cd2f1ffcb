"""What no file of the repository may hold, and what the Makefile promises."""

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


def test_ci_runs_the_tests_and_nothing_else() -> None:
    """CI sees what a contributor sees."""
    lines = (REPOSITORY / ".ci/run").read_text("utf-8").splitlines()
    assert lines == ["#!/usr/bin/env bash", "set -euo pipefail", 'cd "$(dirname "$0")/.."', "make test"]
