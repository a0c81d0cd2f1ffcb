"""Software statements (RFC 7591 §2.3): none of their issuers is trusted here, so that all are refused."""

from typing import NoReturn

from auth_server.domain.failures import Reason, Refused
from auth_server.protocol import compact_jws


def refuse(statement: object) -> NoReturn:
    """Raises Refused: SOFTWARE_STATEMENT_NOT_VALID, SOFTWARE_STATEMENT_NOT_APPROVED."""
    # RFC 7591 §2.3: 'If the authorization server does not trust the issuer of the software statement [...]' §3.2.2 has
    # a word for what is "invalid" in itself, and another for what "is not approved for use".
    try:
        signed = isinstance(statement, str) and compact_jws.read(statement).signature
    except compact_jws.Unreadable:
        signed = b""
    raise Refused(Reason.SOFTWARE_STATEMENT_NOT_APPROVED if signed else Reason.SOFTWARE_STATEMENT_NOT_VALID)
