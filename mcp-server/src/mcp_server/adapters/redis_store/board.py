"""The queries of each replica, told by all of them through Redis.

One hash, `prefix:running`, has a field for each replica: until when it counts, in milliseconds by the clock of Redis, a
space, and its queries as JSON, `[[tenant, subject, running, waited], …]`. What a killed replica has told is taken out
by the next that tells something, and the hash expires when nobody does.
"""

import json
from collections.abc import Mapping, Sequence

from mcp_server.adapters.redis_store.connection import SharedRedis, Unanswered
from mcp_server.ports.board import LIFETIME_SECONDS, BoardUnavailable, Load
from mcp_server.ports.spending import Owner
from shared_kernel.entropy import Entropy

# Keys: the hash. Arguments: the replica, what it tells, and for how many milliseconds that counts.
_EXCHANGE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local others = {}
local fields = redis.call('HGETALL', KEYS[1])
for place = 1, #fields, 2 do
  local replica, told = fields[place], fields[place + 1]
  if tonumber(string.match(told, '^%d+')) <= now then redis.call('HDEL', KEYS[1], replica)
  elseif replica ~= ARGV[1] then others[#others + 1] = string.match(told, ' (.*)') end
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f ', now + ARGV[3]) .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return others
"""


class BoardInRedis:
    """Implements Board for one process."""

    def __init__(self, redis: SharedRedis, entropy: Entropy) -> None:
        self._redis, self._replica = redis, entropy.token(128)

    async def exchange(self, here: Mapping[Owner, Load]) -> Sequence[Mapping[Owner, Load]]:
        """See Board."""
        told = json.dumps([[*owner, load.running, load.waited] for owner, load in here.items()])
        arguments = (self._redis.key("running"), self._replica, told, str(round(LIFETIME_SECONDS * 1000)))
        try:
            others = await self._redis.asked(lambda redis: redis.eval(_EXCHANGE, 1, *arguments))
        except Unanswered as error:
            raise BoardUnavailable from error
        return [_read(other) for other in others]


def _read(told: bytes) -> dict[Owner, Load]:
    return {(tenant, subject): Load(running, waited) for tenant, subject, running, waited in json.loads(told)}
