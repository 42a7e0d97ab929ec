"""The HTTP face of Elute: a thin Flask app over what dbt built and PostgreSQL keeps."""
