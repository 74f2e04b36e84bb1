-- Records of as many resource managers as one database can make.
CREATE TABLE t (id int PRIMARY KEY, a int, txt text, arr int[], p point, v tsvector);
INSERT INTO t SELECT i, i % 97, md5(i::text), ARRAY[i, i * 2], point(i, -i), to_tsvector(md5(i::text))
	FROM generate_series(1, 5000) i;
CREATE INDEX ON t USING hash (a);
CREATE INDEX ON t USING gin (arr);
CREATE INDEX ON t USING gist (p);
CREATE INDEX ON t USING spgist (txt);
CREATE INDEX ON t USING brin (id);
UPDATE t SET a = a + 1 WHERE id % 3 = 0;
DELETE FROM t WHERE id % 7 = 0;
VACUUM t;
CREATE SEQUENCE s;
SELECT count(nextval('s')) FROM generate_series(1, 100);
BEGIN; INSERT INTO t VALUES (100001); ROLLBACK;
-- A commit that names thousands of subtransactions.
DO $$ BEGIN
	FOR i IN 1..3000 LOOP
		BEGIN
			INSERT INTO t VALUES (200000 + i);
		EXCEPTION WHEN unique_violation THEN NULL;
		END;
	END LOOP;
END $$;
BEGIN; CREATE TABLE two (x int); INSERT INTO two VALUES (1); PREPARE TRANSACTION 'kept';
COMMIT PREPARED 'kept';
BEGIN; INSERT INTO two VALUES (2); SAVEPOINT sp; INSERT INTO two VALUES (3); PREPARE TRANSACTION 'left';
ROLLBACK PREPARED 'left';
TRUNCATE two;
-- Two sessions' worth of row locks.
BEGIN; SELECT * FROM t WHERE id = 1 FOR SHARE; SAVEPOINT sp; UPDATE t SET a = 1 WHERE id = 1; COMMIT;
CREATE DATABASE other;
-- Records longer than a segment of 1 MiB.
SELECT count(pg_logical_emit_message(true, 'long', repeat('x', n)))
	FROM unnest(ARRAY[100, 9000, 1200000, 2500000, 0]) n;
CHECKPOINT;
