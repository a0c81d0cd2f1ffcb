"""The composition root: the one package that knows which adapter stands behind each port, and reads the settings."""
