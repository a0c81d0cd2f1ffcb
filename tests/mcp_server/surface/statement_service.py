"""run_sql and explain_sql over the engine, with doubles of its ports and a relational engine of the test's choice."""

from dataclasses import dataclass
from typing import Any

import anyio

from mcp_server.adapters.single_use import SingleUseInMemory
from mcp_server.ports.relational import RelationalEngine
from mcp_server.surface.offer import Offer
from mcp_server.surface.tools.confirmation import Confirmations
from mcp_server.surface.tools.explain_sql import explain_sql
from mcp_server.surface.tools.run_sql import run_sql
from shared_kernel.entropy import SystemEntropy
from tests.mcp_server.doubles.catalog import HeldCatalog
from tests.mcp_server.doubles.items import HeldItems
from tests.mcp_server.doubles.planning import InProcessPlanning
from tests.mcp_server.doubles.stores import TablesInMemory
from tests.mcp_server.engine.conftest import ANN, Ports, Service, schemas_at
from tests.mcp_server.surface.exchanges import Answer, Exchanges
from tests.support.clock import SettableClock
from tests.support.mcp_wire import MODERN, Era, message


@dataclass(frozen=True, slots=True)
class Statements:
    """The tools, called message by message."""

    exchanges: Exchanges
    service: Service

    async def call(
        self,
        sql: str,
        *,
        tool: str = "run_sql",
        era: Era = MODERN,
        answer: Answer | None = None,
        gone: anyio.Event | None = None,
        capabilities: dict[str, Any] | None = None,
        meta: dict[str, Any] | None = None,
        **arguments: Any,
    ) -> dict[str, Any]:
        """The result of a call; an empty one where the client left."""
        document, headers = message(era, 1, "tools/call", {"name": tool, "arguments": {"sql": sql, **arguments}})
        if capabilities is not None:
            document["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities
        if meta:
            document["params"]["_meta"].update(meta)
        replied = await self.exchanges.post(document, headers, principal=ANN, answer=answer, gone=gone)
        result: dict[str, Any] = replied.messages[-1].get("result", {}) if replied.messages else {}
        return result


async def statements_over(relational: RelationalEngine, **limits: Any) -> Statements:
    """The tools over `shop.big`, which has 30 items of 0.5 read units together."""
    clock, tables = SettableClock(), TablesInMemory()
    ports = Ports(tables, HeldCatalog(tables.held, clock), HeldItems(tables.held), relational, InProcessPlanning())
    service = Service(ports, clock, schemas_at("eu-central-1", None))
    await service.create("big", [{"pk": {"S": str(number)}, "n": {"N": str(number)}} for number in range(30)])
    await service.sample("big")
    confirmations = Confirmations(SingleUseInMemory(clock), SystemEntropy(), lifetime_seconds=600)
    queries = service.queries(**limits)
    return Statements(Exchanges(Offer(tools=(run_sql(queries, confirmations), explain_sql(queries)))), service)
