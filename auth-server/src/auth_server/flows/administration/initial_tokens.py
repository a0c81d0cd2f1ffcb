"""What the operator does about initial access tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

from auth_server.domain import credentials
from auth_server.domain.client_name import safe_name
from auth_server.domain.initial_token import MAX_LIFETIME, MAX_USES, InitialToken
from auth_server.flows.administration.problems import CannotDo, Problem
from auth_server.ports.initial_tokens import InitialTokenStore
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy

_DAY = 86400


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made; `secret`, the token itself, is shown only once."""

    token: InitialToken
    secret: str


class InitialTokens:
    """The operator's verbs about initial access tokens. All raise CannotDo."""

    def __init__(self, *, tokens: InitialTokenStore, clock: Clock, entropy: Entropy) -> None:
        self._tokens, self._clock, self._entropy = tokens, clock, entropy

    async def create(self, *, uses: int, days: float, label: str) -> NewToken:
        """Makes a token that is good for so many registrations within so many days."""
        if not 1 <= uses <= MAX_USES:
            raise CannotDo(Problem.TOO_MANY_USES)
        if not 0 < days * _DAY <= MAX_LIFETIME:
            raise CannotDo(Problem.TOO_MANY_DAYS)
        now, secret = self._clock.now(), credentials.new_initial_token(self._entropy)
        token_id = credentials.initial_token_id(secret)
        assert token_id is not None
        digest = credentials.digest(secret)
        token = InitialToken(token_id, digest, safe_name(label), uses, 0, now, now + days * _DAY)
        await self._tokens.add_initial_token(token)
        return NewToken(token, secret)

    async def all(self) -> Sequence[tuple[InitialToken, bool]]:
        """All tokens that have not expired, oldest first, and whether each is good for another registration."""
        now, found = self._clock.now(), await self._tokens.initial_tokens()
        return [(token, token.is_good(now)) for token in found if now < token.expires_at]

    async def revoke(self, token_id: str) -> None:
        """Ends a token; clients that were registered with it stay."""
        if not await self._tokens.revoke_initial_token(token_id):
            raise CannotDo(Problem.NO_SUCH_TOKEN)
