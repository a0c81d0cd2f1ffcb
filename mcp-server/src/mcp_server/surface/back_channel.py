"""What clients of the handshake revisions send beside their calls: answers to questions, and cancellations.

Such a client answers, or cancels, in a POST of its own. There are no sessions, so an answer finds its question by an id
that cannot be guessed, and a cancellation its call by the grant of the token that sent it: never that of another
sign-in. An answer reaches only the process that asked; replicas tell one another of a cancellation whose call they do
not have.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from mcp_server.domain.principal import Principal
from shared_kernel.entropy import Entropy

_Owner = tuple[str, str, str, str]
_Key = tuple[_Owner, str | int]
_Calls = dict[_Key, list[Callable[[], None]]]


@dataclass(slots=True)
class _Question:
    """A request to a client that is not answered yet."""

    owner: _Owner
    answer: "asyncio.Future[dict[str, Any]]"


class _UnderWay(AbstractContextManager[None]):
    """Keeps what cancels a call while the block runs."""

    __slots__ = ("_calls", "_cancel", "_key")

    def __init__(self, calls: _Calls, key: _Key, cancel: Callable[[], None]) -> None:
        self._calls, self._key, self._cancel = calls, key, cancel

    def __enter__(self) -> None:
        self._calls.setdefault(self._key, []).append(self._cancel)

    def __exit__(self, *_: object) -> None:
        calls = self._calls[self._key]
        calls.remove(self._cancel)
        if not calls:
            del self._calls[self._key]


@dataclass(slots=True)
class BackChannel:
    """The questions and calls of one process that are under way."""

    entropy: Entropy
    _questions: dict[str, _Question] = field(default_factory=dict, init=False)
    _calls: _Calls = field(default_factory=dict, init=False)

    @contextmanager
    def question(self, principal: Principal) -> Generator[tuple[str, "asyncio.Future[dict[str, Any]]"]]:
        """The id of a new request to the principal's client, and its answer to come."""
        identifier = self.entropy.token()
        asked = _Question(_owner(principal), asyncio.get_running_loop().create_future())
        self._questions[identifier] = asked
        try:
            yield identifier, asked.answer
        finally:
            del self._questions[identifier]

    def take_answer(self, principal: Principal, message: dict[str, Any]) -> bool:
        """Hands a response on to whoever asked; False if nobody asked this principal."""
        asked = self._questions.get(str(message["id"]))
        if asked is None or asked.owner != _owner(principal) or asked.answer.done():
            return False
        asked.answer.set_result(message)
        return True

    def under_way(
        self, principal: Principal, request_id: str | int, cancel: Callable[[], None]
    ) -> AbstractContextManager[None]:
        """Makes a call one that its client can cancel."""
        return _UnderWay(self._calls, (_owner(principal), request_id), cancel)

    def cancel(self, principal: Principal, request_id: object) -> str | None:
        """Cancels the call of that id, unless several of the same sign-in have it.

        Where it is unknown, its digest is what other replicas may know it by.
        """
        if not isinstance(request_id, str | int):
            return None
        key = (_owner(principal), request_id)
        if key not in self._calls:
            return _digest(key)
        self._cancel(key)
        return None

    def cancel_by_digest(self, digest: str) -> None:
        """Cancels a call of which another replica has heard that it is to end."""
        for key in [key for key in self._calls if _digest(key) == digest]:
            self._cancel(key)

    def _cancel(self, key: _Key) -> None:
        calls = self._calls[key]
        if len(calls) == 1:
            calls[0]()


def _digest(key: _Key) -> str:
    owner, request_id = key
    return hashlib.sha256(json.dumps([*owner, request_id]).encode()).hexdigest()


def _owner(principal: Principal) -> _Owner:
    return principal.tenant, principal.subject, principal.client_id, principal.grant
