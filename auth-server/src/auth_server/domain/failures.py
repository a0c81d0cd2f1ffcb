"""Why a request is refused: a closed set of reasons, and one table from reason to what the client is told.

Inside, reasons are many, for logs and tests; outside, most share one text, so that probing teaches nothing. Flows and
protocol raise Refused; the web layer renders it, as JSON for programs and as a page for people.
"""

from dataclasses import dataclass, replace
from enum import StrEnum


class Reason(StrEnum):
    """Every way in which this server says no."""

    # The shape of an HTTP request
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    URL_TOO_LONG = "url_too_long"
    BODY_TOO_LONG = "body_too_long"
    BODY_TOO_SLOW = "body_too_slow"
    CONTENT_TYPE_REQUIRED = "content_type_required"
    FORM_REQUIRED = "form_required"
    JSON_REQUIRED = "json_required"
    FOREIGN_CHARSET = "foreign_charset"
    NOT_PERCENT_ENCODED = "not_percent_encoded"
    NOT_JSON = "not_json"
    REPEATED_NAME = "repeated_name"
    NOT_AN_OBJECT = "not_an_object"
    NOT_FLAT = "not_flat"
    NUL_CHARACTER = "nul_character"
    TOO_MANY_PARAMETERS = "too_many_parameters"
    PARAMETERS_IN_URL = "parameters_in_url"
    PARAMETERS_IN_URL_AND_BODY = "parameters_in_url_and_body"
    SEVERAL_AUTHORIZATION_HEADERS = "several_authorization_headers"
    SEVERAL_DPOP_HEADERS = "several_dpop_headers"
    # The parameters of a request
    MALFORMED_REQUEST = "malformed_request"
    DUPLICATE_PARAMETER = "duplicate_parameter"
    MISSING_GRANT_TYPE = "missing_grant_type"
    MISSING_PARAMETER = "missing_parameter"
    SEVERAL_AUTHENTICATIONS = "several_authentications"
    # The client
    UNKNOWN_CLIENT = "unknown_client"
    CLIENT_NOT_AUTHENTICATED = "client_not_authenticated"
    CLIENT_ASSERTION_REUSED = "client_assertion_reused"
    GRANT_TYPE_NOT_ALLOWED = "grant_type_not_allowed"
    CLIENT_CREDENTIALS_NOT_GRANTED = "client_credentials_not_granted"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    KEY_SET_UNAVAILABLE = "key_set_unavailable"
    # Proof of possession
    DPOP_PROOF_NOT_VALID = "dpop_proof_not_valid"
    DPOP_PROOF_REUSED = "dpop_proof_reused"
    DPOP_PROOF_MISSING = "dpop_proof_missing"
    DPOP_PROOF_REQUIRED = "dpop_proof_required"
    DPOP_NONCE_REQUIRED = "dpop_nonce_required"
    CODE_OF_ANOTHER_KEY = "code_of_another_key"
    REFRESH_TOKEN_OF_ANOTHER_KEY = "refresh_token_of_another_key"
    # The authorization request
    REDIRECT_URI_NOT_ALLOWED = "redirect_uri_not_allowed"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    UNSUPPORTED_RESPONSE_MODE = "unsupported_response_mode"
    PKCE_REQUIRED = "pkce_required"
    MALFORMED_PROMPT = "malformed_prompt"
    REQUEST_OBJECT_NOT_SUPPORTED = "request_object_not_supported"
    REQUEST_URI_NOT_SUPPORTED = "request_uri_not_supported"
    REGISTRATION_NOT_SUPPORTED = "registration_not_supported"
    UNKNOWN_REQUEST_URI = "unknown_request_uri"
    USED_REQUEST_URI = "used_request_uri"
    PUSHED_REQUEST_REQUIRED = "pushed_request_required"
    LOGIN_REQUIRED = "login_required"
    CONSENT_REQUIRED = "consent_required"
    ACCESS_DENIED = "access_denied"
    # UserInfo
    BEARER_TOKEN_REQUIRED = "bearer_token_required"
    BEARER_TOKEN_NOT_VALID = "bearer_token_not_valid"
    OPENID_SCOPE_REQUIRED = "openid_scope_required"
    # The pages
    UNKNOWN_TRANSACTION = "unknown_transaction"
    DECIDED_TRANSACTION = "decided_transaction"
    FORGED_FORM = "forged_form"
    NO_DECISION = "no_decision"
    UPSTREAM_REFUSED = "upstream_refused"
    UPSTREAM_UNAVAILABLE = "upstream_unavailable"
    # What is asked for
    SCOPE_NOT_ALLOWED = "scope_not_allowed"
    UNKNOWN_RESOURCE = "unknown_resource"
    RESOURCE_WITHDRAWN = "resource_withdrawn"
    # Codes and refresh tokens
    MALFORMED_VERIFIER = "malformed_verifier"
    WRONG_VERIFIER = "wrong_verifier"
    CODE_NOT_VALID = "code_not_valid"
    CODE_REUSED = "code_reused"
    CODE_OF_ANOTHER_CLIENT = "code_of_another_client"
    REFRESH_TOKEN_NOT_VALID = "refresh_token_not_valid"
    REFRESH_TOKEN_REUSED = "refresh_token_reused"
    REFRESH_TOKEN_STOLEN = "refresh_token_stolen"
    REPLAY_DIFFERS = "replay_differs"
    # Devices
    AUTHORIZATION_PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    DEVICE_CODE_EXPIRED = "device_code_expired"
    DEVICE_CODE_NOT_VALID = "device_code_not_valid"
    DEVICE_CODE_REUSED = "device_code_reused"
    DEVICE_CODE_OF_ANOTHER_CLIENT = "device_code_of_another_client"
    # Exchange of tokens
    SUBJECT_TOKEN_NOT_VALID = "subject_token_not_valid"
    TOKEN_TYPE_NOT_EXCHANGED = "token_type_not_exchanged"
    TOKEN_TYPE_NOT_ISSUED = "token_type_not_issued"
    ACTOR_TOKEN_NOT_SUPPORTED = "actor_token_not_supported"
    # Identity assertions
    ASSERTION_NOT_VALID = "assertion_not_valid"
    ASSERTION_REUSED = "assertion_reused"
    # Registration
    INVALID_REDIRECT_URI = "invalid_redirect_uri"
    INVALID_CLIENT_METADATA = "invalid_client_metadata"
    CLIENT_CREDENTIALS_NOT_REGISTERED = "client_credentials_not_registered"
    AUTHENTICATION_METHOD_FIXED = "authentication_method_fixed"
    CLIENT_DELETED = "client_deleted"
    REGISTRATION_OFF = "registration_off"
    INITIAL_TOKEN_REQUIRED = "initial_token_required"
    INITIAL_TOKEN_NOT_VALID = "initial_token_not_valid"
    REGISTRATION_TOKEN_NOT_VALID = "registration_token_not_valid"
    # Client ID Metadata Documents
    CLIENT_DOCUMENT_URL = "client_document_url"
    CLIENT_DOCUMENT_NOT_ALLOWED = "client_document_not_allowed"
    CLIENT_DOCUMENT_UNAVAILABLE = "client_document_unavailable"
    CLIENT_DOCUMENT_REFUSED = "client_document_refused"
    CLIENT_DOCUMENT_INVALID = "client_document_invalid"
    SOFTWARE_STATEMENT_NOT_VALID = "software_statement_not_valid"
    SOFTWARE_STATEMENT_NOT_APPROVED = "software_statement_not_approved"
    # The server
    TOO_MANY_REQUESTS = "too_many_requests"
    STORE_UNAVAILABLE = "store_unavailable"
    CRASHED = "crashed"


