"""Names and addresses of hosts."""

import ipaddress


def is_address(host: str) -> bool:
    """Whether this is an IP address, and not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach that address."""
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)
