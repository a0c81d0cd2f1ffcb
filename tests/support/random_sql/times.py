"""Conditions on times, as docs/sql.md says to write them: ISO texts, and numbers that count since 1970."""

import random
from collections.abc import Mapping

MOMENTS: Mapping[str, str] = {
    "iso": "cast({} as timestamp)",
    "millis": "epoch_ms({})",
    "seconds": "to_timestamp({})",
    "instant": "{}",
}
"""A column of each kind as a time."""


def moments(dice: random.Random, name: str, kind: str, operator: str) -> list[str]:
    """Conditions on a column of times between the end of 2025 and the end of 2026; statements run in UTC."""
    moment = MOMENTS[kind].format(name)
    unit = dice.choice(["year", "quarter", "month", "week", "day", "hour"])
    year, month, day = dice.choice([2025, 2026, 2026]), dice.randint(1, 12), dice.randint(1, 28)
    date = f"{year}-{month:02}-{day:02}"
    at = f"timestamp '{date} {dice.choice(['00:00:00', '00:00:00', '12:30:00', '23:59:59.999'])}'"
    # A TIMESTAMP WITH TIME ZONE is compared with one of its own kind.
    at = f"timestamptz '{at[11:-1]}+00'" if kind == "seconds" else at
    forms = [
        f"{moment} {operator} {at}",
        f"{at} {operator} {moment}",
        f"{moment} between {at} and {at} + interval 40 day",
        f"year({moment}) {operator} {year}",
        f"month({moment}) = {month}",
        f"extract(year from {moment}) in ({year}, 2031)",
        f"date_trunc('{unit}', {moment}) {operator} date '{year}-{month:02}-01'",
        f"date_trunc('{unit}', {moment}) = date '{date}'",
        f"cast({moment} as date) {operator} date '{date}'",
        f"cast({moment} as date) between date '{date}' and date '{year}-12-31'",
        f"not ({moment} {operator} {at})",
        f"{moment} is null",
    ]
    if kind in ("millis", "seconds"):
        since = f"epoch_ms({at})" if kind == "millis" else f"cast(epoch({at}) as bigint)"
        written = f"{name} / 1000" if kind == "millis" else name
        forms += [
            f"{name} {operator} {since}",
            f"{name} {operator} 17672256{dice.randint(10, 99)}{'000' * (kind == 'millis')}",
            f"to_timestamp({written}) {operator} timestamptz '{date} 00:00:00+00'",
            f"make_timestamp_ms({name}{' * 1000' * (kind == 'seconds')}) {operator} timestamp '{date} 00:00:00.5'",
            f"{moment} {operator} timestamptz '{date} 00:00:00+02'" if kind == "seconds" else f"{moment} < '{date}'",
            f"date_part('year', {moment}) between {year - 1} and {year}",
            f"date_trunc('{unit}', {moment}) in (date '{date}', date '{year}-01-01')",
        ]
    if kind == "instant":
        forms += [
            f"{name} {operator} timestamptz '{date} 00:30:00+02'",
            f"{name} {operator} date '{date}'",
            f"{name} {operator} '{date}'",
            f"{name} between '{date}' and '{date}T12:00:00Z'",
            f"{name} in (timestamptz '{date} 00:00:00+00', '{year}-01-01')",
            f"cast({name} as timestamp) {operator} {at}",
            f"date_part('year', {name}) between {year - 1} and {year}",
            f"{name} + interval 1 day {operator} {at}",
            f"{name} - interval {day} day {operator} timestamptz '{date} 00:00:00Z'",
            f"epoch_ms({name}) {operator} 17672256{day:02}000",
            f"strftime({name}, '%Y-%m') = '{year}-{month:02}'",
            f"date_trunc('{unit}', {name}) in (date '{date}', date '{year}-01-01')",
            f"cast({name} as varchar) like '{year}-{month:02}%'",
        ]
    if kind == "iso":
        forms += [
            f"cast({name} as timestamptz) {operator} timestamptz '{date}T00:30:00+02:00'",
            f"cast({name} as timestamp) {operator} '{date}'",
            f"{name} {operator} strftime(date '{date}', '%Y-%m-%d')",
            f"date_part('month', cast({name} as timestamp)) = {month}",
            f"{name} between '{date}' and cast(date '{date}' + interval 1 month as varchar)",
            f"substring({name}, 1, 10) {operator} '{date}'",
            f"substring({name}, 6, 2) = '{month:02}'",
            f"left({name}, 7) {operator} '{year}-{month:02}'",
            f"left({name}, 7) in ('{year}-{month:02}', '2026-01')",
            f"{name} >= '{year}-{month:02}' and {name} < '{date}'",
            f"{name} {operator} '{date}'",
            f"{name} like '{year}-{month:02}-%'",
            f"starts_with({name}, '{year}-{month:02}')",
            f"cast({name} as timestamptz) {operator} timestamptz '{date} 00:00:00+00'",
            f"cast({name} as date) {operator} date '{date}'",
            f"{name} between '{year}' and '{date}T12:00:00Z'",
        ]
    return forms
