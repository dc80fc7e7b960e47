"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ServerUrl = Annotated[
    str,
    typer.Option("--server", envvar="DALSTON_SERVER", help="Address of the gateway."),
]
SERVER_URL = "http://127.0.0.1:8000"

ApiKey = Annotated[
    str | None,
    typer.Option(
        "--api-key", envvar="DALSTON_API_KEY", show_envvar=True, help="Key, where one is asked for."
    ),
]

StateDir = Annotated[
    Path,
    typer.Option(
        "--state-dir", envvar="DALSTON_STATE_DIR", help="Folder that `dalston up` keeps all in."
    ),
]
STATE_DIR = Path(".dalston")

Kubeconfig = Annotated[
    Path | None,
    typer.Option(
        "--kubeconfig",
        help="Cluster to administer; that of `dalston up` here, else the usual kubeconfig.",
    ),
]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
