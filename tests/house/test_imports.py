"""Importing any module opens no file, no socket and no process, and reads no environment variable."""

import json
import subprocess
import sys

import pytest

from tests.support.processes import REPOSITORY

PROBE = '''
import importlib, json, os, pkgutil, sys

sources = tuple(os.path.join(os.getcwd(), name, "src") + os.sep for name in ("auth-server", "mcp-server", "shared"))
found, modules = [], []

def who():
    """Our module whose body is running, unless what runs is the import of somebody else's."""
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(sources):
            return name
        if name.startswith("<frozen importlib"):
            return None
        frame = frame.f_back
    return None

def hook(event, arguments):
    if event in {"open", "socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.mkdir",
                 "os.listdir", "os.fork", "os.posix_spawn", "sqlite3.connect", "_thread.start_new_thread"}:
        culprit = who()
        if culprit:
            found.append([culprit, event, repr(arguments)])

read = os._Environ.__getitem__
def recording(self, name):
    culprit = who()
    # pydantic looks for this one whenever a model is defined.
    if culprit and name != "PYDANTIC_DISABLE_PLUGINS":
        found.append([culprit, "environ", name])
    return read(self, name)

os._Environ.__getitem__ = recording
sys.addaudithook(hook)
for root in ("shared_kernel", "auth_server", "mcp_server"):
    package = importlib.import_module(root)
    modules.append(root)
    for module in pkgutil.walk_packages(package.__path__, root + "."):
        importlib.import_module(module.name)
        modules.append(module.name)
done = len(found)
exec(compile("import os; os.environ.get('HOME'); open(os.devnull)", sources[0] + "planted.py", "exec"))
print(json.dumps([modules, found[:done], found[done:]]))
'''


@pytest.mark.slow
def test_importing_every_module_does_nothing_else() -> None:
    """Settings are read, and resources opened, when a service starts and not before.

    A planted module body that reads a variable and opens a file shows that the probe would have noticed.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROBE],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    modules, found, planted = json.loads(done.stdout)
    assert found == []
    assert {"environ", "open"} <= {event for _, event, _ in planted}
    sources = [REPOSITORY / name / "src" for name in ("auth-server", "mcp-server", "shared")]
    assert len(modules) == sum(1 for source in sources for _ in source.rglob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("service", ["auth_server", "mcp_server"])
def test_what_a_service_has_loaded_is_never_searched_for_garbage(service: str) -> None:
    """Hundreds of thousands of objects, several times while they are loaded and twice when the process ends."""
    probe = (
        f"import gc, {service}.__main__\n"
        "print(gc.isenabled(), gc.get_freeze_count() > 100_000, [each['collections'] for each in gc.get_stats()[1:]])"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "True True [0, 0]\n"
