"""Forms of SQL: braces stand for tables (t, u), columns of theirs (c, d), literals (v, x), words (w), and other forms.

What is asked of a value ranges from plain reading to whatever makes an error's text, a plan or an order tell of it.
"""

_EXPRESSIONS = """
{c}; cast({c} as integer); cast({c} as date); cast({c} as boolean); cast({c} as json); cast({c} as double[]);
try_cast({c} as double); 1 / {c}; {c} % 0; {c} + 1; -{c}; {c} || {d}; {c}[1]; {c}[1:2]; {c}['{w}']; {c}.{w}; {c}.town;
json_extract({c}, '$.{w}'); {c}->>'{w}'; json_valid({c}); json_keys({c}); upper({c}); reverse({c}); md5({c});
sha256({c}); hash({c}); hex({c}); to_base64(encode({c})); strptime({c}, '%Y'); regexp_extract({c}, '(');
regexp_replace({c}, '.', '\\\\9'); error({c}); [{c}][7]; unnest({c}); unnest([{c}, {d}]); cast({c} as struct(a int));
typeof({c}); length({c}); ascii({c}); _doc; cast(_doc as integer); _doc->>'{w}'; json_keys(_doc);
json_extract(_doc, '$.{c}'); _doc->'$.*'; length(_doc::varchar); count({c}); count(distinct {c}); min({c}); max({c});
sum({c}); avg({c}); string_agg({c}, '|'); array_agg({c} order by {d}); first({c}); any_value({c}); arg_max({c}, {d});
mode({c}); median({c}); approx_count_distinct({c}); histogram({c}); bool_or({c}); row_number() over (order by {c});
lag({c}) over (order by {d}); rank() over (partition by {c} order by {d}); sum({c}) over (order by {d});
coalesce({c}, {v}); nullif({c}, {v}); {c} = {v}; {c} like '{w}%'; contains({c}, '{w}');
case when {c} > {v} then {d} else 1 end; levenshtein({c}, {v}); greatest({c}, {d}); concat({c}, {d}); {c} is null;
format('{{}}', {c}); printf('%d', {c}); chr({c}); date_trunc('month', {c}); extract(year from {c}); epoch_ms({c});
columns('.*'); *; t.*; * exclude ({c}); * replace (1 as {c}); columns('{w}'); t; (select max({d}) from {u}); {u}.{d};
list_extract([{d}], {c}); exists(select 1 from {u} o where o.{d} = t.{c}); {c} in (select {d} from {u});
map([{c}], [{d}])['{w}']; struct_pack({w} := {c}); to_json(t); row_to_json(t); {c}::varchar::integer;
('{w}' || {c})::integer; make_date({c}, 1, 1); substr({c}, 1, 6); {c} collate nocase
"""
_CONDITIONS = """
{c} = {v}; {c} <> {v}; {c} > {v}; {c} < {v}; {c} in ({v}, {x}); {c} not in ({v}); {c} like '{w}%';
{c} between {v} and {x}; {c} is null; {c} is not null; not ({c} = {v}); pk = {v}; pk = {v} and {c} = {x}; {c} = {d};
cast({c} as integer) > 0; 1 / length({c}) > 0; exists(select 1 from {u} o where o.{d} = t.{c});
{c} in (select {d} from {u}); {c} = ?; true; false; starts_with({c}, '{w}'); lower({c}) = lower({v});
{c}['{w}'] = {v}; _doc->>'{w}' = {v}; length({c}) > 5; {c} = {v} or {d} = {x}
"""
_STATEMENTS = """
select {e} from {t} t; select {e} from {t} t where {p}; select {e}, {f} from {t} t where {p} limit 3;
select * from {t}; select {c}, {e} from {t} t order by {d};
select {c}, count(*) from {t} t group by {c} having {e} > 1; select count(*) from {t} t where {p};
select distinct {e} from {t} t order by 1 desc limit 2; select {e} from {t} t join {u} u on t.{c} = u.{d};
select {e} from {t} t left join {u} u using ({c}); select {e} from {t} t natural join {u} u;
select {e} from {t} t, {u} u where t.{c} = u.{d}; with t as (select * from {t} where {p}) select {e} from t;
select {e} from (select {c}, {d} from {t} t order by {d} limit 2) t;
select {e} from {t} t union all select {d} from {u} u; select {e} from {t} t except select {d} from {u} u; from {t};
select max({c}) from {t} t; select min({c}), max({c}) from {t} t where {p};
select {e} from {t} t qualify row_number() over (order by {c}) = 1;
select * from {t} t where {c} in (select {d} from {u}); select (select {e} from {t} t limit 1); describe {t};
summarize {t}; show tables; select * from information_schema.columns; select * from duckdb_tables(); select {e};
pivot {t} on {c} using count(*); select * from {t} t where ({c}, {d}) in (({v}, {x})); select {t}.{c} from {t};
select "{w}" from {t} t; select t.{c} from {t} t where pk = {v}; select {e} from {t} t group by all;
select {e} from {t} t order by {c} desc, {d} limit 1 offset 1; values ({v}); table {t}; select {e} from {t} as t({w})
"""


def _split(text: str) -> tuple[str, ...]:
    return tuple(" ".join(form.split()) for form in text.split(";"))


EXPRESSIONS = _split(_EXPRESSIONS)
"""Expressions over a row of t."""
CONDITIONS = _split(_CONDITIONS)
"""Conditions on a row of t."""
STATEMENTS = _split(_STATEMENTS)
"""Whole statements; `e` and `f` are expressions, `p` is a condition."""
