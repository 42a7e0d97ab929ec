"""Runs of `dbt build`, waiting, going on and ended: kept in Postgres, schema `elute`."""
