"""The pages: a browser fills them from the HTTP API."""
