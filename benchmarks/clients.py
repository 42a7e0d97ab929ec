"""A plain load generator, for machines without wrk: clients that ask one thing after another."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit


def hammer(url: str, clients: int, seconds: int) -> dict[str, float]:
    """Ask for one address by that many clients for so long.

    Returns:
        requests_per_second, and p50 and p99 in milliseconds.

    Raises:
        RuntimeError: an answer is not 200.
    """
    latencies = asyncio.run(_hammer(url, clients, seconds))
    latencies.sort()
    return {
        "requests_per_second": len(latencies) / seconds,
        "p50": latencies[len(latencies) // 2] * 1000,
        "p99": latencies[len(latencies) * 99 // 100] * 1000,
    }


async def _hammer(url: str, clients: int, seconds: int) -> list[float]:
    end = time.perf_counter() + seconds
    found = await asyncio.gather(*(_client(url, end) for _ in range(clients)))
    return [latency for latencies in found for latency in latencies]


async def _client(url: str, end: float) -> list[float]:
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}"
    request = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    latencies = []
    while (start := time.perf_counter()) < end:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{url} answers {head!r}")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r")[0]
        await reader.readexactly(int(length))
        latencies.append(time.perf_counter() - start)
    writer.close()
    return latencies
