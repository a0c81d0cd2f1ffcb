"""Credentials of roles in other accounts: STS lends them for an hour, and they are asked for again before it is over.

Which credentials ask, and where STS is, is botocore's own matter (`AWS_ENDPOINT_URL_STS`). The first request that needs
a role asks for it, so a role that cannot be assumed takes nothing from other schemas. botocore asks again from 15
minutes before the end, goes on with what it has if that fails, and lets requests wait for it in the last 10.
"""

from typing import Any

from aiobotocore.credentials import AioDeferredRefreshableCredentials

from mcp_server.domain.schema import Role

OPERATION = "AssumeRole"
"""What fails when a role cannot be assumed."""

SESSION_NAME = "dynamosql-mcp-server"
"""Under which CloudTrail shows our requests in the role's account."""


class Lent:
    """botocore's component `credential_provider` of a session that reads as a role.

    `sts` is a long-lived client that lends the role's credentials.
    """

    def __init__(self, role: Role, sts: Any) -> None:
        self._role, self._sts = role, sts

    async def load_credentials(self) -> Any:
        """The role's credentials, which are lent once they are needed."""
        return AioDeferredRefreshableCredentials(refresh_using=self._lent, method="sts-assume-role")

    async def _lent(self) -> dict[str, str]:
        role = self._role
        condition = {"ExternalId": role.external_id} if role.external_id is not None else {}
        answer = await self._sts.assume_role(RoleArn=role.arn, RoleSessionName=SESSION_NAME, **condition)
        found = answer["Credentials"]
        return {
            "access_key": found["AccessKeyId"],
            "secret_key": found["SecretAccessKey"],
            "token": found["SessionToken"],
            "expiry_time": found["Expiration"].isoformat(),
        }
