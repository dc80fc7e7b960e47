"""`python -m dalston_gateway`: serves until SIGTERM or SIGINT."""

import sys

from pydantic import ValidationError

from dalston.observability import setup_logging
from dalston_gateway.app import create_app
from dalston_gateway.server import serve
from dalston_gateway.settings import GatewaySettings


def main() -> int:
    """Run the gateway; gives the exit status, 2 for settings that are not valid."""
    try:
        settings = GatewaySettings()
    except ValidationError as error:
        for each in error.errors():
            print(f"dalston_gateway: {each['msg']}", file=sys.stderr)
        return 2
    setup_logging("gateway")
    serve(create_app(settings), settings)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
