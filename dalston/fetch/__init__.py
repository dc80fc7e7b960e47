"""The one client that fetches what users point at: no private addresses, bounded in size and time.

Its functions are in `dalston.fetch.client`: workers that are given no URL never load the HTTP client.
"""

from dalston.fetch.errors import FetchError, TooLarge, UrlRefused, UrlUnreachable
from dalston.fetch.settings import FetchSettings

__all__ = ["FetchError", "FetchSettings", "TooLarge", "UrlRefused", "UrlUnreachable"]
