"""State machines with parallel actors find no order of verbs in which a store departs from the models."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from auth_server.ports.authorizations import Redeemed
from auth_server.ports.grants import Reused
from auth_server.ports.store import Store
from tests.auth_server.stores.backends import BACKENDS
from tests.auth_server.stores.family_machine import FamilyMachine
from tests.auth_server.stores.machine import Machine, Opening
from tests.auth_server.stores.once_machine import OnceMachine

pytestmark = pytest.mark.slow

EXAMPLES = {"sqlite": 20, "redis": 20, "dynamodb-dynoxide": 3, "dynamodb-ministack": 2}
"""By what each costs. To look for more, raise them and remove `derandomize`."""
SETTINGS = settings(stateful_step_count=25, derandomize=True, deadline=None, suppress_health_check=[*HealthCheck])
MACHINES = (FamilyMachine, OnceMachine)


def run(machine: type[Machine], opening: Opening, how: settings) -> None:
    """Runs a machine on stores that are opened so."""
    run_state_machine_as_test(type(machine.__name__, (machine,), {"open": staticmethod(opening)}), settings=how)


@pytest.mark.parametrize("machine", MACHINES)
def test_whatever_several_do_at_once_has_an_order(machine: type[Machine], backend: str) -> None:
    run(machine, BACKENDS[backend], settings(SETTINGS, max_examples=EXAMPLES[backend]))


class Forgetful:
    """A store with a planted bug: the second of two redemptions of a code is told that it has it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def redeem(self, *arguments: Any) -> Any:
        """See CodeStore."""
        answer = await self._store.redeem(*arguments)
        return Redeemed() if answer == Reused() else answer


@asynccontextmanager
async def forgetful(path: Path) -> AsyncIterator[Any]:
    """An embedded store that is forgetful."""
    async with BACKENDS["sqlite"](path) as store:
        yield Forgetful(store)


def test_a_store_that_gives_a_code_twice_is_found_out() -> None:
    """So is every departure from the model: this one stands for all."""
    with pytest.raises(AssertionError, match="no order of"):
        run(FamilyMachine, forgetful, settings(SETTINGS, phases=[Phase.generate], max_examples=50))
