-- Two roles and the database. The owner makes and changes tables, and is used by migrations and restores alone; the
-- desk's own role reads and writes rows. It owns no table, so it can neither lift the triggers that keep the book
-- append-only nor empty a booked table, whatever a fault in the desk may let through.
--
-- As a superuser, with DB_NAME, DB_USER, DB_PASSWORD, DB_OWNER_USER and DB_OWNER_PASSWORD in the environment:
--     psql -v ON_ERROR_STOP=1 -f deploy/database/roles.sql postgres
-- It may be run again at any time: so are passwords changed.

\getenv database DB_NAME
\getenv desk DB_USER
\getenv desk_password DB_PASSWORD
\getenv owner DB_OWNER_USER
\getenv owner_password DB_OWNER_PASSWORD

SELECT format('CREATE ROLE %I LOGIN', name) FROM unnest(ARRAY[:'owner', :'desk']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
-- CREATEDB: a restore goes into a database of its own.
ALTER ROLE :"owner" LOGIN CREATEDB PASSWORD :'owner_password';
ALTER ROLE :"desk" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'desk_password';
-- A process that is stuck in a transaction must not hold an account's lock for good.
ALTER ROLE :"desk" SET idle_in_transaction_session_timeout = '15min';

SELECT format('CREATE DATABASE %I OWNER %I ENCODING %L TEMPLATE template0', :'database', :'owner', 'UTF8')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec

\connect :"database"
\ir grants.psql
