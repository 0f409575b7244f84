"""The example config/examples/shop on a Debian host, kept by trimtab's package, and its customers."""

import collections
import json
import pathlib
import re
import shutil
import subprocess
import sys

import parts as real
import shop_load
import yaml
from installed_stack import DIRECTORY, InstalledStack
from shop_images import EXAMPLE, ShopImages

COMPOSE = "docker-compose.prod.yml"
# Between two looks, in seconds: what is looked at has the machine's two cores for itself.
GENTLY = 0.5


class Shop(InstalledStack):
    """The example as README.md has it installed, with what only a test needs: its own Git server,
    registry and certificate, and short intervals.
    """

    def __init__(self, host, forge):
        super().__init__(host, forge)
        self.images = ShopImages(forge.registry, host.name)
        self.images.nginx("1.28-alpine")
        self.images.postgres("18")
        self.settings = self.example_settings()
        self.copy_example()
        self.env = {"REGISTRY": f"{forge.registry.address}/{host.name}",
                    "LIBRARY": f"{forge.registry.address}/{host.name}",
                    "POSTGRES_PASSWORD": "'p@ss/w#rd'", "OWNER_PASSWORD": "'own$er'",
                    "APP_PASSWORD": "'app@/#'"}

    def copy_example(self):
        """Writes the example into the work tree, with a limit of writes for one address that is all
        customers.
        """
        shutil.copytree(EXAMPLE, self.work, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("node_modules", ".next", "__pycache__"))
        self.edit("nginx.conf", "rate=5r/s", "rate=1000r/s")
        self.edit("nginx.conf", "burst=20", "burst=1000")

    def hurry(self):
        """Before `install`: shortens what merely waits in a deployment, while customers go on."""
        for setting, new in (("interval: 5s", "interval: 2s"), ("interval: 10s", "interval: 2s"),
                             ("start_period: 60s", "start_period: 20s")):
            self.edit(COMPOSE, f"{setting}\n", f"{new}\n")
        self.settings["git"]["interval"] = "2s"
        self.settings["gate"] |= {"timeout": "45s", "stable": "2s"}

    def example_settings(self):
        settings = yaml.safe_load((EXAMPLE / "trimtab/shop.yaml").read_text())
        settings["git"] |= {"url": f"{self.forge.settings['SSH']}/{self.host.name}.git",
                            "interval": "5s", "known_hosts": "/etc/trimtab/known_hosts.shop"}
        settings["images"] |= {"interval": "2s"}
        settings["gate"]["timeout"] = "1m"
        # No certificate can be had from outside.
        del settings["profiles"]
        return settings

    def install(self):
        """What README.md has a person do, up to the first release; returns its commit."""
        self.push_first_images()
        commit = self.commit("The shop")
        self.configure()
        ssh = "ssh -i /etc/trimtab/keys/shop -o UserKnownHostsFile=/etc/trimtab/known_hosts.shop"
        self.host.run(["env", f"GIT_SSH_COMMAND={ssh}", "git", "clone", "-q",
                       self.settings["git"]["url"], DIRECTORY])
        self.write_env()
        self.host.run(["mkdir", "-m", "700", f"{DIRECTORY}/certs"])
        self.host.run(["systemctl", "reload-or-restart", "trimtabd"])
        self.wait_synced(commit, seconds=300)
        return commit

    # -- what a team does --------------------------------------------------------------------------

    def push_first_images(self):
        self.images.backend("backend-v01")
        self.images.frontend("frontend-v01")

    def commit(self, message):
        """Commits and pushes what is in the work tree; CI then tags its images."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        self.git("push", "-q", "origin", "HEAD:main")
        commit = self.git("rev-parse", "HEAD")
        self.images.publish(commit)
        return commit

    def edit(self, file, old, new):
        """Replaces a text of a file in the work tree, which must be there."""
        path = self.work / file
        text = path.read_text()
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new))

    def write_env(self, **more):
        self.env.update(more)
        text = (EXAMPLE / ".env.example").read_text()
        for name, value in self.env.items():
            text, count = re.subn(rf"(?m)^{name}=.*$", lambda _, v=f"{name}={value}": v, text)
            if count == 0:
                text += f"{name}={value}\n"
        self.host.put(f"{DIRECTORY}/.env", text, "0600")

    # -- what is there -----------------------------------------------------------------------------

    def release(self, number):
        return json.loads(self.trimtab("show", "shop", str(number), "--json").stdout)

    def wait_outcome(self, number, seconds=180):
        """Waits until the release has come to an end, and returns it."""
        def ended():
            release = self.release(number)
            return release if release["outcome"] not in ("waiting", "in_progress") else None
        release = self.host.wait_for(ended, f"release {number} ends", seconds, GENTLY)
        self.host.wait_for(lambda: self.status()["deployment"] is None, "nothing is being deployed",
                           pause=GENTLY)
        return release

    def volume(self, name):
        """Where a volume lies on this machine."""
        return self.host.folder / f"docker/volumes/shop_{name}/_data"

    def sql(self, text):
        return self.host.docker("exec", self.ids()["db"], "psql", "-U", "postgres", "-d", "shop",
                                "-Atc", text)


class Customers:
    """The load of tests/lib/shop_load.py on a shop, from now until `leave`."""

    def __init__(self, shop, folder, rate):
        self.journal = pathlib.Path(folder) / "journal"
        certificate = pathlib.Path(folder) / "certificate.pem"
        certificate.write_text(shop.host.read(f"{DIRECTORY}/certs/fullchain.pem"))
        self.journal.touch()
        self.process = subprocess.Popen(
            [sys.executable, shop_load.__file__, shop.host.address, certificate, str(rate),
             self.journal],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"PATH": real.SYSTEM_PATH})

    def answers(self):
        """What was asked and answered so far, in the order in which it ended."""
        whole, _, _ = self.journal.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def failed(self):
        return [entry for entry in self.answers() if entry["problem"]]

    def wait_for(self, count):
        """Waits until so many more were answered."""
        def answered():
            return self.journal.read_bytes().count(b"\n")

        wanted = answered() + count
        real.wait_until(lambda: answered() >= wanted, f"{count} more answers", 120, GENTLY)

    def leave(self):
        """Ends the load once all that was asked is answered, and returns the answers."""
        asked, _ = self.process.communicate(timeout=120)
        answers = self.answers()
        assert self.process.returncode == 0 and len(answers) == int(asked)
        return answers


def lost_rows(shop, answers):
    """(acknowledged and not there, there more than once)"""
    there = collections.Counter(shop.sql("SELECT name FROM items WHERE name LIKE 'load-%'").split())
    acknowledged = {entry["key"] for entry in answers
                    if entry["kind"] == "item" and not entry["problem"]}
    return acknowledged - set(there), {name for name, count in there.items() if count > 1}


def lost_uploads(shop, answers):
    """The acknowledged uploads that are not there as they were sent."""
    folder = shop.volume("uploads")
    lost = []
    for entry in answers:
        if entry["kind"] == "upload" and not entry["problem"]:
            number, url = entry["key"].split()
            file = folder / url.rpartition("/")[2]
            if not file.exists() or file.read_bytes() != shop_load.picture(int(number)):
                lost.append(url)
    return lost
