"""Read by `dbt --version`."""

version = "0.1.0"
