"""The example config/examples/shop, deployed as it is, and its recipes for the database."""

import concurrent.futures
import datetime
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
from shop_images import API_URL, EXAMPLE, PYTHON_PACKAGES, ShopImages

NAME = "shop.example.com"
PASSWORDS = {"POSTGRES_PASSWORD": "p@ss/w#rd", "OWNER_PASSWORD": "own$er",
             "APP_PASSWORD": "app@/#"}
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 200


class Shop:
    """The example as a stack of a host, with its images in the host's registry."""

    def __init__(self, host):
        self.host = host
        prefix = f"host{host.number}"
        self.images = ShopImages(host.registry, prefix)
        self.images.nginx("1.28-alpine")
        self.images.postgres("18")
        self.images.frontend("frontend-one")
        self.images.backend("backend-one")
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
        copy_sources(self.stack.work)
        self.push("The shop")
        self.prepare_directory(f"{host.registry.address}/{prefix}")

    def push(self, message):
        """Commits and pushes what is in the work tree; CI then tags its images."""
        self.commit = self.stack.push(message=message)
        self.images.publish(self.commit)
        return self.commit

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
        for name, password in PASSWORDS.items():
            env = env.replace(f"{name}=\n", f"{name}='{password}'\n")
        env += f"LIBRARY={registry}\n"
        (directory / ".env").write_text(env)
        (directory / ".env").chmod(0o600)
        (directory / "certs").mkdir(mode=0o700)

    def issue_certificate(self):
        """Puts another certificate where nginx looks, and trusts that one alone."""
        certs = self.stack.directory / "certs"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "30", "-subj", f"/CN={NAME}", "-addext",
             f"subjectAltName=DNS:{NAME}", "-keyout", certs / "privkey.pem",
             "-out", certs / "fullchain.pem"], check=True, capture_output=True)
        self.trust_certificate()

    def trust_certificate(self):
        """Trusts the one that is there alone, and for the site's name alone."""
        self.tls = ssl.create_default_context(
            cafile=self.stack.directory / "certs/fullchain.pem")

    def deploy(self):
        self.host.start()
        self.stack.wait_commit(self.commit, seconds=400)
        self.trust_certificate()

    # -- as a customer -----------------------------------------------------------------------------

    def ask(self, method, path, body=None, kind="application/json", **headers):
        """(status, body) over TLS, the certificate checked."""
        connection = http.client.HTTPSConnection(NAME, timeout=20)
        connection.sock = self.tls.wrap_socket(socket.create_connection(("127.0.0.1", 443), 20),
                                               server_hostname=NAME)
        try:
            headers = {**({"Content-Type": kind} if body else {}), **headers}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def get(self, path):
        status, body = self.ask("GET", path)
        assert status == 200, (path, status, body)
        return body

    def plain(self, path, name=NAME):
        """(status, Location) over HTTP."""
        connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=20)
        connection.request("GET", path, headers={"Host": name})
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
        return self.stack.execute("db", "psql", "-U", "postgres", "-d", database, "-Atc", text)


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
         "config"], capture_output=True, text=True,
        env={"PATH": real.SYSTEM_PATH, "TRIMTAB_COMMIT": "c" * 40})
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("file, old, new, said", [
    ("backend/requirements.txt", r"starlette==\S+", "starlette==0.49.0",
     "starlette 0.49.0 is vulnerable, 0.49.1 is not (CVE-2025-62727"),
    ("backend/requirements.txt", r"(?s)uvicorn==.*", "uvicorn==0.54.0\n",
     "uvicorn==0.54.0 is not locked to a version and its hashes"),
    ("backend/requirements.txt", r"fastapi==", "slowapi==", "lacks fastapi"),
    ("backend/requirements.in", r"\Z", "httpx\n", "lacks httpx, which requirements.in names"),
    ("frontend/package.json", r'"next": "[^"]*"', '"next": "99.0.0"',
     "is not that of package.json"),
    ("frontend/package-lock.json", r'(node_modules/next": {\s*"version": )"[^"]*"', r'\1"16.0.9"',
     "next 16.0.9 is vulnerable"),
    ("frontend/package-lock.json", r'(node_modules/react": {)',
     r'\1 "resolved": "https://mirror.example.com/react.tgz",',
     "react comes from https://mirror.example.com"),
    ("frontend/package-lock.json", r'(node_modules/react": {[^}]*)"integrity": "[^"]*",', r"\1",
     "react has no integrity"),
])
def test_packages_that_are_not_locked_or_vulnerable_are_found(file, old, new, said, tmp_path):
    copy_sources(tmp_path)
    text, count = re.subn(old, new, (tmp_path / file).read_text(), count=1)
    assert count == 1
    (tmp_path / file).write_text(text)
    code, output = check_dependencies(tmp_path)
    assert code == 1 and said in output and "run scripts/update-dependencies" in output


