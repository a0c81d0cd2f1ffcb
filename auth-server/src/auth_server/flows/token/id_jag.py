"""`grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer` (RFC 7523 §2.1): assertions of identity providers.

The provider has signed the person in, and decides what the client may do for them; this server decides the rest. Each
provider speaks for one workspace only.
"""

from auth_server.domain import credentials
from auth_server.domain.audit import EventName
from auth_server.domain.client import Client, GrantType
from auth_server.domain.credentials import digest
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Reason, Refused
from auth_server.domain.grant import Grant
from auth_server.domain.user import User
from auth_server.flows import workspace_choice
from auth_server.flows.client_request import ClientRequest
from auth_server.flows.key_sets import KeySets
from auth_server.flows.token.issuing import Issuing
from auth_server.ports.audit import AuditTrail
from auth_server.ports.grants import GrantStore
from auth_server.ports.people import UserStore
from auth_server.ports.replays import ReplayStore
from auth_server.protocol import document_url, identity_assertion, public_keys
from auth_server.protocol.identity_assertion import Defect, IdentityAssertion
from auth_server.protocol.token import IssuedTokens
from shared_kernel.access_token import CLOCK_SKEW, LIFETIME
from shared_kernel.entropy import Entropy


class IdentityAssertions:
    """Issues tokens for assertions: one for each, no refresh token, under a grant that lives as long as the token."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        users: UserStore,
        grants: GrantStore,
        replays: ReplayStore,
        key_sets: KeySets,
        issuing: Issuing,
        trail: AuditTrail,
        entropy: Entropy,
    ) -> None:
        self._deployment, self._users, self._grants, self._replays = deployment, users, grants, replays
        self._key_sets, self._issuing, self._trail, self._entropy = key_sets, issuing, trail, entropy

    async def exchange(self, request: ClientRequest, client: Client, now: float) -> IssuedTokens:
        """The token. Raises Refused, StoreUnavailable."""
        # A public client is whoever says its name: an assertion for it would be good in anybody's hands.
        if GrantType.JWT_BEARER not in client.grant_types or not client.confidential:
            raise Refused(Reason.GRANT_TYPE_NOT_ALLOWED)
        text = request.parameters.required("assertion")
        try:
            return await self._granted(text, request, client, now)
        except Refused as refused:
            if refused.reason in {Reason.ASSERTION_NOT_VALID, Reason.ASSERTION_REUSED}:
                self._trail.record(
                    EventName.IDENTITY_ASSERTION_REFUSED,
                    client_id=client.client_id,
                    address=request.address,
                    reason=refused.reason.value,
                    detail=refused.facts.defect,
                )
                # The event above is the alarm, if there is one.
                raise Refused(Reason.ASSERTION_NOT_VALID) from refused
            raise

    async def _granted(self, text: str, request: ClientRequest, client: Client, now: float) -> IssuedTokens:
        assertion = identity_assertion.judge(text, client, self._deployment, now)
        await self._verify(assertion, request.address)
        scopes = identity_assertion.allowed_scopes(request.parameters, assertion, client, self._deployment)
        grant = self._grant(assertion, await self._person(assertion), client, scopes, now)
        # RFC 7523 §3: "the authorization server MAY ensure that JWTs are not replayed"; only what is good is used up.
        mark = f"id-jag:{digest(f'{assertion.issuer.issuer} {assertion.token_id}')}"
        if not await self._replays.use_once(mark, assertion.expires_at + CLOCK_SKEW, now):
            raise identity_assertion.refused(Defect.REPLAYED)
        issued = await self._issuing.for_grant(grant, scopes, request.proof, now)
        if not await self._grants.add_grant(grant, now):  # the person, or the client, has gone a moment ago
            raise identity_assertion.refused(Defect.GONE)
        self._issuing.record(issued, GrantType.JWT_BEARER, client.client_id, request.address, user_id=grant.user_id)
        return issued

    async def _verify(self, assertion: IdentityAssertion, address: str) -> None:
        """Raises Refused unless the issuer has signed the assertion, with a key that it publishes."""
        jws, url = assertion.jws, assertion.issuer.jwks_uri
        try:
            key = await self._key_sets.find(
                url,
                document_url.origin(url),
                lambda keys: public_keys.chosen(keys, jws.algorithm, jws.key_id),
                address,
            )
        except Refused as refused:
            if refused.reason is Reason.CLIENT_NOT_AUTHENTICATED:  # the issuer publishes no key set
                raise identity_assertion.refused(Defect.NO_SUCH_KEY) from refused
            raise
        if key is None:
            raise identity_assertion.refused(Defect.NO_SUCH_KEY)
        if not public_keys.verifies(key, jws.algorithm, jws.signed, jws.signature):
            raise identity_assertion.refused(Defect.SIGNATURE)

    async def _person(self, assertion: IdentityAssertion) -> User:
        user = await self._users.user_by_email(assertion.email)
        if user is None or user.disabled_at is not None:
            raise identity_assertion.refused(Defect.NO_SUCH_PERSON)
        return user

    def _grant(
        self, assertion: IdentityAssertion, user: User, client: Client, scopes: frozenset[str], now: float
    ) -> Grant:
        # One company's provider never speaks for people of another, not even for those who work for both.
        memberships = workspace_choice.eligible(user, client, assertion.issuer.workspace)
        if len(memberships) != 1:
            raise identity_assertion.refused(Defect.NO_MEMBER)
        return Grant(
            grant_id=credentials.new_identifier(self._entropy),
            handle=credentials.new_identifier(self._entropy),
            client_id=client.client_id,
            user_id=user.user_id,
            tenant=memberships[0].workspace,
            scopes=scopes,
            resource=assertion.resource,
            refreshable=False,
            created_at=now,
            expires_at=now + LIFETIME + CLOCK_SKEW,
            role=memberships[0].role,
        )
