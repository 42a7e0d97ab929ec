"""The HTTP API: a thin Flask app."""
