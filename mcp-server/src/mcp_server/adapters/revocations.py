"""Follows the issuer's feed of revocations, so that what was revoked stops working here within seconds."""

import math
from collections.abc import Mapping
from functools import partial
from typing import NoReturn

import anyio
import anyio.to_thread
import httpx2
import structlog
from joserfc.jwk import ECKey

from mcp_server.ports.keys import KeySet, KeySetUnavailable
from mcp_server.ports.revocations import RevocationsUnknown
from shared_kernel import revocations
from shared_kernel.access_token import AccessToken
from shared_kernel.clock import Clock
from shared_kernel.revocations import Feed, FeedRefused

INTERVAL_SECONDS = 2.0
"""Time between two looks at the feed."""
SILENCE_SECONDS = 30.0
"""How long the issuer may be silent before that is an alarm, and in strict mode the end of all trust."""
_ANSWER_SECONDS = 5
_log = structlog.get_logger("revocations")


class FollowedRevocations:
    """Implements Revocations by the feed at a URL; `strict` raises once the issuer was silent for too long.

    What was revoked stays so here until no token of its is left, whatever a later feed says.
    """

    def __init__(
        self,
        client: httpx2.AsyncClient,
        url: str,
        *,
        keys: KeySet[ECKey],
        issuer: str,
        strict: bool,
        clock: Clock,
    ) -> None:
        self._client, self._url, self._keys, self._issuer = client, url, keys, issuer
        self._strict, self._clock = strict, clock
        self._heard_at = clock.monotonic()  # a start is given as long as a silence
        self._feed: Feed | None = None
        self._withdrawn = frozenset[str]()
        self._alarmed = False

    def ends(self, token: AccessToken) -> bool:
        """See Revocations."""
        if self._strict and (self._feed is None or self._is_silent()):
            raise RevocationsUnknown
        feed = self._feed
        if feed is None:
            return False
        # A feed that is not of now may lack a key that has been published since.
        is_withdrawn = token.key_id in self._withdrawn or (token.key_id not in feed.key_ids and not self._is_silent())
        return is_withdrawn or feed.ends(token)

    async def follow(self) -> NoReturn:
        """Looks at the feed again and again, until cancelled."""
        while True:
            try:
                self._take(await self._fetched())
            except (httpx2.HTTPError, httpx2.InvalidURL, OSError, FeedRefused, KeySetUnavailable) as error:
                self._note_silence(error)
            except Exception:  # the loop must outlive any surprise: without it nothing more is ever revoked
                _log.exception("revocations_crashed")
            await anyio.sleep(INTERVAL_SECONDS)

    def _is_silent(self) -> bool:
        return self._clock.monotonic() - self._heard_at > SILENCE_SECONDS

    async def _fetched(self) -> Feed:
        parameters = {"after": self._feed.cursor} if self._feed is not None else {}
        with anyio.fail_after(_ANSWER_SECONDS):
            text = await self._downloaded(parameters)
            key_id = revocations.unverified_key_id(text)
            key = await self._keys.key(key_id)
        if key is None:
            message = "its key is not published"
            raise FeedRefused(message)
        # In a thread: after a flood of revocations there are megabytes to read.
        return await anyio.to_thread.run_sync(
            partial(revocations.read, text, key, issuer=self._issuer, now=self._clock.now())
        )

    async def _downloaded(self, parameters: dict[str, str]) -> str:
        headers = {"Accept-Encoding": "identity"}
        async with self._client.stream("GET", self._url, params=parameters, headers=headers) as response:
            if response.status_code != 200:
                message = f"status {response.status_code}"
                raise FeedRefused(message)
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > revocations.LIMIT:
                    message = f"longer than {revocations.LIMIT} bytes"
                    raise FeedRefused(message)
        try:
            return body.decode("ascii")
        except UnicodeDecodeError as error:
            message = "it is no JWS"
            raise FeedRefused(message) from error

    def _take(self, feed: Feed) -> None:
        known = self._feed
        if known is not None and feed.issued_at < known.issued_at - revocations.FRESH_SECONDS:
            message = "it is older than the last one"
            raise FeedRefused(message)
        if known is not None:
            # Ids are thumbprints: one that is published no longer never comes back.
            self._withdrawn |= known.key_ids - feed.key_ids
        self._feed = feed if known is None else _joined(known, feed)
        self._heard_at = self._clock.monotonic()
        if self._alarmed:
            self._alarmed = False
            _log.info("revocations_heard", url=self._url)

    def _note_silence(self, error: Exception) -> None:
        if self._is_silent() and not self._alarmed:
            self._alarmed = True
            _log.error(
                "revocations_silent",
                url=self._url,
                seconds=math.floor(self._clock.monotonic() - self._heard_at),
                strict=self._strict,
                reason=type(error).__name__,
                detail=str(error),
            )


def _joined(known: Feed, feed: Feed) -> Feed:
    """The newer feed, with what is known from before and still matters."""
    oldest = feed.issued_at - revocations.MEMORY
    return Feed(
        issued_at=feed.issued_at,
        cursor=feed.cursor,
        key_ids=feed.key_ids,
        grants=_merged(known.grants, feed.grants, oldest),
        clients=_merged(known.clients, feed.clients, oldest),
        users=_merged(known.users, feed.users, oldest),
        members=_merged(known.members, feed.members, oldest),
    )


def _merged(known: Mapping[str, float], new: Mapping[str, float], oldest: float) -> Mapping[str, float]:
    """Both, without what is too old; a mapping to which nothing is added, and from which nothing goes, stays."""
    adds_nothing = all(known.get(name) == at for name, at in new.items())
    if adds_nothing and min(known.values(), default=oldest) >= oldest:
        return known
    return {name: at for name, at in (*known.items(), *new.items()) if at >= oldest}
