"""Set-up scripts; `fetch_data` also tells the tests where packaged data lies."""
