"""Which resource a token is for (RFC 8707): the registry of resources, and the names by which clients may call them.

Clients guess a resource from the server's URL. Case of the host, default port and a trailing slash make no difference;
the bare origin means the one resource there, since some clients send that; and the operator may add aliases. Whatever
name was used, the token's audience is the resource's one canonical URI.
"""

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
    named = {_named(uri, deployment, allowed) for uri in requested}
    # A token for several resources could be replayed by each of them at the others; one token, one audience.
    if len(named) > 1:
        raise _unknown(allowed)
    return next(iter(named), allowed[0])


def _named(uri: str, deployment: Deployment, allowed: Sequence[str]) -> str:
    """The resource that a client means by a URI. Raises Refused (UNKNOWN_RESOURCE)."""
    try:
        name = resource.canonical(uri)
    except resource.MalformedResource as error:
        raise _unknown(allowed) from error
    if name not in deployment.resources:
        name = deployment.resource_aliases.get(name) or _only_one_at(name, deployment) or name
    if name not in allowed:
        # Of many resources, those on the same host are what the client was after.
        near = tuple(known for known in allowed if resource.origin(known) == resource.origin(name))
        raise _unknown(near or allowed)
    return name


def _only_one_at(name: str, deployment: Deployment) -> str | None:
    """The only resource on that origin, if the name is no more than an origin."""
    there = [known for known in deployment.resources if resource.origin(known) == name]
    return there[0] if len(there) == 1 else None


def _unknown(would_do: Sequence[str]) -> Refused:
    return Refused(Reason.UNKNOWN_RESOURCE, Facts(resources=tuple(would_do)))
