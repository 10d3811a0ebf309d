"""A mandate's login policy: each part, for each way in; and that it binds the very next request."""

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
import pytest

from modules.mandates.login_policy import LoginPolicy, Wanted, parse_login_policy
from modules.shared.context import Login
from modules.shared.ids import SessionId, TokenId, new_id
from tests.mandates.conftest import House
from tests.mandates.test_members_http import rule
from tests.support.api_keys import make_key

OWN = "ada@corp.example"
TENANT = "11111111-2222-3333-4444-555555555555"
OTHER_TENANT = "99999999-2222-3333-4444-555555555555"
NOW = datetime(2026, 5, 1, tzinfo=UTC)
WAYS = ("local", "magic_link", "google", "microsoft", "oidc:corp", "api_key")


def login(
    authority: str = "local", *amr: str, age: int = 0, tenant: str | None = None, proven_email: str | None = None
) -> Login:
    since = NOW - timedelta(minutes=age)
    return Login(SessionId(new_id()), TokenId(new_id()), authority, amr or ("pwd",), since, tenant, proven_email)


def unmet(policy: dict[str, Any], signed_in: Login, own_address: str = OWN) -> Wanted | None:
    return LoginPolicy.model_validate(policy).unmet(signed_in, own_address, NOW)


class TestAuthorities:
    @pytest.mark.parametrize("authority", WAYS)
    def test_admit_the_named_way_only(self, authority: str) -> None:
        others = tuple(sorted(set(WAYS) - {authority}))
        assert unmet({"authorities": [authority]}, login(authority)) is None
        assert unmet({"authorities": others}, login(authority)) == ("authorities", others)

    @pytest.mark.parametrize("authority", WAYS)
    def test_admit_every_way_when_none_is_named(self, authority: str) -> None:
        assert unmet({}, login(authority)) is None

    def test_name_one_issuer_of_many(self) -> None:
        assert unmet({"authorities": ["oidc:corp"]}, login("oidc:evil")) == ("authorities", ("oidc:corp",))


class TestMicrosoftTenants:
    POLICY: ClassVar[dict[str, Any]] = {"microsoft_tenants": [TENANT.upper()]}

    def test_admit_a_directory_that_is_named(self) -> None:
        assert unmet(self.POLICY, login("microsoft", tenant=TENANT)) is None

    @pytest.mark.parametrize("tenant", [OTHER_TENANT, None])
    def test_refuse_other_directories_also_when_microsoft_is_named(self, tenant: str | None) -> None:
        wanted = ("microsoft_tenants", (TENANT,))
        assert unmet(self.POLICY, login("microsoft", tenant=tenant)) == wanted
        assert unmet({**self.POLICY, "authorities": ["microsoft"]}, login("microsoft", tenant=tenant)) == wanted

    @pytest.mark.parametrize("authority", [way for way in WAYS if way != "microsoft"])
    def test_refuse_other_ways_unless_named(self, authority: str) -> None:
        assert unmet(self.POLICY, login(authority)) == ("microsoft_tenants", (TENANT,))
        assert unmet({**self.POLICY, "authorities": [authority]}, login(authority)) is None

    def test_judge_an_api_key_by_the_sign_in_that_made_it(self) -> None:
        policy = {**self.POLICY, "authorities": ["microsoft", "api_key"]}
        assert unmet(policy, login("api_key", tenant=TENANT)) is None
        assert unmet(policy, login("api_key", tenant=OTHER_TENANT)) == ("microsoft_tenants", (TENANT,))
        assert unmet(self.POLICY, login("api_key", tenant=TENANT)) is None


class TestEmailDomains:
    POLICY: ClassVar[dict[str, Any]] = {"email_domains": ["corp.example"]}

    @pytest.mark.parametrize("authority", ["local", "magic_link"])
    def test_judge_our_own_ways_in_by_the_accounts_address(self, authority: str) -> None:
        assert unmet(self.POLICY, login(authority)) is None
        assert unmet(self.POLICY, login(authority), "ada@home.example") == ("email_domains", ("corp.example",))

    @pytest.mark.parametrize("authority", ["local", "magic_link"])
    def test_forget_an_address_the_account_has_left(self, authority: str) -> None:
        assert unmet(self.POLICY, login(authority, proven_email=OWN), "ada@home.example") is not None

    @pytest.mark.parametrize("authority", ["google", "microsoft", "oidc:corp", "api_key"])
    def test_judge_others_by_what_the_token_proved_and_never_by_the_accounts_address(self, authority: str) -> None:
        assert unmet(self.POLICY, login(authority, proven_email="x@corp.example"), "ada@home.example") is None
        assert unmet(self.POLICY, login(authority, proven_email="x@home.example"), OWN) is not None
        assert unmet(self.POLICY, login(authority), OWN) is not None

    @pytest.mark.parametrize(
        "address",
        [
            "a@corp.example.evil.test",
            "a@sub.corp.example",
            "a@evilcorp.example",
            "a@corp.exampl",
            "corp.example@evil.test",
        ],
    )
    def test_are_compared_whole(self, address: str) -> None:
        assert unmet(self.POLICY, login("google", proven_email=address)) is not None

    def test_have_one_spelling(self) -> None:
        policy = LoginPolicy.model_validate({"email_domains": ["Bücher.Example", "CORP.example"]})
        assert policy.email_domains == frozenset({"xn--bcher-kva.example", "corp.example"})

    def test_keep_look_alikes_apart(self) -> None:
        cyrillic = LoginPolicy.model_validate({"email_domains": ["c\u043erp.example", "fa\u00df.example"]})
        assert unmet(cyrillic.model_dump(), login("google", proven_email="a@corp.example")) is not None
        assert unmet(cyrillic.model_dump(), login("google", proven_email="a@fass.example")) is not None

    @pytest.mark.parametrize(
        "domain", ["localhost", "127.0.0.1", "a@corp.example", "-x.example", "x..example", "é" * 80]
    )
    def test_refuse_what_is_no_domain(self, domain: str) -> None:
        with pytest.raises(ValidationError):
            LoginPolicy.model_validate({"email_domains": [domain]})


