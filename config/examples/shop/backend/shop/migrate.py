"""Applies the SQL files of migrations/ that the database has not seen, in the order of their names.

All in one transaction: either the database is at this version afterwards, or it is untouched.
"""

import pathlib

import psycopg

ROOT = pathlib.Path(__file__).parents[1]
# Any number, as long as nothing else in this database uses it.
LOCK = 20260101


def main():
    with psycopg.connect() as connection:
        # Two containers may start at the same time; the second waits here and finds all done.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        # Waiting for a table that the running version uses must not make everyone else wait
        # behind it for long: rather fail, and be tried again.
        connection.execute("SET LOCAL lock_timeout = '10s'")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations ("
            "name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())")
        applied = {name for name, in connection.execute("SELECT name FROM schema_migrations")}
        for file in sorted((ROOT / "migrations").glob("*.sql")):
            if file.name in applied:
                continue
            print(f"migrate: {file.name}", flush=True)
            connection.execute(file.read_text())
            connection.execute("INSERT INTO schema_migrations (name) VALUES (%s)", (file.name,))
        connection.execute((ROOT / "seed.sql").read_text())


if __name__ == "__main__":
    main()
