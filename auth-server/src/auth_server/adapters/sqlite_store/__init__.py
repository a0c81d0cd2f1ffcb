"""The store on one SQLite file, for one host. schema.sql documents every table."""
