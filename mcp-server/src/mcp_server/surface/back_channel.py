"""What clients of the handshake revisions send beside their calls: answers to questions, and cancellations.

Such a client answers, or cancels, in a POST of its own. No process keeps sessions, so an answer finds its question by
an id that cannot be guessed, and a cancellation its call by the grant of the token that sent it, and by the session
where the client has one: never that of another sign-in or session. Whichever replica gets the POST relays it to all
others, if what it is about is not its own.
"""

import asyncio
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import msgspec

from mcp_server.domain.principal import Principal
from mcp_server.ports.relay import Kind, Relay, Relayed
from mcp_server.surface.sign_in import SignIn, digest, sign_in
from shared_kernel.entropy import Entropy

MOST_QUESTIONS = 64
"""How many questions of one process are open; the call of each takes a place among the requests in flight."""
MOST_QUESTIONS_OF_ONE = 4
ANSWER_BYTES = 64 * 1024
"""Longest answer that is relayed, as JSON."""

_Key = tuple[SignIn, str, str | int]
"""What a cancellation names: the sign-in, the session (empty without one), and the id of the request."""
_Calls = dict[_Key, list[Callable[[], None]]]


class TooManyQuestions(Exception):
    """As many questions are open as may be."""


class Taken(Enum):
    """What becomes of an answer."""

    HANDED_ON = "handed on"
    """It is where it was asked for, or on its way to the other replicas, one of which may have asked."""
    NOT_ASKED_FOR = "not asked for"
    TOO_LONG = "too long"
    """It would have to be relayed, and is longer than ANSWER_BYTES."""


@dataclass(slots=True)
class _Question:
    """A request to a client that is not answered yet."""

    owner: SignIn
    answer: "asyncio.Future[dict[str, Any]]"

    def take(self, message: dict[str, Any]) -> bool:
        """Takes a response for its answer; False if it has one."""
        if self.answer.done():
            return False
        self.answer.set_result(message)
        return True


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
    """The questions and calls of one process that are under way; `relay` reaches those of others, if there are any."""

    entropy: Entropy
    relay: Relay | None = None
    _questions: dict[str, _Question] = field(default_factory=dict, init=False)
    _calls: _Calls = field(default_factory=dict, init=False)

    @contextmanager
    def question(self, principal: Principal) -> Generator[tuple[str, "asyncio.Future[dict[str, Any]]"]]:
        """The id of a new request to the principal's client, and its answer to come. Raises TooManyQuestions."""
        identifier, owner = self.entropy.token(), sign_in(principal)
        of_one = sum(asked.owner == owner for asked in self._questions.values())
        if len(self._questions) >= MOST_QUESTIONS or of_one >= MOST_QUESTIONS_OF_ONE:
            raise TooManyQuestions
        asked = _Question(owner, asyncio.get_running_loop().create_future())
        self._questions[identifier] = asked
        try:
            yield identifier, asked.answer
        finally:
            del self._questions[identifier]

    async def take_answer(self, principal: Principal, message: dict[str, Any]) -> Taken:
        """Hands a response on to whoever asked this principal, here or on another replica."""
        identifier, owner = str(message["id"]), sign_in(principal)
        asked = self._questions.get(identifier)
        if asked is not None:
            return Taken.HANDED_ON if asked.owner == owner and asked.take(message) else Taken.NOT_ASKED_FOR
        if self.relay is None:
            return Taken.NOT_ASKED_FOR
        body = msgspec.json.encode(message)
        if len(body) > ANSWER_BYTES:
            return Taken.TOO_LONG
        await self.relay.send(Relayed(Kind.RESPONSE, digest(owner, identifier), body.decode()))
        return Taken.HANDED_ON

    def hear_answer(self, message: Relayed) -> None:
        """Takes a response that another replica got, if it was asked for here."""
        for identifier, asked in self._questions.items():
            if digest(asked.owner, identifier) == message.subject:
                asked.take(msgspec.json.decode(message.body))

    def under_way(
        self, principal: Principal, session: str, request_id: str | int, cancel: Callable[[], None]
    ) -> AbstractContextManager[None]:
        """Makes a call one that its client can cancel."""
        return _UnderWay(self._calls, (sign_in(principal), session, request_id), cancel)

    async def cancel(self, principal: Principal, session: str, request_id: object) -> None:
        """Cancels the call of that id, here or on another replica, unless several of the same session have it."""
        if not isinstance(request_id, str | int):
            return
        key = (sign_in(principal), session, request_id)
        if key in self._calls:
            self._cancel(key)
        elif self.relay is not None:
            await self.relay.send(Relayed(Kind.CANCELLATION, digest(*key)))

    def hear_cancellation(self, message: Relayed) -> None:
        """Cancels a call of which another replica has heard that it is to end."""
        for key in [key for key in self._calls if digest(*key) == message.subject]:
            self._cancel(key)

    def _cancel(self, key: _Key) -> None:
        calls = self._calls[key]
        if len(calls) == 1:
            calls[0]()
