"""`auth-server`: serves, and lets the operator manage people, clients, grants, sessions and keys while it does."""
