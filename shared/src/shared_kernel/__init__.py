"""What both services must agree on. A module is admitted only while both services use it."""
