"""`elute serve`: web app, worker and database, started, watched over and stopped together."""
