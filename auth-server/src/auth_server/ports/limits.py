"""Limits on how often something may be tried."""

from typing import Protocol


class LimitStore(Protocol):
    """Moving windows of attempts, shared by all processes of a store."""

    async def count_attempt(self, key: str, hits: int, seconds: float, now: float) -> float | None:
        """Counts an attempt under that key, unless it already has `hits` within `seconds`; in one step.

        None when counted, else the time at which the oldest of them leaves. An attempt counts while it is less than
        `seconds` away from `now`, in either direction: the clocks of machines differ, and one that was set back by more
        than that must not prolong anybody's wait.
        """
        ...

    async def forget_attempts(self, key: str) -> None:
        """Forgets the attempts under that key."""
        ...


class AttemptLimiter(Protocol):
    """Limits how often something may be tried.

    Every method may raise StoreUnavailable (ports/store).
    """

    async def sign_in_attempt(self, email: str, address: str) -> int | None:
        """Counts a sign-in attempt by that account and network address; seconds to wait when it is one too many."""
        ...

    async def sign_in_succeeded(self, email: str, address: str) -> None:
        """Forgets the attempts of that account from that address."""
        ...

    async def authorization_attempt(self, address: str) -> int | None:
        """Counts an authorization request; seconds to wait when it is one too many."""
        ...

    async def device_authorization_attempt(self, address: str) -> int | None:
        """Counts a device's request for its codes; seconds to wait when it is one too many."""
        ...

    async def user_code_attempt(self, address: str) -> int | None:
        """Counts a user code that somebody entered, right or wrong; seconds to wait when it is one too many."""
        ...

    async def user_code_use(self, device_id: str) -> int | None:
        """Counts that the user code of that authorization was entered; seconds to wait when it is one too many."""
        ...

    async def registration_attempt(self, address: str) -> int | None:
        """Counts the registration of a new client; seconds to wait when it is one too many."""
        ...

    async def client_authentication_failed(self, client_id: str, address: str) -> int | None:
        """Counts a failed authentication of that client from that address; seconds to wait when it is one too many."""
        ...

    async def document_fetch(self, origin: str, address: str) -> int | None:
        """Counts a request for a client document of that origin, which that address causes.

        Seconds to wait when it is one too many for either, or for all.
        """
        ...
