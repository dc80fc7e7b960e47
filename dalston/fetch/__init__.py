"""The one client that fetches what users point at: no private addresses, bounded in size and time."""

from dalston.fetch.addresses import is_public
from dalston.fetch.client import Fetched, check_url, fetch_to_file
from dalston.fetch.errors import FetchError, TooLarge, UrlRefused, UrlUnreachable
from dalston.fetch.settings import FetchSettings

__all__ = [
    "FetchError",
    "FetchSettings",
    "Fetched",
    "TooLarge",
    "UrlRefused",
    "UrlUnreachable",
    "check_url",
    "fetch_to_file",
    "is_public",
]
