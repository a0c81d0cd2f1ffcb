-- Every statement is refused with the code at its end.
ATTACH ':memory:' AS m; -- statement_not_allowed
ATTACH '/tmp/x.db'; -- statement_not_allowed
COPY t TO '/tmp/x'; -- statement_not_allowed
COPY (SELECT 1) TO '/tmp/x'; -- statement_not_allowed
SET memory_limit = '1TB'; -- statement_not_allowed
RESET lock_configuration; -- statement_not_allowed
SET VARIABLE x = 1; -- statement_not_allowed
PRAGMA database_list; -- statement_not_allowed
PRAGMA threads = 8; -- statement_not_allowed
CALL pragma_version(); -- statement_not_allowed
CALL enable_logging(storage = 'file'); -- statement_not_allowed
CREATE TABLE x AS SELECT 1; -- statement_not_allowed
CREATE MACRO f() AS 1; -- statement_not_allowed
CREATE SECRET s (TYPE s3); -- statement_not_allowed
CREATE OR REPLACE VIEW v AS SELECT 1; -- statement_not_allowed
DROP VIEW t; -- statement_not_allowed
ALTER TABLE t ADD COLUMN x INT; -- statement_not_allowed
INSERT INTO t VALUES (1); -- statement_not_allowed
UPDATE t SET a = 1; -- statement_not_allowed
DELETE FROM t; -- statement_not_allowed
TRUNCATE t; -- statement_not_allowed
MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE; -- statement_not_allowed
LOAD httpfs; -- statement_not_allowed
INSTALL httpfs FROM community; -- statement_not_allowed
EXPORT DATABASE 'x'; -- statement_not_allowed
IMPORT DATABASE 'x'; -- statement_not_allowed
DESCRIBE t; -- statement_not_allowed
SUMMARIZE t; -- statement_not_allowed
SHOW TABLES; -- statement_not_allowed
EXPLAIN SELECT 1; -- statement_not_allowed
EXPLAIN ANALYZE SELECT 1; -- statement_not_allowed
EXECUTE x; -- statement_not_allowed
PREPARE p AS SELECT 1; -- statement_not_allowed
CHECKPOINT; -- statement_not_allowed
VACUUM; -- statement_not_allowed
BEGIN; -- statement_not_allowed
USE demo; -- statement_not_allowed
PIVOT t ON a USING sum(b); -- statement_not_allowed
SELECT 1; DROP TABLE t; -- statement_not_allowed
SELECT 1; SELECT 2; -- statement_not_allowed
WITH x AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM x; -- statement_not_allowed
WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x; -- statement_not_allowed
SELECT * FROM read_csv('/etc/passwd'); -- function_not_allowed
SELECT * FROM read_csv_auto('/etc/passwd'); -- function_not_allowed
SELECT * FROM read_text('/etc/passwd'); -- function_not_allowed
SELECT * FROM read_blob('/proc/self/environ'); -- function_not_allowed
SELECT * FROM read_json('x.json'); -- function_not_allowed
SELECT * FROM read_ndjson_objects('x.json'); -- function_not_allowed
SELECT * FROM read_parquet('https://example.com/x.parquet'); -- function_not_allowed
SELECT * FROM "read_csv"('/etc/passwd'); -- function_not_allowed
SELECT * FROM parquet_scan('x'); -- function_not_allowed
SELECT * FROM parquet_metadata('x'); -- function_not_allowed
SELECT * FROM glob('/etc/*'); -- function_not_allowed
SELECT * FROM sniff_csv('x'); -- function_not_allowed
SELECT * FROM read_duckdb('x', table_name = 'z'); -- function_not_allowed
SELECT * FROM query('SELECT 1'); -- function_not_allowed
SELECT * FROM query_table('t'); -- function_not_allowed
SELECT * FROM query_table(['t']); -- function_not_allowed
SELECT query('DROP TABLE t'); -- function_not_allowed
SELECT * FROM json_execute_serialized_sql('x'); -- function_not_allowed
SELECT json_serialize_sql('SELECT 1'); -- function_not_allowed
SELECT json_deserialize_sql('x'); -- function_not_allowed
SELECT * FROM duckdb_settings(); -- function_not_allowed
SELECT * FROM duckdb_secrets(); -- function_not_allowed
SELECT * FROM duckdb_tables(); -- function_not_allowed
SELECT * FROM pragma_version(); -- function_not_allowed
SELECT * FROM arrow_scan(1, 2, 3); -- function_not_allowed
SELECT * FROM python_map_function(1); -- function_not_allowed
SELECT current_setting('temp_directory'); -- function_not_allowed
SELECT getvariable('x'); -- function_not_allowed
SELECT getenv('HOME'); -- function_not_allowed
SELECT current_user; -- function_not_allowed
SELECT current_schema(); -- function_not_allowed
SELECT current_database(); -- function_not_allowed
SELECT current_query(); -- function_not_allowed
SELECT version(); -- function_not_allowed
SELECT txid_current(); -- function_not_allowed
SELECT nextval('s'); -- function_not_allowed
SELECT setseed(0.5); -- function_not_allowed
SELECT write_log('x'); -- function_not_allowed
SELECT sleep_ms(1000000); -- function_not_allowed
SELECT pg_sleep(1000); -- function_not_allowed
SELECT shell('id'); -- function_not_allowed
SELECT system('id'); -- function_not_allowed
SELECT list_aggregate([1], 'sum'); -- function_not_allowed
SELECT printf('%1000000000d', 1); -- function_not_allowed
SELECT format('{:>1000000000}', 'x'); -- function_not_allowed
SELECT bar(1, 0, 1, 1000000000); -- function_not_allowed
SELECT array_resize([1], 1000000000); -- function_not_allowed
SELECT list_resize([1], 1000000000); -- function_not_allowed
SELECT bitstring('1', 1000000000); -- function_not_allowed
SELECT equi_width_bins(0, 1, 1000000000, false); -- function_not_allowed
SELECT repeat('x', 4000000000); -- function_not_allowed
SELECT repeat('x', 100 * 1000 * 1000); -- function_not_allowed
SELECT repeat('xxxxxxxxxx', 9999); -- function_not_allowed
SELECT repeat(repeat('x', 100), 100); -- function_not_allowed
SELECT repeat('x', n) FROM t; -- function_not_allowed
SELECT repeat('x', '1000000000'::int) FROM t; -- function_not_allowed
SELECT lpad('x', 2000000000, 'y'); -- function_not_allowed
SELECT rpad('x', n, 'y') FROM t; -- function_not_allowed
SELECT * FROM range(1000000000000); -- function_not_allowed
SELECT * FROM range(n) FROM t; -- syntax_error
SELECT unnest(generate_series(1, 1000000000)); -- function_not_allowed
SELECT range(0, 1000, 0); -- function_not_allowed
SELECT generate_series(TIMESTAMP '2000-01-01', TIMESTAMP '2100-01-01', INTERVAL 1 MICROSECOND); -- function_not_allowed
SELECT generate_series(TIMESTAMP '2000-01-01', DATE '2100-01-01', INTERVAL 1 SECOND); -- function_not_allowed
SELECT * FROM repeat('x', 1000000000); -- syntax_not_supported
SELECT * FROM histogram('/etc/passwd', 'x'); -- syntax_not_supported
SELECT * FROM histogram_values(t, a); -- function_not_allowed
SELECT * FROM lower('x'); -- syntax_not_supported
SELECT * FROM t, LATERAL read_csv('x') l; -- function_not_allowed
SELECT * FROM t, LATERAL histogram('x', 'y') l; -- syntax_not_supported
SELECT * FROM (PIVOT t ON a USING sum(b)); -- syntax_not_supported
WITH p AS (PIVOT t ON a USING sum(b)) SELECT * FROM p; -- syntax_not_supported
SELECT main.lower('a'); -- syntax_not_supported
SELECT system.main.read_text('x'); -- syntax_not_supported
SELECT 'a'.upper(); -- syntax_not_supported
SELECT list_transform([1], x -> x + 1); -- syntax_not_supported
SELECT list_filter([1], lambda x: x > 1); -- syntax_not_supported
SELECT list_reduce([1], (x, y) -> x + y); -- syntax_not_supported
SELECT [x + 1 FOR x IN [1, 2]]; -- syntax_not_supported
SELECT COLUMNS('.*') FROM t; -- syntax_not_supported
SELECT #1 FROM t; -- syntax_not_supported
SELECT * FROM t USING SAMPLE 10; -- syntax_not_supported
SELECT * FROM t TABLESAMPLE 10%; -- syntax_not_supported
SELECT * FROM t LIMIT 10%; -- syntax_not_supported
SELECT * FROM t FOR UPDATE; -- syntax_not_supported
SELECT 1 INTO x; -- syntax_not_supported
SELECT * FROM t AT (VERSION => 1); -- syntax_not_supported
SELECT x::frobnicated FROM t; -- syntax_not_supported
WITH x AS (t) SELECT * FROM x; -- syntax_not_supported
WITH x AS (1) SELECT 1; -- syntax_not_supported
SELECT * FROM a.b.c; -- unknown_table
SELECT a FROM; -- syntax_error
SELECT a frm t WHERE x ==; -- syntax_error
SELECT 'abc; -- syntax_error
SELECT "abc; -- syntax_error
SELECT 1 /* unclosed; -- syntax_error
SELECT $$abc$$; -- syntax_error
SELECT (1; -- syntax_error
SELECT 1); -- syntax_error
SELECT printf('%*d', 1000000000, 1); -- function_not_allowed
SELECT printf('* %-5.*f', 1000000000, 1.5); -- function_not_allowed
SELECT format('* {:{}}', 1, 1000000000); -- function_not_allowed
SELECT printf(a, 1) FROM t; -- function_not_allowed
SELECT printf('%9000s%9000s', 'a', 'b'); -- function_not_allowed
SELECT format('{:{}}', 1, 1000000000); -- function_not_allowed
SELECT format('{:1000000000}', 1); -- function_not_allowed
SELECT format('{{{:1000000000}}}', 1); -- function_not_allowed
SELECT printf('%%%1000000000d', 1); -- function_not_allowed
SELECT printf('100% %1000000000d', 1); -- function_not_allowed
SELECT range(length(a)) FROM t; -- function_not_allowed
SELECT range((SELECT max(a) FROM t)); -- function_not_allowed
SELECT range(0, a, 0) FROM t; -- function_not_allowed
SELECT generate_series(a, b, c) FROM t; -- function_not_allowed
SELECT error('x'); -- function_not_allowed
SELECT a FROM t FETCH FIRST 10 PERCENT ROWS ONLY; -- syntax_not_supported
SELECT a FROM t ORDER BY a FETCH FIRST 3 ROWS WITH TIES; -- syntax_not_supported
SELECT * FROM t PIVOT (sum(a) FOR b IN (1, 2) GROUP BY b); -- syntax_not_supported
SELECT * FROM t PIVOT (sum(a) FOR b IN (1, 2) GROUP BY c + 1); -- syntax_not_supported
SELECT E'\x00'; -- syntax_error
SELECT E'\xff'; -- syntax_error
SELECT * FROM information_schema.tables; -- unknown_schema
SELECT * FROM pg_catalog.pg_tables; -- unknown_schema
