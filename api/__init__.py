"""Elute: the command, and the calls of dbt."""
