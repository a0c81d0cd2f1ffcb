-- Each statement gives the same over the tables themselves and, bound, over one-shot streams of their columns.
-- plain
SELECT * FROM orders ORDER BY id;
SELECT id, Customer, total FROM orders WHERE total > 20 ORDER BY id;
SELECT o.id AS "Order Id", o.STATUS FROM Orders o WHERE o.status = 'open' ORDER BY 1;
SELECT count(*) FROM orders;
SELECT count(*), sum(total), avg(total), min(placed), max(placed) FROM orders;
SELECT 1 + 1, 'a' || 'b', NULL, true;
SELECT DISTINCT status FROM orders ORDER BY status;
SELECT DISTINCT ON (customer) customer, id FROM orders ORDER BY customer, total DESC, id;
SELECT id FROM orders ORDER BY total DESC NULLS LAST, id LIMIT 3 OFFSET 1;
SELECT id, total * 2 AS twice, twice + 1 AS more FROM orders WHERE twice > 50 ORDER BY id;
SELECT * EXCLUDE (total) FROM orders ORDER BY id;
SELECT * REPLACE (total + 1 AS total) FROM orders ORDER BY id;
SELECT o.* FROM orders o ORDER BY o.id;
FROM orders SELECT id ORDER BY id;
VALUES (1, 'a'), (2, 'b');
SELECT * FROM (VALUES (1, 'x'), (2, 'y')) v(a, b) ORDER BY a;
SELECT DEMO.orders.id FROM demo.orders ORDER BY 1;
SELECT orders.id FROM demo.orders ORDER BY orders.id;
SELECT id FROM orders WHERE customer IS NULL ORDER BY 1;
SELECT id FROM orders WHERE NOT (status = 'open' OR total < 20) ORDER BY 1;
SELECT id FROM orders WHERE status LIKE 'o%' AND status NOT LIKE '%x%' AND status ILIKE 'OP__' ORDER BY 1;
SELECT id FROM orders WHERE placed BETWEEN DATE '2024-01-02' AND DATE '2024-01-01' + INTERVAL 2 MONTH ORDER BY 1;
SELECT id FROM orders WHERE total IN (10, 20, 30.5) OR id NOT IN (1, 2, 3, 4) ORDER BY 1;
SELECT CASE WHEN total > 20 THEN 'big' ELSE 'small' END AS size, count(*) FROM orders GROUP BY size ORDER BY size;
SELECT CASE status WHEN 'open' THEN 1 END FROM orders ORDER BY id;
SELECT coalesce(customer, -1), nullif(status, 'open'), ifnull(total, 0), if(total > 20, 'a', 'b') FROM orders ORDER BY id;
SELECT id IS DISTINCT FROM 3, customer IS NOT DISTINCT FROM NULL FROM orders ORDER BY id;
SELECT -id, id / 2, id // 2, id % 2, id ** 2, ~id, id << 1, id & 1, id | 4, xor(id, 1) FROM orders ORDER BY id;
-- functions
SELECT lower(status), upper(status), length(status), substr(status, 1, 2), left(status, 1), right(status, 1), replace(status, 'o', '0'), trim('  a '), ltrim('xxa', 'x'), reverse(status), concat(status, '-', id), concat_ws('/', status, 'x'), split_part('a,b', ',', 2), position('p' IN status), strpos(status, 'e'), repeat(status, 2), lpad(status, 6, '.'), starts_with(status, 'o'), contains(status, 'e'), ascii(status), chr(65), md5(status), regexp_matches(status, 'o.*'), regexp_replace(status, 'o', 'x', 'g'), regexp_extract(status, '(o)(.)', 2) FROM orders WHERE status IS NOT NULL ORDER BY id;
SELECT year(placed), month(placed), day(placed), EXTRACT(quarter FROM placed), date_trunc('month', placed), date_part('dow', placed), date_diff('day', placed, DATE '2024-06-01'), placed + 3, placed - INTERVAL '1' MONTH, dayname(placed), strftime(placed, '%Y/%m'), last_day(placed), make_date(2024, 1, 2), placed::TIMESTAMP, epoch(placed::TIMESTAMP), date_add(placed, INTERVAL 1 DAY), age(placed::TIMESTAMP, TIMESTAMP '2020-01-01'), time_bucket(INTERVAL '1 week', placed) FROM orders WHERE placed IS NOT NULL ORDER BY id;
SELECT strptime('2024-01-05', '%Y-%m-%d'), to_timestamp(0) AT TIME ZONE 'UTC', TIMESTAMP '2024-01-01 10:00:00' + INTERVAL '90 minutes', date '2024-01-31' + interval 1 month, cast('12:30:00' AS time), try_cast('x' AS integer), '7'::bigint, 7::varchar, 1.5::decimal(10, 3), cast(2.7 as integer);
SELECT abs(-1), round(2.567, 2), floor(1.5), ceil(1.5), trunc(1.9), sign(-2), sqrt(16), power(2, 3), mod(7, 3), greatest(1, 2, 3), least(1, 2), ln(1), log10(100), pi(), exp(0), gcd(4, 6), isnan('nan'::double), even(3);
SELECT count(DISTINCT status), count(total) FILTER (WHERE total > 20), sum(DISTINCT total), string_agg(status, ',' ORDER BY id), list(id ORDER BY id), array_agg(id ORDER BY id DESC), median(total), quantile_cont(total, 0.5), mode(status), stddev(total), var_pop(total), bool_and(total > 0), any_value(1), arg_max(id, total), max_by(id, total), first(id ORDER BY id), count_if(total > 20), bit_or(id), percentile_cont(0.5) WITHIN GROUP (ORDER BY total), approx_count_distinct(status) FROM orders;
-- joins
SELECT o.id, c.name FROM orders o JOIN customers c ON o.customer = c.id ORDER BY 1;
SELECT o.id, c.name FROM orders o LEFT JOIN customers c ON o.customer = c.id AND c.country = 'AT' ORDER BY 1;
SELECT o.id, c.name FROM orders o RIGHT JOIN customers c ON o.customer = c.id ORDER BY c.id, o.id;
SELECT o.id, c.name FROM orders o FULL JOIN customers c ON o.customer = c.id ORDER BY o.id NULLS LAST, c.name;
SELECT o.id, c.name FROM orders o, customers c WHERE o.customer = c.id ORDER BY 1;
SELECT count(*) FROM orders CROSS JOIN customers;
SELECT id, name FROM customers JOIN items USING (id) ORDER BY id;
SELECT * FROM customers JOIN items USING (id) ORDER BY id;
SELECT * FROM customers NATURAL JOIN items ORDER BY id;
SELECT * FROM customers LEFT JOIN items USING (id) ORDER BY id;
SELECT id FROM orders o SEMI JOIN customers c ON o.customer = c.id ORDER BY id;
SELECT id FROM orders o ANTI JOIN customers c ON o.customer = c.id ORDER BY id;
SELECT a.id, b.id FROM orders a JOIN orders b ON a.id < b.id AND a.status = b.status ORDER BY 1, 2;
SELECT o.id, c.name, i.label FROM orders o JOIN customers c ON o.customer = c.id LEFT JOIN items i ON i.id = o.id ORDER BY 1;
SELECT o.id, x.name FROM orders o JOIN (customers x JOIN items i ON i.id = x.id) ON o.customer = x.id ORDER BY 1;
SELECT o.id, p.price FROM orders o ASOF JOIN prices p ON o.placed >= p.since ORDER BY o.id;
SELECT o.id, p.price FROM orders o ASOF LEFT JOIN prices p ON o.placed >= p.since ORDER BY o.id;
SELECT x.id FROM (SELECT * FROM orders) x JOIN (SELECT id FROM items) y ON x.id = y.id ORDER BY 1;
-- subqueries
SELECT id FROM orders WHERE customer IN (SELECT id FROM customers WHERE country = 'AT') ORDER BY 1;
SELECT id FROM orders WHERE customer NOT IN (SELECT id FROM customers WHERE country = 'AT') ORDER BY 1;
SELECT id FROM orders o WHERE EXISTS (SELECT 1 FROM items i WHERE i.id = o.id) ORDER BY 1;
SELECT id FROM orders o WHERE NOT EXISTS (SELECT 1 FROM items WHERE items.id = o.id) ORDER BY 1;
SELECT id, (SELECT max(total) FROM orders i WHERE i.customer = o.customer) AS best FROM orders o ORDER BY 1;
SELECT id FROM orders WHERE total = (SELECT max(total) FROM orders) ORDER BY 1;
SELECT id FROM orders WHERE total > ALL (SELECT total FROM orders WHERE status = 'open') ORDER BY 1;
SELECT id FROM orders WHERE total >= ANY (SELECT total FROM orders WHERE status = 'open') ORDER BY 1;
SELECT status FROM orders GROUP BY status HAVING sum(total) > (SELECT avg(total) FROM orders) ORDER BY 1;
SELECT c.name, l.best FROM customers c, LATERAL (SELECT max(total) AS best FROM orders o WHERE o.customer = c.id) l ORDER BY 1;
SELECT c.name, l.id FROM customers c LEFT JOIN LATERAL (SELECT id FROM orders o WHERE o.customer = c.id ORDER BY total DESC LIMIT 1) l ON true ORDER BY 1;
SELECT id FROM (SELECT id, row_number() OVER (ORDER BY total DESC, id) AS n FROM orders) WHERE n <= 2 ORDER BY 1;
SELECT * FROM (SELECT count(*) FROM orders);
SELECT * FROM (SELECT a.id, b.id AS other FROM orders a, items b WHERE a.id = b.id) ORDER BY 1;
-- CTEs
WITH o AS (SELECT * FROM orders WHERE total > 10) SELECT count(*) FROM o;
WITH o AS (SELECT * FROM orders) SELECT a.id FROM o a JOIN o b ON a.id = b.id + 1 ORDER BY 1;
WITH orders AS (SELECT * FROM orders WHERE id < 4) SELECT ID FROM ORDERS ORDER BY 1;
WITH a AS (SELECT id FROM orders), b AS (SELECT id FROM a WHERE id > 2) SELECT * FROM b ORDER BY 1;
WITH a(x, y) AS (SELECT id, total FROM orders) SELECT x, y FROM a ORDER BY x;
WITH a AS MATERIALIZED (SELECT * FROM orders) SELECT (SELECT count(*) FROM a), (SELECT sum(total) FROM a);
WITH a AS NOT MATERIALIZED (SELECT * FROM orders) SELECT (SELECT count(*) FROM a WHERE id = 1), (SELECT sum(total) FROM a WHERE id > 2);
WITH RECURSIVE n AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM n WHERE x < 5) SELECT x FROM n ORDER BY x;
WITH RECURSIVE up AS (SELECT id, parent, 1 AS depth FROM parts WHERE parent IS NULL UNION ALL SELECT p.id, p.parent, up.depth + 1 FROM parts p JOIN up ON p.parent = up.id) SELECT * FROM up ORDER BY id;
WITH base AS (SELECT * FROM parts) SELECT * FROM (WITH RECURSIVE r AS (SELECT id FROM base WHERE parent IS NULL UNION ALL SELECT b.id FROM r JOIN base b ON b.parent = r.id) SELECT * FROM r) ORDER BY 1;
SELECT * FROM (WITH o AS (SELECT id FROM orders) SELECT * FROM o) x ORDER BY 1;
-- windows
SELECT id, row_number() OVER (PARTITION BY status ORDER BY total, id), rank() OVER (ORDER BY total), lag(total) OVER (ORDER BY id), sum(total) OVER (PARTITION BY status ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW), ntile(2) OVER (ORDER BY id), first_value(id) OVER w FROM orders WINDOW w AS (ORDER BY id) ORDER BY id;
SELECT id FROM orders QUALIFY row_number() OVER (PARTITION BY status ORDER BY total DESC, id) = 1 ORDER BY id;
SELECT id, sum(total) OVER (ORDER BY placed RANGE BETWEEN INTERVAL 30 DAY PRECEDING AND CURRENT ROW) FROM orders WHERE placed IS NOT NULL ORDER BY id;
-- grouping
SELECT status, customer, sum(total) FROM orders GROUP BY GROUPING SETS ((status), (customer), ()) ORDER BY ALL;
SELECT status, customer, count(*), grouping(status) FROM orders GROUP BY ROLLUP (status, customer) ORDER BY ALL;
SELECT status, customer, count(*) FROM orders GROUP BY CUBE (status, customer) ORDER BY ALL;
SELECT status, count(*) AS n FROM orders GROUP BY ALL HAVING n > 1 ORDER BY ALL;
SELECT year(placed) AS y, sum(total) FROM orders GROUP BY 1 ORDER BY 1;
SELECT status AS total, count(*) FROM orders GROUP BY orders.status ORDER BY 1;
-- set operations
SELECT id FROM orders UNION SELECT id FROM items ORDER BY id;
SELECT id FROM orders UNION ALL SELECT id FROM items ORDER BY 1 DESC LIMIT 4;
SELECT id FROM orders INTERSECT SELECT id FROM items ORDER BY 1;
SELECT id FROM orders EXCEPT SELECT id FROM items ORDER BY 1;
(SELECT id FROM orders WHERE id = 1) UNION ALL (SELECT id FROM items WHERE id = 2 LIMIT 1) ORDER BY 1;
SELECT id, NULL AS label FROM orders UNION BY NAME SELECT label, id FROM items ORDER BY id, label;
-- nested values
SELECT id, unnest(tags) AS tag FROM items ORDER BY id, tag;
SELECT i.id, t.tag FROM items i, unnest(i.tags) AS t(tag) ORDER BY 1, 2;
SELECT i.id, t.tag FROM items i CROSS JOIN LATERAL unnest(i.tags) AS t(tag) ORDER BY 1, 2;
SELECT id, tags[1], tags[-1], len(tags), list_contains(tags, 'a'), tags[1:2], array_to_string(tags, '+') FROM items ORDER BY id;
SELECT id, info->>'color', info->'$.size', json_extract_string(info, '$.color'), json_extract(info, '$.sizes[0]'), (info->>'size')::int FROM items ORDER BY id;
SELECT info->>'color' AS color, count(*) FROM items GROUP BY color ORDER BY color;
SELECT id, json_array_length(info, '$.sizes'), json_type(info), json_keys(info), info->>'$.sizes[#-1]' FROM items WHERE info IS NOT NULL ORDER BY id;
SELECT id, info->>'a.b', info->>'color.x', info->'/color', info->>'$', info->>'', info->>0, info['color'], info.color, items.info.color, info->>label, info->>'$.sizes[*]', info->>'[0]', info->>'$..size' FROM items ORDER BY id;
SELECT {'a': id, 'b': label}.a, [id, 2], map {'k': id}['k'], struct_pack(x := id), row(id, 1), list_value(1, 2) FROM items ORDER BY id;
SELECT id FROM items WHERE 'a' IN (SELECT unnest(tags)) ORDER BY 1;
SELECT x FROM range(3) r(x) ORDER BY x;
SELECT d::DATE FROM generate_series(DATE '2024-01-01', DATE '2024-01-03', INTERVAL 1 DAY) s(d) ORDER BY 1;
SELECT r.x, count(o.id) FROM range(1, 4) r(x) LEFT JOIN orders o ON o.id = r.x GROUP BY r.x ORDER BY r.x;
-- pivots
SELECT * FROM (SELECT status, total, customer FROM orders) PIVOT (sum(total) FOR status IN ('open', 'paid')) ORDER BY customer;
SELECT * FROM prices PIVOT (max(price) FOR grade IN ('a', 'b')) ORDER BY since;
SELECT * FROM (SELECT id, total::INTEGER AS t, customer AS c FROM orders) UNPIVOT (val FOR k IN (t, c)) ORDER BY id, k;
-- names
SELECT "Odd Name", "odd.dotted", "select", "naïve", "quote""d", "UPPER", "lower" FROM odd ORDER BY 1;
SELECT o."ODD NAME" AS x, upper, "LOWER" FROM odd o WHERE o."select" > 0 ORDER BY 1;
SELECT * FROM odd ORDER BY 1;
SELECT "odd-table"."a-b" FROM "odd-table" ORDER BY 1;
SELECT sum(x.total) AS Total FROM orders x;
SELECT o.id AS id, i.id AS ID2 FROM orders o JOIN items i ON o.id = i.id ORDER BY o.id;
SELECT * FROM orders PIVOT (sum(total) FOR status IN ('open', 'paid') GROUP BY "Customer") ORDER BY 1;
SELECT * FROM orders PIVOT (sum(total) AS s, count(*) AS n FOR status IN ('open', 'paid') GROUP BY "Customer", placed) AS p ORDER BY 1, 2;
SELECT p."Customer", p.open FROM orders o PIVOT (sum(total) FOR status IN ('open', 'paid') GROUP BY customer) AS p ORDER BY 1;
SELECT * FROM (SELECT * FROM orders) x PIVOT (sum(total) FOR status IN ('open', 'paid') GROUP BY "Customer") AS p ORDER BY 1;
-- other spellings
SELECT id FROM orders ORDER BY id FETCH FIRST 3 ROWS ONLY;
SELECT id FROM orders ORDER BY id FETCH FIRST ROW ONLY;
SELECT id FROM orders ORDER BY id OFFSET 1 ROW FETCH NEXT 3 ROWS ONLY;
SELECT E'a\101\x41\u0042 \q\e it\'s it''s \\', e'\xc3\xa9\t', E'', E'é' || id FROM orders ORDER BY id;
SELECT if(id > 2, 'x', 'y') FROM orders ORDER BY id;
SELECT json_object('a', id, 'b', status, 'c', json_object('d', total)), json_object() FROM orders ORDER BY id;
SELECT approx_top_k(status, 1) FROM orders WHERE status = 'open';
SELECT printf('%d-%s', id, status), printf('%05d', id), format('{}-{}', id, status), format('{{}} {:.2f}', total) FROM orders ORDER BY id;
SELECT to_base(id, 2), to_base(id, 16, 4) FROM orders ORDER BY id;
-- sequences whose length rows decide
SELECT o.id, s.i FROM orders o, LATERAL (SELECT * FROM generate_series(1, o.id) t(i)) s ORDER BY 1, 2;
SELECT o.id, s.i FROM orders o, generate_series(1, o.id) s(i) ORDER BY 1, 2;
SELECT o.id, s.i FROM orders o, LATERAL range(0, o.id * 2, 2) s(i) ORDER BY 1, 2;
SELECT o.id, s.i FROM orders o, LATERAL range(o.id, 0, -1) s(i) ORDER BY 1, 2;
SELECT id, range(customer), unnest(generate_series(id - 1, id + 1)) FROM orders ORDER BY id, 3;
