"""The database: which server, sessions on it, and Elute's own schema."""
