"""A cron expression in words: "every Monday at 09:00", "on the 1st and 15th of the month at 08:30".

The words are made of the same sets of minutes, hours, days, months and weekdays that decide when something is due, so
that they cannot say anything else. (cron-descriptor reads "0 9 */2 * 1" as a day of the month *or* a Monday; it is
both. CronSim's own `explain` is right, and says "every fifth hour" of midnight, five, ten, three and eight.)
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import pairwise

from cronsim import CronSim, CronSimError

from campaigns.errors import CampaignInvalid

WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTHS = (
    *("", "January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
MOST_TIMES = 6  # times of day that are listed one by one; of more, the minutes and the hours are
_NTH = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", CronSim.LAST: "last"}
_EVERY_MINUTE, _EVERY_HOUR, _EVERY_DAY = set(range(60)), set(range(24)), set(range(1, 32))
_EVERY_MONTH, _EVERY_WEEKDAY = set(range(1, 13)), set(range(7))
_ANY_DAY = datetime(2026, 1, 1)  # noqa: DTZ001 - it is only read, no time follows from it


def cron_in_words(cron: str) -> str:
    """The expression in words, without its time zone. Raises CampaignInvalid for what is none.

    >>> cron_in_words("0 9 * * 1")
    'every Monday at 09:00'
    >>> cron_in_words("30 8 1,15 * *")
    'on the 1st and 15th of the month at 08:30'
    >>> cron_in_words("*/15 * * * *")
    'at minutes 0, 15, 30 and 45 of every hour'
    """
    try:
        if len(cron.split()) != 5:
            raise CronSimError("it must have 5 parts")
        read = CronSim(f"0 {cron}", _ANY_DAY)
    except CronSimError as error:
        raise CampaignInvalid(f"cron {cron!r}: {error}; for example '0 9 * * 1' is Mondays at 9:00") from None
    days = _days(read)
    months = "" if read.months == _EVERY_MONTH else f", in {_listed(_runs(sorted(read.months), MONTHS.__getitem__))}"
    if len(read.minutes) * len(read.hours) <= MOST_TIMES:
        times = [f"{hour:02}:{minute:02}" for hour in sorted(read.hours) for minute in sorted(read.minutes)]
        return f"{days or 'every day'}{',' if ', and ' in days else ''} at {_listed(times)}{months}"
    return f"{_minutes(read)}{f', {days}' if days else ''}{months}"


def _minutes(read: CronSim) -> str:
    every = read.minutes == _EVERY_MINUTE
    hours = _listed(_runs(sorted(read.hours), "{:02}".format))
    if read.hours == _EVERY_HOUR:
        return "every minute" if every else f"{_at_minutes(read.minutes)} of every hour"
    what = "every minute" if every else _at_minutes(read.minutes)
    return f"{what} of {'the hour' if len(read.hours) == 1 else 'the hours'} {hours}"


def _at_minutes(minutes: Iterable[int]) -> str:
    said = _stepped(sorted(minutes), str, "minute")
    if said[0].startswith("every"):
        return f"at {said[0]}"
    return f"at {'minute' if len(set(minutes)) == 1 else 'minutes'} {_listed(said)}"


def _days(read: CronSim) -> str:
    """On which days; empty for every day."""
    days, weekdays = _days_of_month(read), _days_of_week(read)
    if read.day_and:  # one of the two begins with a star: both must hold
        if days and weekdays:
            return f"on {days} of the month when it is {weekdays[1]}"
        return f"on {days} of the month" if days else weekdays[0] if weekdays else ""
    return f"on {days} of the month, and {weekdays[0]}" if days and weekdays else ""


def _days_of_month(read: CronSim) -> str:
    """Such as "the 1st and 15th"; empty for all."""
    days = set(read.days)
    if days >= _EVERY_DAY:
        return ""
    said = _stepped(sorted(day for day in days if day > 0), _ordinal, "day")
    said += ["last day"] if CronSim.LAST in days else []
    said += ["last working day"] if CronSim.LAST_WEEKDAY in days else []
    # "every 2nd day from the 1st to the 31st", "the 1st to the 5th"
    return (
        f"the {_listed(said)}".replace("the every", "every").replace(" from ", " from the ").replace(" to ", " to the ")
    )


def _days_of_week(read: CronSim) -> tuple[str, str] | None:
    """("every Monday", "a Monday"): as a sentence of its own, and behind "when it is"; None for all."""
    plain = {day % 7 for day in read.weekdays if isinstance(day, int)}  # 7 is Sunday too
    if plain == _EVERY_WEEKDAY:
        return None
    from_monday = sorted(plain, key=lambda day: (day - 1) % 7)
    names = list(_runs([(day - 1) % 7 for day in from_monday], lambda day: WEEKDAYS[(day + 1) % 7]))
    nth = sorted(
        ((each[1] if each[1] > 0 else 6, each[0] % 7) for each in read.weekdays if not isinstance(each, int)),
    )
    once = [f"the {_NTH.get(number, 'last')} {WEEKDAYS[day]}" for number, day in dict.fromkeys(nth)]
    every = f"every {_listed(names)}" if names else ""
    theirs = f"on {_listed(once)} of the month" if once else ""
    alone = " and ".join(part for part in (every, theirs) if part)
    either = " or ".join([*(f"a {WEEKDAYS[day]}" for day in from_monday), *(f"{each} of it" for each in once)])
    return alone, either


def _runs(numbers: Sequence[int], name: Callable[[int], str]) -> list[str]:
    """Each by its name; three or more in a row as "first to last".

    >>> _runs([1, 2, 3, 5, 8, 9], str)
    ['1 to 3', '5', '8', '9']
    """
    said: list[str] = []
    start = 0
    for place, number in enumerate(numbers):
        if place + 1 < len(numbers) and numbers[place + 1] == number + 1:
            continue
        run = numbers[start : place + 1]
        said += [f"{name(run[0])} to {name(run[-1])}"] if len(run) > 2 else [name(each) for each in run]
        start = place + 1
    return said


def _stepped(numbers: Sequence[int], name: Callable[[int], str], unit: str) -> list[str]:
    """As `_runs`, and a long row of equal steps in one: "every 2nd minute from 1 to 59".

    >>> _stepped([1, 3, 5, 7, 9, 11, 13], str, "minute")
    ['every 2nd minute from 1 to 13']
    """
    steps = {after - before for before, after in pairwise(numbers)}
    if len(numbers) > MOST_TIMES and len(steps) == 1 and (step := steps.pop()) > 1:
        return [f"every {_ordinal(step)} {unit} from {name(numbers[0])} to {name(numbers[-1])}"]
    return _runs(numbers, name)


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]


def _ordinal(day: int) -> str:
    """
    >>> [_ordinal(day) for day in (1, 2, 3, 4, 11, 21, 22, 23, 31)]
    ['1st', '2nd', '3rd', '4th', '11th', '21st', '22nd', '23rd', '31st']
    """
    ending = {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th") if day // 10 != 1 else "th"
    return f"{day}{ending}"
