"""Reads metrics as a scraper does."""

from collections.abc import Iterable, Mapping

from prometheus_client.parser import text_string_to_metric_families

from mcp_server.adapters.metrics import MeteredTally
from shared_kernel.metrics import Metrics

Labels = Mapping[str, str]


def summed(exposition: str, name: str, labels: Labels | None = None) -> float:
    """The samples of that name with those labels, among others; 0 where there is none yet."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
        if sample.name == name and (labels or {}).items() <= sample.labels.items()
    )


def tallied(tally: MeteredTally, name: str, **labels: str) -> float:
    """What a tally would export."""
    metrics = Metrics(())
    metrics.add(tally.instruments)
    return summed(metrics.exposition().decode(), name, labels)


def lookups(tally: MeteredTally, cache: str) -> tuple[float, float]:
    """The hits and the misses of a cache."""
    hits, misses = (tallied(tally, "mcp_cache_lookups_total", cache=cache, result=result) for result in ("hit", "miss"))
    return hits, misses


def growth(before: Iterable[float], after: Iterable[float]) -> list[float]:
    """By how much each value has grown."""
    return [now - then for then, now in zip(before, after, strict=True)]
