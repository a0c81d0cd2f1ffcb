"""Access tokens as every grant issues them: one value of claims, signed with the one active key."""

from dataclasses import replace

from auth_server.domain import credentials
from auth_server.domain.audit import EventName
from auth_server.domain.client import Client, GrantType
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Refused
from auth_server.domain.grant import REFRESH_IDLE_LIFETIME, Grant, RefreshToken
from auth_server.flows.possession import Possession
from auth_server.ports.audit import AuditTrail
from auth_server.ports.keys import KeyRing
from auth_server.protocol import id_token
from auth_server.protocol.token import BEARER, BOUND, IssuedTokens
from auth_server.protocol.token_exchange import ACCESS_TOKEN
from shared_kernel import access_token, scope
from shared_kernel.access_token import AccessToken, Claims
from shared_kernel.dpop import Proof
from shared_kernel.entropy import Entropy


class Issuing:
    """Mints tokens. A token is signed before the commit; one whose commit fails never leaves the process.

    A token is bound to the key of the proof that came with its request, which is used up here, so that no request gets
    two answers for one proof.
    """

    def __init__(
        self, *, deployment: Deployment, keys: KeyRing, possession: Possession, trail: AuditTrail, entropy: Entropy
    ) -> None:
        self._deployment, self._keys, self._possession = deployment, keys, possession
        self._trail, self._entropy = trail, entropy

    async def for_client(
        self, client: Client, scopes: frozenset[str], resource: str, proof: Proof | None, now: float
    ) -> IssuedTokens:
        """A token of the client's own. There is no grant to store; its `gid` is a handle of its own.

        Raises Refused (DPOP_PROOF_REUSED), StoreUnavailable.
        """
        assert client.tenant is not None  # only clients of the operator's act for themselves
        claims = Claims(
            issuer=self._deployment.issuer,
            subject=client.client_id,
            audience=resource,
            client_id=client.client_id,
            scopes=scopes,
            tenant=client.tenant,
            grant_handle=credentials.new_identifier(self._entropy),
            token_id=credentials.new_identifier(self._entropy),
            key_thumbprint=proof.thumbprint if proof else None,
        )
        return await self._signed(claims, proof, now)

    async def for_grant(
        self,
        grant: Grant,
        scopes: frozenset[str],
        proof: Proof | None,
        now: float,
        refresh_token: str | None = None,
    ) -> IssuedTokens:
        """A token of a person's, with the refresh token that goes with it. Raises as for_client() does."""
        claims = Claims(
            issuer=self._deployment.issuer,
            subject=grant.user_id,
            audience=grant.resource,
            client_id=grant.client_id,
            scopes=scopes,
            tenant=grant.tenant,
            roles=frozenset({grant.role.value} if grant.role else ()),
            grant_handle=grant.handle,
            token_id=credentials.new_identifier(self._entropy),
            key_thumbprint=proof.thumbprint if proof else None,
        )
        try:
            return await self._signed(claims, proof, now, refresh_token)
        except Refused as refused:
            raise about(refused, grant) from refused

    async def in_place_of(
        self, token: AccessToken, client: Client, scopes: frozenset[str], proof: Proof | None, now: float
    ) -> IssuedTokens:
        """A token for that client with no more rights and no longer life than another one. Raises as for_client() does.

        Its `client_id` says who holds it; the grant's own client is known by the `gid`, which stays the same.
        """
        claims = Claims(
            issuer=self._deployment.issuer,
            subject=token.subject,
            audience=token.audience,
            client_id=client.client_id,
            scopes=scopes,
            tenant=token.tenant,
            grant_handle=token.grant_handle,
            token_id=credentials.new_identifier(self._entropy),
            key_thumbprint=proof.thumbprint if proof else None,
            roles=token.roles,
        )
        issued = await self._signed(claims, proof, now, lifetime=token.expires_at - int(now))
        return replace(issued, issued_token_type=ACCESS_TOKEN)

    async def with_id_token(
        self, issued: IssuedTokens, grant: Grant, scopes: frozenset[str], now: float, *, nonce: str | None = None
    ) -> IssuedTokens:
        """The tokens with an ID token, if the scopes ask for one. Raises StoreUnavailable."""
        if scope.OPENID not in scopes:
            return issued
        key, issuer, token = await self._keys.id_token_key(), self._deployment.issuer, issued.access_token
        made = id_token.issue(key, grant, issuer=issuer, access_token=token, nonce=nonce, now=now)
        return replace(issued, id_token=made)

    def new_refresh_token(self, grant: Grant) -> str:
        """The first refresh token of that grant."""
        return credentials.new_refresh_token(self._entropy, grant.grant_id)

    def record(
        self,
        issued: IssuedTokens,
        grant_type: GrantType,
        client_id: str,
        address: str,
        *,
        user_id: str | None = None,
        replayed: bool = False,
    ) -> None:
        """Records who was given tokens, and under which grant: mcp-server's lines name the same one."""
        self._trail.record(
            EventName.TOKENS_REPLAYED if replayed else EventName.TOKENS_ISSUED,
            flow_id=issued.grant_handle,
            client_id=client_id,
            user_id=user_id,
            address=address,
            grant_type=grant_type.value,
            scope=issued.scope,
        )

    async def _signed(
        self,
        claims: Claims,
        proof: Proof | None,
        now: float,
        refresh_token: str | None = None,
        lifetime: int = access_token.LIFETIME,
    ) -> IssuedTokens:
        await self._possession.use(proof, now)
        token = access_token.issue(await self._keys.signing_key(), claims, now, lifetime)
        return IssuedTokens(
            token,
            scope.join(claims.scopes),
            int(now) + min(lifetime, access_token.LIFETIME),
            refresh_token,
            claims.grant_handle,
            token_type=BOUND if proof else BEARER,
        )


def stored(refresh_token: str, grant: Grant, now: float) -> RefreshToken:
    """The form in which a fresh refresh token is kept."""
    expires_at = min(now + REFRESH_IDLE_LIFETIME, grant.expires_at)
    key = credentials.refresh_token_key(refresh_token)
    assert key is not None  # we have made it ourselves
    return RefreshToken(key, expires_at)


def family_key(client: Client, proof: Proof | None) -> str | None:
    """The key to which refresh tokens of that client are bound when they are issued beside that proof."""
    # RFC 9449 §5: "Refresh tokens issued to confidential clients [...] are not bound to the DPoP proof public key
    # because they are already sender-constrained with a different existing mechanism."
    return proof.thumbprint if proof is not None and not client.confidential else None


def about(refused: Refused, grant: Grant | None) -> Refused:
    """The refusal, with the person and the grant that it concerns."""
    return Refused(
        refused.reason,
        replace(
            refused.facts,
            user_id=grant.user_id if grant else None,
            grant_handle=grant.handle if grant else None,
        ),
    )
