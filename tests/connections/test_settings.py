"""What `[connections.<name>]` may say, and which client it makes."""

from collections.abc import Mapping

import pytest

from gateway.feature_wiring.connections import _providers
from gateway.settings import Settings
from modules.auth.identity_providers.data_access import DataClientSettings, for_data
from modules.shared.settings import SettingsError

SCOPES = "openid offline_access files"
GOOGLE = {"google.client_id": "ours", "google.client_secret": "secret"}
PEER = {"oidc.peer.issuer": "https://login.example.org", "oidc.peer.client_id": "ours"}


def load(**chosen: str) -> Settings:
    return Settings.load(None, environment={}, overrides=chosen)


class TestTheSection:
    @pytest.mark.parametrize(
        ("chosen", "problem"),
        [
            ({"connections.google.scopes": SCOPES}, "[connections.google] client_id is missing, here and in [google]"),
            ({"connections.peer.scopes": SCOPES}, "[connections.peer] is neither google nor microsoft"),
            ({"connections.google.scopes": "files", **GOOGLE}, "openid must be among the scopes"),
            ({"connections.google.client_id": "x", **GOOGLE}, "[connections.google] scopes"),
            (
                {"connections.google.scopes": SCOPES, "connections.google.client_secret": "x", **GOOGLE},
                "client_id is missing",
            ),
        ],
    )
    def test_stops_the_start_when_it_cannot_be_meant(self, chosen: Mapping[str, str], problem: str) -> None:
        with pytest.raises(SettingsError) as refused:
            load(**chosen)
        assert problem in str(refused.value)

    def test_takes_the_client_that_signs_people_in(self) -> None:
        settings = load(**{"connections.google.scopes": SCOPES, "connections.peer.scopes": SCOPES}, **GOOGLE, **PEER)
        clients = {
            name: for_data(provider, DataClientSettings(SCOPES, "", "")).client
            for name, provider in _providers(settings)
        }
        assert {name: (each.client_id, each.scopes) for name, each in clients.items()} == {
            "google": ("ours", SCOPES),
            "peer": ("ours", SCOPES),
        }
        assert clients["google"].client_secret == "secret"

    def test_or_a_client_of_its_own_without_the_others_secret(self) -> None:
        settings = load(**{"connections.google.scopes": SCOPES, "connections.google.client_id": "own"}, **GOOGLE)
        ((_, provider),) = _providers(settings)
        client = for_data(provider, DataClientSettings(SCOPES, "own", "")).client
        assert (client.client_id, client.client_secret, client.token_auth) == ("own", "", "none")
