"""What to do about a refusal: one row per reason, for whoever reads `auth-server flow explain`."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from auth_server.domain.failures import Reason


class Party(StrEnum):
    """Who can change it."""

    CLIENT = "the maker of the client"
    PERSON = "the person"
    OPERATOR = "the operator"
    NOBODY = "nobody: this is how it should be"


@dataclass(frozen=True, slots=True)
class Remedy:
    """What went wrong, in a sentence; who can change it, and how."""

    cause: str
    party: Party
    text: str


def _client(cause: str, text: str) -> Remedy:
    return Remedy(cause, Party.CLIENT, text)


_RESEND = "Send the request as RFC 6749 has it: a form body, each parameter once, percent-encoded UTF-8."
_ALARM = "An alarm: see the runbook, Alarms."
_REGISTER_ANEW = "Remove the connection in the client and add it again, so that it registers anew."

REMEDIES: Mapping[Reason, Remedy] = {
    # The shape of an HTTP request
    Reason.NOT_FOUND: _client("Nothing answers at this path.", "Take the endpoints from the server's metadata."),
    Reason.METHOD_NOT_ALLOWED: _client("The path answers to another method.", "Use the method that Allow names."),
    Reason.URL_TOO_LONG: _client("The URL is too long.", "Push the request to /par, or shorten state and scope."),
    Reason.BODY_TOO_LONG: _client("The body is longer than 16 KiB.", "Send less."),
    Reason.BODY_TOO_SLOW: _client("The body did not arrive in time.", "Look for a proxy that holds bodies back."),
    Reason.CONTENT_TYPE_REQUIRED: _client("Content-Type is missing or there twice.", "Send exactly one."),
    Reason.FORM_REQUIRED: _client(
        "The body is of another type.", "Send Content-Type: application/x-www-form-urlencoded."
    ),
    Reason.JSON_REQUIRED: _client("The body is of another type.", "Send Content-Type: application/json."),
    Reason.FOREIGN_CHARSET: _client("The body has another charset.", "Send UTF-8."),
    Reason.NOT_PERCENT_ENCODED: _client("The parameters are not percent-encoded UTF-8.", _RESEND),
    Reason.NOT_JSON: _client("The body is not JSON.", "Send one JSON object."),
    Reason.REPEATED_NAME: _client("The JSON body has a name twice.", "Send each name once."),
    Reason.NOT_AN_OBJECT: _client("The JSON body is no object.", "Send one JSON object."),
    Reason.NOT_FLAT: _client("The JSON body holds more than texts.", "Send one flat object of strings, or a form."),
    Reason.NUL_CHARACTER: _client("A parameter holds a NUL character.", "Leave it out."),
    Reason.TOO_MANY_PARAMETERS: _client("There are too many parameters.", "Send only those that are needed."),
    Reason.PARAMETERS_IN_URL: _client(
        "The parameters came in the URL, where logs keep them.", "Send them in the body (RFC 6749 §2.3.1)."
    ),
    Reason.PARAMETERS_IN_URL_AND_BODY: _client("There are parameters in the URL and in the body.", "Use one place."),
    Reason.SEVERAL_AUTHORIZATION_HEADERS: _client("There are several Authorization headers.", "Send one."),
    Reason.SEVERAL_DPOP_HEADERS: _client("There are several DPoP headers.", "Send one proof with each request."),
    # The parameters of a request
    Reason.MALFORMED_REQUEST: _client("The request is malformed, or far too large.", _RESEND),
    Reason.DUPLICATE_PARAMETER: _client("A parameter came twice.", _RESEND),
    Reason.MISSING_GRANT_TYPE: _client("grant_type is missing.", _RESEND),
    Reason.MISSING_PARAMETER: _client("A required parameter is missing.", _RESEND),
    Reason.SEVERAL_AUTHENTICATIONS: _client(
        "The client authenticated in two ways at once.", "Use the Authorization header or the body, not both."
    ),
    # The client
    Reason.UNKNOWN_CLIENT: _client(
        "The client's id is unknown: mistyped, deleted, or expired (an unused registration lives a day).",
        _REGISTER_ANEW,
    ),
    Reason.CLIENT_NOT_AUTHENTICATED: _client(
        "The client's secret or method of authentication is wrong, or its id is unknown.",
        "Compare id and method with `auth-server client get`; rotate the secret if it is lost. A public client sends"
        " client_id in the body and no secret.",
    ),
    Reason.CLIENT_ASSERTION_REUSED: _client(
        "The assertion by which the client proves who it is came twice.",
        f"Make a new assertion, with a new jti, for each request, retries included. {_ALARM}",
    ),
    Reason.GRANT_TYPE_NOT_ALLOWED: _client(
        "The client is not registered for this grant type.",
        "Register it with the grant types that it uses; those of an operator's client follow from its redirect URIs"
        " and secret.",
    ),
    Reason.CLIENT_CREDENTIALS_NOT_GRANTED: Remedy(
        "The client registered itself, and asks for a token of its own.",
        Party.OPERATOR,
        "Make it a client of your own, with the scopes that it may have: `auth-server client create --confidential`.",
    ),
    Reason.UNSUPPORTED_GRANT_TYPE: _client(
        "The grant type is not served.", "Use one of grant_types_supported in the server's metadata."
    ),
    # Proofs of possession (DPoP)
    Reason.DPOP_PROOF_NOT_VALID: _client(
        "The proof of possession does not fit this request.",
        "Make a proof for this very method and URL, with the time of now, and sign it with the key in it (RFC 9449).",
    ),
    Reason.DPOP_PROOF_REUSED: _client(
        "The same proof of possession came twice.",
        f"Make a new proof, with a new jti, for each request, retries included. {_ALARM}",
    ),
    Reason.DPOP_PROOF_MISSING: _client(
        "The code or token is bound to a key, and no proof of it came.", "Send a DPoP header with a proof."
    ),
    Reason.DPOP_PROOF_REQUIRED: _client(
        "The client's metadata say dpop_bound_access_tokens, and the token request holds no DPoP proof.",
        "Send a proof with each token request, or take that out of the metadata.",
    ),
    Reason.DPOP_NONCE_REQUIRED: _client(
        "The proof lacks a nonce of this server's.", "Repeat the request with the nonce of the DPoP-Nonce header."
    ),
    Reason.CODE_OF_ANOTHER_KEY: _client("A code came with a proof of another key than it is bound to.", _ALARM),
    Reason.REFRESH_TOKEN_OF_ANOTHER_KEY: _client(
        "A refresh token came with a proof of another key than it is bound to.",
        f"Keep the key as long as the refresh token, and with it. {_ALARM}",
    ),
    # The authorization request
    Reason.REDIRECT_URI_NOT_ALLOWED: _client(
        "The redirect URI is not registered for the client, to the byte (only the port of loopback may differ).",
        f"Register the URI that it uses. {_REGISTER_ANEW}",
    ),
    Reason.UNSUPPORTED_RESPONSE_TYPE: _client("The response_type is another than code.", "Ask for code."),
    Reason.UNSUPPORTED_RESPONSE_MODE: _client("The response_mode is another than query.", "Leave it out."),
    Reason.PKCE_REQUIRED: _client(
        "There is no S256 code challenge.", "Send code_challenge with code_challenge_method=S256 (RFC 7636)."
    ),
    Reason.MALFORMED_PROMPT: _client("prompt or max_age is malformed.", "Send none alone, and whole seconds."),
    Reason.REQUEST_OBJECT_NOT_SUPPORTED: _client("The request came as a request object.", "Send plain parameters."),
    Reason.REQUEST_URI_NOT_SUPPORTED: _client(
        "request_uri is not one that this server gave.", "Push the request to /par, or send plain parameters."
    ),
    Reason.UNKNOWN_REQUEST_URI: _client(
        "The pushed request is unknown, expired, or another client's.", "Send the browser within 60 seconds."
    ),
    Reason.USED_REQUEST_URI: _client(
        "The pushed request has started a sign-in in another browser.", "Push a new request for each sign-in."
    ),
    Reason.PUSHED_REQUEST_REQUIRED: _client(
        "This server takes pushed requests only (AUTH_PAR_REQUIRED).", "Push the request to /par first."
    ),
    Reason.LOGIN_REQUIRED: _client(
        "With prompt=none nobody may be asked, and nobody is signed in.", "Repeat the request without prompt=none."
    ),
    Reason.CONSENT_REQUIRED: _client(
        "With prompt=none nobody may be asked, and this needs consent.", "Repeat the request without prompt=none."
    ),
    Reason.ACCESS_DENIED: Remedy("The person denied it.", Party.PERSON, "Connect again, and allow it."),
    # The pages
    Reason.UNKNOWN_TRANSACTION: Remedy(
        "The page was older than ten minutes, or in another browser than the one in which it began; or the client"
        " changed or went away meanwhile.",
        Party.PERSON,
        "Start again from the client, and finish within ten minutes in the same browser, cookies allowed.",
    ),
    Reason.DECIDED_TRANSACTION: Remedy(
        "The decision had been made already.", Party.PERSON, "Go back to the client; if it waits, start again there."
    ),
    Reason.FORGED_FORM: Remedy(
        "The form did not come from this server's own page, as far as the browser tells.",
        Party.PERSON,
        "Start again from the client. Where it happens to everybody, a proxy changes Origin, or AUTH_ISSUER is not the"
        " URL that people see.",
    ),
    Reason.NO_DECISION: Remedy("The form says neither allow nor deny.", Party.PERSON, "Load the page again."),
    Reason.UPSTREAM_REFUSED: Remedy(
        "What the other provider said about the sign-in does not hold, or it names nobody who is known here.",
        Party.OPERATOR,
        "Look at `detail` of `sign_in_failed`. Compare AUTH_UPSTREAM_ISSUER, the client and its redirect URI at the"
        " provider; `no_such_person` needs `auth-server user create`, and `email` a verified address there.",
    ),
    Reason.UPSTREAM_UNAVAILABLE: Remedy(
        "The other provider does not answer.",
        Party.OPERATOR,
        "Look at the provider. One in a private network needs its origin in AUTH_CLIENT_DOCUMENT_ORIGINS.",
    ),
    # What is asked for
    Reason.SCOPE_NOT_ALLOWED: _client(
        "A scope is unknown, or not one of the client's.",
        "Ask for scopes_supported of the server's metadata; `auth-server client get` shows those of the client.",
    ),
    Reason.UNKNOWN_RESOURCE: _client(
        "The resource is none that this server issues tokens for.",
        "Ask for the resource of the MCP server's own metadata. The operator can name it in AUTH_RESOURCES, or as an"
        " alias in AUTH_RESOURCE_ALIASES.",
    ),
    Reason.RESOURCE_WITHDRAWN: Remedy(
        "The resource of the grant is no longer in AUTH_RESOURCES.",
        Party.OPERATOR,
        "Put it back, or make it an alias of the new one; else the person connects again.",
    ),
    # Codes and refresh tokens
    Reason.MALFORMED_VERIFIER: _client(
        "code_verifier is missing or malformed.", "Send the verifier of 43 to 128 characters (RFC 7636 §4.1)."
    ),
    Reason.WRONG_VERIFIER: _client(
        "code_verifier does not fit the challenge of this code.",
        "Keep the verifier with the state of its own request: of two sign-ins at once, each has another one.",
    ),
    Reason.CODE_NOT_VALID: _client(
        "The code is unknown, older than 60 seconds, burnt by three wrong verifiers, of a revoked grant, or came with"
        " another redirect_uri than the authorization request.",
        "Redeem the code at once, once, and with the same redirect_uri.",
    ),
    Reason.CODE_REUSED: _client("The code had been used; its grant is revoked.", f"Redeem a code once. {_ALARM}"),
    Reason.CODE_OF_ANOTHER_CLIENT: _client(
        "The code was given to another client.",
        f"Keep the registration from /authorize to /token: do not register anew in between. {_ALARM}",
    ),
    Reason.REFRESH_TOKEN_NOT_VALID: _client(
        "The refresh token is unknown or malformed, unused for 30 days, or its grant has ended: after 90 days, by"
        " revocation, or with its person, client or membership.",
        "Have the person connect again on invalid_grant, instead of trying once more.",
    ),
    Reason.REFRESH_TOKEN_REUSED: _client(
        "The refresh token had been replaced before; its grant is revoked.",
        "Store the new refresh token before using it, in one place; do not restore old ones, and let one process"
        f" refresh at a time. {_ALARM}",
    ),
    Reason.REFRESH_TOKEN_STOLEN: _client(
        "A client sent another client's refresh token; its grant is revoked.",
        f"Keep tokens and registration together. {_ALARM}",
    ),
    Reason.REPLAY_DIFFERS: _client(
        "A refresh was repeated with another scope or resource than the first time.",
        "Repeat a request as it was, or use the refresh token of its answer.",
    ),
    # Devices
    Reason.AUTHORIZATION_PENDING: Remedy("The person has not decided yet.", Party.NOBODY, "Go on polling."),
    Reason.SLOW_DOWN: _client("The device asks too often.", "Wait interval seconds, and five more after slow_down."),
    Reason.DEVICE_CODE_EXPIRED: Remedy(
        "Nobody entered the code in time.", Party.PERSON, "Start again on the device, and enter the new code."
    ),
    Reason.DEVICE_CODE_NOT_VALID: _client(
        "The device code is unknown, another client's, or its grant has ended.", "Start again on the device."
    ),
    Reason.DEVICE_CODE_REUSED: _client(
        "The device code came again after its tokens were in use; its grant is revoked.",
        f"Stop polling once tokens came. {_ALARM}",
    ),
    Reason.DEVICE_CODE_OF_ANOTHER_CLIENT: _client(
        "A client sent a device code that another client was given.",
        f"Keep the registration from /device_authorization to /token: do not register anew in between. {_ALARM}",
    ),
    # Token exchange
    Reason.TOKEN_TYPE_NOT_EXCHANGED: _client(
        "subject_token_type is one that is not exchanged here.", "Present an access token of this server (RFC 8693)."
    ),
    Reason.TOKEN_TYPE_NOT_ISSUED: _client(
        "requested_token_type is one that is not issued here.", "Ask for an access token, or leave it out."
    ),
    Reason.SUBJECT_TOKEN_NOT_VALID: _client(
        "The token to exchange has expired, was revoked, or is not one that this client may exchange.",
        "Exchange a token while it lives, as the client or resource server that it was given to.",
    ),
    Reason.ACTOR_TOKEN_NOT_SUPPORTED: _client("actor_token is not served.", "Leave it out."),
    # Assertions of identity providers
    Reason.ASSERTION_NOT_VALID: _client(
        "The identity provider's assertion does not hold; the event before says what is wrong with it.",
        "Get a new assertion for each request, made for this server and this client, and use it within its lifetime.",
    ),
    Reason.ASSERTION_REUSED: _client(
        "An identity provider's assertion came twice.",
        f"Get a new assertion for each request, retries included. {_ALARM}",
    ),
    Reason.KEY_SET_UNAVAILABLE: _client(
        "The keys that vouch for the request could not be fetched at that moment.",
        "Serve them reliably. The operator looks whether this server may reach the Internet.",
    ),
    # OpenID Connect
    Reason.REGISTRATION_NOT_SUPPORTED: _client("The request registers its client.", "Leave registration out."),
    Reason.BEARER_TOKEN_REQUIRED: _client(
        "No access token came, or one in a wrong place.", "Send it in the Authorization header, and nowhere else."
    ),
    Reason.BEARER_TOKEN_NOT_VALID: _client(
        "The access token has expired, was revoked, or is none of this server's.", "Refresh it, and try again."
    ),
    Reason.OPENID_SCOPE_REQUIRED: _client("The access token lacks openid.", "Ask for the scope openid at /authorize."),
    # Registration
    Reason.REGISTRATION_OFF: Remedy(
        "The operator has turned registration off.",
        Party.OPERATOR,
        "Register the client by hand (`auth-server client create`), or set AUTH_REGISTRATION to token.",
    ),
    Reason.INITIAL_TOKEN_REQUIRED: Remedy(
        "Clients register here with an initial access token, and this one sent none.",
        Party.OPERATOR,
        "Give its maker a token (`auth-server initial-token create`), or register the client by hand.",
    ),
    Reason.INITIAL_TOKEN_NOT_VALID: Remedy(
        "The initial access token is unknown, was revoked, has expired or has been used up.",
        Party.OPERATOR,
        "See what has become of it with `auth-server initial-token list`, and give its maker another one.",
    ),
    Reason.REGISTRATION_TOKEN_NOT_VALID: _client(
        "The registration access token is not that of this client, or the client is gone.",
        "Use the token that came with the latest answer about the registration, or register anew.",
    ),
    Reason.INVALID_REDIRECT_URI: _client(
        "A redirect URI is missing or not acceptable.",
        "Register https, http on loopback, or a private-use scheme; the operator can name one without a dot in"
        " AUTH_REDIRECT_SCHEMES.",
    ),
    Reason.INVALID_CLIENT_METADATA: _client(
        "The client metadata is not acceptable.", "Compare it with docs/endpoints.md, /register."
    ),
    Reason.CLIENT_CREDENTIALS_NOT_REGISTERED: Remedy(
        "The client wants to register for client_credentials alone.",
        Party.OPERATOR,
        "Make it a client of your own, with the scopes that it may have: `auth-server client create --confidential`.",
    ),
    Reason.AUTHENTICATION_METHOD_FIXED: _client(
        "The update names another way to prove who the client is than the registration has.",
        "Keep token_endpoint_auth_method as it was, or delete the registration and register anew.",
    ),
    Reason.CLIENT_DELETED: Remedy(
        "The operator has deleted this client, which stays out.",
        Party.OPERATOR,
        "Register it by hand: `auth-server client create`.",
    ),
    Reason.SOFTWARE_STATEMENT_NOT_VALID: _client("The software statement is no signed JWT.", "Leave it out."),
    Reason.SOFTWARE_STATEMENT_NOT_APPROVED: _client("Software statements are not taken.", "Leave it out."),
    # Client ID Metadata Documents
    Reason.CLIENT_DOCUMENT_URL: _client(
        "The client's id is no URL that a document can have.", "Use https, a path, no port trickery, no fragment."
    ),
    Reason.CLIENT_DOCUMENT_NOT_ALLOWED: Remedy(
        "Documents of that host are not taken here.",
        Party.OPERATOR,
        "Name its origin in AUTH_CLIENT_DOCUMENT_ORIGINS, or set AUTH_CLIENT_DOCUMENTS to public.",
    ),
    Reason.CLIENT_DOCUMENT_UNAVAILABLE: _client(
        "The client's document could not be fetched at that moment.",
        "Serve it reliably. The operator looks whether this server may reach the Internet.",
    ),
    Reason.CLIENT_DOCUMENT_REFUSED: _client(
        "The client's document cannot be fetched as it is served.",
        "Serve it with 200, as application/json, uncompressed, up to 5 KB, without redirects, from a public address.",
    ),
    Reason.CLIENT_DOCUMENT_INVALID: _client(
        "The client's document is not valid.", "Mend it; the event says what is wrong with it."
    ),
    # The server
    Reason.TOO_MANY_REQUESTS: _client(
        "There were too many requests of this kind.",
        "Wait as long as Retry-After says. Where many people share an address, see AUTH_TRUSTED_PROXIES: without it"
        " everybody behind a proxy counts as one.",
    ),
    Reason.STORE_UNAVAILABLE: Remedy(
        "The store did not answer.", Party.OPERATOR, "Look for store_away and store_fault in the log."
    ),
    Reason.CRASHED: Remedy(
        "A defect of this server.", Party.OPERATOR, "Report request_crashed from the log, which holds a traceback."
    ),
}
