#!/bin/sh
# What the backend's container runs: the database is brought to this version, then requests are
# served. A migration that fails ends the container, so that the deploy fails and not the customers.
set -eu
PGUSER=shop_owner PGPASSWORD=$OWNER_PASSWORD python3 -m shop.migrate
# Whoever breaks into the server below shall find no password that may change tables.
unset OWNER_PASSWORD

# exec: uvicorn becomes the container's first process and gets Docker's SIGTERM itself. It then
# takes no new connections and answers those that it has.
# nginx is the only one that can reach this port, so its word about who asks is trusted.
exec python3 -m uvicorn shop.main:app --host 0.0.0.0 --port 8000 \
  --proxy-headers --forwarded-allow-ips '*'