def test_the_age_of_packages_is_told_and_an_error_only_where_that_is_asked(tmp_path):
    assert check_dependencies(EXAMPLE)[0] == 0
    copy_sources(tmp_path)
    ago = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=91)
    (tmp_path / "scripts/dependencies-updated").write_text(f"{ago:%Y-%m-%d}\n")
    code, output = check_dependencies(tmp_path)
    assert code == 0 and "91 days old: run scripts/update-dependencies soon" in output
    assert check_dependencies(tmp_path, "--max-days", "91")[0] == 0
    code, output = check_dependencies(tmp_path, "--max-days", "90")
    assert code == 1 and "91 days old, more than 90" in output


def copy_sources(folder):
    shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("node_modules", ".next", "__pycache__"))


def check_dependencies(folder, *arguments):
    """(exit code, output)"""
    done = subprocess.run([folder / "scripts/check-dependencies", *arguments], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={"PATH": real.SYSTEM_PATH})
    return done.returncode, done.stdout


# In place of Docker: tags are files, and what it is asked for is noted.
DOCKER = """#!/bin/sh
echo "$*" >>asked
name() { echo "$1" | tr / _; }
case "$*" in
  "buildx imagetools inspect "*) test -e "tags/$(name "$4")" ;;
  "buildx imagetools create "*) cp "tags/$(name "$7")" "tags/$(name "$6")" ;;
  push\\ *) : >"tags/$(name "$2")" ;;
esac
"""


def test_ci_builds_what_changed_and_tags_all_with_each_commit(tmp_path):
    shop = tmp_path / "shop"
    copy_sources(shop)
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    (shop / "tags").mkdir()
    (shop / ".gitignore").write_text("tags/\nasked\n")
    git = ["git", "-C", shop, "-c", "user.name=Ana", "-c", "user.email=ana@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)

    def built():
        """Which images are built for a commit of what is there; both get its tag."""
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "Change"], check=True)
        (shop / "asked").write_text("")
        subprocess.run([shop / "scripts/build-and-push"], check=True, stdout=subprocess.DEVNULL,
                       env={"PATH": f"{tmp_path}:{real.SYSTEM_PATH}", "REGISTRY": "registry/acme",
                            "NEXT_PUBLIC_API_URL": API_URL})
        commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, text=True,
                                capture_output=True).stdout.strip()
        for name in ("backend", "frontend"):
            assert (shop / f"tags/registry_acme_shop-{name}:{commit}").exists()
        asked = (shop / "asked").read_text().splitlines()
        return [line.split()[-1] for line in asked if line.startswith("build ")]

    assert built() == ["backend", "frontend"]
    (shop / "README.md").write_text("Words\n")
    assert built() == []
    (shop / "backend/seed.sql").write_text("SELECT 1;\n")
    assert built() == ["backend"]
    subprocess.run([*git, "revert", "--no-edit", "HEAD"], check=True, capture_output=True)
    assert built() == []


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

    # A commit that changes no image restarts nothing.
    before = stack.instances()
    stack.wait_commit(shop.push("Words"))
    assert stack.instances() == before
    shop.images.backend("backend-two", {
        "migrations/0003_stock.sql": "ALTER TABLE items ADD COLUMN stock integer;\n"})
    shop.push("A new backend")
    stack.wait_outcome(3, "good", seconds=120)
    after = stack.instances()
    assert [service for service in before if before[service] != after[service]] == ["backend"]
    assert json.loads(shop.get("/api/healthz"))["version"] == "backend-two"
    assert shop.items() == ["Sample", "Tea"] and shop.get(answer["url"]) == PICTURE
    migrations = shop.sql("SELECT name FROM schema_migrations ORDER BY name").split()
    assert migrations == ["0001_items.sql", "0002_item_pictures.sql", "0003_stock.sql"]
    # As it was before the third release: the first had nothing to dump, the second started nothing.
    assert shop.dumps() == [f"before-3-{shop.commit[:12]}.dump"]

    # A renewed certificate is shown soon, by the same nginx.
    shop.issue_certificate()
    shop.host.wait(lambda: shop.get("/"), "nginx shows the renewed certificate", 120)
    assert stack.instances()["proxy"] == after["proxy"]

    # A migration that fails leaves the database, and the version that works with it.
    shop.images.backend("backend-bad", {
        "migrations/0004_bad.sql": "DELETE FROM items;\nALTER TABLE nothing ADD COLUMN x int;\n"})
    shop.push("A migration that fails")
    release = stack.wait_outcome(4, "rolled_back", seconds=120)
    failing = {entry["service"]: entry for entry in release["failure"]["services"]}
    assert 'relation "nothing" does not exist' in "\n".join(failing["backend"]["log"])
    assert shop.items() == ["Sample", "Tea"]
    assert json.loads(shop.get("/api/healthz"))["version"] == "backend-two"

    # What the third release did to the data, taken back.
    shop.sql("DELETE FROM items")
    shop.host.trimtab("rollback", "shop", "--wait")
    assert "before-3" in shop.script("restore", "3")
    assert shop.items() == ["Sample", "Tea"]
    assert json.loads(shop.get("/api/healthz"))["version"] == "backend-one"


