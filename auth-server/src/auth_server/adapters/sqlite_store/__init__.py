"""The store on one SQLite file, for one host. migrations/ documents every table."""
