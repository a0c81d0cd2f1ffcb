"""Who calls a world's server, what is said to them, and what must not be in it."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from structlog.testing import capture_logs

from tests.mcp_server.isolation.requests import Request, Words, words_of_ours, words_of_theirs
from tests.mcp_server.isolation.world import World
from tests.support.mcp_wire import message

WHO = ("ann", "ann", "ann", "bot", "boss", "olga", "bob", "bob", "queen", "cy")
"""Who calls, as often as they stand here."""
_BY_CHANCE = re.compile(r'\\?"(next_cursor|request_id|requestState|plan_ms|exec_ms)\\?": ?(\\?"[^"\\]+\\?"|[0-9.e-]+)')

Messages = Sequence[dict[str, Any]]
Post = Callable[[str, dict[str, Any], dict[str, str]], Awaitable[tuple[int, Mapping[str, str], Messages]]]
"""Sends somebody's JSON-RPC document with headers: the status, headers and messages that come back."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a server answered: all of it, and the part that does not depend on how long it took."""

    text: str
    timeless: str
    code: str
    """Which failure of a tool it was; `error` is one of the protocol, and `ok` none."""

    @property
    def comparable(self) -> str:
        """The text, but for random handles and measured times."""
        return _BY_CHANCE.sub(r"\1", self.timeless)


@dataclass(slots=True)
class Callers:
    """Everybody who calls the server of a world. `handles` are the last cursor (`@`) and state (`#`) each was given."""

    world: World
    post: Post
    handles: dict[str, str] = field(default_factory=dict)

    async def ask(self, who: str, request: Request) -> Said:
        """All that the server says to a request, headers included."""
        params = self.filled(request.params)
        document, headers = message(request.era, 1, request.method, params)
        meta = document["params"].setdefault("_meta", {})
        meta["progressToken"] = "watched"
        meta["io.modelcontextprotocol/logLevel"] = "debug"
        if "io.modelcontextprotocol/clientCapabilities" in meta:
            meta["io.modelcontextprotocol/clientCapabilities"] = {"elicitation": {}}
        status, all_headers, messages = await self.post(who, document, headers)
        told = {name: value for name, value in all_headers.items() if name != "content-length"}
        result = (messages[-1].get("result") if messages else None) or {}
        code = (result.get("structuredContent") or {}).get("code", "ok" if result else "error")
        given = {"@": (result.get("structuredContent") or {}).get("next_cursor"), "#": result.get("requestState")}
        self.handles |= {f"{mark}{who}": handle for mark, handle in given.items() if handle}
        timeless = [one for one in messages if one.get("method") != "notifications/progress"]
        return Said(_written(status, told, messages), _written(status, told, timeless), code)

    def filled(self, value: Any) -> Any:
        """The arguments, with handles for what stands for one: `@bob` is the last that Bob was given."""
        match value:
            case dict():
                return {name: self.filled(part) for name, part in value.items()}
            case list():
                return [self.filled(part) for part in value]
            case str() if value.startswith(("@", "#")):
                return self.handles.get(value, value)
        return value

    def leaks(self, who: str, request: Request, said: Said) -> dict[str, str]:
        """The canaries that were said to somebody who did not say them, and what they are."""
        search = self.world.kept_from[who]
        own = search.found(f"{request.method} {self.filled(request.params)}")
        return {canary: search.told[canary] for canary in search.found(said.text) - own}

    async def answered(self, who: str, request: Request) -> Said:
        """What is said to somebody, once it has been searched, and the log beside it."""
        with capture_logs() as events:
            said = await self.ask(who, request)
        assert self.leaks(who, request, said) == {}, (who, request, said.text)
        assert said.code != "internal_error", (who, request)
        values, own = self.world.values, str(self.filled(request.params))
        logged = values.found(json.dumps(events, default=repr)) - values.found(own)
        assert not logged, (who, request, events)
        return said

    def words(self, who: str, guessed_of: World) -> Words:
        """What somebody makes requests of; guesses are at one world, in whichever they are made."""
        return words_of_theirs(self.world) if who in ("bob", "queen") else words_of_ours(guessed_of)


def _written(*parts: Any) -> str:
    return json.dumps(parts, ensure_ascii=False)
