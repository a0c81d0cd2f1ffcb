"""Queries in process, beside bare aioboto3 over the same replayed DynamoDB; filtered scans beside unfiltered ones."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO

from tests.bench.measurement import Above, AtLeast, Rate, Row, Sample, Subject, Within
from tests.bench.subjects import Setting, Target, peer, python
from tests.bench.usage import Meter, family
from tests.support.emulator import CREDENTIALS
from tests.support.services import Addresses, mcp_environment

NAMES = (
    *("query/point-read", "query/point-reads", "query/index-query"),
    *("query/scan", "query/filtered-scan", "query/whole-scan", "query/map-scan", "query/count"),
    *("query/planning", "query/planning-again", "query/planning-literals"),
)

OURS, UNFILTERED, SCALARS, BARE, PLANNER = "engine", "engine, unfiltered", "engine, no map", "aioboto3", "planner"
AGAIN, FROM_ITEMS, PROJECTED = "planner, again", "engine, from items", "aioboto3, projected"
LITERALS, ANEW = "planner, other literals", "planner, anew"
_AT_ONCE = 16
_ITEMS_A_SECOND = 400_000
_STOP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that runs queries when it is told to, on the servers' core."""

    process: "subprocess.Popen[str]"
    asking: IO[str]
    answering: IO[str]
    core: int

    def subject(self, name: str, work: str, callers: int = 1) -> Subject:
        """One kind of query as a row's subject: each caller sends one query after the other."""

        def measure(seconds: float) -> Sample:
            self.run(work, 0.0, callers)  # the processes that a first query starts belong to the family
            meter = Meter(family(self.process.pid), [self.core])
            before = meter.read()
            elapsed, latencies = self.run(work, seconds, callers)
            after = meter.read()
            return Sample(
                elapsed,
                latencies,
                cpu=after.processes - before.processes,
                generator=0.0,
                others=after.others_since(before) / elapsed,
            )

        return Subject(name, measure)

    def run(self, work: str, seconds: float, callers: int = 1) -> tuple[float, tuple[float, ...]]:
        """The seconds that a pass took, and the latency of each query in it."""
        self.asking.write(json.dumps({"work": work, "seconds": seconds, "callers": callers}) + "\n")
        self.asking.flush()
        line = self.answering.readline()
        assert line, "the process that runs queries has ended; its log is above"
        answer = json.loads(line)
        return answer["seconds"], tuple(answer["latencies"])


