"""A ledger that replicas in one process share."""

from collections.abc import Mapping, Sequence

from mcp_server.ports.spending import LedgerUnavailable, Owner, Spent


class HeldBook:
    """What all of them have told; while it is `away` nobody is answered."""

    def __init__(self) -> None:
        self.told: dict[Owner, dict[object, Sequence[Spent]]] = {}
        self.away = False


class HeldLedger:
    """Implements Ledger for one replica."""

    def __init__(self, book: HeldBook) -> None:
        self._book, self.exchanges = book, 0

    async def exchange(self, here: Mapping[Owner, Sequence[Spent]]) -> Mapping[Owner, Sequence[Spent]]:
        """See Ledger."""
        self.exchanges += 1
        if self._book.away:
            raise LedgerUnavailable
        found = dict[Owner, Sequence[Spent]]()
        for owner, told in here.items():
            replicas = self._book.told.setdefault(owner, {})
            replicas[self] = list(told)
            found[owner] = [spent for replica, kept in replicas.items() if replica is not self for spent in kept]
        return found
