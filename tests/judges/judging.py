"""Runs a client of other authors as a process, and opens for it what it wants a person to see.

A client is a script beside this module. It gets its task as a JSON object, its one argument, and prints lines: `open
URL` for what belongs in the person's browser, `device URL` for where the person allows a device, after which a line
tells it so, `done FLOW` for a flow that it has completed. What it cannot accept ends it with a status other than zero.
"""

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.support.node import node
from tests.support.processes import clean_environment

FOLDER = Path(__file__).parent
END_SECONDS = 30


def judged(
    script: str,
    task: Mapping[str, str],
    open_url: Callable[[str], None],
    allow_device: Callable[[str], None] | None = None,
    environment: Mapping[str, str] | None = None,
) -> list[str]:
    """The flows that the script has completed, in their order. Fails the test where the script is not content."""
    assert (FOLDER / "node_modules").exists(), f"the clients are not installed; run: (cd {FOLDER} && npm ci)"
    with subprocess.Popen(
        [node(), str(FOLDER / script), json.dumps(task)],
        env=clean_environment(NO_COLOR="1", **(environment or {})),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        flows, output = [], []
        try:
            for line in process.stdout:
                output.append(line)
                word, _, rest = line.strip().partition(" ")
                if word == "open":
                    open_url(rest)
                elif word == "device" and allow_device is not None:
                    allow_device(rest)
                    process.stdin.write("allowed\n")
                    process.stdin.flush()
                elif word == "done":
                    flows.append(rest)
            process.wait(END_SECONDS)
        finally:
            process.kill()
    assert process.returncode == 0, "".join(output)
    return flows
