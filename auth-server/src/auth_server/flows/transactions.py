"""A transaction in the browser that began it: what the sign-in page and the consent page both rest on."""

from auth_server.domain import credentials
from auth_server.domain.authorization import Transaction
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.ports.authorizations import Decided, TransactionStore


async def load(transactions: TransactionStore, transaction_id: str, browser_id: str | None, now: float) -> Transaction:
    """The transaction, if this browser began it and nothing is decided.

    Raises Refused (UNKNOWN_TRANSACTION, DECIDED_TRANSACTION), StoreUnavailable.
    """
    found = await find(transactions, transaction_id, browser_id, now)
    if isinstance(found, Decided):
        raise Refused(Reason.DECIDED_TRANSACTION, facts(found.transaction))
    return found


async def find(
    transactions: TransactionStore, transaction_id: str, browser_id: str | None, now: float
) -> Transaction | Decided:
    """The transaction, decided or not, if this browser began it.

    Raises Refused (UNKNOWN_TRANSACTION), StoreUnavailable.
    """
    found = await transactions.transaction(credentials.digest(transaction_id), now)
    transaction = found.transaction if isinstance(found, Decided) else found
    # Prevents login CSRF: a transaction only works in the browser that started it.
    if found is None or transaction is None or browser_id is None:
        raise Refused(Reason.UNKNOWN_TRANSACTION)
    if not credentials.same_digest(transaction.browser_digest, credentials.digest(browser_id)):
        raise Refused(Reason.UNKNOWN_TRANSACTION)
    return found


def facts(transaction: Transaction) -> Facts:
    """What is known of a request about this transaction that is refused."""
    return Facts(client_id=transaction.request.client_id, grant_handle=transaction.flow_id)
