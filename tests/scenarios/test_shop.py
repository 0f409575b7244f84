"""The example config/examples/shop, deployed as it is, and its recipes for the database."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess

import pytest
import yaml

import host as hosts
import parts as real
from shop_images import API_URL, EXAMPLE, ShopImages

NAME = "shop.example.com"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 200


class Shop:
    """The example as a stack of a host, with its images in the host's registry."""

    def __init__(self, host):
        self.host = host
        prefix = f"host{host.number}"
        self.images = ShopImages(host.registry, prefix)
        self.images.nginx("1.28-alpine")
        self.images.postgres("18")
        self.images.frontend("latest", "frontend-one")
        self.images.backend("latest", "backend-one")
        self.backups = host.folder / "backups"

        settings = yaml.safe_load((EXAMPLE / "trimtab/shop.yaml").read_text())
        # What is elsewhere in a test: the repository, and no certificate can be had from outside.
        for key in ("git", "directory", "profiles"):
            del settings[key]
        settings["images"]["interval"] = "1s"
        hook = settings["hooks"]["before"][0]
        self.stack = host.stack("shop", **settings)
        assert hook["program"] == "/srv/shop/scripts/backup"
        hook["program"] = str(self.wrapped_backup())
        shutil.copytree(EXAMPLE, self.stack.work, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("node_modules", ".next", "__pycache__"))
        self.commit = self.stack.push(message="The shop")
        self.prepare_directory(f"{host.registry.address}/{prefix}")

    def wrapped_backup(self):
        """The hook's program: the Engine of a test is not at Docker's usual place."""
        program = self.host.folder / "backup"
        program.write_text(f"#!/bin/sh\nexport DOCKER_HOST=unix://{self.host.engine.socket} "
                           f"BACKUPS={self.backups}\n"
                           f"exec {self.stack.directory}/scripts/backup\n")
        program.chmod(0o755)
        return program

    def prepare_directory(self, registry):
        """What README.md has a person do on the server."""
        directory = self.stack.directory
        subprocess.run(["git", "clone", "-q", self.stack.origin, directory], check=True)
        env = (directory / ".env.example").read_text()
        env = env.replace("REGISTRY=\n", f"REGISTRY={registry}\n")
        env = env.replace("POSTGRES_PASSWORD=\n", "POSTGRES_PASSWORD='p@ss/w#rd'\n")
        env += f"LIBRARY={registry}\n"
        (directory / ".env").write_text(env)
        (directory / ".env").chmod(0o600)
        (directory / "certs").mkdir(mode=0o700)
        self.issue_certificate()

    def issue_certificate(self):
        """Puts another certificate where nginx looks, and trusts that one alone."""
        certs = self.stack.directory / "certs"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "30", "-subj", f"/CN={NAME}", "-addext",
             f"subjectAltName=DNS:{NAME}", "-keyout", certs / "privkey.pem",
             "-out", certs / "fullchain.pem"], check=True, capture_output=True)
        self.tls = ssl.create_default_context(cafile=certs / "fullchain.pem")

    def deploy(self):
        self.host.start()
        self.stack.wait_commit(self.commit, seconds=400)

    # -- as a customer -----------------------------------------------------------------------------

    def ask(self, method, path, body=None, kind="application/json"):
        """(status, body) over TLS, the certificate checked."""
        connection = http.client.HTTPSConnection(NAME, timeout=20)
        connection.sock = self.tls.wrap_socket(socket.create_connection(("127.0.0.1", 443), 20),
                                               server_hostname=NAME)
        try:
            connection.request(method, path, body, {"Content-Type": kind} if body else {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def get(self, path):
        status, body = self.ask("GET", path)
        assert status == 200, (path, status, body)
        return body

    def plain(self, path):
        """(status, Location) over HTTP."""
        connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=20)
        connection.request("GET", path, headers={"Host": NAME})
        response = connection.getresponse()
        connection.close()
        return response.status, response.getheader("Location")

    def items(self):
        return [item["name"] for item in json.loads(self.get("/api/items"))]

    def add(self, name):
        status, body = self.ask("POST", "/api/items",
                                json.dumps({"name": name, "price_cents": 250}))
        assert status == 201, body

    def upload(self, data, filename):
        """(status, parsed answer)."""
        head = (f'--part\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
                "Content-Type: application/octet-stream\r\n\r\n").encode()
        status, answer = self.ask("POST", "/api/uploads", head + data + b"\r\n--part--\r\n",
                                  "multipart/form-data; boundary=part")
        return status, json.loads(answer)

    # -- as the operator ---------------------------------------------------------------------------

    def environment(self, **more):
        path = f"{hosts.BUILD}:{self.host.environment['PATH']}"
        return {**self.host.environment, "PATH": path, "TRIMTAB_SOCKET": str(self.host.socket),
                "DOCKER_HOST": f"unix://{self.host.engine.socket}", "BACKUPS": str(self.backups),
                **more}

    def script(self, name, *arguments, code=0, **environment):
        done = subprocess.run([self.stack.directory / "scripts" / name, *arguments],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                              env=self.environment(**environment))
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def backup(self, release, **environment):
        return self.script("backup", TRIMTAB_RELEASE=str(release), TRIMTAB_COMMIT=self.commit,
                           **environment)

    def dumps(self):
        return sorted(path.name for path in self.backups.glob("*.dump"))

    def sql(self, text, database="shop"):
        return self.stack.execute("db", "psql", "-U", "shop", "-d", database, "-Atc", text)


@pytest.fixture
def shop(host):
    shop = Shop(host)
    shop.deploy()
    return shop


@pytest.mark.parametrize("compose", real.COMPOSES)
@pytest.mark.parametrize("file", ["docker-compose.yml", "docker-compose.prod.yml"])
def test_each_compose_finds_nothing_wrong_with_the_examples_files(compose, file, tmp_path):
    env = (EXAMPLE / ".env.example").read_text()
    (tmp_path / "env").write_text(re.sub(r"=\n", "=something\n", env))
    done = subprocess.run(
        [real.compose_program(compose), "--env-file", tmp_path / "env", "-f", EXAMPLE / file,
         "config"], capture_output=True, text=True, env={"PATH": real.SYSTEM_PATH})
    assert (done.returncode, done.stderr) == (0, "")


def test_a_new_backend_takes_over_and_what_customers_left_stays(shop):
    stack = shop.stack
    status = stack.status()
    assert (status["healthy"], status["services"]) == (4, 4)

    # Everything goes to TLS, but for what proves that the name is ours.
    assert shop.plain("/some?page") == (301, f"https://{NAME}/some?page")
    assert shop.plain("/.well-known/acme-challenge/none")[0] == 404
    page = shop.get("/").decode()
    assert "frontend-one" in page
    scripts = re.findall(r'src="(/_next/static/[^"]+\.js)"', page)
    assert any(API_URL in shop.get(script).decode() for script in scripts)

    assert shop.items() == ["Sample"]
    shop.add("Tea")
    status, answer = shop.upload(PICTURE, "Tea Pot.PNG")
    assert status == 201 and shop.get(answer["url"]) == PICTURE
    assert shop.upload(b"<script>", "page.html")[0] == 415
    assert shop.ask("GET", "/uploads/none.png")[0] == 404
    assert shop.ask("GET", "/uploads/..%2f..%2fetc%2fpasswd")[0] == 400

    before = stack.instances()
    shop.images.backend("latest", "backend-two", {
        "migrations/0003_stock.sql": "ALTER TABLE items ADD COLUMN stock integer;\n"})
    stack.wait_outcome(2, "good", seconds=120)
    after = stack.instances()
    assert [service for service in before if before[service] != after[service]] == ["backend"]
    assert json.loads(shop.get("/api/healthz"))["version"] == "backend-two"
    assert shop.items() == ["Sample", "Tea"] and shop.get(answer["url"]) == PICTURE
    migrations = shop.sql("SELECT name FROM schema_migrations ORDER BY name").split()
    assert migrations == ["0001_items.sql", "0002_item_pictures.sql", "0003_stock.sql"]
    # As it was before the second release: the first had nothing to dump.
    assert shop.dumps() == [f"before-2-{shop.commit[:12]}.dump"]

    # A renewed certificate is shown soon, by the same nginx.
    shop.issue_certificate()
    shop.host.wait(lambda: shop.get("/"), "nginx shows the renewed certificate", 120)
    assert stack.instances()["proxy"] == after["proxy"]

    # A migration that fails leaves the database, and the version that works with it.
    shop.images.backend("latest", "backend-bad", {
        "migrations/0004_bad.sql": "DELETE FROM items;\nALTER TABLE nothing ADD COLUMN x int;\n"})
    release = stack.wait_outcome(3, "rolled_back", seconds=120)
    failing = {entry["service"]: entry for entry in release["failure"]["services"]}
    assert 'relation "nothing" does not exist' in "\n".join(failing["backend"]["log"])
    assert shop.items() == ["Sample", "Tea"]
    assert json.loads(shop.get("/api/healthz"))["version"] == "backend-two"

    # What the second release did to the data, taken back.
    shop.sql("DELETE FROM items")
    shop.host.trimtab("rollback", "shop", "--wait")
    assert "before-2" in shop.script("restore", "2")
    assert shop.items() == ["Sample", "Tea"]
    assert json.loads(shop.get("/api/healthz"))["version"] == "backend-one"


def test_a_backup_is_whole_or_not_there_and_is_restored_with_one_command(shop):
    stack = shop.stack
    assert "nothing to dump" in shop.script("backup", PROJECT="other")
    shop.add("Tea")
    shop.backup(2)
    name = f"before-2-{shop.commit[:12]}.dump"
    assert shop.dumps() == [name] and (shop.backups / name).stat().st_mode & 0o077 == 0

    # What a bad release did, taken back.
    shop.sql("DELETE FROM items")
    shop.add("Coffee")
    backend = stack.container("backend")["Id"]
    assert name in shop.script("restore", "2")
    assert shop.items() == ["Sample", "Tea"]
    assert shop.sql("SELECT name FROM items", "shop_replaced") == "Coffee"
    shop.add("Cake")  # new rows get numbers that are free
    assert stack.container("backend")["Id"] == backend
    stack.wait_state("synced")

    # A dump that ends half-way: of PostgreSQL's doing, then of the machine's.
    def dumping(release):
        """A backup that waits for a table, after it has begun to write."""
        lock = subprocess.Popen(
            [real.DOCKER, "exec", stack.container("db")["Id"], "psql", "-U", "shop", "-d", "shop",
             "-c", "BEGIN; LOCK TABLE items; SELECT pg_sleep(600)"],
            env=shop.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        real.wait_until(lambda: shop.sql("SELECT 1 FROM pg_stat_activity WHERE query LIKE "
                                         "'%pg_sleep(600)' AND wait_event = 'PgSleep'") == "1",
                        "the table is locked")
        script = subprocess.Popen(
            [stack.directory / "scripts/backup"], start_new_session=True, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=shop.environment(TRIMTAB_RELEASE=str(release), TRIMTAB_COMMIT=shop.commit))
        real.wait_until(lambda: shop.sql("SELECT 1 FROM pg_stat_activity WHERE application_name = "
                                         "'pg_dump' AND wait_event_type = 'Lock'") == "1",
                        "pg_dump waits for the table")
        assert len(list(shop.backups.glob("*.part"))) == 1
        return lock, script

    def release_table(lock):
        shop.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                 "WHERE query LIKE '%pg_sleep(600)' AND pid <> pg_backend_pid()")
        lock.wait(20)

    lock, script = dumping(3)
    assert "another backup is running" in shop.script("backup", code=1)
    shop.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
             "WHERE application_name = 'pg_dump'")
    said, _ = script.communicate(timeout=20)
    assert script.returncode == 1 and "pg_dump failed; no dump was kept" in said
    assert sorted(path.name for path in shop.backups.glob("before-*")) == [name]
    release_table(lock)

    lock, script = dumping(3)
    os.killpg(script.pid, signal.SIGKILL)
    script.communicate(timeout=20)
    release_table(lock)
    assert shop.dumps() == [name]
    assert "has no backup of 3" in shop.script("restore", "3", code=1)

    # A dump that was damaged on the disk changes nothing.
    damaged = shop.backups / "before-4-damaged.dump"
    whole = (shop.backups / name).read_bytes()
    damaged.write_bytes(whole[:len(whole) // 2])
    assert "the shop runs as before" in shop.script("restore", "4", code=1)
    assert shop.items() == ["Sample", "Tea", "Cake"]
    damaged.unlink()

    # The newest stay, and what a killed run left goes.
    for release in (10, 11, 12, 13):
        shop.backup(release, KEEP="3")
    assert [dump.split("-")[1] for dump in shop.dumps()] == ["11", "12", "13"]
    # A commit that is tried again and again pushes nothing else out.
    for release in (14, 15, 16):
        shop.backup(release, KEEP="4", TRIMTAB_PREVIOUS_RELEASE="13")
    assert [dump.split("-")[1] for dump in shop.dumps()] == ["11", "12", "13", "16"]
    assert not list(shop.backups.glob("*.part"))
    assert shop.script("restore", code=2).count(".dump") == 4

    small = shop.host.folder / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", small], check=True)
    try:
        assert "16 MiB free" in shop.script("backup", code=1, BACKUPS=str(small))
        assert not list(small.glob("*.dump*"))
    finally:
        subprocess.run(["umount", small], check=True)
