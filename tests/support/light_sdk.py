"""What botocore knows of AWS is megabytes of JSON, which each session would read anew."""

import functools

import pytest
from botocore.loaders import JSONFileLoader


def lighten_sessions(patch: pytest.MonkeyPatch) -> None:
    """A process reads each of botocore's files once, however many sessions its tests make."""
    load = functools.cache(functools.partial(JSONFileLoader.load_file, JSONFileLoader()))
    patch.setattr(JSONFileLoader, "load_file", lambda _, path: load(path))
