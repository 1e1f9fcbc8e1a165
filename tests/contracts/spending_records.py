"""What every record of spending promises; a test module gives a fixture `records` and inherits the class."""

import asyncio

from services.router.domain.amount import MOST, Amount
from services.router.domain.spending import Subject, SubjectKind, Window
from services.router.domain.spending_book import SpendingRecords

KEY, TENANT = Subject(SubjectKind.KEY, 7), Subject(SubjectKind.TENANT, 7)
DAY, MONTH = Window(KEY, 20260930), Window(KEY, 202609)


class SpendingRecordsContract:
    async def test_what_was_written_is_read_and_what_was_not_is_left_out(
        self, records: SpendingRecords
    ) -> None:
        await records.write({DAY: Amount(5, 50), MONTH: Amount(9, MOST)})
        asked = [DAY, MONTH, Window(TENANT, 202609), Window(KEY, 202610)]
        assert await records.read(asked) == {DAY: Amount(5, 50), MONTH: Amount(9, MOST)}

    async def test_nothing_goes_back(self, records: SpendingRecords) -> None:
        await records.write({DAY: Amount(5, 50)})
        await records.write({DAY: Amount(9, 40)})
        await records.write({DAY: Amount(1, 1)})
        assert await records.read([DAY]) == {DAY: Amount(9, 50)}

    async def test_key_and_tenant_of_one_number_are_two(self, records: SpendingRecords) -> None:
        await records.write({MONTH: Amount(1), Window(TENANT, 202609): Amount(2)})
        assert (await records.read([MONTH]))[MONTH] == Amount(1)

    async def test_many_are_written_and_read_at_once(self, records: SpendingRecords) -> None:
        many = {
            Window(Subject(SubjectKind.KEY, number), 202609): Amount(number, number)
            for number in range(1, 1_500)
        }
        await records.write(many)
        assert await records.read(list(many)) == many

    async def test_of_writers_at_once_the_largest_total_stays(self, records: SpendingRecords) -> None:
        await asyncio.gather(
            *(records.write({DAY: Amount(number), MONTH: Amount(9 - number)}) for number in range(9))
        )
        assert await records.read([DAY, MONTH]) == {DAY: Amount(8), MONTH: Amount(9)}

    async def test_days_are_forgotten_before_one_and_months_are_not(self, records: SpendingRecords) -> None:
        subjects = [KEY, TENANT, Subject(SubjectKind.KEY, 1_000)]
        periods = [202608, 202609, 20260831, 20260901, 20260930]
        await records.write({Window(one, period): Amount(1) for one in subjects for period in periods})
        await records.forget_days(20260901)
        found = await records.read([Window(one, period) for one in subjects for period in periods])
        assert found.keys() == {Window(one, each) for one in subjects for each in periods if each != 20260831}

    async def test_nothing_is_asked_and_nothing_answered(self, records: SpendingRecords) -> None:
        await records.write({})
        assert await records.read([]) == {}
