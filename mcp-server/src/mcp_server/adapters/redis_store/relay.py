"""Messages between replicas, over a channel of Redis, `prefix:relay`. Nothing of them is kept.

Each is sealed: it can neither be read nor made up without the key that seals cursors.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from redis.exceptions import RedisError

from mcp_server.adapters.redis_store.connection import SharedRedis, Unanswered
from mcp_server.ports.relay import Kind, Relayed
from shared_kernel.entropy import Entropy

_QUIET_SECONDS = 15.0
"""After so long without a message Redis is asked whether it is still there."""
_PAUSE_SECONDS = 1.0
_NONCE_BYTES = 12
_KINDS = frozenset(kind.value for kind in Kind)
_log = structlog.get_logger("redis")


class RelayInRedis:
    """Implements Relay among the replicas with the same `cursor_key`."""

    def __init__(self, redis: SharedRedis, *, cursor_key: bytes, entropy: Entropy) -> None:
        self._redis, self._channel, self._entropy = redis, redis.key("relay"), entropy
        self._cipher = AESGCM(HKDF(SHA256(), length=32, salt=None, info=b"dynamosql relay").derive(cursor_key))

    async def send(self, message: Relayed) -> None:
        """See Relay."""
        nonce = self._entropy.bytes(_NONCE_BYTES)
        text = json.dumps([message.kind, message.subject, message.body]).encode()
        sealed = nonce + self._cipher.encrypt(nonce, text, None)
        try:
            await self._redis.asked(lambda redis: redis.publish(self._channel, sealed))
        except Unanswered:
            return  # the log tells of it

    async def keep_hearing(self, hear: Callable[[Relayed], None], caught_up: Callable[[], Awaitable[None]]) -> None:
        """See Relay."""
        while True:
            try:
                async with self._redis.listening(self._channel) as messages:
                    while True:
                        message = await messages.get_message(timeout=_QUIET_SECONDS)
                        if message is None:
                            await messages.ping()
                        elif message["type"] == "subscribe":
                            await caught_up()
                        elif message["type"] == "message":
                            self._open(message["data"], hear)
            except (RedisError, OSError, TimeoutError):
                await asyncio.sleep(_PAUSE_SECONDS)

    def _open(self, sealed: bytes, hear: Callable[[Relayed], None]) -> None:
        try:
            text = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
        except (InvalidTag, ValueError):
            _log.warning("relayed_message_foreign")  # of a replica with another key, or made up
            return
        kind, subject, body = json.loads(text)
        if kind in _KINDS:  # a replica of another release may know others
            hear(Relayed(Kind(kind), subject, body))
