"""No line is lost or torn, however the process ends and however slowly its lines are read."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from shared_kernel.log_writer import PENDING_LIMIT, LineWriter

SECONDS = 30

_PROGRAM = """
import asyncio, signal, sys, structlog
from shared_kernel import logs
logs.configure("example")
log = structlog.get_logger("own")
for number in range(5000):
    log.info("line", number=number)
{ending}
"""

_ENDINGS = {
    "the end of the program": ("", 0),
    "an exit": ("sys.exit(3)", 3),
    "an exception": ("raise ZeroDivisionError", 1),
    "a crash of the event loop": (
        "async def crash():\n    asyncio.get_running_loop().call_soon(log.info, 'line')\n"
        "    raise ZeroDivisionError\nasyncio.run(crash())",
        1,
    ),
    "a line at the very end": ("import atexit; atexit.register(log.info, 'line')", 0),
    "SIGTERM that ends a loop": (
        "async def main():\n    stop = asyncio.Event()\n"
        "    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)\n"
        "    signal.raise_signal(signal.SIGTERM)\n    await stop.wait()\n    log.info('line')\nasyncio.run(main())",
        0,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("ending", _ENDINGS)
def test_nothing_is_lost_at(ending: str) -> None:
    code, status = _ENDINGS[ending]
    program = _PROGRAM.format(ending=code)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=SECONDS)
    assert run.returncode == status, run.stderr[-2000:]
    lines = [json.loads(line) for line in run.stderr.splitlines() if line.startswith("{")]
    assert [line["number"] for line in lines if "number" in line] == list(range(5000))
    assert len(lines) - 5000 == (1 if "line'" in code else 0)


def test_a_line_after_a_pause_is_written_at_once() -> None:
    """So a SIGKILL, which nobody can handle, loses at most what a busy moment had gathered."""
    program = _PROGRAM.format(ending="signal.pause()")
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = [json.loads(process.stderr.readline())["number"] for _ in range(5000)]
        process.send_signal(signal.SIGKILL)
        assert lines == list(range(5000))


def test_lines_of_many_threads_stay_whole() -> None:
    reading, writing = os.pipe()
    writer = LineWriter(writing)
    collected = bytearray()

    def collect() -> None:
        with os.fdopen(reading, "rb") as stream:
            collected.extend(stream.read())

    def write(name: int) -> None:
        for number in range(2000):
            writer.write(b"%d:%d\n" % (name, number))

    collector = threading.Thread(target=collect)
    threads = [threading.Thread(target=write, args=(name,)) for name in range(5)]
    for thread in (collector, *threads):
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    writer.close()
    os.close(writing)
    collector.join(SECONDS)
    for name in range(5):
        mine = [line for line in collected.splitlines() if line.startswith(b"%d:" % name)]
        assert mine == [b"%d:%d" % (name, number) for number in range(2000)]


def test_a_reader_that_is_behind_bounds_the_memory() -> None:
    """Whoever logs then waits, as it did before lines were gathered."""
    reading, writing = os.pipe()
    writer = LineWriter(writing)
    line = b"x" * 99 + b"\n"
    written = 0

    def write() -> None:
        nonlocal written
        for _ in range(5 * PENDING_LIMIT):
            writer.write(line)
            written += 1

    thread = threading.Thread(target=write)
    thread.start()
    with os.fdopen(reading, "rb") as stream:
        stream.read(1)
        thread.join(0.5)
        assert written < 4 * PENDING_LIMIT
        rest = threading.Thread(target=stream.read)
        rest.start()
        thread.join(SECONDS)
        writer.close()
        os.close(writing)
        rest.join(SECONDS)
    assert written == 5 * PENDING_LIMIT
