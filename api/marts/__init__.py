"""The published marts over HTTP: what there is, and rows in the query language of PostgREST."""
