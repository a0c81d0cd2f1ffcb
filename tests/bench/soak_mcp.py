"""The long run of mcp-server: 64 clients of every kind at once, its memory, and how the good ones are served.

It is asked for by name, `make bench ROWS=soak/mcp-server`. Who the clients are stands in soak_calls.py; DynamoDB is the
emulator. No good or slow call may fail, and neither the server nor the processes that it starts may grow.
"""

import asyncio
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import boto3
import uvloop

from tests.bench.measurement import Sample
from tests.bench.soak import Length
from tests.bench.soak_calls import KEPT, LINES, POINTS, Place, Tallied, crowd, item
from tests.bench.subjects import Setting
from tests.bench.usage import Meter, family, resident
from tests.support.descendants import descendants
from tests.support.emulator import CREDENTIALS, REGION, emulating
from tests.support.services import Addresses, AuthServer, Client, auth_serving, mcp_serving, run_cli

NAME = "soak/mcp-server"
MEMORY_GROWTH = 1.05
"""How much more memory the last third may show than the second; the first warms up."""
_PRINCIPALS = 4
"""Of the good and slow clients, in the default workspace; the others have as many, in a workspace of their own."""
_WARM_UP_SECONDS = 10.0
_SCHEMA = """\
[[schema]]
name = "{tenant}"
tenant = "{tenant}"
region = "{region}"
endpoint_url = "{endpoint}"
default = true
"""


@dataclass(frozen=True, slots=True)
class Part:
    """What one part showed: good calls, all calls by kind, and at its end bytes of memory, children and open files."""

    sample: Sample
    calls: Counter[str]
    resident: int
    resident_children: int
    children: int
    files: int


@dataclass(frozen=True, slots=True)
class Soaked:
    """The parts in order, and what failed of all calls."""

    parts: Sequence[Part]
    failures: Sequence[str]

    def outcomes(self) -> Iterator[tuple[str, int, int]]:
        """Each kind of client, how often it called, and how many of its calls failed."""
        calls = sum((part.calls for part in self.parts), Counter[str]())
        failed = Counter(failure.partition(" ")[0] for failure in self.failures)
        return ((kind, count, failed[kind]) for kind, count in sorted(calls.items()))

    def growth(self, value: Callable[[Part], float]) -> float:
        """The median of the last third of the parts over that of the second."""
        third = len(self.parts) // 3
        last, second = self.parts[-third:], self.parts[-2 * third : -third]
        return statistics.median(map(value, last)) / statistics.median(map(value, second))


def soak(setting: Setting, length: Length) -> Soaked:
    """Soaks the server."""
    with _serving(setting) as (auth, port, pid):
        return uvloop.run(_soaked(_places(auth, port), Meter(family(pid), {setting.cores.servers}), pid, length))


@contextmanager
def _serving(setting: Setting) -> Iterator[tuple[AuthServer, int, int]]:
    """The service that makes tokens; port and process of the one that is soaked."""
    addresses, cores = Addresses(), setting.cores
    for name in ("auth", "mcp"):
        (setting.directory / name).mkdir()
    with ExitStack() as stack:
        with cores.pinned(cores.database):
            emulator = stack.enter_context(emulating(setting.directory))
            auth = stack.enter_context(
                auth_serving(addresses, setting.directory / "auth", AUTH_TRUSTED_PROXIES="127.0.0.1")
            )
        _fill(emulator.endpoint_url)
        schemas = setting.directory / "schemas.toml"
        schemas.write_text(
            "\n".join(
                _SCHEMA.format(tenant=tenant, region=REGION, endpoint=emulator.endpoint_url)
                for tenant in ("default", "another")
            )
        )
        with cores.pinned(cores.servers):
            mcp = stack.enter_context(
                mcp_serving(addresses, setting.directory / "mcp", emulator.endpoint_url, MCP_SCHEMAS_FILE=str(schemas))
            )
        yield auth, addresses.mcp_port, mcp.server.pid


def _fill(endpoint: str) -> None:
    client = boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )
    for table, count in (("points", POINTS), ("lines", LINES)):
        client.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )
        for first in range(0, count, 25):
            items = [
                {name: {"N": str(value)} if isinstance(value, int) else {"S": value} for name, value in held.items()}
                for held in map(item, range(first, first + 25))
            ]
            client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": held}} for held in items]})


def _places(auth: AuthServer, port: int) -> Callable[[str, int], Place]:
    """Where each client calls, and as whom: four principals of one workspace, and four of another."""
    run_cli(auth.server.environment, "workspace", "create", "another", "--title", "Another")

    def place(workspace: str, number: int) -> Place:
        options = ("--confidential", "--name", f"Client {number}", "--workspace", workspace)
        client: Client = auth.create_client(*options, "--scope", "schemas:read query")
        made = Place(port, lambda: auth.token(client=client))
        made.renew()
        return made

    good, others = ([place(name, number) for number in range(_PRINCIPALS)] for name in ("default", "another"))
    return lambda kind, number: (good if kind in KEPT else others)[number % _PRINCIPALS]


async def _soaked(places: Callable[[str, int], Place], meter: Meter, pid: int, length: Length) -> Soaked:
    tallied, parts = Tallied(), list[Part]()
    async with asyncio.TaskGroup() as tasks:
        clients = [tasks.create_task(client.run()) for client in crowd(tallied, places)]
        await asyncio.sleep(min(_WARM_UP_SECONDS, length.seconds))
        for number in range(length.parts):
            sys.stderr.write(f"{NAME} {number + 1} of {length.parts} ...\n")
            parts.append(await _part(tallied, meter, pid, length.seconds))
        for client in clients:
            client.cancel()
    return Soaked(parts, tuple(tallied.failures))


async def _part(tallied: Tallied, meter: Meter, pid: int, seconds: float) -> Part:
    before, at, generator = meter.read(), time.perf_counter(), time.process_time()
    tallied.latencies.clear()
    tallied.calls.clear()
    await asyncio.sleep(seconds)
    after, elapsed = meter.read(), time.perf_counter() - at
    sample = Sample(
        elapsed,
        tuple(tallied.latencies),
        cpu=after.processes - before.processes,
        generator=(time.process_time() - generator) / elapsed,
        others=after.others_since(before) / elapsed,
    )
    children = descendants(pid)
    return Part(
        sample,
        Counter(tallied.calls),
        resident(pid),
        sum(map(_resident, children)),
        len(children),
        _open_files(pid),
    )


def _open_files(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def _resident(pid: int) -> int:
    """Bytes of memory that a child holds; 0 if it has just ended."""
    with suppress(OSError):
        return resident(pid)
    return 0
