"""RSA keys for tests, which make many: finding two primes takes a tenth of a second or more."""

from itertools import count

from joserfc.jwk import RSAKey

from auth_server.adapters.key_generations import new_rsa_key

_ENOUGH = 6
_made: list[RSAKey] = []
_turn = count()


def an_rsa_key() -> RSAKey:
    """Another one than the last five times."""
    if len(_made) < _ENOUGH:
        _made.append(new_rsa_key())
    return _made[next(_turn) % len(_made)]
