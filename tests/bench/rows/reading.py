"""Point reads over HTTP: run_sql with a verified JWT, another item each time; also beside heavy queries of another."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.bench.load import Answer, WrongAnswer
from tests.bench.measurement import Rate, Row, Within
from tests.bench.rows.call import serving
from tests.bench.rows.planning import Attack
from tests.bench.servers.in_process import POINT_READ
from tests.bench.subjects import CONNECTIONS, Setting
from tests.support.mcp_wire import MODERN

NAMES = ("reading/point-read", "reading/beside-heavy")
HEAVY, AT_ONCE = "SELECT sum(a.range * b.range) FROM range(15000) a, range(15000) b", 64
"""A second of one core, of which a client has so many under way: most of them wait, or are refused."""

_FIRST_ID = 1_000_000
_ITEMS = 20
_MARGIN_SECONDS = 3.0
_KEY = ("C#0000000", "O#000000001")


@dataclass(slots=True)
class Reading:
    """Reads one item after the other of a partition."""

    prepared: bytes
    ids: "itertools.count[int]"
    current: bytes = field(default=b"")
    key: bytes = field(default=b"")

    def request(self) -> bytes:
        """The next read."""
        number = next(self.ids)
        self.current, self.key = b'"id":%d' % number, b"O#%09d" % (number % _ITEMS)
        return self.prepared.replace(b'"id":%d' % _FIRST_ID, self.current, 1).replace(_KEY[1].encode(), self.key, 1)

    def check(self, answer: Answer) -> None:
        """The one row of that key. Raises WrongAnswer."""
        body = answer.body
        found = b'"row_count":1' in body and self.key in body and self.current in body
        if answer.status != 200 or not found:
            raise WrongAnswer(answer)


@contextmanager
def rows(setting: Setting) -> Iterator[Sequence[Row]]:
    """The row, over a pair of services that runs for as long as the block."""
    with serving(setting) as pair:
        ours, ids = pair.mcp_server, itertools.count(_FIRST_ID)
        heavy = pair.elsewhere.prepared(MODERN, {"name": "run_sql", "arguments": {"sql": HEAVY}}, {})
        call = {"name": "run_sql", "arguments": {"sql": POINT_READ, "parameters": list(_KEY)}}
        prepared = ours.prepared(MODERN, call, {})

        def callers(count: int) -> Sequence[Reading]:
            return [Reading(prepared, ids) for _ in range(count)]

        yield [
            Row(
                "reading/point-read",
                "POST /mcp: run_sql reads one item by its key, its token verified; and one caller alone",
                [
                    ours.target.subject(lambda: callers(CONNECTIONS)),
                    ours.target.subject(lambda: callers(1), name="mcp-server, one caller"),
                ],
                [Rate(300, "reads")],
            ),
            Row(
                "reading/beside-heavy",
                f"one caller of that while another client has {AT_ONCE} heavy queries under way; and alone",
                [
                    ours.target.subject(
                        lambda: callers(1),
                        name="mcp-server, beside heavy ones",
                        warm_up=_MARGIN_SECONDS,
                        beside=[Attack(heavy) for _ in range(AT_ONCE)],
                    ),
                    ours.target.subject(lambda: callers(1), name="mcp-server, at peace"),
                ],
                [Within(0.95, 200)],
            ),
        ]
