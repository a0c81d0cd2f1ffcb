"""MiniStack, made quick where the demo data is slow. Runs in `.venv-emulator`.

MiniStack copies every item with `copy.deepcopy` and writes it with `json.dump`, both of which run in pure Python: 11 s
for the demo data. This writes the same state in the same format with the C encoder, in about 1 s. If it cannot,
MiniStack saves in its own way. For every page of a scan, MiniStack parses the filter's text per item, computes the size
of the same numbers again, and searches the whole table for the start key; this caches the two, and bisects.
"""
# ruff: noqa: SLF001  # the lock pins MiniStack

import bisect
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ministack import app
from ministack.core import persistence
from ministack.services import dynamodb


class _Uncopied:
    """Stands in for the module `copy` while the state is collected: no request can change it any more."""

    @staticmethod
    def deepcopy(value: Any) -> Any:
        return value


def main() -> None:
    """Serves DynamoDB until SIGTERM, then saves its tables."""
    persistence.save_state = _quick_save(persistence.save_state)
    dynamodb.get_state = _uncopied(dynamodb.get_state)
    quicken_scans()
    app.main()


def quicken_scans() -> None:
    """Gives the same pages in less time."""
    tokens = functools.lru_cache(1024)(dynamodb._tokenize)
    dynamodb._tokenize = lambda expression: list(tokens(expression))
    dynamodb._condition_syntax_error = functools.lru_cache(1024)(dynamodb._condition_syntax_error)
    dynamodb._number_size_bytes = functools.lru_cache(100_000)(dynamodb._number_size_bytes)
    dynamodb._apply_exclusive_start_key_scan = _after


def _after(items: list[Any], start: dict[str, Any], table: dict[str, Any]) -> list[Any]:
    """The items behind the start key; MiniStack has sorted them by exactly this key."""
    names = [name for name in (table["pk_name"], table["sk_name"]) if name]

    def key(item: dict[str, Any]) -> list[Any]:
        return [dynamodb._extract_key_val(item.get(name, {})) for name in names]

    return items[bisect.bisect_right(items, key(start), key=key) :]


def _quick_save(save: Callable[[str, Any], None]) -> Callable[[str, Any], None]:
    def save_state(service: str, state: Any) -> None:
        version = persistence.SERVICE_STATE_FORMAT_VERSIONS.get(service, persistence.STATE_FORMAT_VERSION)
        path = Path(persistence.STATE_DIR, f"{service}.json")
        unfinished = path.with_suffix(".unfinished")
        try:
            document = {"__ministack_format__": version, "payload": state}
            text = json.dumps(document, default=persistence._json_default)
            unfinished.write_text(text, "utf-8")
            unfinished.replace(path)
        except Exception:  # whatever it is, MiniStack reports it
            save(service, state)

    return save_state


def _uncopied(get_state: Callable[[], Any]) -> Callable[[], Any]:
    def collected() -> Any:
        copying = dynamodb.copy
        dynamodb.copy = _Uncopied
        try:
            return get_state()
        finally:
            dynamodb.copy = copying

    return collected


if __name__ == "__main__":
    main()
