"""Functions of other databases and of DynamoDB's expressions, with what does the same in DuckDB.

A call is only written otherwise where it is certain what it means, by its name, the number of its arguments and what
they look like. Its arguments stay as they are written.
"""

import re
from collections.abc import Callable, Collection

from mcp_server.sql.gate.foreign.formats import has_time_of_day
from mcp_server.sql.gate.foreign.pieces import Argument, Edit, Piece, calls, edited, pieces
from mcp_server.sql.gate.foreign.places import PLACES
from mcp_server.sql.gate.foreign.types import FOREIGN_TYPES

_Form = Callable[[list[Argument]], str | None]
"""What writes a call of some arguments, or gives None where it is none of its."""

_TEMPLATES = """
add_months(x, n)            (CAST({1} AS DATE) + to_months({2}))
adddate(x, interval)        ({1} + {2:interval})
approx_percentile(x, p)     approx_quantile({1}, {2})
array_join(x, separator)    array_to_string({1}, {2})
attribute_exists(x)         ({1} IS NOT NULL)
attribute_not_exists(x)     ({1} IS NULL)
begins_with(x, prefix)      starts_with({1}, {2})
collect_list(x)             list({1}) FILTER (WHERE {1} IS NOT NULL)
collect_set(x)              list(DISTINCT {1}) FILTER (WHERE {1} IS NOT NULL)
curdate()                   current_date
current_datetime()          now()
date_diff(b, a, unit)       date_diff({3:word}, CAST({2:time} AS TIMESTAMP), CAST({1:time} AS TIMESTAMP))
date_format(x, format)      strftime(CAST({1} AS TIMESTAMP), {2:mysql})
date_format(x, format)      strftime(CAST({1} AS TIMESTAMP), {2:letters})
date_part(unit, x)          date_part({1:word}, CAST({2} AS TIMESTAMP))
date_parse(text, format)    strptime({1}, {2:mysql})
date_sub(x, interval)       ({1} - {2:interval})
date_add(unit, n, x)        (CAST({3} AS TIMESTAMP) + {1:step}({2}))
date_trunc(x, unit)         date_trunc({2:word}, CAST({1:time} AS TIMESTAMP))
dateadd(unit, n, x)         (CAST({3} AS TIMESTAMP) + {1:step}({2}))
datediff(a, b)              date_diff('day', CAST({2} AS DATE), CAST({1} AS DATE))
datediff(unit, a, b)        date_diff({1:word}, CAST({2} AS TIMESTAMP), CAST({3} AS TIMESTAMP))
datepart(unit, x)           date_part({1:word}, CAST({2} AS TIMESTAMP))
datetime(x)                 CAST({1} AS TIMESTAMP)
datetime_trunc(x, unit)     date_trunc({2:word}, CAST({1} AS TIMESTAMP))
div0(x, y)                  CASE WHEN {2} = 0 AND {1} IS NOT NULL THEN 0 ELSE {1} / {2} END
element_at(list, n)         {1}[{2:whole}]
eomonth(x)                  last_day(CAST({1} AS DATE))
format_date(format, x)      strftime(CAST({2} AS TIMESTAMP), {1:c})
format_datetime(format, x)  strftime(CAST({2} AS TIMESTAMP), {1:c})
format_timestamp(format, x) strftime(CAST({2} AS TIMESTAMP), {1:c})
from_unixtime(x)            to_timestamp({1})
from_unixtime(x, format)    strftime(to_timestamp({1}) AT TIME ZONE 'UTC', {2:mysql})
from_unixtime(x, format)    strftime(to_timestamp({1}) AT TIME ZONE 'UTC', {2:letters})
get_json_object(x, path)    ({1} ->> {2})
getdate()                   now()
getutcdate()                now()
isnull(x)                   ({1} IS NULL)
isnull(x, y)                ifnull({1}, {2})
json_agg(x)                 json_group_array({1})
json_arrayagg(x)            json_group_array({1})
json_object_agg(key, value) json_group_object({1}, {2})
json_query(x, path)         ({1} -> {2})
json_unquote(x)             ({1} ->> '$')
jsonb_agg(x)                json_group_array({1})
jsonb_array_length(x)       json_array_length({1})
jsonb_object_agg(k, value)  json_group_object({1}, {2})
mid(x, start, n)            substr({1}, {2}, {3})
nullifzero(x)               nullif({1}, 0)
nvl2(x, y, z)               CASE WHEN {1} IS NOT NULL THEN {2} ELSE {3} END
parse_date(format, text)    {2|1:c}
parse_datetime(format, x)   strptime({2}, {1:c})
parse_timestamp(format, x)  strptime({2}, {1:c})
percentile(x, p)            quantile_cont({1}, {2})
percentile_approx(x, p)     approx_quantile({1}, {2})
regexp_contains(x, pattern) regexp_matches({1}, {2})
regexp_substr(x, pattern)   nullif(regexp_extract({1}, {2}), '')
replicate(x, n)             repeat({1}, {2})
safe_divide(x, y)           ({1} / nullif({2}, 0))
size(x)                     len({1})
std(x)                      stddev_pop({1})
stdev(x)                    stddev_samp({1})
stdevp(x)                   stddev_pop({1})
str_to_date(text, format)   {1|2:mysql}
string(x)                   CAST({1} AS VARCHAR)
subdate(x, interval)        ({1} - {2:interval})
substring_index(x, by, n)   split_part({1}, {2}, {3:one})
substring_index(x, by, n)   array_to_string(string_split({1}, {2})[{3:first}], {2})
sysdate()                   now()
sysdatetime()               now()
sysutcdatetime()            now()
timestamp(x)                CAST({1} AS TIMESTAMP)
timestamp_diff(b, a, unit)  date_sub({3:exact}, CAST({2} AS TIMESTAMP), CAST({1} AS TIMESTAMP))
timestamp_millis(n)         epoch_ms({1})
timestamp_seconds(n)        to_timestamp({1})
timestampadd(unit, n, x)    (CAST({3} AS TIMESTAMP) + {1:step}({2}))
timestampdiff(unit, a, b)   date_sub({1:exact}, CAST({2} AS TIMESTAMP), CAST({3} AS TIMESTAMP))
to_char(x)                  CAST({1} AS VARCHAR)
to_char(x, format)          strftime(CAST({1} AS TIMESTAMP), {2:letters})
to_date(x)                  CAST({1} AS DATE)
to_date(text, format)       {1|2:read}
to_jsonb(x)                 to_json({1})
to_timestamp(text, format)  strptime({1}, {2:read})
to_unixtime(x)              epoch(CAST({1} AS TIMESTAMP))
to_varchar(x)               CAST({1} AS VARCHAR)
to_varchar(x, format)       strftime(CAST({1} AS TIMESTAMP), {2:letters})
trunc(x, unit)              date_trunc({2:oracle}, CAST({1} AS TIMESTAMP))
unix_millis(x)              epoch_ms(CAST({1} AS TIMESTAMP))
unix_seconds(x)             epoch(CAST({1} AS TIMESTAMP))
unix_timestamp()            epoch(now())
unix_timestamp(x)           epoch(CAST({1} AS TIMESTAMP))
utc_timestamp()             now()
var(x)                      var_samp({1})
varp(x)                     var_pop({1})
zeroifnull(x)               coalesce({1}, 0)
"""
"""A call, and what does the same: `{1}` is its first argument, `{2:word}` its second if that is such a one."""

