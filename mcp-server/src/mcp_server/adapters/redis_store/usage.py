"""What was read, kept in Redis for all replicas.

For each tenant and day there are hashes in one slot, `{prefix:usage:<tenant>}:<day>:tables`, `…:people` and one
`…:of:<subject>` per subject, tenant and subject as digests. A field is what it counts and whose: `n` statements, `i`
items, `u` read units, `q` requests, `r` rows. The last two are missing where only an older replica has counted.

Requests do not wait for it: they leave what they took here, and it is handed on a second later. What Redis was given
without an answer is given once more under the same name, by which it is not counted twice.
"""

import hashlib
import json
from collections.abc import Awaitable, Mapping, Sequence
from datetime import date
from typing import Any

import anyio
from redis.asyncio import Redis

from mcp_server.adapters.redis_store.connection import SharedRedis, Unanswered
from mcp_server.adapters.usage_days import PEOPLE, TableKey, UsageDay, today
from mcp_server.domain.principal import Principal
from mcp_server.ports.usage import DAYS_KEPT, TableDay, TableUsage, Total, Usage, UsageUnavailable
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy

SECONDS = 1.0
"""How long usage waits here for more, before it is handed on."""
_LIFETIME = (DAYS_KEPT + 1) * 24 * 3600 * 1000
_MARK_LIFETIME = 24 * 3600 * 1000

# KEYS: the mark of this batch, the tables', the people's, and those of each subject. ARGV: lifetimes of the hashes and
# of the mark, how many people are kept apart, and what to add to each key but the first, as JSON.
_ADD = """
if not redis.call('SET', KEYS[1], 1, 'NX', 'PX', ARGV[2]) then return 0 end
local function add(key, field, taken)
  redis.call('HINCRBY', key, 'n' .. field, taken[1])
  redis.call('HINCRBY', key, 'i' .. field, taken[2])
  redis.call('HINCRBYFLOAT', key, 'u' .. field, taken[3])
  redis.call('HINCRBY', key, 'q' .. field, taken[4])
  redis.call('HINCRBY', key, 'r' .. field, taken[5])
  redis.call('PEXPIRE', key, ARGV[1])
end
local batch = cjson.decode(ARGV[4])
for _, entry in ipairs(batch.tables) do add(KEYS[2], entry[1], entry[2]) end
for number, entry in ipairs(batch.people) do
  local subject = entry[1]
  if subject ~= '' and redis.call('HEXISTS', KEYS[3], 'n' .. subject) == 0
    and redis.call('HLEN', KEYS[3]) >= 5 * tonumber(ARGV[3]) then subject = '' end
  add(KEYS[3], subject, entry[2])
  if subject ~= '' then
    for _, own in ipairs(entry[3]) do add(KEYS[3 + number], own[1], own[2]) end
  end
end
return 1
"""

_Batch = tuple[str, str, date, UsageDay]
"""A name, a tenant, a day, and what is to be added."""


