"""What every request gets."""

import re
from pathlib import Path

import pytest

from tests.gateway.stack import Stack, stack

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_every_answer_has_both_request_ids(gateway: Stack) -> None:
    for path in ("/livez", "/nothing", "/v1/speech-to-text/transcripts/x"):
        headers = (await gateway.http.get(path)).headers
        assert re.fullmatch(r"[0-9a-f]{32}", headers["request-id"])
        assert headers["x-request-id"] == headers["request-id"]


async def test_a_given_request_id_is_kept_when_it_is_sane(gateway: Stack) -> None:
    kept = await gateway.http.get("/livez", headers={"x-request-id": "trace-1.2_3"})
    assert kept.headers["request-id"] == "trace-1.2_3"
    made = await gateway.http.get("/livez", headers={"x-request-id": "a b\tc"})
    assert made.headers["request-id"] != "a b\tc"


async def test_doubled_slashes_are_one(gateway: Stack) -> None:
    answer = await gateway.http.get(f"{gateway.url}//v1//engines")
    assert answer.status_code == 200


async def test_unknown_paths_are_problems(gateway: Stack) -> None:
    answer = await gateway.http.get("/v2/anything")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


async def test_web_pages_may_call_when_allowed(tmp_path: Path, nats_url: str) -> None:
    origin = "https://app.example.org"
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "xi-api-key,x-fern-language",
    }
    async with stack(tmp_path, nats_url, settings={"cors_origins": [origin]}) as gateway:
        answer = await gateway.http.options("/v1/speech-to-text", headers=asked)
        assert answer.headers["access-control-allow-origin"] == origin
        other = await gateway.http.get("/livez", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


async def test_web_pages_may_not_call_by_default(gateway: Stack) -> None:
    answer = await gateway.http.get("/livez", headers={"Origin": "https://app.example.org"})
    assert "access-control-allow-origin" not in answer.headers


async def test_reference_describes_the_forms(gateway: Stack) -> None:
    reference = (await gateway.http.get("/openapi.json")).json()
    body = reference["paths"]["/v1/speech-to-text"]["post"]["requestBody"]["content"]
    fields = body["multipart/form-data"]["schema"]["properties"]
    assert {"file", "model_id", "keyterms", "additional_formats"} <= fields.keys()
    assert "$defs" not in str(body)
    assert (await gateway.http.get("/docs")).status_code == 200
