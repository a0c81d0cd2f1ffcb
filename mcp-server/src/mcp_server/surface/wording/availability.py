"""The words for what a call depends on and cannot have, and for defects."""

from typing import assert_never

from mcp_server.domain.failures import availability as facts
from mcp_server.surface.wording.words import Words

_COMPUTE_LESS = "Run the statement again; if it fails again, make it read or compute less."


def words(fact: facts.AvailabilityFact) -> Words:
    """The words of a fact."""
    match fact:
        case facts.SourceTooSlow():
            return Words(f'DynamoDB does not answer in time for schema "{fact.schema}".', "Try again in a minute.")
        case facts.SourceThrottles():
            return Words(
                f'DynamoDB throttles reads of schema "{fact.schema}".',
                "Wait a minute and run it again, or read less: filter by key, name fewer tables.",
            )
        case facts.SourceUnavailable():
            return Words(
                f'DynamoDB cannot be read for schema "{fact.schema}" at the moment.',
                "Try again later; if it lasts, the operator has to look at the endpoint and the credentials of the "
                "schema.",
            )
        case facts.RoleNotAssumed():
            return Words(
                f'The role that reads schema "{fact.schema}" cannot be assumed.',
                "The operator has to look at role_arn and external_id of the schema, and at the role's trust policy.",
            )
        case facts.SourceRefused():
            return Words(
                "DynamoDB refused a request of this server.",
                "Write the query differently, and report it to the operator with the request id.",
            )
        case facts.ResultsUnavailable():
            return Words(
                "The next page cannot be had at the moment: what keeps results between pages does not answer.",
                "Repeat the call with the same cursor in a few seconds.",
            )
        case facts.UsageNotTold():
            return Words(
                "What was read cannot be told at the moment: what keeps it does not answer.",
                "Repeat the call in a few seconds; queries work as ever.",
            )
        case facts.EvaluatorFailed():
            return Words("The process that evaluates the query failed.", _COMPUTE_LESS)
        case facts.EvaluatorLost():
            return Words("The process that evaluates the query ended unexpectedly, twice.", _COMPUTE_LESS)
        case facts.Defect():
            return Words(
                "Something went wrong on the server.",
                "Try once more; if it fails again, give the request_id to the operator.",
            )
        case _:
            assert_never(fact)
