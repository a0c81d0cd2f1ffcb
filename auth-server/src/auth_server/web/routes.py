"""The service on one page: every path that answers, and which document or flow stands behind it."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from auth_server.domain.deployment import Deployment
from auth_server.flows.flows import Flows
from auth_server.ports.keys import KeyRing
from auth_server.ports.store import Maintenance
from auth_server.protocol.metadata import server_metadata
from auth_server.web import health, refusals
from auth_server.web.api import api
from auth_server.web.authorize import authorize
from auth_server.web.browser import Browser
from auth_server.web.client_info import client_info
from auth_server.web.consent import consent
from auth_server.web.device import device
from auth_server.web.device_authorization import device_authorization
from auth_server.web.documents import Document, document_endpoint, fixed, key_set, openid_metadata
from auth_server.web.endpoint import Endpoint
from auth_server.web.home import disconnect, home
from auth_server.web.introspect import introspect
from auth_server.web.par import par
from auth_server.web.register import register
from auth_server.web.registration_management import registration_management
from auth_server.web.revocations import revocations
from auth_server.web.revoke import revoke
from auth_server.web.sign_in import sign_in
from auth_server.web.sign_out import sign_out
from auth_server.web.token import token
from auth_server.web.upstream import upstream, upstream_callback
from auth_server.web.userinfo import userinfo
from shared_kernel.asgi import Header


def published(deployment: Deployment, headers: Sequence[Header] = ()) -> Mapping[str, Document]:
    """Every path with a document; `headers` are those of every answer of these paths."""
    base = urlsplit(deployment.issuer).path
    oauth, openid = fixed(server_metadata(deployment), headers), openid_metadata(deployment, headers)
    return {
        # RFC 8414 §3.1 puts the well-known part before the issuer's path, OpenID Connect Discovery §4.1 after it.
        f"/.well-known/oauth-authorization-server{base}": oauth,
        f"/.well-known/openid-configuration{base}": openid,
        f"{base}/.well-known/oauth-authorization-server": oauth,
        f"{base}/.well-known/openid-configuration": openid,
        f"{base}/.well-known/jwks.json": key_set(headers),
    }


def endpoints(
    flows: Flows,
    documents: Mapping[str, Document],
    *,
    store: Maintenance,
    keys: KeyRing,
    issuer: str,
    browser: Browser,
) -> Mapping[str, Endpoint]:
    """Every path that answers; no other path does, and no spelling of these but the exact one.

    A last part in braces stands for one part of a path, whose value the handler finds under that name.
    """
    base = urlsplit(issuer).path
    return {
        f"{base}/token": api(token(flows.token)),
        **{path: document_endpoint(document, keys) for path, document in documents.items()},
        f"{base}/authorize": authorize(flows.authorize, browser),
        f"{base}/authorize/{{workspace}}": authorize(flows.authorize, browser),
        f"{base}/par": api(par(flows.par)),
        f"{base}/login": sign_in(flows.sign_in, flows.consent, browser, flows.upstream.host),
        f"{base}/login/upstream": upstream(flows.upstream, browser),
        f"{base}/login/callback": upstream_callback(flows.upstream, flows.consent, browser),
        f"{base}/consent": consent(flows.consent, browser),
        f"{base}/device": device(flows.device, browser),
        f"{base}/device_authorization": api(device_authorization(flows.device_authorization)),
        f"{base}/sign-out": sign_out(flows.sign_out, browser),
        f"{base}/": home(flows.sign_out, flows.connections, browser),
        f"{base}/disconnect": disconnect(flows.connections, browser),
        f"{base}/register": api(register(flows.register), refusals.registration_as_json),
        f"{base}/register/{{client_id}}": registration_management(flows.registration_management),
        f"{base}/revoke": api(revoke(flows.revoke)),
        f"{base}/userinfo": userinfo(flows.userinfo),
        f"{base}/introspect": introspect(flows.introspect),
        f"{base}/oauth/client-info": client_info(flows.client_info),
        f"{base}/revocations": revocations(flows.revocation_feed),
        "/livez": health.live(),
        "/readyz": health.ready(store, keys),
    }
