"""Which resource a token is for (RFC 8707)."""

from collections.abc import Sequence

from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Facts, Reason, Refused
from shared_kernel import resource


def resolve(requested: Sequence[str], deployment: Deployment, bound: str | None = None) -> str:
    """The canonical resource of a request: the one named, else the one it is bound to, else the default.

    `bound` is the resource of the grant. Raises Refused: UNKNOWN_RESOURCE (RFC 8707 §2 "invalid_target"), with the
    resources that would do, and RESOURCE_WITHDRAWN for a grant whose resource the operator serves no longer.
    """
    if bound is not None and bound not in deployment.resources:
        raise Refused(Reason.RESOURCE_WITHDRAWN)
    allowed = deployment.resources if bound is None else (bound,)
    if len(requested) == 1 and requested[0] in allowed:  # in canonical form, as nearly always
        return requested[0]
    unknown = Refused(Reason.UNKNOWN_RESOURCE, Facts(resources=allowed))
    try:
        named = {resource.canonical(uri) for uri in requested}
    except resource.MalformedResource as error:
        raise unknown from error
    # A token for several resources could be replayed by each of them at the others; one token, one audience.
    if len(named) > 1:
        raise unknown
    chosen = next(iter(named), allowed[0])
    if chosen not in allowed:
        raise unknown
    return chosen
