"""`/token`: load what the request names, let the protocol decide, commit in one atomic step (RFC 6749 §3.2)."""

from collections.abc import Mapping
from typing import Any

from auth_server.domain import credentials
from auth_server.domain.client import GrantType
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Reason, Refused
from auth_server.domain.grant import REFRESH_IDLE_LIFETIME, Grant, RefreshToken
from auth_server.flows import client_request
from auth_server.flows.client_request import ClientRequest
from auth_server.ports.authorizations import CodeStore, Redeemed
from auth_server.ports.clients import ClientStore
from auth_server.ports.grants import GrantStore, RefreshStore, Replay, ReplayDiffers, Reused, Rotated, Rotation
from auth_server.ports.keys import KeyRing
from auth_server.ports.limits import AttemptLimiter
from auth_server.protocol import authlib_steps, resource_indicator, sealed_response, token
from auth_server.protocol.authlib_steps import CodeInQuestion
from auth_server.protocol.client_auth import PresentedCredentials
from auth_server.protocol.parameters import Parameters
from auth_server.protocol.sealed_response import IssuedTokens
from shared_kernel import access_token, scope
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy


class Token:
    """Issues tokens."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        clients: ClientStore,
        codes: CodeStore,
        refresh_tokens: RefreshStore,
        grants: GrantStore,
        keys: KeyRing,
        limiter: AttemptLimiter,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._deployment = deployment
        self._clients, self._codes, self._refresh_tokens, self._grants = clients, codes, refresh_tokens, grants
        self._keys, self._limiter, self._clock, self._entropy = keys, limiter, clock, entropy

    async def exchange(self, request: ClientRequest) -> Mapping[str, Any]:
        """The body of the token response (RFC 6749 §5.1). Raises Refused and StoreUnavailable."""
        await client_request.check_wait(self._limiter, request)
        try:
            return await self._exchange(request.parameters, request.credentials)
        except Refused as refused:
            await client_request.count_failure(self._limiter, request, refused)
            raise

    async def _exchange(self, given: Parameters, presented: PresentedCredentials) -> Mapping[str, Any]:
        match given.get("grant_type"):
            case None:
                raise Refused(Reason.MISSING_GRANT_TYPE)
            case GrantType.CLIENT_CREDENTIALS:
                return await self._client_credentials(given, presented)
            case GrantType.AUTHORIZATION_CODE:
                return await self._authorization_code(given, presented)
            case GrantType.REFRESH_TOKEN:
                return await self._refresh(given, presented)
            case _:
                raise Refused(Reason.UNSUPPORTED_GRANT_TYPE)

    async def _client_credentials(self, given: Parameters, presented: PresentedCredentials) -> Mapping[str, Any]:
        """RFC 6749 §4.4. There is no grant to store; the token's `gid` is a handle of its own."""
        now = self._clock.now()
        client = await self._clients.client(presented.unverified_client_id)
        decision = authlib_steps.judge_token_request(client, presented, given.values, now)
        resource = resource_indicator.resolve(given.resources, self._deployment)
        minted = token.mint(
            await self._keys.signing_key(),
            self._deployment,
            subject=decision.client.client_id,
            client_id=decision.client.client_id,
            scopes=decision.scopes,
            resource=resource,
            tenant=decision.client.tenant,
            grant_handle=credentials.new_identifier(self._entropy),
            token_id=credentials.new_identifier(self._entropy),
            now=now,
        )
        return _success(minted, decision.scopes, now)

    async def _authorization_code(self, given: Parameters, presented: PresentedCredentials) -> Mapping[str, Any]:
        """RFC 6749 §4.1.3, RFC 7636 §4.6."""
        now = self._clock.now()
        client = await self._clients.client(presented.unverified_client_id)
        code_text = given.get("code")
        digest = credentials.digest(code_text or "")
        loaded = await self._codes.code(digest) if code_text else None
        question = (
            CodeInQuestion(loaded.code.redirect_uri, loaded.code.code_challenge, loaded.grant) if loaded else None
        )
        try:
            decision = authlib_steps.judge_token_request(client, presented, given.values, now, code=question)
        except Refused as refusal:
            if refusal.reason is Reason.WRONG_VERIFIER:
                await self._codes.count_wrong_verifier(digest)
            raise
        assert loaded is not None  # a code that does not exist has been refused
        grant = loaded.grant
        resource_indicator.resolve(given.resources, self._deployment, grant.resource)
        minted = await self._mint(grant, grant.scopes, now)
        refresh = credentials.new_refresh_token(self._entropy, grant.grant_id) if decision.with_refresh_token else None
        outcome = await self._codes.redeem(digest, _stored(refresh, grant, now) if refresh else None, now)
        if isinstance(outcome, Redeemed):
            return _success(minted, grant.scopes, now, refresh)
        raise Refused(Reason.CODE_REUSED if isinstance(outcome, Reused) else Reason.CODE_NOT_VALID)

    async def _refresh(self, given: Parameters, presented: PresentedCredentials) -> Mapping[str, Any]:
        """RFC 6749 §6, RFC 9700 §4.14. The losers of a race get the winner's response; their own tokens never leave."""
        now = self._clock.now()
        client = await self._clients.client(presented.unverified_client_id)
        old = given.get("refresh_token") or ""
        digest = credentials.digest(old)
        loaded = await self._refresh_tokens.refresh_token(digest) if old else None
        try:
            decision = authlib_steps.judge_token_request(
                client, presented, given.values, now, refresh_grant=loaded.grant if loaded else None
            )
        except Refused as refusal:
            if refusal.reason is Reason.REFRESH_TOKEN_STOLEN and loaded:
                await self._grants.revoke_grant(loaded.grant.grant_id, now)
            raise
        assert loaded is not None  # a refresh token that does not exist has been refused
        grant = loaded.grant
        resource = resource_indicator.resolve(given.resources, self._deployment, grant.resource)
        minted = await self._mint(grant, decision.scopes, now)
        successor = credentials.new_refresh_token(self._entropy, grant.grant_id)
        scopes = scope.join(decision.scopes)
        issued = IssuedTokens(minted, successor, scopes, int(now) + access_token.LIFETIME)
        rotation = Rotation(
            successor=_stored(successor, grant, now),
            sealed=sealed_response.seal(old, issued, self._entropy),
            request=f"{scopes} {resource}",
        )
        match await self._refresh_tokens.rotate(digest, rotation, now):
            case Rotated():
                pass
            case Replay(sealed):
                issued = _unsealed(old, sealed)
            case ReplayDiffers():
                raise Refused(Reason.REPLAY_DIFFERS)
            case Reused():
                raise Refused(Reason.REFRESH_TOKEN_REUSED)
            case _:
                raise Refused(Reason.REFRESH_TOKEN_NOT_VALID)
        return token.body(
            issued.access_token,
            issued.scope,
            expires_at=issued.expires_at,
            now=now,
            refresh_token=issued.refresh_token,
        )

    async def _mint(self, grant: Grant, scopes: frozenset[str], now: float) -> str:
        return token.mint(
            await self._keys.signing_key(),
            self._deployment,
            subject=grant.user_id,
            client_id=grant.client_id,
            scopes=scopes,
            resource=grant.resource,
            tenant=grant.tenant,
            grant_handle=grant.handle,
            token_id=credentials.new_identifier(self._entropy),
            now=now,
        )


def _unsealed(old: str, sealed: bytes) -> IssuedTokens:
    try:
        return sealed_response.unseal(old, sealed)
    except sealed_response.Unreadable as error:  # somebody has written into the store
        raise Refused(Reason.REFRESH_TOKEN_NOT_VALID) from error


def _stored(refresh_token: str, grant: Grant, now: float) -> RefreshToken:
    expires_at = min(now + REFRESH_IDLE_LIFETIME, grant.expires_at)
    return RefreshToken(credentials.digest(refresh_token), grant.grant_id, expires_at)


def _success(minted: str, scopes: frozenset[str], now: float, refresh_token: str | None = None) -> Mapping[str, Any]:
    expires_at = int(now) + access_token.LIFETIME
    return token.body(minted, scopes, expires_at=expires_at, now=now, refresh_token=refresh_token)