class UsageInRedis:
    """Keeps UsageRecords for all replicas; what Redis does not take at once waits here, bounded as a day is."""

    def __init__(self, redis: SharedRedis, clock: Clock, entropy: Entropy, people: int = PEOPLE) -> None:
        self._redis, self._clock, self._entropy, self._people = redis, clock, entropy, people
        self._fresh: dict[tuple[str, date], UsageDay] = {}
        self._given: list[_Batch] = []
        self._recorded = anyio.Event()
        self._handing_on = anyio.Lock()

    def record(self, principal: Principal, usage: Usage) -> None:
        """See UsageLog."""
        if usage.reads:
            self._today(principal.tenant).add(_subject(principal), usage)
            self._recorded.set()

    def record_sample(self, principal: Principal, taken: TableUsage) -> None:
        """See UsageLog."""
        self._today(principal.tenant).add_sample(_subject(principal), taken)
        self._recorded.set()

    def _today(self, tenant: str) -> UsageDay:
        return self._fresh.setdefault((tenant, today(self._clock)), UsageDay())

    async def keep_handing_on(self) -> None:
        """Hands on what was recorded, until it is cancelled, and then the rest."""
        try:
            while True:
                await self._recorded.wait()
                await anyio.sleep(SECONDS)
                await self.hand_on()
        finally:
            with anyio.CancelScope(shield=True):
                await self.hand_on()

    async def hand_on(self) -> bool:
        """Gives Redis what it has not got yet; False if it did not take all."""
        async with self._handing_on:
            try:
                await self._give()  # what had no answer, under the names that it was given under
                fresh, self._fresh, self._recorded = self._fresh, {}, anyio.Event()
                self._given = [(self._entropy.token(128), *key, day) for key, day in fresh.items()]
                await self._give()
            except Unanswered:
                self._recorded.set()
                return False
            return True

    async def _give(self) -> None:
        while self._given:
            await self._add(*self._given[-1])
            self._given.pop()

    async def of_person(self, tenant: str, subject: str, days: Sequence[date]) -> Sequence[TableDay]:
        """See UsageRecords."""
        keys = [self._key(tenant, day, f"of:{_digest(subject)}") for day in days]
        return _table_days(days, await self._hashes(keys))

    async def of_tenant(self, tenant: str, days: Sequence[date]) -> tuple[Sequence[TableDay], Mapping[str, Total]]:
        """See UsageRecords."""
        kinds = ("tables", "people")
        hashes = await self._hashes([self._key(tenant, day, kind) for kind in kinds for day in days])
        people = dict[str, Total]()
        for of_day in hashes[len(days) :]:
            for subject, total in of_day.items():
                people[subject] = people.get(subject, Total()) + total
        return _table_days(days, hashes[: len(days)]), people

    async def _hashes(self, keys: Sequence[str]) -> list[dict[str, Total]]:
        """The totals in each hash, with what this process has not handed on yet. Raises UsageUnavailable."""

        def read(redis: Redis) -> Awaitable[Any]:
            pipeline = redis.pipeline(transaction=False)
            for key in keys:
                pipeline.hgetall(key)
            return pipeline.execute()

        if not await self.hand_on():
            raise UsageUnavailable
        try:
            found = await self._redis.asked(read)
        except Unanswered as error:
            raise UsageUnavailable from error
        return [_totals(fields) for fields in found]

    async def _add(self, name: str, tenant: str, day: date, taken: UsageDay) -> None:
        people = list(taken.people)
        keys = [
            f"{self._slot(tenant)}:batch:{name}",
            self._key(tenant, day, "tables"),
            self._key(tenant, day, "people"),
            *(self._key(tenant, day, f"of:{_digest(subject)}") for subject in people),
        ]
        batch = {
            "tables": _entries(taken.tables),
            "people": [
                [subject, _numbers(taken.people[subject]), _entries(taken.tables_of.get(subject, {}))]
                for subject in people
            ],
        }
        arguments = (_LIFETIME, _MARK_LIFETIME, self._people, json.dumps(batch))
        await self._redis.asked(lambda redis: redis.eval(_ADD, len(keys), *keys, *map(str, arguments)))

    def _slot(self, tenant: str) -> str:
        return self._redis.slot(f"usage:{_digest(tenant)}")

    def _key(self, tenant: str, day: date, kind: str) -> str:
        return f"{self._slot(tenant)}:{day.isoformat()}:{kind}"


def _subject(principal: Principal) -> str:
    """JSON can hold what Redis cannot read."""
    return principal.subject.encode(errors="replace").decode()


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode(errors="replace")).hexdigest()[:32]


def _entries(totals: Mapping[TableKey, Total]) -> list[Any]:
    return [[json.dumps(key, ensure_ascii=False), _numbers(total)] for key, total in totals.items()]


def _numbers(total: Total) -> list[float]:
    return [total.statements, total.items, total.read_units, total.requests, total.rows]


def _totals(fields: Mapping[bytes, bytes]) -> dict[str, Total]:
    """By what comes after the letter in the names of the fields."""
    read = {name.decode(): value for name, value in fields.items()}

    def whole(kind: str, whose: str) -> int:
        return int(read.get(kind + whose, 0))

    return {
        whose: Total(
            whole("n", whose), whole("i", whose), float(read[f"u{whose}"]), whole("q", whose), whole("r", whose)
        )
        for whose in (name[1:] for name in read if name.startswith("n"))
    }


def _table_days(days: Sequence[date], hashes: Sequence[Mapping[str, Total]]) -> list[TableDay]:
    return [
        TableDay(day, schema, table, total)
        for day, of_day in zip(days, hashes, strict=True)
        for key, total in of_day.items()
        for schema, table in (json.loads(key),)
    ]