class TestSecondFactor:
    @pytest.mark.parametrize("authority", WAYS)
    def test_is_wanted_of_every_way_in(self, authority: str) -> None:
        assert unmet({"second_factor": True}, login(authority, "pwd")) == ("mfa", ())
        assert unmet({"second_factor": True}, login(authority, "pwd", "otp", "mfa")) is None


class TestMaximumSessionAge:
    @pytest.mark.parametrize("authority", WAYS)
    def test_counts_from_the_sign_in(self, authority: str) -> None:
        assert unmet({"maximum_session_age": 60}, login(authority, age=60)) is None
        wanted = ("recent", ()) if authority == "local" else ("sign_in", (authority,))
        assert unmet({"maximum_session_age": 60}, login(authority, age=61)) == wanted

    @pytest.mark.parametrize("authority", WAYS)
    def test_counts_from_the_authoritys_word_whatever_was_confirmed_since(self, authority: str) -> None:
        confirmed = login(authority, age=1)._replace(proven_at=NOW - timedelta(minutes=61))
        assert unmet({"maximum_session_age": 60}, confirmed) is not None
        assert unmet({"maximum_session_age": 61}, confirmed) is None


class TestThePartsTogether:
    def test_name_who_vouches_before_what_a_step_up_can_mend(self) -> None:
        policy = {"authorities": ["google"], "second_factor": True, "maximum_session_age": 1}
        assert unmet(policy, login("local", age=5)) == ("authorities", ("google",))
        assert unmet(policy, login("google", age=5)) == ("sign_in", ("google",))
        assert unmet(policy, login("google", "fed", age=1)) == ("mfa", ())
        assert unmet({**policy, "authorities": ["local"]}, login("local", age=5)) == ("mfa", ())
        assert unmet({**policy, "authorities": ["local"]}, login("local", "pwd", "mfa", age=5)) == ("recent", ())


_LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
_POLICIES = st.builds(
    LoginPolicy,
    authorities=st.none() | st.frozensets(st.sampled_from(WAYS), min_size=1),
    microsoft_tenants=st.none() | st.frozensets(st.uuids().map(str), min_size=1, max_size=5),
    email_domains=st.none() | st.frozensets(st.builds("{}.example".format, _LABEL), min_size=1, max_size=5),
    second_factor=st.booleans(),
    maximum_session_age=st.none() | st.integers(1, 60 * 24 * 365),
)


class TestTheStoredForm:
    @given(_POLICIES)
    def test_reads_back_as_the_same_policy(self, policy: LoginPolicy) -> None:
        assert parse_login_policy(policy.model_dump_json(exclude_defaults=True)) == policy
        assert LoginPolicy.model_validate(policy.model_dump(mode="json")) == policy


async def signed_in_by(house: House, authority: str, *, tenant: str | None = None, proven: str | None = None) -> None:
    """The administrator's and the member's sessions were opened this way."""
    await house.gateway.sql(
        "UPDATE sessions SET authority = :authority, tenant = :tenant, proven_email = :proven"
        " WHERE user_id IN (:administrator, :member)",
        authority=authority,
        tenant=tenant,
        proven=proven,
        administrator=house.administrator.id,
        member=house.member.id,
    )


