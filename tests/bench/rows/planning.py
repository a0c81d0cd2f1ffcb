"""What other callers feel while hostile statements are being planned."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.bench.load import Answer, WrongAnswer
from tests.bench.measurement import Row, Within
from tests.bench.rows.call import MARKS, Calling, serving
from tests.bench.subjects import Setting
from tests.support.mcp_wire import MODERN

NAMES = ("planning/hostile",)

_MARGIN_SECONDS = 2.0
_FIRST_ID = 1_000_000


def hostile() -> dict[str, str]:
    """Statements that are short to send and long to plan, by what makes them so."""
    numbers = ", ".join(str(number * 7919 % 1_000_003) for number in range(8_700))
    chained = ", ".join(f"c{n} AS (SELECT * FROM c{n - 1} WHERE amount > {n})" for n in range(1, 800))
    windows = ", ".join(f"sum(amount) OVER (PARTITION BY status ORDER BY amount, {n}) AS w{n}" for n in range(900))
    either = " AND ".join(f"(amount > {n} OR quantity < {n})" for n in range(1_000))
    return {
        "a long IN": f"SELECT count(*) FROM items WHERE amount IN ({numbers})",
        "chained CTEs": f"WITH c0 AS (SELECT * FROM items), {chained} SELECT count(*) FROM c799",
        "windows": f"SELECT {windows} FROM items",
        "alternatives": f"SELECT count(*) FROM items WHERE {either}",
    }


@dataclass(slots=True)
class Attack:
    """Asks without a pause. Any answer will do, as long as it answers the call, or tells to wait."""

    prepared: bytes
    ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(_FIRST_ID))
    current: bytes = b""

    def request(self) -> bytes:
        """The next statement."""
        self.current = b'"id":%d' % next(self.ids)
        return self.prepared.replace(b'"id":%d' % _FIRST_ID, self.current, 1)

    def check(self, answer: Answer) -> None:
        """A result, or a failure that says so, of that very call. Raises WrongAnswer."""
        if answer.status == 429:
            return
        if answer.status != 200 or b'"structuredContent":{' not in answer.body or self.current not in answer.body:
            raise WrongAnswer(answer)


@contextmanager
def rows(setting: Setting) -> Iterator[Sequence[Row]]:
    """The row, over a pair of services that runs for as long as the block."""
    with serving(setting) as pair:
        ours = pair.mcp_server
        ids = itertools.count(_FIRST_ID)
        prepared = ours.prepared(MODERN, {"name": "list_schemas", "arguments": {}}, {})
        attacks = [
            Attack(ours.prepared(MODERN, {"name": "explain_sql", "arguments": {"sql": sql}}, {}))
            for sql in hostile().values()
        ]

        def caller() -> Sequence[Calling]:
            return [Calling(prepared, MARKS["list_schemas"], ids)]

        yield [
            Row(
                "planning/hostile",
                f"one caller of list_schemas while four others have {', '.join(hostile())} explained without a pause",
                [
                    ours.target.subject(caller, name="mcp-server, attacked", warm_up=_MARGIN_SECONDS, beside=attacks),
                    ours.target.subject(caller, name="mcp-server, at peace"),
                ],
                [Within(0.95, 100)],
            )
        ]
