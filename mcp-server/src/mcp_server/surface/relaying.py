"""What a replica does with the messages of others."""

from mcp_server.ports.relay import Kind, Relay, Relayed
from mcp_server.surface.back_channel import BackChannel
from mcp_server.surface.log_levels import LogLevels
from mcp_server.surface.subscriptions import Subscriptions


async def keep_hearing(
    relay: Relay, back_channel: BackChannel, log_levels: LogLevels, subscriptions: Subscriptions
) -> None:
    """Hands every relayed message on to what it concerns, until it is cancelled itself."""
    heard = {
        Kind.CANCELLATION: back_channel.hear_cancellation,
        Kind.RESPONSE: back_channel.hear_answer,
        Kind.LOG_LEVEL: log_levels.hear,
        Kind.SCOPES: subscriptions.hear,
    }

    def hear(message: Relayed) -> None:
        heard[message.kind](message)

    await relay.keep_hearing(hear, log_levels.catch_up)
