"""HTTP: the guard, protected-resource metadata, health."""