class TestTheNextRequest:
    @pytest.mark.parametrize(
        ("policy", "wanted", "accepted"),
        [
            ({"authorities": ["google"]}, "authorities", ["google"]),
            ({"microsoft_tenants": [TENANT]}, "microsoft_tenants", [TENANT]),
            ({"email_domains": ["corp.example"]}, "email_domains", ["corp.example"]),
            ({"second_factor": True}, "mfa", []),
            ({"maximum_session_age": 1}, "recent", []),
        ],
    )
    async def test_is_refused_under_a_policy_it_does_not_meet(
        self, house: House, policy: dict[str, Any], wanted: str, accepted: list[str]
    ) -> None:
        assert (await house.call(house.member, "GET", "/mandate")).status_code == 200
        await house.gateway.sql(
            "UPDATE sessions SET authenticated_at = authenticated_at - interval '2 minutes' WHERE user_id = :user",
            user=house.member.id,
        )
        await signed_in_as_the_policy_asks(house, policy)
        saved = await house.call(house.administrator, "PATCH", "/mandate", json={"login_policy": policy})
        assert saved.status_code == 200, saved.text
        refused = await house.call(house.member, "GET", "/mandate")
        assert (refused.status_code, refused.json()["code"]) == (403, "login_method_not_allowed")
        assert (refused.json()["wanted"], refused.json()["accepted"]) == (wanted, accepted)

    async def test_tells_in_the_readers_language_what_to_do(self, house: House) -> None:
        await house.gateway.sql(
            """UPDATE mandates SET login_policy = '{"authorities": ["google", "oidc:corp"]}' WHERE id = :id""",
            id=house.mandate,
        )
        for language, detail in (
            ("en", "Sign in by one of these ways: google, oidc:corp."),
            ("de", "Bitte auf einem dieser Wege anmelden: google, oidc:corp."),
        ):
            answer = await house.call(house.member, "GET", "/mandate", headers={"Accept-Language": language})
            assert answer.json()["detail"] == detail

    async def test_is_met_by_what_the_providers_token_proved(self, house: House) -> None:
        await house.gateway.sql(
            """UPDATE mandates SET login_policy = '{"email_domains": ["corp.example"]}' WHERE id = :id""",
            id=house.mandate,
        )
        await signed_in_by(house, "google", proven="somebody@corp.example")
        assert (await house.call(house.member, "GET", "/mandate")).status_code == 200


async def signed_in_as_the_policy_asks(house: House, policy: dict[str, Any]) -> None:
    proof = {
        "authority": next(iter(policy.get("authorities", ["microsoft"]))),
        "tenant": next(iter(policy.get("microsoft_tenants", [None]))),
        "proven": next((f"ada@{domain}" for domain in policy.get("email_domains", [])), None),
        "amr": ["pwd", "mfa"] if policy.get("second_factor") else ["pwd"],
    }
    await house.gateway.sql(
        "UPDATE sessions SET authority = :authority, tenant = :tenant, proven_email = :proven, amr = :amr"
        " WHERE user_id = :user",
        user=house.administrator.id,
        **proof,
    )


class TestWhoeverSavesAPolicy:
    @pytest.mark.parametrize("policy", [{"microsoft_tenants": [TENANT]}, {"email_domains": ["corp.example"]}])
    async def test_is_not_locked_out_by_the_parts_that_judge_the_identity(
        self, house: House, policy: dict[str, Any]
    ) -> None:
        await signed_in_by(house, "microsoft", tenant=OTHER_TENANT)
        refused = await house.call(house.administrator, "PATCH", "/mandate", json={"login_policy": policy})
        assert (refused.status_code, refused.json()["code"]) == (409, "login_policy_locks_you_out")
        await signed_in_by(house, "microsoft", tenant=TENANT, proven="ada@corp.example")
        saved = await house.call(house.administrator, "PATCH", "/mandate", json={"login_policy": policy})
        assert saved.status_code == 200, saved.text

    async def test_counts_what_the_administrators_sign_ins_proved(self, house: House) -> None:
        settler = await house.person_with(rule("mandate", update="all"))
        policy = {"microsoft_tenants": [TENANT], "email_domains": ["corp.example"]}
        proof = {"tenant": TENANT, "proven": "x@corp.example"}
        await house.gateway.sql(
            "UPDATE sessions SET authority = 'microsoft', tenant = :tenant, proven_email = :proven"
            " WHERE user_id = :user",
            user=settler.id,
            **proof,
        )
        refused = await house.call(settler, "PATCH", "/mandate", json={"login_policy": policy})
        assert (refused.status_code, refused.json()["code"]) == (409, "login_policy_locks_all_out")
        await signed_in_by(house, "microsoft", **proof)
        assert (await house.call(settler, "PATCH", "/mandate", json={"login_policy": policy})).status_code == 200

    async def test_is_no_way_in_for_a_person_when_it_is_an_api_key(self, house: House) -> None:
        """The administrator's key would meet it, and no session of theirs."""
        key = await make_key(house.gateway, house.administrator, "mandate:update", "mandate:read")
        async with key.client(house.mandate) as client:
            refused = await client.patch("/api/v1/mandate", json={"login_policy": {"authorities": ["api_key"]}})
            assert (refused.status_code, refused.json()["code"]) == (409, "login_policy_locks_all_out"), refused.text
            both = {"authorities": ["api_key", "local"]}
            assert (await client.patch("/api/v1/mandate", json={"login_policy": both})).status_code == 200
