"""Bodies that cannot be: refused as what they are, naming the member, and nothing is written."""

from collections.abc import Iterator
import json

import pytest

from tests.conscience.bad_requests import HUGE, JSON, LONG, NESTED, Try, faults, good_body
from tests.conscience.operations import Operation
from tests.conscience.world import World

NO_JSON = [b"", b"{", b"nonsense", b"\xff\xfe\x00", b'{"a": 1,}', NESTED.encode(), b'{"a":' * 30_000, b"{'a': 1}"]
NO_OBJECTS = [b"null", b"[]", b'"x"', b"1", b"true"]
NO_VALUES = {
    "NUL": '"a\\u0000b"',
    "half of a surrogate pair": '"\\ud800"',
    "a long text": json.dumps(LONG),
    "a huge number": HUGE,
    "an infinite number": "1e999",
    "no number": "NaN",
    "deep nesting": NESTED + "]" * len(NESTED),
    "an object of nothing known": '{"\\u0000": {"\\udfff": 1}}',
}
NO_ADDRESSES = [
    "",
    "x",
    "@",
    "a@",
    "@b",
    "a b@example.org",
    "a@b@c",
    f"{'a' * 250}@example.org",
    "a@-.-",
]
MEDIA_TYPES = ["", "text/plain", "application/xml", "multipart/form-data; boundary=x", "application/jsonp", "\x7f"]


def with_json(walked: list[Operation]) -> list[Operation]:
    return [each for each in walked if each.takes_json]


class TestJson:
    async def test_that_cannot_be_read_is_refused(self, here: World, walked: list[Operation]) -> None:
        tries = (Try(each, repr(body[:20]), body, JSON) for each in with_json(walked) for body in NO_JSON)
        assert await faults(here, tries, {400, 422}) == {}

    async def test_that_is_no_object_is_refused(self, here: World, walked: list[Operation]) -> None:
        tries = (Try(each, repr(body), body, JSON) for each in with_json(walked) for body in NO_OBJECTS)
        assert await faults(here, tries, {400, 422}) == {}

    async def test_with_a_member_nobody_knows_is_refused_by_its_name(
        self, here: World, walked: list[Operation]
    ) -> None:
        def tries() -> Iterator[Try]:
            for operation in with_json(walked):
                body = json.dumps({**good_body(here, operation), "surprise": 1}).encode()
                yield Try(operation, "surprise", body, JSON, names="/surprise")

        assert await faults(here, tries(), {422}) == {}

    async def test_without_a_member_that_is_needed_is_refused_by_its_name(
        self, here: World, walked: list[Operation]
    ) -> None:
        def tries() -> Iterator[Try]:
            for operation in with_json(walked):
                for name in operation.required_members():
                    body = {key: value for key, value in good_body(here, operation).items() if key != name}
                    yield Try(operation, name, json.dumps(body).encode(), JSON, names=f"/{name}")

        assert await faults(here, tries(), {422}) == {}

    @pytest.mark.parametrize("what", NO_VALUES)
    async def test_with_a_value_no_member_takes_is_refused_by_the_members_name(
        self, here: World, walked: list[Operation], what: str
    ) -> None:
        def tries() -> Iterator[Try]:
            for operation in with_json(walked):
                for name in operation.body_properties():
                    others = {key: value for key, value in good_body(here, operation).items() if key != name}
                    known = json.dumps(others)[1:-1]
                    body = f'{{"{name}": {NO_VALUES[what]}{", " if known else ""}{known}}}'
                    # Nesting and bad numbers are refused by the parser, which knows no names.
                    named = "" if what == "deep nesting" else f"/{name}"
                    yield Try(operation, f"{name}: {what}", body.encode(), JSON, names=named)

        assert await faults(here, tries(), {400, 422}) == {}

    async def test_with_no_address_where_one_belongs_is_refused_by_the_members_name(
        self, here: World, walked: list[Operation]
    ) -> None:
        def tries() -> Iterator[Try]:
            for operation in with_json(walked):
                for name, schema in operation.body_properties().items():
                    if schema.get("format") == "email":
                        for address in NO_ADDRESSES:
                            body = json.dumps({**good_body(here, operation), name: address}).encode()
                            yield Try(operation, address[:30], body, JSON, names=f"/{name}")

        assert await faults(here, tries(), {422}) == {}

    async def test_under_another_name_is_refused(self, here: World, walked: list[Operation]) -> None:
        def tries() -> Iterator[Try]:
            for operation in with_json(walked):
                body = json.dumps(good_body(here, operation)).encode()
                for media_type in (*MEDIA_TYPES, "application/x-www-form-urlencoded"):
                    yield Try(operation, media_type, body, {"Content-Type": media_type}, names="content-type")

        assert await faults(here, tries(), {415}) == {}

    async def test_that_is_too_large_is_refused(self, here: World, walked: list[Operation]) -> None:
        large = b'{"name": "' + b"x" * 1_100_000 + b'"}'
        tries = (Try(each, "1.1 MB", large, JSON) for each in with_json(walked))
        assert await faults(here, tries, {413}) == {}


class TestForms:
    FORM = "application/x-www-form-urlencoded"

    def forms(self, walked: list[Operation]) -> list[Operation]:
        return [each for each in walked if each.media_type == self.FORM]

    async def test_of_garbage_are_refused(self, here: World, walked: list[Operation]) -> None:
        garbage = [
            b"",
            b"&&&",
            b"=",
            b"\xff\xfe",
            b"a" * 20_000,
            b"%00",
            b"token=%00",
            b"grant_type=password&username=%00",
        ]
        headers = {"Content-Type": self.FORM}
        tries = [Try(each, repr(body[:20]), body, headers) for each in self.forms(walked) for body in garbage]
        answered = {name: fault for name, fault in (await faults(here, tries)).items() if not fault.startswith("200")}
        assert answered == {}  # RFC 7009, section 2.2: revoking what is no token is answered 200

    async def test_of_overlong_fields_are_refused(self, here: World, walked: list[Operation]) -> None:
        def tries() -> Iterator[Try]:
            for operation in self.forms(walked):
                for name in operation.body_properties():
                    body = f"{name}={LONG}".encode()
                    yield Try(operation, name, body, {"Content-Type": self.FORM}, names=f"/{name}")

        assert await faults(here, tries(), {422}) == {}

    async def test_under_another_name_are_refused(self, here: World, walked: list[Operation]) -> None:
        def tries() -> Iterator[Try]:
            for operation in self.forms(walked):
                for media_type in (*MEDIA_TYPES, "application/json"):
                    yield Try(operation, media_type, b"{}", {"Content-Type": media_type}, names="content-type")

        assert await faults(here, tries(), {415}) == {}
