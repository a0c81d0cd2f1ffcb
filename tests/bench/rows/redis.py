"""The token endpoint over Redis: one process beside node-oidc-provider, and two beside one."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from tests.bench.issuers import PEER, Issuer, chains, our_issuer, peer_issuer, redemptions
from tests.bench.measurement import AtLeast, Even, Row
from tests.bench.subjects import Setting, Target, together
from tests.support.processes import answers, free_port, running
from tests.support.redis_server import redis_serving
from tests.support.services import Addresses, auth_serving

NAMES = ("redis/refresh", "redis/code", "redis/two-processes")
ONE, TWO = "one process", "two processes"


@contextmanager
def rows(setting: Setting) -> Iterator[Sequence[Row]]:
    """The rows, over servers that run for as long as the block."""
    cores = setting.cores
    with ExitStack() as stack:
        addresses, port = Addresses(), free_port()
        with cores.pinned(cores.database):
            redis = stack.enter_context(redis_serving(setting.directory / "redis"))
        more = {"AUTH_STORE_URL": redis.url, "AUTH_TRUSTED_PROXIES": "127.0.0.1"}
        with cores.pinned(cores.servers):
            auth = stack.enter_context(auth_serving(addresses, setting.directory, **more))
        environment = auth.server.environment | {"AUTH_PORT": str(port)}
        log, ready = setting.directory / "second-auth-server.log", answers(f"http://localhost:{port}/readyz")
        with cores.pinned(cores.second):
            second = stack.enter_context(running("second", auth.server.command, environment, log, ready))
        ours = our_issuer(auth, cores.servers)
        theirs = stack.enter_context(peer_issuer(setting, addresses.resource))
        yield [
            Row(
                "redis/refresh",
                "POST /token: rotation of a refresh token, 16 chains; ours is on Redis's disk before it answers",
                [each.target.subject(chains(each)) for each in (ours, theirs)],
                [AtLeast(1.0, PEER), Even(5)],
            ),
            Row(
                "redis/code",
                f"POST /token: redemption of a code with PKCE for both tokens, {setting.codes} codes a pass",
                [each.target.subject(redemptions(each, setting.codes), warm_up=0.05) for each in (ours, theirs)],
                [Even(5)],
            ),
            _two_processes(setting, ours, Target(TWO, port, second, cores.second)),
        ]


def _two_processes(setting: Setting, ours: Issuer, second: Target) -> Row:
    callers = chains(ours)
    shared = "" if setting.cores.second != setting.cores.load else "; for want of a core, the second is on the load's"
    return Row(
        "redis/two-processes",
        f"POST /token: rotation of a refresh token, 16 chains over both processes{shared}",
        [together(TWO, [ours.target, second], callers), ours.target.subject(callers, name=ONE)],
        [AtLeast(1.7, ONE)],
    )
