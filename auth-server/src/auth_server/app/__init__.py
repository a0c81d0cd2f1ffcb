"""The composition root: the one place that knows which adapter stands behind each port, and reads the settings."""
