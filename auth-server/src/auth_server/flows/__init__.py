"""Load, decide, commit. Async; knows neither HTTP nor a store driver."""
