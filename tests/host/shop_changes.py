"""What a team does to its shop in a while: each change, and what is to come of it."""

from typing import Callable, NamedTuple

from shop_on_host import COMPOSE, Shop

FRONTEND_ALONE = "deploy: {update_config: {order: start-first}}\n\n  backend:"
TWO_FRONTENDS = "deploy: {replicas: 2, update_config: {order: start-first}}\n\n  backend:"

# An application that leaves at once when it is told to stop, whatever it is doing: with the first
# process of a container all others end.
DIES_AT_ONCE = """#!/bin/sh
set -eu
PGUSER=shop_owner PGPASSWORD=$OWNER_PASSWORD python3 -m shop.migrate
trap 'exit 0' TERM
python3 -m uvicorn shop.main:app --host 0.0.0.0 --port 8000 &
wait
"""
NEVER_HEALTHY = """#!/bin/sh
exec sleep 600
"""
MIGRATION = "ALTER TABLE items ADD COLUMN stock integer;\n"
BAD_MIGRATION = "DELETE FROM items;\nALTER TABLE nothing ADD COLUMN x int;\n"


class Change(NamedTuple):
    title: str
    make: Callable[[Shop], None]
    outcome: str = "good"  # of the release that comes of it


def backend(version, changes=None):
    """A commit of which CI builds another backend."""
    def make(shop):
        shop.images.backend(f"backend-{version}", changes)
        shop.commit(f"backend {version}")
    return make


def frontend(version):
    def make(shop):
        shop.images.frontend(f"frontend-{version}")
        shop.commit(f"frontend {version}")
    return make


def commit(file, old, new):
    def make(shop):
        shop.edit(file, old, new)
        shop.commit(f"{file}: {new.strip()}")
    return make


def both_at_once(shop):
    shop.edit(COMPOSE, "GREETING: hello\n", "GREETING: welcome\n")
    commit(COMPOSE, "mem_limit: 256m\n    networks: [web]\n",
           "mem_limit: 256m\n    environment: {GREETING: hello}\n    networks: [web]\n")(shop)


def environment_of_the_server(shop):
    shop.write_env(GREETING="good day")
    commit(COMPOSE, "GREETING: welcome\n", "GREETING: ${GREETING:-welcome}\n")(shop)


PLAIN = [
    Change("new backend", backend("v02")),
    Change("new frontend", frontend("v02")),
    Change("changed nginx.conf", commit("nginx.conf", "proxy_http_version 1.1;",
                                        "proxy_http_version 1.1;\n  add_header X-Shop two;")),
    Change("changed environment", commit(COMPOSE, "PGHOST: db\n",
                                         "PGHOST: db\n      GREETING: hello\n")),
]

AWKWARD = [
    Change("backend that dies at once when told to stop",
           backend("v03", {"entrypoint.sh": DIES_AT_ONCE})),
    Change("backend that never becomes healthy",
           backend("v04", {"entrypoint.sh": NEVER_HEALTHY}), "rolled_back"),
    Change("new backend for the one that dies at once", backend("v05")),
    Change("migration that fails",
           backend("v06", {"migrations/0003_bad.sql": BAD_MIGRATION}), "rolled_back"),
    Change("migration that works", backend("v07", {"migrations/0003_stock.sql": MIGRATION})),
    Change("nginx.conf with a mistake",
           commit("nginx.conf", "X-Shop two;", "X-Shop two"), "rejected"),
    Change("nginx.conf mended", commit("nginx.conf", "X-Shop two", "X-Shop three;")),
    Change("two frontends", commit(COMPOSE, FRONTEND_ALONE, TWO_FRONTENDS)),
    Change("another version of both frontends", frontend("v03")),
    Change("one frontend again", commit(COMPOSE, TWO_FRONTENDS, FRONTEND_ALONE)),
    Change("backend and frontend at once", both_at_once),
    Change("changed environment of the server", environment_of_the_server),
    Change("one more frontend", frontend("v09")),
]
