"""An issuer's signing keys, fetched from its JWKS endpoint and kept."""

from collections.abc import Callable, Collection
from typing import Any, Generic, NoReturn, TypeVar

import anyio
import httpx2
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from mcp_server.ports.keys import KeySetUnavailable, VerificationKey
from shared_kernel import strict_json
from shared_kernel.clock import Clock

REFRESH_SECONDS = 300
"""Time between two fetches of the keys, which bounds how long a withdrawn key is trusted."""
COOL_DOWN_SECONDS = 30
"""Least time between two fetches for unknown key ids, so that forged ids cannot make us flood the issuer."""
RETRY_SECONDS = 1
"""Least time between two fetches while no copy exists."""
LONGEST_OUTAGE_SECONDS = 24 * 3600
"""How long the last good copy is used while the issuer cannot be reached."""
_REQUEST_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}
_FETCH_SECONDS = 5
_DOCUMENT_LIMIT = 64 * 1024
_KEY_LIMIT = 32
_LEAST_RSA_BITS = 2048
_log = structlog.get_logger("jwks")


class _BadDocument(Exception):
    pass


_Key = TypeVar("_Key", bound=VerificationKey)


class _FetchedKeys(Generic[_Key]):
    """A KeySet over HTTP: fetched when first needed, by one request for all that wait, and then in the background.

    The issuer publishes a key well before it signs with it, so a rotation is known here before its first token. A key
    that is still published stays the same object from one fetch to the next.
    """

    def __init__(
        self,
        client: httpx2.AsyncClient,
        url: str,
        read: Callable[[Any], _Key | None],
        *,
        clock: Clock,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        self._client, self._url, self._clock, self._refresh_seconds = client, url, clock, refresh_seconds
        self._read = read
        self._keys: dict[str, _Key] | None = None
        self._fetched_at = 0.0
        self._failed_at = float("-inf")
        self._asked_for_unknown_at = float("-inf")
        self._fetches = 0
        self._fetching = anyio.Lock()

    async def key(self, key_id: str) -> _Key | None:
        """The public key of that id; None if the issuer does not publish it. Raises KeySetUnavailable."""
        keys = self._copy()
        if keys is None:
            if self._within(RETRY_SECONDS, self._failed_at):
                raise KeySetUnavailable
            await self._fetch_once()
            keys = self._copy()
        if keys is None:
            raise KeySetUnavailable
        if key_id in keys:
            return keys[key_id]
        if self._fetching.locked():  # the answer to this very question may be on its way
            await self._fetch_once()
        elif not self._within(COOL_DOWN_SECONDS, self._asked_for_unknown_at):
            self._asked_for_unknown_at = self._clock.monotonic()
            await self._fetch_once()
        return (self._copy() or {}).get(key_id)

    async def keep_fresh(self) -> NoReturn:
        """Fetches the keys again and again, until cancelled."""
        while True:
            await anyio.sleep(self._refresh_seconds)
            try:
                await self._fetch_once()
            except Exception:  # the loop must outlive any surprise: without it withdrawn keys would stay
                _log.exception("jwks_refresh_crashed")

    def _copy(self) -> dict[str, _Key] | None:
        if self._keys is not None and self._clock.monotonic() - self._fetched_at > LONGEST_OUTAGE_SECONDS:
            self._keys = None
        return self._keys

    def _within(self, seconds: float, moment: float) -> bool:
        return self._clock.monotonic() - moment < seconds

    async def _fetch_once(self) -> None:
        """One fetch for all who ask at the same time: whoever waited for another's fetch makes none."""
        seen = self._fetches
        async with self._fetching:
            if self._fetches != seen:
                return
            try:
                with anyio.fail_after(_FETCH_SECONDS):
                    document = await self._download()
                self._keys = self._usable_keys(document)
                self._fetched_at = self._clock.monotonic()
            except (httpx2.HTTPError, httpx2.InvalidURL, OSError, _BadDocument) as error:  # OSError holds TimeoutError
                self._failed_at = self._clock.monotonic()
                _log.warning("jwks_fetch_failed", url=self._url, reason=type(error).__name__, detail=str(error))
            self._fetches += 1

    async def _download(self) -> bytes:
        async with self._client.stream("GET", self._url, headers=_REQUEST_HEADERS) as response:
            if response.status_code != 200:
                message = f"status {response.status_code}"
                raise _BadDocument(message)
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _DOCUMENT_LIMIT:
                    message = f"longer than {_DOCUMENT_LIMIT} bytes"
                    raise _BadDocument(message)
            return bytes(body)

    def _usable_keys(self, document: bytes) -> dict[str, _Key]:
        try:
            jwks = strict_json.parse_object(document)
        except strict_json.Unreadable as error:
            message = f"unreadable: {error.defect.value}"
            raise _BadDocument(message) from error
        entries = jwks.get("keys")
        if not isinstance(entries, list) or len(entries) > _KEY_LIMIT:
            message = "not a JWK set"
            raise _BadDocument(message)
        known = self._keys or {}
        keys: dict[str, _Key] = {}
        for entry in entries:
            key = self._read(entry)
            # RFC 7517 §5: "Implementations SHOULD ignore JWKs within a JWK Set that use "kty" [...] not understood"
            if key is None:
                if not self._is_for_something_else(entry):
                    _log.warning("jwk_ignored")
                continue
            previous = known.get(entry["kid"])
            unchanged = previous is not None and previous.thumbprint() == key.thumbprint()
            keys[entry["kid"]] = previous if previous is not None and unchanged else key
        if not keys:
            # No issuer means that: it would refuse every token. What it published before is better than nothing.
            message = "no usable key"
            raise _BadDocument(message)
        return keys

    def _is_for_something_else(self, entry: Any, /) -> bool:
        """Whether the issuer names another algorithm for the key: it signs ID tokens with that, say."""
        return isinstance(entry, dict) and entry.get("alg", "ES256") != "ES256"


class PublishedKeys(_FetchedKeys[ECKey]):
    """The keys that auth-server signs access tokens with."""

    def __init__(
        self, client: httpx2.AsyncClient, url: str, *, clock: Clock, refresh_seconds: float = REFRESH_SECONDS
    ) -> None:
        super().__init__(client, url, _verification_key, clock=clock, refresh_seconds=refresh_seconds)


class OtherIssuersKeys(_FetchedKeys[VerificationKey]):
    """The keys that another issuer signs with, of which those for `algorithms` are taken: ES256, RS256."""

    def __init__(self, client: httpx2.AsyncClient, url: str, *, algorithms: Collection[str], clock: Clock) -> None:
        def read(entry: Any) -> VerificationKey | None:
            key = _verification_key(entry) if "ES256" in algorithms else None
            return key or (_rsa_key(entry) if "RS256" in algorithms else None)

        super().__init__(client, url, read, clock=clock)

    def _is_for_something_else(self, _entry: Any, /) -> bool:
        return True  # what it publishes beside is its own affair


def _rsa_key(entry: Any) -> RSAKey | None:
    """The public RSA key that an entry of a JWK set declares for RS256 signatures, or None."""
    if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str) or entry.get("kty") != "RSA":
        return None
    if entry.get("use", "sig") != "sig" or entry.get("alg", "RS256") != "RS256" or "d" in entry:
        return None
    try:
        key = RSAKey.import_key({name: entry[name] for name in ("kty", "n", "e", "kid")})
        # RFC 7518 §3.3: "A key of size 2048 bits or larger MUST be used with these algorithms."
        return key if key.raw_value.key_size >= _LEAST_RSA_BITS else None
    except (JoseError, ValueError, KeyError, TypeError):
        return None


def _verification_key(entry: Any) -> ECKey | None:
    """The public P-256 key that an entry of a JWK set declares for ES256 signatures, or None."""
    if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str):
        return None
    if entry.get("kty") != "EC" or entry.get("crv") != "P-256":
        return None
    if entry.get("use", "sig") != "sig" or entry.get("alg", "ES256") != "ES256":
        return None
    try:
        # Take the public members only; a key whose private part is published must not be trusted.
        if "d" in entry:
            return None
        return ECKey.import_key({name: entry[name] for name in ("kty", "crv", "x", "y", "kid")})
    except (JoseError, ValueError, KeyError, TypeError):
        return None