_OURS_AS_WELL = frozenset(("element_at",))
"""What is only written otherwise where DuckDB has refused it."""
_PLACE = re.compile(r"\{(\d)(?:\|(\d))?(?::(\w+))?\}")
_STYLES = {
    "23": "%Y-%m-%d", "101": "%m/%d/%Y", "102": "%Y.%m.%d", "103": "%d/%m/%Y", "104": "%d.%m.%Y", "105": "%d-%m-%Y",
    "108": "%H:%M:%S", "111": "%Y/%m/%d", "112": "%Y%m%d", "120": "%Y-%m-%d %H:%M:%S",
}  # fmt: skip
"""SQL Server's numbers of formats."""
_TYPES = {
    **FOREIGN_TYPES,
    "bigint": "BIGINT", "bit": "BOOLEAN", "char": "VARCHAR", "date": "DATE", "datetime": "TIMESTAMP",
    "float": "DOUBLE", "int": "INTEGER", "nchar": "VARCHAR", "nvarchar": "VARCHAR", "signed": "BIGINT",
    "varchar": "VARCHAR",
}  # fmt: skip
"""Types of SQL Server's and MySQL's CONVERT."""


def with_our_functions(text: str, *, also: Collection[str] = ()) -> str:
    """The statement with those calls written otherwise of which it is certain what they mean.

    `also` are functions that DuckDB has as well, with other arguments which look the same.
    """
    found = pieces(text)
    edits: list[Edit] = []
    for call in calls(found):
        if call.name not in _FORMS or (call.name in _OURS_AS_WELL and call.name not in also):
            continue
        ours = _written(call.name, [_argument(text, edits, part) for part in call.arguments])
        if ours is not None:
            edits = [edit for edit in edits if not call.start <= edit[0] < call.end]
            edits.append((call.start, call.end, ours))
    return edited(text, edits)


