"""The published keys, as another service uses them: with a library that is not ours."""

from pathlib import Path

from joserfc import jwk, jwt
import pytest

from modules.auth.service.key_rotation import KeyRotation
from tests.auth.test_key_rotation import let_time_pass, states
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.postgres import DatabaseUrls

JWKS = "/.well-known/jwks.json"


async def published(gateway: RunningGateway) -> jwk.KeySet:
    async with gateway.client() as client:
        answer = await client.get(JWKS)
    assert answer.headers["cache-control"] == "public, max-age=60"
    return jwk.KeySet.import_key_set(answer.json())


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
class TestPublishedKeys:
    async def test_verify_a_token(self, database_urls: DatabaseUrls, tmp_path: Path, algorithm: str) -> None:
        async with running_gateway(database_urls, tmp_path, auth__algorithm=algorithm) as gateway:
            ada = await gateway.person()
            token = jwt.decode(ada.token, await published(gateway), algorithms=[algorithm])
            assert token.header["typ"] == "at+jwt"
            assert token.claims["sub"] == str(ada.id)
            assert token.claims["sid"] == str(ada.session_id)

    async def test_hold_nothing_private(self, database_urls: DatabaseUrls, tmp_path: Path, algorithm: str) -> None:
        async with running_gateway(database_urls, tmp_path, auth__algorithm=algorithm) as gateway:
            async with gateway.client() as client:
                (key,) = (await client.get(JWKS)).json()["keys"]
            assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & key.keys()
            assert (key["use"], key["alg"]) == ("sig", algorithm)

    async def test_are_those_that_sign_did_and_will(
        self, database_urls: DatabaseUrls, tmp_path: Path, algorithm: str
    ) -> None:
        async with running_gateway(database_urls, tmp_path, auth__algorithm=algorithm) as gateway:
            ada, rotation = await gateway.person(), gateway.services.get(KeyRotation)
            await rotation.rotate(None)
            assert await states(gateway) == ["signing", "next"]
            early = await published(gateway)
            await let_time_pass(gateway, "2 minutes")
            await rotation.advance()
            assert await states(gateway) == ["verify", "signing"]
            async with gateway.client(ada) as client:  # the process learns of the new keys by a request
                assert (await client.get("/api/v1/users/me")).status_code == 200
            bob = await gateway.person()
            for person, keys in ((ada, early), (bob, early), (ada, await published(gateway))):
                assert jwt.decode(person.token, keys, algorithms=[algorithm]).claims["sub"] == str(person.id)


async def test_nothing_is_published_while_the_secret_is_shared(gateway: RunningGateway) -> None:
    async with gateway.client() as client:
        assert (await client.get(JWKS)).json() == {"keys": []}
