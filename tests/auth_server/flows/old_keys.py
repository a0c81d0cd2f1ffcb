"""Signing keys of the first release, which knew no ID tokens."""

import json

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.auth_server.flows.world import MASTER_KEY, World


async def made_by_the_first_release(world: World) -> None:
    """Turns the keys in the store into such."""
    for key_id, sealed, public in world.sql("SELECT key_id, sealed, public_jwk FROM signing_keys"):
        opened = AESGCM(MASTER_KEY).decrypt(sealed[:12], sealed[12:], key_id.encode())
        alone = json.dumps(json.loads(opened)["keys"][0]).encode()
        again = (b"n" * 12 + AESGCM(MASTER_KEY).encrypt(b"n" * 12, alone, key_id.encode())).hex()
        shown = json.dumps(json.loads(public)["keys"][0])
        world.sql(f"UPDATE signing_keys SET sealed = x'{again}', public_jwk = '{shown}' WHERE key_id = '{key_id}'")