ALARMS = frozenset(
    {
        Reason.CODE_REUSED,
        Reason.CODE_OF_ANOTHER_CLIENT,
        Reason.CODE_OF_ANOTHER_KEY,
        Reason.DEVICE_CODE_REUSED,
        Reason.DEVICE_CODE_OF_ANOTHER_CLIENT,
        Reason.REFRESH_TOKEN_REUSED,
        Reason.REFRESH_TOKEN_STOLEN,
        Reason.REFRESH_TOKEN_OF_ANOTHER_KEY,
        Reason.DPOP_PROOF_REUSED,
        Reason.CLIENT_ASSERTION_REUSED,
        Reason.ASSERTION_REUSED,
    }
)
"""Somebody holds what was given to somebody else: the operator must look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known about a refused request beyond its reason.

    Logs show who was involved; `retry_after` (seconds), `allowed_methods`, `resources` (those that would be right) and
    `defect` (a sentence on what is wrong with the client's document, or with a proof of possession) also go into the
    answer. Nothing here is a secret, and nothing in the answer is the caller's own text.
    """

    client_id: str | None = None
    user_id: str | None = None
    grant_handle: str | None = None
    retry_after: int | None = None
    allowed_methods: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    defect: str | None = None


NO_FACTS = Facts()


@dataclass(frozen=True, slots=True)
class WireError:
    """What the client is told: HTTP status (where the answer is not a redirect), error code, constant ASCII text."""

    status: int
    error: str
    description: str


