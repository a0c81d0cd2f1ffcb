"""Access tokens of other issuers: only those of the clients that the operator names, and never a token of another kind.

A pool of people signs many tokens with one key: ID tokens, tokens of the company's web site, tokens for other services.
Each check here keeps one of them out.
"""

from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.util import urlsafe_b64decode

from mcp_server.domain.issuer import OtherIssuer, TokenForm
from mcp_server.ports.keys import KeySet, VerificationKey
from shared_kernel import scope, strict_json
from shared_kernel.access_token import CLOCK_SKEW, AccessToken, Refusal, TokenRefused, thumbprint

_ALGORITHM_OF = {"EC": "ES256", "RSA": "RS256"}
_TYPES = frozenset({"at+jwt", "application/at+jwt"})


def unverified_issuer(token: str) -> str:
    """Who a token says has made it, to decide whose keys it is to be tried with. Raises TokenRefused."""
    issuer = _payload(token).get("iss")
    if not isinstance(issuer, str):
        raise TokenRefused(Refusal.BAD_CLAIMS)
    return issuer


class OtherIssuersTokens:
    """Judges the tokens of one other issuer."""

    def __init__(self, rules: OtherIssuer, keys: KeySet[VerificationKey]) -> None:
        self.rules, self.keys = rules, keys

    def key_id(self, token: str) -> str:
        """The `kid` that the token claims. Raises TokenRefused."""
        key_id = self._header(token).get("kid")
        if not isinstance(key_id, str):
            raise TokenRefused(Refusal.UNKNOWN_KEY)
        return key_id

    def verify(self, token: str, key: VerificationKey, now: float) -> AccessToken:
        """The claims of a token that is valid here and now. Raises TokenRefused."""
        header = self._header(token)
        # RFC 8725 §3.1: "Each key MUST be used with exactly one algorithm"
        if header["alg"] != _ALGORITHM_OF[key.key_type]:
            raise TokenRefused(Refusal.WRONG_ALGORITHM)
        try:
            signed = jws.deserialize_compact(token, key, algorithms=[header["alg"]])
        except (JoseError, ValueError) as error:
            raise TokenRefused(Refusal.BAD_SIGNATURE) from error
        claims = _object(signed.payload)
        if claims.get("iss") != self.rules.issuer:
            raise TokenRefused(Refusal.WRONG_ISSUER)
        self._check_kind(header, claims)
        issued_at, expires_at = self._times(claims, now)
        return AccessToken(
            issuer=self.rules.issuer,
            subject=f"{self.rules.name}:{_text(claims, 'sub')}",
            audience=self.rules.audience,
            client_id=self._client(claims),
            scopes=self._scopes(claims),
            issued_at=issued_at,
            expires_at=expires_at,
            token_id=str(claims.get("jti", "")),
            grant_handle="",
            tenant=self._tenant(claims),
            key_id=str(header["kid"]),
            key_thumbprint=thumbprint(claims["cnf"]) if "cnf" in claims else None,
        )

    def _header(self, token: str) -> dict[str, Any]:
        header = _part(token, 0)
        if header.get("alg") not in self.rules.algorithms:
            raise TokenRefused(Refusal.WRONG_ALGORITHM)
        # RFC 7515 §4.1.11: we understand no extension, so any "crit" makes the JWS invalid.
        if "crit" in header:
            raise TokenRefused(Refusal.CRITICAL_HEADER)
        return header

    def _check_kind(self, header: dict[str, Any], claims: dict[str, Any]) -> None:
        """Lets access tokens for us pass, and none that the same keys have signed for something else."""
        audiences = claims.get("aud")
        named = [audiences] if isinstance(audiences, str) else audiences
        if self.rules.form is TokenForm.COGNITO:
            if claims.get("token_use") != "access":
                raise TokenRefused(Refusal.WRONG_TYPE)
            if named is None:
                return
        elif str(header.get("typ", "")).lower() not in _TYPES:
            raise TokenRefused(Refusal.WRONG_TYPE)
        if not isinstance(named, list) or self.rules.audience not in named:
            raise TokenRefused(Refusal.WRONG_AUDIENCE)

    def _times(self, claims: dict[str, Any], now: float) -> tuple[int, int]:
        issued_at, expires_at, begins_at = claims.get("iat"), claims.get("exp"), claims.get("nbf", claims.get("iat"))
        if type(issued_at) is not int or type(expires_at) is not int or type(begins_at) is not int:
            raise TokenRefused(Refusal.BAD_CLAIMS)
        if expires_at - issued_at > self.rules.most_seconds:
            raise TokenRefused(Refusal.TOO_LONG_LIVED)
        if now >= expires_at + CLOCK_SKEW:
            raise TokenRefused(Refusal.EXPIRED)
        if now < max(begins_at, issued_at) - CLOCK_SKEW:
            raise TokenRefused(Refusal.NOT_YET_VALID)
        return issued_at, expires_at

    def _client(self, claims: dict[str, Any]) -> str:
        client_id = _text(claims, "client_id")
        if client_id not in self.rules.client_ids:
            raise TokenRefused(Refusal.WRONG_CLIENT)
        return client_id

    def _tenant(self, claims: dict[str, Any]) -> str:
        if self.rules.tenant is not None:
            return self.rules.tenant
        claimed = claims.get(self.rules.tenant_claim or "")
        tenant = self.rules.tenants.get(claimed) if isinstance(claimed, str) else None
        if tenant is None:
            raise TokenRefused(Refusal.WRONG_TENANT)
        return tenant

    def _scopes(self, claims: dict[str, Any]) -> frozenset[str]:
        """The scopes that are meant for us; the others are of other services."""
        given = claims.get("scope", "")
        if not isinstance(given, str):
            raise TokenRefused(Refusal.BAD_CLAIMS)
        prefix = self.rules.scope_prefix
        ours = {name.removeprefix(prefix) for name in given.split(" ") if name.startswith(prefix)}
        return frozenset(ours & set(scope.RESOURCE_SCOPES))


def _payload(token: str) -> dict[str, Any]:
    return _part(token, 1)


def _part(token: str, number: int) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3 or not token.isascii():
        raise TokenRefused(Refusal.MALFORMED)
    try:
        return _object(urlsafe_b64decode(parts[number].encode("ascii")))
    except ValueError as error:
        raise TokenRefused(Refusal.MALFORMED) from error


def _object(raw: bytes) -> dict[str, Any]:
    try:
        return strict_json.parse_object(raw)
    except strict_json.Unreadable as error:
        raise TokenRefused(Refusal.MALFORMED) from error


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise TokenRefused(Refusal.BAD_CLAIMS)
    return value
