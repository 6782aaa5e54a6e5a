-- Puts a test database back to what the migrations made of it. Loaded once into the template every worker is cloned from.
--
-- DELETE, because a handful of rows go faster that way than by TRUNCATE, which makes a new file for each table and index;
-- what has grown is truncated. Triggers are off meanwhile: append-only tables refuse both, and foreign keys would ask for
-- an order. A table into which nothing was ever written has no size and is not looked at.
CREATE SCHEMA testing;
CREATE TABLE testing.kept (name text PRIMARY KEY, copy text NOT NULL);

DO $$
DECLARE
    found record;
    has_rows boolean;
BEGIN
    FOR found IN SELECT oid::regclass::text AS name, relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', found.name) INTO has_rows;
        IF has_rows THEN
            EXECUTE format('CREATE TABLE testing.%I AS TABLE %s', found.relname, found.name);
            INSERT INTO testing.kept VALUES (found.name, format('testing.%I', found.relname));
        END IF;
    END LOOP;
END $$;

CREATE FUNCTION testing.clean() RETURNS void LANGUAGE plpgsql
SET session_replication_role = replica SET lock_timeout = '10s' AS $$
DECLARE
    part record;
    touched boolean;
BEGIN
    FOR part IN SELECT oid::regclass::text AS name, pg_relation_size(oid) AS size_bytes FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
            AND oid::regclass::text NOT IN (SELECT name FROM testing.kept)
    LOOP
        IF part.size_bytes > 1000000 THEN
            EXECUTE format('TRUNCATE %s CASCADE', part.name);
        ELSIF part.size_bytes > 0 THEN
            EXECUTE format('DELETE FROM %s', part.name);
        END IF;
    END LOOP;
    FOR part IN SELECT * FROM testing.kept LOOP
        EXECUTE format('SELECT EXISTS (TABLE %1$s EXCEPT TABLE %2$s) OR EXISTS (TABLE %2$s EXCEPT TABLE %1$s)',
            part.name, part.copy) INTO touched;
        IF touched THEN
            EXECUTE format('DELETE FROM %s', part.name);
            EXECUTE format('INSERT INTO %s SELECT * FROM %s', part.name, part.copy);
        END IF;
    END LOOP;
END $$;