def _argument(text: str, edits: list[Edit], part: tuple[Piece, ...]) -> Argument:
    return Argument(edited(text, edits, part[0].start, part[-1].end), part)


def _written(name: str, arguments: list[Argument]) -> str | None:
    if any(piece.kind == "text" and "\\" in piece.text for one in arguments for piece in one.pieces):
        return None  # a backslash escapes what follows in some dialects
    return next((ours for form in _FORMS[name] if (ours := form(arguments)) is not None), None)


def _template(wanted: int, template: str) -> _Form:
    def written(arguments: list[Argument]) -> str | None:
        if len(arguments) != wanted:
            return None
        filled: dict[str, str] = {}
        for place in _PLACE.finditer(template):
            ours = _filled(arguments, place)
            if ours is None:
                return None
            filled[place[0]] = ours
        return _PLACE.sub(lambda place: filled[place[0]], template)

    return written


def _filled(arguments: list[Argument], place: re.Match[str]) -> str | None:
    argument = arguments[int(place[1]) - 1]
    if place[2] is not None:  # a text, and the format with which it is read
        return _read(argument, arguments[int(place[2]) - 1], place[3])
    return PLACES[place[3] or "any"](argument)


def _read(text: Argument, format_: Argument, kind: str) -> str | None:
    """The date or the timestamp that a text is by a format."""
    value, ours = PLACES["any"](text), PLACES[kind](format_)
    if value is None or ours is None:
        return None
    time = f"strptime({value}, {ours})"
    return time if has_time_of_day(ours) else f"CAST({time} AS DATE)"


def _decode(arguments: list[Argument]) -> str | None:
    """`DECODE(x, 1, 'a', 2, 'b', 'c')`, which takes two NULLs for the same."""
    values = [PLACES["any"](argument) for argument in arguments]
    if len(values) < 3 or any(value is None for value in values):
        return None
    pairs = zip(values[1::2], values[2::2], strict=False)
    cases = " ".join(f"WHEN {values[0]} IS NOT DISTINCT FROM {sought} THEN {found}" for sought, found in pairs)
    other = f" ELSE {values[-1]}" if len(values) % 2 == 0 else ""
    return f"CASE {cases}{other} END"


def _convert(arguments: list[Argument]) -> str | None:
    """`CONVERT(varchar(10), x, 120)`, `CONVERT(x, CHAR)` and `CONVERT(x USING utf8)`."""
    if len(arguments) == 1:
        return _of_character_set(arguments[0])
    if len(arguments) not in (2, 3):
        return None
    first = _type(arguments[0])
    type_, value = (first, arguments[1]) if first else (_type(arguments[1]), arguments[0])
    if type_ is None:
        return None
    name, length = type_
    converted = f"CAST({value.text} AS {name})"
    if len(arguments) == 3:
        style = _STYLES.get(arguments[2].text)
        if style is None or name != "VARCHAR" or not first:
            return None
        converted = f"strftime(CAST({value.text} AS TIMESTAMP), '{style}')"
    return f"left({converted}, {length})" if length is not None else converted


def _of_character_set(argument: Argument) -> str | None:
    found = re.fullmatch(r"(.*\S)\s+using\s+\w+", argument.text, re.IGNORECASE | re.DOTALL)
    return f"CAST({found[1]} AS VARCHAR)" if found is not None else None


def _type(argument: Argument) -> tuple[str, str | None] | None:
    """A type as DuckDB calls it, and the number of characters of a text."""
    found = re.fullmatch(r"([a-z0-9]+)\s*(?:\(\s*(\d+|max)\s*\))?", argument.text, re.IGNORECASE)
    name = _TYPES.get(found[1].lower()) if found is not None else None
    if found is None or name is None or (found[2] and name != "VARCHAR"):
        return None
    return name, found[2] if found[2] and found[2].isdigit() else None


def _forms() -> dict[str, list[_Form]]:
    forms: dict[str, list[_Form]] = {"decode": [_decode], "convert": [_convert]}
    for line in _TEMPLATES.strip().splitlines():
        call, template = re.split(r"(?<=\))\s+", line, maxsplit=1)
        name, arguments = call[:-1].split("(")
        number = len(arguments.split(",")) if arguments else 0
        forms.setdefault(name, []).append(_template(number, template))
    return forms


_FORMS = _forms()
