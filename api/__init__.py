"""Elute: the command, the embedded database, and the calls of dbt."""
