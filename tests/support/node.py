"""The Node.js that npm brought along, whatever the machine has itself."""

import platform
from pathlib import Path

from tests.support.processes import REPOSITORY

MODULES = REPOSITORY / "tests" / "conformance" / "node_modules"
"""Where npm has put a Node.js that the tests use."""
_ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def node(modules: Path = MODULES) -> str:
    """The program `node` among the packages in `modules`."""
    system, machine = platform.system().lower(), _ARCHITECTURES[platform.machine().lower()]
    found = [*modules.glob(f"node-{system}-{machine}/bin/node"), *modules.glob(f"node-bin-{system}-{machine}/bin/node")]
    assert found, f"no Node in {modules}; run: (cd {modules.parent} && npm ci)"
    return str(found[0])
