"""Settings that would open the gateway to strangers."""

import pytest
from dalston_gateway.settings import GatewaySettings
from pydantic import ValidationError


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.9.1"])
def test_auth_is_off_by_default_on_loopback(host: str) -> None:
    assert not GatewaySettings(host=host).auth_required


@pytest.mark.parametrize("host", ["0.0.0.0", "10.1.2.3", "::", "example.org"])
def test_auth_is_on_by_default_elsewhere(host: str) -> None:
    assert GatewaySettings(host=host).auth_required


def test_auth_cannot_be_off_elsewhere() -> None:
    with pytest.raises(ValidationError, match="auth cannot be off"):
        GatewaySettings(host="0.0.0.0", auth=False)


def test_auth_can_be_on_for_loopback() -> None:
    assert GatewaySettings(auth=True).auth_required
