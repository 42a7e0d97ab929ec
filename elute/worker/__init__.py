"""Carrying runs out: the queue's worker, dbt kept warm for it, and what starts runs by itself."""
