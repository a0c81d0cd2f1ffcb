"""The feed by which auth-server tells resource servers which of its access tokens have ended before their time.

Like the access token, its format is an API between two deployments, so writer and reader stand side by side. It is a
JWS with a type of its own, signed with the key that signs tokens, and therefore needs no credential.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from shared_kernel import access_token, strict_json
from shared_kernel.access_token import AccessToken
from shared_kernel.signer import ALGORITHM, Kind, Signer

MEMORY = access_token.LIFETIME + 2 * access_token.CLOCK_SKEW
"""Seconds for which something revoked stays in the feed: then no token of its is left."""
FRESH_SECONDS = 60 + access_token.CLOCK_SKEW
"""Age beyond which a feed says nothing about now."""
LIMIT = 16 * 1024 * 1024
"""Longest feed, in bytes: that of some 200,000 revoked grants."""
_KIND: Kind = "revocations+jwt"
_encode = msgspec.json.Encoder().encode


class _Registry(jws.JWSRegistry):
    max_payload_length = LIMIT


_REGISTRY = _Registry(algorithms=[ALGORITHM])


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """What has ended, by when; times are seconds since the epoch.

    `grants` are the handles (`gid`) of revoked grants, `clients` the ids of deleted clients, `users` the ids of people
    who were barred: of theirs, tokens issued until then have ended. `members` are people who left a workspace, as
    member() names them: of theirs, tokens for it issued until then have ended. Only the keys in `key_ids` are to be
    believed.
    `cursor` asks for what comes after this feed.
    """

    issued_at: float
    cursor: str
    key_ids: frozenset[str]
    grants: Mapping[str, float] = field(default_factory=dict)
    clients: Mapping[str, float] = field(default_factory=dict)
    users: Mapping[str, float] = field(default_factory=dict)
    members: Mapping[str, float] = field(default_factory=dict)

    def ends(self, token: AccessToken) -> bool:
        """Whether the token has ended by what stands here."""
        # CLOCK_SKEW: whoever issued the token may have a clock that is ahead of the one that dated the end.
        since = token.issued_at - access_token.CLOCK_SKEW
        return (
            token.grant_handle in self.grants
            or token.client_id in self.clients
            or token.subject in self.clients  # whose own token another client has exchanged
            or self.users.get(token.subject, -math.inf) >= since
            or (bool(self.members) and self.members.get(member(token.tenant, token.subject), -math.inf) >= since)
        )


def member(tenant: str, subject: str) -> str:
    """What a feed calls a person who left a workspace."""
    return f"{tenant}/{subject}"


class FeedRefused(Exception):
    """The text is no feed of this issuer, or an old one. The text says why and shows nothing of it."""


def write(signer: Signer, issuer: str, feed: Feed) -> str:
    """The signed feed."""
    payload = {
        "iss": issuer,
        "iat": feed.issued_at,
        "cursor": feed.cursor,
        "keys": sorted(feed.key_ids),
        "grants": feed.grants,
        "clients": feed.clients,
        "users": feed.users,
        "members": feed.members,
    }
    return signer.sign(_encode(payload), _KIND)


def unverified_key_id(text: str) -> str:
    """The `kid` that a feed claims to be signed with. Raises FeedRefused."""
    try:
        header = jws.extract_compact(text.encode(), registry=_REGISTRY).headers()
    except (JoseError, ValueError) as error:
        message = "it is no JWS"
        raise FeedRefused(message) from error
    # RFC 8725 §3.11: "Explicit JWT typing is done by using the "typ" JWT Header Parameter."
    if header.get("typ") != _KIND or not isinstance(header.get("kid"), str) or "crit" in header:
        message = "its header is not that of a feed"
        raise FeedRefused(message)
    return str(header["kid"])


def read(text: str, key: ECKey, *, issuer: str, now: float) -> Feed:
    """The feed in a text that `key` has signed. Raises FeedRefused."""
    key_id = unverified_key_id(text)
    try:
        content = strict_json.parse_object(jws.deserialize_compact(text, key, registry=_REGISTRY).payload)
        feed = Feed(
            issued_at=_time(content["iat"]),
            cursor=_text(content["cursor"]),
            key_ids=frozenset(map(_text, content["keys"])),
            grants=_times(content["grants"]),
            clients=_times(content["clients"]),
            users=_times(content["users"]),
            members=_times(content.get("members", {})),
        )
        of_issuer = content["iss"] == issuer
    except (JoseError, strict_json.Unreadable, ValueError, KeyError, TypeError) as error:
        message = f"{type(error).__name__} while it was read"
        raise FeedRefused(message) from error
    if not of_issuer:
        message = "another issuer wrote it"
        raise FeedRefused(message)
    if key_id not in feed.key_ids:
        message = "it does not believe in its own key"
        raise FeedRefused(message)
    if abs(now - feed.issued_at) > FRESH_SECONDS:
        message = "it is not of now: is a clock wrong?"
        raise FeedRefused(message)
    return feed


def _times(content: Any) -> dict[str, float]:
    return {_text(name): _time(at) for name, at in content.items()} if isinstance(content, dict) else _not(content)


def _time(content: Any) -> float:
    return float(content) if type(content) in {int, float} and math.isfinite(content) else _not(content)


def _text(content: Any) -> str:
    return content if isinstance(content, str) and content else _not(content)


def _not(content: Any) -> Any:
    raise TypeError(type(content).__name__)