class Refused(Exception):
    """The request is refused; carries the Reason and the Facts."""

    def __init__(self, reason: Reason, facts: Facts = NO_FACTS) -> None:
        super().__init__(reason.value)
        self.reason, self.facts = reason, facts

    @property
    def wire(self) -> WireError:
        """What the client is told."""
        wire = WIRE[self.reason]
        if self.facts.resources:
            # Clients guess the resource from the server's URL; the operator's own list tells them nothing secret.
            return replace(wire, description=f"The resource must be one of: {' '.join(self.facts.resources)}")
        if self.reason is Reason.DPOP_PROOF_NOT_VALID and self.facts.defect:
            return replace(wire, description=self.facts.defect)
        return wire


_MALFORMED = WireError(400, "invalid_request", "The request is malformed.")
_CODE = WireError(400, "invalid_grant", "The authorization code is not valid for this request.")
_REFRESH = WireError(400, "invalid_grant", "The refresh token is not valid for this request.")
_DEVICE = WireError(400, "invalid_grant", "The device code is not valid for this request.")
_ASSERTION = WireError(400, "invalid_grant", "The assertion is not valid for this request.")
_CLIENT = WireError(401, "invalid_client", "Client authentication failed.")

WIRE: dict[Reason, WireError] = {
    Reason.NOT_FOUND: WireError(404, "not_found", "There is nothing here."),
    Reason.METHOD_NOT_ALLOWED: WireError(405, "invalid_request", "Use another HTTP method here."),
    Reason.URL_TOO_LONG: WireError(400, "invalid_request", "The URL is too long."),
    Reason.BODY_TOO_LONG: WireError(413, "invalid_request", "The body is longer than 16 KiB."),
    Reason.BODY_TOO_SLOW: WireError(408, "invalid_request", "The body took too long to arrive."),
    Reason.CONTENT_TYPE_REQUIRED: WireError(400, "invalid_request", "Send exactly one Content-Type header."),
    Reason.FORM_REQUIRED: WireError(400, "invalid_request", "Send Content-Type: application/x-www-form-urlencoded."),
    Reason.JSON_REQUIRED: WireError(400, "invalid_request", "Send Content-Type: application/json."),
    Reason.FOREIGN_CHARSET: WireError(400, "invalid_request", "The charset must be UTF-8."),
    Reason.NOT_PERCENT_ENCODED: WireError(400, "invalid_request", "The parameters must be percent-encoded UTF-8."),
    Reason.NOT_JSON: WireError(400, "invalid_request", "The body is not JSON."),
    Reason.REPEATED_NAME: WireError(400, "invalid_request", "The JSON body repeats a name."),
    Reason.NOT_AN_OBJECT: WireError(400, "invalid_request", "The JSON body must be one object."),
    Reason.NOT_FLAT: WireError(400, "invalid_request", "The JSON body must be one flat object of strings."),
    Reason.NUL_CHARACTER: WireError(400, "invalid_request", "A parameter holds a NUL character."),
    Reason.TOO_MANY_PARAMETERS: WireError(400, "invalid_request", "There are too many parameters."),
    Reason.PARAMETERS_IN_URL: WireError(400, "invalid_request", "Send the parameters in the body, not in the URL."),
    Reason.PARAMETERS_IN_URL_AND_BODY: WireError(
        400, "invalid_request", "Send the parameters in the URL or in the body, not in both."
    ),
    Reason.SEVERAL_AUTHORIZATION_HEADERS: WireError(400, "invalid_request", "Send at most one Authorization header."),
    Reason.SEVERAL_DPOP_HEADERS: WireError(400, "invalid_dpop_proof", "Send at most one DPoP header."),
    Reason.MALFORMED_REQUEST: _MALFORMED,
    Reason.DUPLICATE_PARAMETER: WireError(400, "invalid_request", "A parameter is included more than once."),
    Reason.MISSING_GRANT_TYPE: WireError(400, "invalid_request", "The parameter grant_type is missing."),
    Reason.MISSING_PARAMETER: WireError(400, "invalid_request", "A required parameter is missing."),
    Reason.SEVERAL_AUTHENTICATIONS: WireError(400, "invalid_request", "Use one client authentication method only."),
    Reason.UNKNOWN_CLIENT: _CLIENT,
    Reason.CLIENT_NOT_AUTHENTICATED: _CLIENT,
    Reason.CLIENT_ASSERTION_REUSED: _CLIENT,
    Reason.KEY_SET_UNAVAILABLE: WireError(
        503, "temporarily_unavailable", "The keys that vouch for this request cannot be fetched right now."
    ),
    Reason.GRANT_TYPE_NOT_ALLOWED: WireError(400, "unauthorized_client", "The client may not use this grant type."),
    Reason.CLIENT_CREDENTIALS_NOT_GRANTED: WireError(
        400,
        "unauthorized_client",
        "A client that registered itself gets no client_credentials; ask the operator, who grants them.",
    ),
    Reason.UNSUPPORTED_GRANT_TYPE: WireError(400, "unsupported_grant_type", "The grant type is not supported."),
    Reason.DPOP_PROOF_NOT_VALID: WireError(400, "invalid_dpop_proof", "The DPoP proof is not valid for this request."),
    Reason.DPOP_PROOF_REUSED: WireError(400, "invalid_dpop_proof", "The DPoP proof has been used before."),
    Reason.DPOP_PROOF_MISSING: WireError(
        400, "invalid_dpop_proof", "This needs a DPoP proof by the key it is bound to."
    ),
    Reason.DPOP_PROOF_REQUIRED: WireError(
        400, "invalid_dpop_proof", "This client's metadata demand a DPoP proof with each token request."
    ),
    Reason.DPOP_NONCE_REQUIRED: WireError(
        400, "use_dpop_nonce", "The DPoP proof must hold the nonce of the DPoP-Nonce header."
    ),
    Reason.CODE_OF_ANOTHER_KEY: _CODE,
    Reason.REFRESH_TOKEN_OF_ANOTHER_KEY: _REFRESH,
    Reason.REDIRECT_URI_NOT_ALLOWED: WireError(400, "invalid_request", "The redirect URI is not registered."),
    Reason.UNSUPPORTED_RESPONSE_TYPE: WireError(400, "unsupported_response_type", "Only response_type=code is served."),
    Reason.UNSUPPORTED_RESPONSE_MODE: WireError(400, "invalid_request", "Only response_mode=query is served."),
    Reason.PKCE_REQUIRED: WireError(400, "invalid_request", "PKCE with code_challenge_method=S256 is required."),
    Reason.MALFORMED_PROMPT: WireError(400, "invalid_request", "The parameters prompt or max_age are malformed."),
    Reason.REQUEST_OBJECT_NOT_SUPPORTED: WireError(400, "request_not_supported", "Request objects are not served."),
    Reason.REQUEST_URI_NOT_SUPPORTED: WireError(400, "request_uri_not_supported", "Request URIs are not served."),
    Reason.REGISTRATION_NOT_SUPPORTED: WireError(
        400, "registration_not_supported", "Registration within a request is not served."
    ),
    Reason.UNKNOWN_REQUEST_URI: WireError(400, "invalid_request_uri", "The request_uri is unknown, or has expired."),
    Reason.USED_REQUEST_URI: WireError(400, "invalid_request_uri", "The request_uri has been used."),
    Reason.PUSHED_REQUEST_REQUIRED: WireError(
        400, "invalid_request", "Authorization requests must be pushed to /par first."
    ),
    Reason.LOGIN_REQUIRED: WireError(400, "login_required", "The user has to sign in."),
    Reason.CONSENT_REQUIRED: WireError(400, "consent_required", "The user has to consent."),
    Reason.ACCESS_DENIED: WireError(400, "access_denied", "The user denied the request."),
    Reason.BEARER_TOKEN_REQUIRED: WireError(401, "invalid_token", "Send the access token in the Authorization header."),
    Reason.BEARER_TOKEN_NOT_VALID: WireError(401, "invalid_token", "The access token is not valid, or no longer."),
    Reason.OPENID_SCOPE_REQUIRED: WireError(403, "insufficient_scope", "The access token lacks the scope openid."),
    Reason.UNKNOWN_TRANSACTION: WireError(400, "invalid_request", "The page has expired."),
    Reason.DECIDED_TRANSACTION: WireError(409, "invalid_request", "The decision has been made already."),
    Reason.FORGED_FORM: WireError(403, "invalid_request", "The form was not sent by this server's own page."),
    Reason.NO_DECISION: WireError(400, "invalid_request", "The form says neither approve nor deny."),
    Reason.UPSTREAM_REFUSED: WireError(400, "invalid_request", "The provider's answer is not valid for this request."),
    Reason.UPSTREAM_UNAVAILABLE: WireError(
        503, "temporarily_unavailable", "The provider at which people sign in cannot be reached right now."
    ),
    Reason.SCOPE_NOT_ALLOWED: WireError(400, "invalid_scope", "The scope is malformed or not allowed."),
    Reason.UNKNOWN_RESOURCE: WireError(400, "invalid_target", "The resource is not one this server issues tokens for."),
    Reason.RESOURCE_WITHDRAWN: WireError(400, "invalid_grant", "The resource of this grant is no longer served."),
    Reason.MALFORMED_VERIFIER: WireError(
        400, "invalid_request", "The parameter code_verifier is missing or malformed."
    ),
    Reason.WRONG_VERIFIER: _CODE,
    Reason.CODE_NOT_VALID: _CODE,
    Reason.CODE_REUSED: _CODE,
    Reason.CODE_OF_ANOTHER_CLIENT: _CODE,
    Reason.REFRESH_TOKEN_NOT_VALID: _REFRESH,
    Reason.REFRESH_TOKEN_REUSED: _REFRESH,
    Reason.REFRESH_TOKEN_STOLEN: _REFRESH,
    Reason.REPLAY_DIFFERS: _REFRESH,
    Reason.AUTHORIZATION_PENDING: WireError(400, "authorization_pending", "The user has not decided yet."),
    Reason.SLOW_DOWN: WireError(400, "slow_down", "The user has not decided yet; wait 5 seconds longer between polls."),
    Reason.DEVICE_CODE_EXPIRED: WireError(400, "expired_token", "The device code has expired; start again."),
    Reason.DEVICE_CODE_NOT_VALID: _DEVICE,
    Reason.DEVICE_CODE_REUSED: _DEVICE,
    Reason.DEVICE_CODE_OF_ANOTHER_CLIENT: _DEVICE,
    # RFC 8693 §2.2.2: "If either the subject_token or actor_token are invalid for any reason, or are unacceptable based
    # on policy [...] The value of the error parameter MUST be the invalid_request error code."
    Reason.SUBJECT_TOKEN_NOT_VALID: WireError(
        400, "invalid_request", "The subject token is not valid for this request."
    ),
    Reason.TOKEN_TYPE_NOT_EXCHANGED: WireError(
        400, "invalid_request", "Only access tokens of this server can be exchanged."
    ),
    Reason.TOKEN_TYPE_NOT_ISSUED: WireError(400, "invalid_request", "Only access tokens are issued in exchange."),
    Reason.ACTOR_TOKEN_NOT_SUPPORTED: WireError(400, "invalid_request", "Actor tokens are not served."),
    Reason.ASSERTION_NOT_VALID: _ASSERTION,
    Reason.ASSERTION_REUSED: _ASSERTION,
    Reason.INVALID_REDIRECT_URI: WireError(400, "invalid_redirect_uri", "A redirect URI is missing or not acceptable."),
    Reason.INVALID_CLIENT_METADATA: WireError(400, "invalid_client_metadata", "The client metadata is not acceptable."),
    Reason.CLIENT_CREDENTIALS_NOT_REGISTERED: WireError(
        400,
        "invalid_client_metadata",
        "A client that registers itself gets no client_credentials; ask the operator, who grants them.",
    ),
    Reason.AUTHENTICATION_METHOD_FIXED: WireError(
        400,
        "invalid_client_metadata",
        "An update cannot change how the client proves who it is; register anew for that.",
    ),
    Reason.CLIENT_DELETED: WireError(400, "invalid_client_metadata", "The operator has deleted this client."),
    Reason.REGISTRATION_OFF: WireError(
        403,
        "access_denied",
        "Clients do not register themselves here; publish a metadata document or ask the operator.",
    ),
    Reason.INITIAL_TOKEN_REQUIRED: WireError(
        401,
        "invalid_token",
        "Registration needs an initial access token; ask the operator, or publish a metadata document.",
    ),
    Reason.INITIAL_TOKEN_NOT_VALID: WireError(
        401, "invalid_token", "The initial access token is not valid, or no longer; ask the operator for another."
    ),
    Reason.REGISTRATION_TOKEN_NOT_VALID: WireError(
        401, "invalid_token", "The registration access token is not valid for this client."
    ),
    Reason.SOFTWARE_STATEMENT_NOT_VALID: WireError(
        400,
        "invalid_software_statement",
        "The software statement is not a signed JWT; none is needed here: send the metadata itself.",
    ),
    Reason.SOFTWARE_STATEMENT_NOT_APPROVED: WireError(
        400,
        "unapproved_software_statement",
        "Software statements are not accepted; send the metadata itself, without software_statement.",
    ),
    Reason.CLIENT_DOCUMENT_URL: WireError(
        400, "invalid_client", "The client id is not a URL that a document can have."
    ),
    Reason.CLIENT_DOCUMENT_NOT_ALLOWED: WireError(
        400, "invalid_client", "Client documents of that host are not accepted here."
    ),
    Reason.CLIENT_DOCUMENT_UNAVAILABLE: WireError(
        503, "temporarily_unavailable", "The client's metadata document cannot be fetched right now."
    ),
    Reason.CLIENT_DOCUMENT_REFUSED: WireError(
        400, "invalid_client", "The client's metadata document cannot be fetched."
    ),
    Reason.CLIENT_DOCUMENT_INVALID: WireError(400, "invalid_client", "The client's metadata document is not valid."),
    Reason.TOO_MANY_REQUESTS: WireError(429, "temporarily_unavailable", "Too many requests; try again later."),
    Reason.STORE_UNAVAILABLE: WireError(503, "temporarily_unavailable", "Try again in a moment; nothing was used up."),
    Reason.CRASHED: WireError(500, "server_error", "Something went wrong here."),
}
"""The response policy: one row per reason, for programs, pages and error redirects alike."""
