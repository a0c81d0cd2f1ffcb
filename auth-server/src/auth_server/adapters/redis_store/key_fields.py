"""Between signing keys and the fields of their hashes."""

from auth_server.adapters.redis_store.database import Argument
from auth_server.adapters.redis_store.fields import Fields, text
from auth_server.domain.signing_key import KeyStage, SealedKey


def key_fields(key: SealedKey) -> dict[str, Argument]:
    """The fields of a signing key."""
    return {
        "key_id": key.key_id,
        "stage": key.stage.value,
        "public_jwk": key.public_jwk,
        "sealed": key.sealed,
        "changed_at": key.changed_at,
        "promotable_at": key.promotable_at,
    }


def key_from(found: Fields) -> SealedKey:
    """The signing key of these fields."""
    return SealedKey(
        key_id=text(found, "key_id"),
        stage=KeyStage(text(found, "stage")),
        public_jwk=text(found, "public_jwk"),
        sealed=found["sealed"],
        changed_at=float(found["changed_at"]),
        promotable_at=float(found["promotable_at"]),
    )
