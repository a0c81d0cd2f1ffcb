"""State machines whose actors call a store at once, through two openings of it; what they are told must have an order.

Every answer is compared with a model. Where several calls are under way, there must be an order in which the model
answers each as the store did. If more than one explains it, all are kept until an answer tells them apart.
"""

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from auth_server.ports.store import Store
from tests.auth_server.stores.test_contract import NOW

Opening = Callable[[Path], AbstractAsyncContextManager[Store]]
Call = tuple[str, tuple[Any, ...]]
LONGEST = 3000.0
"""How much time passes in a run at most: less than any store forgets in."""
WAITS = st.sampled_from([1.25, 6.0, 59.0, 61.0, 119.0, 121.0, 601.0])
NUMBERS = st.integers(0, 7)


class Machine(RuleBasedStateMachine):
    """A store in two openings, and the states in which it may be."""

    open: Opening
    """How a store is opened that belongs to a path."""

    def __init__(self) -> None:
        super().__init__()
        self.directory, self.runner, self.stack = Path(tempfile.mkdtemp()), asyncio.Runner(), AsyncExitStack()
        self.names, self.now = itertools.count(), NOW
        self.stores: Sequence[Store] = [self.runner.run(self._opened()) for _ in range(2)]
        self.states: list[Any] = []

    async def _opened(self) -> Store:
        return await self.stack.enter_async_context(type(self).open(self.directory / "store"))

    def teardown(self) -> None:
        """Closes the store."""
        self.runner.run(self.stack.aclose())
        self.runner.close()
        shutil.rmtree(self.directory)

    def name(self) -> str:
        """A name that is new."""
        return f"n{next(self.names)}"

    def at_once(self, calls: Sequence[Call]) -> list[Any]:
        """The answers of calls that are under way at the same time, the first through one opening, the next another."""

        async def all_of_them() -> list[Any]:
            return await asyncio.gather(*(self.call(self.stores[index % 2], *call) for index, call in enumerate(calls)))

        answers = self.runner.run(all_of_them())
        explained: list[Any] = []
        for order in itertools.permutations(range(len(calls))):
            for state in self.states:
                if (after := self._explained(state, [(calls[each], answers[each]) for each in order])) is not None:
                    explained += [after] if after not in explained else []
        assert explained, f"no order of {calls} is answered {answers} in {self.states}"
        self.states = explained
        return answers

    @staticmethod
    def _explained(state: Any, history: Sequence[tuple[Call, Any]]) -> Any:
        for (verb, arguments), answer in history:
            state, expected = state.after(verb, arguments)
            if expected != answer:
                return None
        return state

    def observe(self, seen: Any, expected: Callable[[Any], Any]) -> None:
        """Keeps the states of which what is seen is true; there must be one."""
        states = [state for state in self.states if expected(state) == seen]
        assert states, f"{seen} instead of {[expected(state) for state in self.states]}"
        self.states = states

    def call(self, store: Store, verb: str, arguments: tuple[Any, ...]) -> Awaitable[Any]:
        """The call of the store that a verb of the model stands for."""
        called: Callable[..., Awaitable[Any]] = getattr(self, f"on_{verb}")
        return called(store, *arguments)

    @precondition(lambda self: self.now < NOW + LONGEST - 601)
    @rule(seconds=WAITS)
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds
        for state in self.states:
            state.now = self.now

    @rule()
    def sweep(self) -> None:
        """Deletes what has ended."""
        self.runner.run(self.stores[0].sweep(self.now))