def locked():
    """{package: version} of the backend's requirements.txt."""
    text = (EXAMPLE / "backend/requirements.txt").read_text()
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))


NOT_ALLOWED = """
import psycopg, psycopg.sql
told = []
with psycopg.connect(autocommit=True) as connection:
    role = connection.execute(
        "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls "
        "FROM pg_roles WHERE rolname = current_user").fetchone()
    for statement in ("CREATE ROLE other", "CREATE DATABASE other", "CREATE TABLE other (x int)",
                      "CREATE TEMP TABLE other (x int)", "ALTER TABLE items ADD COLUMN y int",
                      "DROP TABLE items", "TRUNCATE items", "ALTER ROLE shop_app SUPERUSER",
                      "SET ROLE shop_owner", "SELECT pg_read_file('/etc/passwd')",
                      "COPY items FROM '/etc/passwd'", "COPY items TO PROGRAM 'id'",
                      "ALTER SYSTEM SET work_mem = '1GB'"):
        try:
            connection.execute(statement)
            told.append(statement)
        except psycopg.errors.InsufficientPrivilege:
            pass
print(role, told)
"""

REACH = """
const wanted = process.argv[1].split(" ");
Promise.all(wanted.map((where) => new Promise((done) => {
  const [host, port] = where.split("/");
  const socket = require("net").connect({ host, port: Number(port), timeout: 3000 });
  for (const event of ["connect", "error", "timeout"])
    socket.on(event, () => { done(event); socket.destroy(); });
}))).then((told) => console.log(told.join(" ")));
"""


