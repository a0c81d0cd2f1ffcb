"""The store on one Redis, for many machines. docs/storage.md documents every key, lua/ holds a script per verb."""
