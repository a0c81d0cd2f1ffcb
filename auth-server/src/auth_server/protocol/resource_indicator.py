"""Which resource a token is for (RFC 8707)."""

from collections.abc import Sequence

from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Reason, Refused
from shared_kernel import resource


def resolve(requested: Sequence[str], deployment: Deployment, bound: str | None = None) -> str:
    """The canonical resource of a request: the one named, else the one it is bound to, else the default.

    `bound` is the resource of the grant. Raises Refused (UNKNOWN_RESOURCE): RFC 8707 §2 "invalid_target".
    """
    try:
        named = {resource.canonical(uri) for uri in requested}
    except resource.MalformedResource as error:
        raise Refused(Reason.UNKNOWN_RESOURCE) from error
    # A token for several resources could be replayed by each of them at the others; one token, one audience.
    if len(named) > 1:
        raise Refused(Reason.UNKNOWN_RESOURCE)
    chosen = next(iter(named), bound or deployment.default_resource)
    if chosen not in deployment.resources or (bound is not None and chosen != bound):
        raise Refused(Reason.UNKNOWN_RESOURCE)
    return chosen
