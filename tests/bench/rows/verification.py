"""The verification of an access token, in process: one that was verified a moment ago, and one that was not."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from joserfc import jwt
from joserfc.jwk import ECKey

from mcp_server.web.verification import TokenVerifier
from shared_kernel.access_token import AccessToken
from shared_kernel.clock import SystemClock
from shared_kernel.signer import ALGORITHM
from tests.bench.measurement import Row, Sample, Subject, Within
from tests.bench.subjects import Setting
from tests.mcp_server.web.serving import Issuer

NAMES = ("verification/known", "verification/new")
OURS, JOSERFC = "mcp-server", "joserfc alone"
AUDIENCE = "https://mcp.example.com/mcp"
TOKENS = 500
"""Different ones, which are verified in turn; a verifier that has seen none of them is taken for each round."""


class _Keys:
    """The issuer's key, at hand."""

    def __init__(self, key: ECKey) -> None:
        self._key = key

    async def key(self, key_id: str) -> ECKey | None:
        """See KeySet."""
        return self._key if key_id == self._key.kid else None


class _NothingRevoked:
    def ends(self, token: AccessToken) -> bool:
        """See Revocations."""
        return not token.grant_handle


@contextmanager
def rows(_setting: Setting) -> Iterator[Sequence[Row]]:
    """The rows; one processor does it all."""
    issuer = Issuer("https://auth.example.com", AUDIENCE)
    tokens = [issuer.token(subject=f"usr_{number}") for number in range(TOKENS)]

    def verifier() -> TokenVerifier:
        keys, revocations = _Keys(issuer.key), _NothingRevoked()
        return TokenVerifier(keys, revocations, issuer=issuer.url, audience=AUDIENCE, clock=SystemClock())

    async def verified(by: TokenVerifier) -> list[float]:
        latencies = []
        for number, token in enumerate(tokens):
            began = time.perf_counter()
            claims = (await by.verified(token)).claims
            latencies.append(time.perf_counter() - began)
            assert claims.subject == f"usr_{number}"
        return latencies

    warm = verifier()
    asyncio.run(verified(warm))

    def decoded() -> list[float]:
        latencies = []
        for number, token in enumerate(tokens):
            began = time.perf_counter()
            claims = jwt.decode(token, issuer.key, algorithms=[ALGORITHM]).claims
            latencies.append(time.perf_counter() - began)
            assert claims["sub"] == f"usr_{number}"
        return latencies

    bare = Subject(JOSERFC, _passes(decoded))
    yield [
        Row(
            "verification/known",
            "TokenVerifier.verified of a token that it has verified before",
            [Subject(OURS, _passes(lambda: asyncio.run(verified(warm)))), bare],
            [Within(0.50, 0.02)],
        ),
        Row(
            "verification/new",
            "TokenVerifier.verified of a token that it has not seen before",
            [Subject(OURS, _passes(lambda: asyncio.run(verified(verifier())))), bare],
            [Within(0.50, 0.15)],
        ),
    ]


def _passes(round_: Callable[[], list[float]]) -> Callable[[float], Sample]:
    """Rounds until the time is over."""

    def measure(seconds: float) -> Sample:
        latencies, began, used = list[float](), time.perf_counter(), time.process_time()
        while time.perf_counter() - began < seconds:
            latencies += round_()
        return Sample(
            seconds=sum(latencies),
            latencies=tuple(latencies),
            cpu=time.process_time() - used,
            generator=0.0,
            others=0.0,
        )

    return measure
