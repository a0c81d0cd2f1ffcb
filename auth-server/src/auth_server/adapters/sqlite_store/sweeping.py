"""What is deleted once it has ended and can no longer matter: in batches, each found through an index."""

import sqlite3
from collections.abc import Callable

from auth_server.domain.authorization import CODE_LIFETIME, TRANSACTION_LIFETIME, USED_CODE_MEMORY
from auth_server.domain.client import DYNAMIC_LIFETIME, NEVER_USED_LIFETIME
from auth_server.domain.device import DEVICE_MEMORY
from auth_server.domain.grant import REPLAY_WINDOW, REVOKED_GRANT_MEMORY
from auth_server.domain.signing_key import RETIRED_LIFETIME
from shared_kernel import revocations

BATCH = 500
"""Rows that one step handles in one transaction."""

Step = Callable[[sqlite3.Connection, float], int]
"""Handles at most BATCH rows and gives their number; to be called until that is 0."""


def _delete(table: str, condition: str, memory: float = 0.0) -> Step:
    """Deletes what meets the condition, in which `:limit` is `memory` seconds ago."""
    statement = f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE {condition} LIMIT {BATCH})"

    def step(db: sqlite3.Connection, now: float) -> int:
        return db.execute(statement, {"limit": now - memory}).rowcount

    return step


def _erase_sealed_responses(db: sqlite3.Connection, now: float) -> int:
    return db.execute(
        "UPDATE grants SET sealed = NULL WHERE rowid IN"
        " (SELECT rowid FROM grants WHERE sealed IS NOT NULL AND rotated_at <= ? LIMIT ?)",
        (now - REPLAY_WINDOW, BATCH),
    ).rowcount


def _review_grants(db: sqlite3.Connection, now: float) -> int:
    """Deletes grants of which nothing is alive, and says when to look at the others again."""
    due = db.execute(
        "SELECT grant_id, revoked_at, refresh_expires_at,"
        " EXISTS (SELECT 1 FROM codes WHERE codes.grant_id = grants.grant_id)"
        " FROM grants WHERE review_at <= ? ORDER BY review_at LIMIT ?",
        (now, BATCH),
    ).fetchall()
    for grant_id, revoked_at, refresh_expires_at, has_code in due:
        if revoked_at is not None:
            alive_until = revoked_at + REVOKED_GRANT_MEMORY
        else:
            alive_until = max(refresh_expires_at or 0.0, now + USED_CODE_MEMORY if has_code else 0.0)
        if alive_until <= now:
            db.execute("DELETE FROM grants WHERE grant_id = ?", (grant_id,))
        else:
            db.execute("UPDATE grants SET review_at = ? WHERE grant_id = ?", (alive_until, grant_id))
    return len(due)


STEPS: tuple[Step, ...] = (
    _delete("sessions", "expires_at <= :limit"),
    _delete("pushed_requests", "expires_at <= :limit", TRANSACTION_LIFETIME),
    _delete("transactions", "expires_at <= :limit"),
    _delete("device_authorizations", "expires_at <= :limit", DEVICE_MEMORY),
    _delete("initial_tokens", "expires_at <= :limit"),
    _delete("client_secrets", "expires_at <= :limit"),
    _delete("consents", "expires_at <= :limit"),
    _delete("attempt_windows", "ends_at <= :limit"),
    _delete("used_once", "expires_at <= :limit"),
    _delete("revocations", "at <= :limit", revocations.MEMORY),
    # The first condition is for the index: a code is used before it expires.
    _delete(
        "codes",
        f"expires_at <= :limit + {CODE_LIFETIME} AND coalesce(used_at, expires_at) <= :limit",
        USED_CODE_MEMORY,
    ),
    _erase_sealed_responses,
    _review_grants,
    _delete(
        "clients",
        "registration <> 'operator' AND used_at IS NULL AND last_used_at <= :limit",
        NEVER_USED_LIFETIME,
    ),
    _delete(
        "clients",
        "registration <> 'operator' AND last_used_at <= :limit"
        " AND NOT EXISTS (SELECT 1 FROM grants WHERE grants.client_id = clients.client_id)",
        DYNAMIC_LIFETIME,
    ),
    _delete("signing_keys", "stage = 'retired' AND changed_at <= :limit", RETIRED_LIFETIME),
)
"""In order: grants are looked at once their codes are gone."""