def test_each_part_of_the_shop_can_do_what_it_must_and_no_more(shop):
    stack = shop.stack

    # The packages are those that were looked over.
    installed = json.loads(stack.execute(
        "backend", "python3", "-c", "import importlib.metadata as m, json; "
        "print(json.dumps({d.name.lower().replace('_', '-'): d.version for d in m.distributions("
        f"path=['{PYTHON_PACKAGES}'])}}))"))
    assert installed == locked()

    # Hundreds of ranges, each of which would be compared with all others, are not gone into.
    _, answer = shop.upload(PICTURE, "a.png")
    ranges = "bytes=" + ",".join(f"{start}-{start}" for start in range(0, 1600, 2))
    status, body = shop.ask("GET", answer["url"], Range=ranges)
    assert status in (200, 416) and len(body) <= len(PICTURE)
    assert shop.ask("GET", answer["url"], Range="bytes=8-9") == (206, PICTURE[8:10])

    # The database: rows alone, and no way to it but from the backend.
    role, _, allowed = stack.execute("backend", "python3", "-c", NOT_ALLOWED).partition(") ")
    assert role == "('shop_app'" + ", False" * 5 and allowed == "[]"
    environment = stack.execute("backend", "cat", "/proc/1/environ")
    assert "PGPASSWORD" in environment and PASSWORDS["OWNER_PASSWORD"] not in environment
    owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
    assert shop.sql(owners) == "shop_owner"
    networks = stack.container("db")["NetworkSettings"]["Networks"]
    assert list(networks) == ["shop_data"]
    address = networks["shop_data"]["IPAddress"]
    reached = stack.execute("frontend", "node", "-e", REACH,
                            f"db/5432 {address}/5432 backend/8000").split()
    assert "connect" not in reached[:2] and reached[2] == "connect"

    # An older installation's tables, which the superuser owns, are taken over.
    shop.sql("CREATE DATABASE older")
    shop.sql("CREATE TABLE items (id bigint GENERATED ALWAYS AS IDENTITY, n serial); "
             "CREATE VIEW names AS SELECT n FROM items; CREATE SEQUENCE single", "older")
    with (EXAMPLE / "scripts/database-roles").open() as script:
        for _ in range(2):
            script.seek(0)
            done = subprocess.run(
                [real.DOCKER, "exec", "-i", stack.container("db")["Id"], "sh", "-s", "older"],
                stdin=script, env=shop.environment(), capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, "")
    assert shop.sql("SELECT DISTINCT relowner::regrole FROM pg_class "
                    "WHERE relnamespace = 'public'::regnamespace", "older") == "shop_owner"

    for service in ("proxy", "frontend", "backend", "db"):
        settings = stack.container(service)["HostConfig"]
        assert settings["SecurityOpt"] == ["no-new-privileges:true"], service
        assert 0 < settings["Memory"] <= 384 << 20, service

    # The site: by its name alone, what is in public/, and so many writes.
    assert shop.get("/robots.txt") == (EXAMPLE / "frontend/public/robots.txt").read_bytes()
    assert shop.plain("/", "127.0.0.2")[0] == shop.plain("/healthz", "other.example.com")[0] == 421
    assert shop.plain("/", "127.0.0.1")[0] == 421 and shop.plain("/healthz", "127.0.0.1")[0] == 200
    assert shop.ask("GET", "/", Host="other.example.com")[0] == 421
    with socket.create_connection(("127.0.0.1", 443), 20) as plain:
        with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
            ssl.create_default_context().wrap_socket(plain, server_hostname="other.example.com")

    statuses = set()

    def write(_):
        if 429 not in statuses:
            statuses.add(shop.ask("POST", "/api/items", "{}")[0])
    with concurrent.futures.ThreadPoolExecutor(10) as customers:
        list(customers.map(write, range(500)))
    assert statuses == {422, 429}
    assert shop.items() == ["Sample"]


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
            [real.DOCKER, "exec", stack.container("db")["Id"], "psql", "-U", "postgres",
             "-d", "shop", "-c", "BEGIN; LOCK TABLE items; SELECT pg_sleep(600)"],
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

    # The newest stay, and what a killed run left goes. Releases and nights are counted apart.
    for night in (1, 2, 3):
        shop.backups.joinpath(f"manual-2026010{night}T031500Z.dump").touch()
    for release in (10, 11, 12, 13):
        shop.backup(release, KEEP="3")
    nights = [f"manual-2026010{night}T031500Z.dump" for night in (1, 2, 3)]
    assert [dump.split("-")[1] for dump in shop.dumps()[:-3]] == ["11", "12", "13"]
    assert shop.dumps()[-3:] == nights
    # A commit that is tried again and again pushes nothing else out.
    for release in (14, 15, 16):
        shop.backup(release, KEEP="4", TRIMTAB_PREVIOUS_RELEASE="13")
    assert [dump.split("-")[1] for dump in shop.dumps()[:-3]] == ["11", "12", "13", "16"]
    shop.script("backup", KEEP="2")
    assert [dump.split("-")[1] for dump in shop.dumps()[:-2]] == ["11", "12", "13", "16"]
    assert shop.dumps()[-2] == nights[-1]
    assert not list(shop.backups.glob("*.part"))
    assert shop.script("restore", code=2).count(".dump") == 6

    small = shop.host.folder / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", small], check=True)
    try:
        assert "16 MiB free" in shop.script("backup", code=1, BACKUPS=str(small))
        assert not list(small.glob("*.dump*"))
    finally:
        subprocess.run(["umount", small], check=True)
