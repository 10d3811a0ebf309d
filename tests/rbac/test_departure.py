"""Deleting one's account never leaves a mandate without an administrator."""

from tests.support.gateway import RunningGateway


class TestDeletingAnAccount:
    async def test_is_refused_to_the_last_administrator_of_a_mandate(self, running: RunningGateway) -> None:
        ada, here = await running.person(), await running.mandate("here")
        await running.join(ada, here, "administrator")
        async with running.client(ada) as client:
            answer = await client.delete("/api/v1/users/me")
        assert (answer.status_code, answer.json()["code"]) == (409, "last_administrator")

    async def test_is_possible_when_another_administrator_stays(self, running: RunningGateway) -> None:
        ada, eve, here = await running.person(), await running.person(), await running.mandate("here")
        for administrator in (ada, eve):
            await running.join(administrator, here, "administrator")
        async with running.client(ada) as client:
            assert (await client.delete("/api/v1/users/me")).status_code in {200, 202}
