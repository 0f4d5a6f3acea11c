"""User and password inside an address: where they end, and whether every driver would find the same end."""

import re

RAW = re.compile(r"[/#?@\\\s]")
"""What ends a password, or the whole address, for one driver or another, which then repeats the rest of it as a host or a port."""


def credentials_of(address: str) -> str:
    """All that stands before the last `@`; nothing in the address of a file."""
    _, separator, rest = address.partition("://")
    rest = rest if separator else address
    return "" if rest.startswith("/") else rest.rpartition("@")[0]


def is_ambiguous(address: str) -> bool:
    """Whether user and password hold a character that has to be percent-encoded there."""
    credentials = credentials_of(address)
    return ":" in credentials and RAW.search(credentials) is not None


def is_bucket_with_credentials(address: str) -> bool:
    """Whether it is a bucket's address with an `@`: no store takes credentials from there."""
    return address.startswith(("s3://", "gs://")) and "@" in address
