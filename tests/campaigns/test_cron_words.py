"""Words for a cron expression: those a person would use, and never two expressions in the same words that differ."""

from datetime import datetime
from itertools import islice

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.cron_words import cron_in_words
from campaigns.errors import CampaignInvalid

SAID = {
    "0 9 * * 1": "every Monday at 09:00",
    "0 9 * * MON,THU": "every Monday and Thursday at 09:00",
    "0 9 * * 1-5": "every Monday to Friday at 09:00",
    "0 9 * * 6,0": "every Saturday and Sunday at 09:00",
    "0 9 * * 7": "every Sunday at 09:00",
    "0 9 * * 0-7": "every day at 09:00",
    "30 8 1,15 * *": "on the 1st and 15th of the month at 08:30",
    "0 9 1-7 * *": "on the 1st to the 7th of the month at 09:00",
    "0 9 */2 * *": "on every 2nd day from the 1st to the 31st of the month at 09:00",
    "0 9 L * *": "on the last day of the month at 09:00",
    "0 9 15,L * *": "on the 15th and last day of the month at 09:00",
    "0 9 LW * *": "on the last working day of the month at 09:00",
    "0 9 * * 1#2": "on the second Monday of the month at 09:00",
    "0 9 * * 5L": "on the last Friday of the month at 09:00",
    "0 9 * * 3,5L": "every Wednesday and on the last Friday of the month at 09:00",
    "0 9 1 * 1": "on the 1st of the month, and every Monday, at 09:00",
    "0 9 1-31 * 1": "every day at 09:00",
    "0 9 */15 * 1": "on the 1st, 16th and 31st of the month when it is a Monday at 09:00",
    "0 9 13 * *": "on the 13th of the month at 09:00",
    "0 9 1 1,7 *": "on the 1st of the month at 09:00, in January and July",
    "0 9 * 6-8 *": "every day at 09:00, in June to August",
    "0,15,30,45 * * * *": "at minutes 0, 15, 30 and 45 of every hour",
    "5 * * * *": "at minute 5 of every hour",
    "*/5 9-17 * * 1-5": "at every 5th minute from 0 to 55 of the hours 09 to 17, every Monday to Friday",
    "* * * * *": "every minute",
    "* 9 * * *": "every minute of the hour 09",
    "0 9,18 * * *": "every day at 09:00 and 18:00",
}


@pytest.mark.parametrize(("cron", "words"), SAID.items())
def test_it_is_said_as_a_person_would(cron, words):
    assert cron_in_words(cron) == words


@pytest.mark.parametrize("cron", ["", "soon", "0 9 * *", "0 9 * * * *", "60 9 * * *", "0 9 30 2 *", "0 9 * * 8"])
def test_what_is_no_expression_is_refused(cron):
    with pytest.raises(CampaignInvalid, match="for example '0 9 \\* \\* 1' is Mondays at 9:00"):
        cron_in_words(cron)


def field(lowest: int, highest: int, *others: str) -> st.SearchStrategy[str]:
    number = st.integers(lowest, highest)
    span = st.tuples(number, number).map(lambda two: f"{min(two)}-{max(two)}")
    steps = st.builds("{}/{}".format, st.one_of(st.just("*"), span, number), st.integers(1, 9))
    term = st.one_of(number.map(str), span, steps, *map(st.just, others))
    return st.one_of(st.just("*"), term, st.lists(term, min_size=2, max_size=3).map(",".join))


PARTS = (
    st.one_of(st.just("0"), field(0, 59)),
    st.one_of(st.just("9"), field(0, 23)),
    field(1, 31, "L", "LW", "1-31", "*/1"),
    st.one_of(st.just("*"), field(1, 12)),
    field(0, 7, "1#2", "1L", "5#3", "0#1", "7L", "0-6", "*/1"),
)
NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - the clock on a wall


def due(cron: str) -> list[datetime]:
    """The next times; none for what is no expression, such as 30 February."""
    try:
        return list(islice(CronSim(cron, NAIVE), 40))
    except CronSimError:
        return []


@settings(max_examples=300)
@given(st.tuples(*PARTS), st.integers(0, 4), st.data())
def test_two_expressions_in_the_same_words_are_always_due_at_the_same_times(parts, place, data):
    other = [*parts]
    other[place] = data.draw(PARTS[place])
    first, second = " ".join(parts), " ".join(other)
    if due(first) and due(second) and cron_in_words(first) == cron_in_words(second):
        assert due(first) == due(second)


@pytest.mark.parametrize("part", range(5))
def test_each_part_is_heard(part):
    """Every single number in every place gives words of its own, but for Sunday, which has two."""
    lowest, highest = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)][part]
    crons = []
    for number in range(lowest, highest + 1):
        parts = ["0", "9", "*", "*", "*"]
        parts[part] = str(number)
        crons.append(" ".join(parts))
    assert len({cron_in_words(cron) for cron in crons}) == len(crons)


def test_words_that_are_the_same_mean_the_same_for_all_days_of_month_and_week():
    """The four ways in which days of the month and of the week go together, all against all."""
    days = ["*", "*/1", "1", "1-31", "*/2", "1-31/2", "L", "1,L"]
    weekdays = ["*", "1", "*/1", "0-6", "0-7", "*/2", "0-6/2", "1#1", "1L", "1,1L"]
    meaning: dict[str, list[datetime]] = {}
    for cron in (f"0 9 {day} * {weekday}" for day in days for weekday in weekdays):
        assert meaning.setdefault(cron_in_words(cron), due(cron)) == due(cron), cron