@contextmanager
def rows(setting: Setting) -> Iterator[Sequence[Row]]:
    """The rows, over processes that run for as long as the block."""
    with ExitStack() as stack:
        replay = stack.enter_context(replaying(setting, setting.items))
        ours = stack.enter_context(working(setting, "engine", replay))
        bare = stack.enter_context(working(setting, "aioboto3", replay))
        planner = stack.enter_context(working(setting, "planner", replay))
        both = ((OURS, ours), (BARE, bare))
        point_reads = [worker.subject(name, "point-read") for name, worker in both]
        at_once = [worker.subject(name, "point-read", _AT_ONCE) for name, worker in both]
        index_queries = [worker.subject(name, "index-query") for name, worker in both]
        scans = [worker.subject(name, "scan") for name, worker in both]
        whole_scans = [worker.subject(name, "whole-scan") for name, worker in both]
        as_many = Rate(_ITEMS_A_SECOND, "items", setting.items)
        yield [
            Row(
                "query/point-read",
                "one item by its key: a SELECT with two parameters; aioboto3 sends GetItem",
                point_reads,
                [Above(0.5, 3, BARE), Above(0.95, 10, BARE)],
            ),
            Row(
                "query/point-reads",
                f"the same with {_AT_ONCE} callers at once",
                at_once,
                [AtLeast(0.5, BARE)],
            ),
            Row(
                "query/index-query",
                "100 rows by the key of an index, five columns of each; aioboto3 sends Query and deserialises",
                index_queries,
                [AtLeast(1.0, BARE)],
            ),
            Row(
                "query/scan",
                f"scan of {setting.items:,} items, GROUP BY with count and sum: the engine asks for the two attributes "
                "of nine that it uses; aioboto3 deserialises and loops over whole items, or over the same two",
                [*scans, bare.subject(PROJECTED, "scan, projected")],
                [AtLeast(30, BARE), AtLeast(10, PROJECTED), as_many],
            ),
            Row(
                "query/filtered-scan",
                "the scan with a condition that DynamoDB filters by and that keeps half of the items; each asks for as "
                "many attributes as there",
                [
                    ours.subject(OURS, "filtered-scan"),
                    ours.subject(UNFILTERED, "scan"),
                    bare.subject(BARE, "filtered-scan"),
                    bare.subject(PROJECTED, "filtered-scan, projected"),
                ],
                [AtLeast(30, BARE), AtLeast(10, PROJECTED), AtLeast(1.0, UNFILTERED), as_many],
            ),
            Row(
                "query/whole-scan",
                "the scan with an aggregate of each of the nine attributes, one of them a map; both read whole items",
                whole_scans,
            ),
            Row(
                "query/map-scan",
                "the scan with a condition on a map's field, which DynamoDB filters by; a seventh of the items is left",
                [ours.subject(OURS, "map-scan"), ours.subject(SCALARS, "scan"), bare.subject(BARE, "map-scan")],
            ),
            Row(
                "query/count",
                "count(*) of the items with a status, by DynamoDB (Select=COUNT) and from the items that it sends",
                [ours.subject(OURS, "count"), ours.subject(FROM_ITEMS, "count-items")],
                [AtLeast(1.5, FROM_ITEMS)],
            ),
            Row(
                "query/planning",
                "the statements of TPC-H planned, each as if it were the first; and again by one planner",
                [planner.subject(PLANNER, "plan"), planner.subject(AGAIN, "plan-again")],
                [Within(0.95, 5)],
            ),
            Row(
                "query/planning-again",
                "the same, that of one planner first",
                [planner.subject(AGAIN, "plan-again"), planner.subject(PLANNER, "plan")],
                [Within(0.95, 0.5)],
            ),
            Row(
                "query/planning-literals",
                "statements by keys (plain, a join, a CTE, a subquery, a UNION) planned by one planner, each with "
                "literals that were not sent before; and each as if it were the first",
                [planner.subject(LITERALS, "plan-literals"), planner.subject(ANEW, "plan-literals-anew")],
                [AtLeast(4, ANEW)],
            ),
        ]


@contextmanager
def replaying(setting: Setting, items: int, repeats: int = 1) -> Iterator[Target]:
    """The replayed DynamoDB, on the core of the load."""
    command, more = python("servers.replay_dynamodb"), {"ITEMS": str(items), "REPEATS": str(repeats)}
    with peer(setting, "replay", command, "/", more, setting.cores.load) as replay:
        yield replay


@contextmanager
def working(setting: Setting, whose: str, replay: Target, repeats: int = 1) -> Iterator[Worker]:
    """A process that runs queries over the replayed DynamoDB, as servers.in_process says."""
    endpoint = f"http://127.0.0.1:{replay.port}"
    more = {"ITEMS": str(setting.items), "REPEATS": str(repeats), "ENDPOINT": endpoint}
    # Its queries read in a minute what nobody is allowed in an hour, and there is nobody to ask.
    unbounded = {"MCP_READ_UNITS": "10000000", "MCP_READ_UNITS_PER_HOUR": "1000000000000"}
    unbounded |= {"MCP_CONFIRM_READ_UNITS": "0"}
    unbounded |= {"MCP_DEADLINE_SECONDS": "300"}
    environment = mcp_environment(Addresses(), setting.directory, endpoint, **more) | CREDENTIALS | unbounded
    command = [*python("servers.in_process"), whose]
    with setting.cores.pinned(setting.cores.servers):
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stderr, text=True
        )
    with process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            yield Worker(process, process.stdin, process.stdout, setting.cores.servers)
            process.stdin.close()  # the end of its input ends it
            process.wait(_STOP_SECONDS)
        finally:
            process.kill()
