#!/usr/bin/python3
"""The images of config/examples/shop, made without Docker Hub.

    shop_images.py    makes what the cache lacks; needs root, Debian's mirror, PyPI and npm's registry

One Debian tree holds Python, Node.js, PostgreSQL and nginx and is the first layer of all four
images. What comes on top is made as the example's Dockerfiles say, with the packages that the
example locks. Python 3.11, nothing but the standard library.
"""

import dataclasses
import fcntl
import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tarfile

import parts as real

EXAMPLE = pathlib.Path(__file__).parents[2] / "config/examples/shop"
CACHE = real.CACHE / "shop"
SUITE = "trixie"
PACKAGES = "python3 postgresql nginx-light nodejs wget".split()
POSTGRES = "17"  # the suite's
# Where Debian's pip installs to, and its Python looks first.
PYTHON_PACKAGES = "/usr/local/lib/python3.13/dist-packages"
# Documentation, what only Perl and dpkg and compilers need, and PostgreSQL's compiler of queries.
LEFT_OUT = ["./dev/*", "./proc/*", "./tmp/*", "./usr/share/doc/*", "./usr/share/man/*",
            "./usr/share/locale/*", "./usr/share/info/*", "./var/cache/*", "./var/lib/apt/*",
            "./var/lib/dpkg/*", "./usr/share/perl*", "./usr/lib/*/perl", "./usr/lib/*/gconv",
            "./usr/share/i18n", "./usr/include", "./usr/lib/*/*.a",
            "./usr/lib/llvm-*", "./usr/lib/*/libLLVM*", "./usr/lib/*/libz3*",
            "./usr/lib/postgresql/*/lib/bitcode", "./usr/lib/postgresql/*/lib/llvmjit*"]
# The users of the Dockerfiles and of the official images.
USERS = {"shop": 10001, "node": 1000, "nginx": 1001}
# The frontend's build has its version in many files: it is built once with this one, and each push
# puts another in its place. It has the length of a commit's name in the tags of build-and-push.
BUILT_VERSION = "builtversion"
API_URL = "https://shop.example.com"


# ---- What takes long, once -----------------------------------------------------------------------

def inside(root, script, **environment):
    """Runs a script for sh in the tree, whose processes and mounts end with it."""
    variables = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8",
                 "DEBIAN_FRONTEND": "noninteractive", **environment}
    settings = [f"{name}={value}" for name, value in variables.items()]
    run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--", "sh", "-euc",
         'mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"; exec chroot "$0" env -i "$@"',
         root, *settings, "sh", "-euc", script])


def run(command):
    log = CACHE / "log"
    with open(log, "ab") as output:
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                              stdout=output, stderr=output)
    if done.returncode != 0:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        raise real.PartFailed(
            f"{command[0]} ended with {done.returncode}; {log} ends with:\n{last}")


def key_of(*inputs):
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:16]


def tree_key(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file()
                   and not {"node_modules", ".next"} & set(path.parts))
    return key_of(*[(str(path.relative_to(folder)), path.read_text()) for path in files])


ROOT_KEY = key_of(SUITE, PACKAGES, USERS)


def frontend_tree():
    """What the first stage of the frontend's Dockerfile leaves, of the sources as they are now."""
    return CACHE / f"frontend-{key_of(ROOT_KEY, tree_key(EXAMPLE / 'frontend'))}"


def backend_packages():
    """The layer with the packages of the backend's requirements.txt, as it is now."""
    requirements = (EXAMPLE / "backend/requirements.txt").read_text()
    return CACHE / f"packages-{key_of(ROOT_KEY, requirements)}.tar.gz"


def base_layer():
    return CACHE / f"base-{key_of(ROOT_KEY, LEFT_OUT)}.tar.gz"


def make():
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (CACHE / "log").unlink(missing_ok=True)
        root = CACHE / f"root-{ROOT_KEY}"
        if not root.exists():
            remove_all_but()
            make_root(root)
        if not base_layer().exists():
            pack(root, base_layer(), LEFT_OUT)
        build = CACHE / f"build-{ROOT_KEY}"
        if not build.exists():
            make_build_tree(root, build)
        if not backend_packages().exists():
            install_backend_packages(build)
        frontend = frontend_tree()
        if not frontend.exists():
            build_frontend(build, frontend)
        remove_all_but(root, base_layer(), build, backend_packages(), frontend)


def remove_all_but(*kept):
    for path in CACHE.iterdir():
        made = path.name.startswith(("root-", "base-", "build-", "packages-", "frontend-"))
        if made and path not in kept:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def make_root(root):
    new = root.with_suffix(".new")
    run(["debootstrap", "--variant=minbase", SUITE, new, real.debian_mirror()])
    shutil.copy("/etc/resolv.conf", new / "etc/resolv.conf")
    # Nothing is started in it, and no database is made before the image runs.
    policy = new / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    (new / "etc/postgresql-common").mkdir()
    (new / "etc/postgresql-common/createcluster.conf").write_text("create_main_cluster = false\n")
    inside(new, "apt-get update -q\n"
                "apt-get install -q -y --no-install-recommends "
                "-o DPkg::Options::=--force-unsafe-io " + " ".join(PACKAGES) + "\n"
                + "".join(f"useradd --system --uid {uid} {name}\n" for name, uid in USERS.items()))
    new.rename(root)


def pack(root, layer, left_out=()):
    new = layer.with_suffix(".new")
    run(["bash", "-o", "pipefail", "-c",
         'tar --create --numeric-owner --sort=name "$@" . | gzip -1 >"$0"', new,
         "--directory", root, *[f"--exclude={pattern}" for pattern in left_out]])
    new.rename(layer)


def make_build_tree(root, build):
    """The same tree with npm and pip, which the images have no use for."""
    new = build.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    run(["cp", "-a", "--link", root, new])
    inside(new, "apt-get install -q -y --no-install-recommends "
                "-o DPkg::Options::=--force-unsafe-io npm python3-pip")
    new.rename(build)


def copy_sources(folder, root):
    """Copies a folder to /src in the tree, with the certificates that this machine trusts."""
    shutil.rmtree(root / "src", ignore_errors=True)
    shutil.copytree(folder, root / "src", ignore=shutil.ignore_patterns("node_modules", ".next"))
    certificates = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
    if certificates.exists():
        shutil.copy(certificates, root / "src/.certificates")


def install_backend_packages(root):
    """As pip does in the backend's Dockerfile, into a tree of their own."""
    copy_sources(EXAMPLE / "backend", root)
    dockerfile = (EXAMPLE / "backend/Dockerfile").read_text()
    install = re.search(r"^RUN (pip install .*)$", dockerfile, re.MULTILINE).group(1)
    inside(root, f"cd /src; touch .certificates; {install} --root /src/installed "
                 "--break-system-packages --no-compile --root-user-action ignore",
           PIP_CERT="/src/.certificates")
    if not (root / f"src/installed{PYTHON_PACKAGES}/fastapi").is_dir():
        raise real.PartFailed(f"pip has not installed to {PYTHON_PACKAGES}")
    pack(root / "src/installed", backend_packages())
    shutil.rmtree(root / "src")


def build_frontend(root, target):
    """As the first stage of the frontend's Dockerfile."""
    copy_sources(EXAMPLE / "frontend", root)
    settings = pathlib.Path.home() / ".npmrc"
    if settings.exists():
        shutil.copy(settings, root / "src/.npmrc")
    inside(root, "cd /src; touch .certificates; npm ci --no-audit --no-fund; npm run build",
           NODE_EXTRA_CA_CERTS="/src/.certificates", NEXT_TELEMETRY_DISABLED="1",
           NEXT_PUBLIC_API_URL=API_URL, NEXT_PUBLIC_VERSION=BUILT_VERSION)
    new = target.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    (new / "src/.next").mkdir(parents=True)
    for part in (".next/standalone", ".next/static", "public"):
        shutil.move(root / "src" / part, new / "src" / part)
    shutil.rmtree(root / "src")
    new.rename(target)


# ---- Layers --------------------------------------------------------------------------------------

@dataclasses.dataclass
class File:
    data: bytes = b""
    mode: int = 0o644
    owner: int = 0
    link: str = ""
    folder: bool = False


def tar_of(files):
    """A layer with {path: File}, the same bytes each time."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for path, file in sorted(files.items()):
            entry = tarfile.TarInfo(path.strip("/"))
            entry.uid = entry.gid = file.owner
            entry.mode, entry.size = file.mode, len(file.data)
            if file.folder:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            elif file.link:
                entry.type, entry.linkname = tarfile.SYMTYPE, file.link
            tar.addfile(entry, io.BytesIO(file.data))
    return plain.getvalue()


def files_of(source, target):
    """{path: File} of a file or a folder's content, at `target`."""
    if source.is_file():
        return {target: File(source.read_bytes(), source.stat().st_mode & 0o777)}
    found = {}
    for path in source.rglob("*"):
        where = f"{target}/{path.relative_to(source)}"
        if path.is_symlink():
            found[where] = File(link=os.readlink(path))
        elif path.is_file() and "__pycache__" not in path.parts:
            found[where] = File(path.read_bytes(), path.stat().st_mode & 0o777)
    return found


def last_stage(folder, arguments, stages):
    """(files, image settings) of a Dockerfile's last stage.

    `stages` says where the results of earlier stages lie. What RUN does is the part of others.
    """
    text = re.sub(r"\\\n", " ", (folder / "Dockerfile").read_text())
    files, settings, variables, working = {}, {"Env": [], "ExposedPorts": {}}, dict(arguments), "/"
    for line in text.splitlines():
        word, _, rest = line.strip().partition(" ")
        rest = re.sub(r"\$(\w+)", lambda m: variables.get(m.group(1), ""), rest)
        if word == "FROM":
            files, settings, working = {}, {"Env": [], "ExposedPorts": {}}, "/"
        elif word == "ARG":
            name, _, default = rest.partition("=")
            variables.setdefault(name, default)
        elif word == "ENV":
            settings["Env"] += shlex.split(rest)
        elif word == "WORKDIR":
            settings["WorkingDir"] = working = rest
        elif word == "USER":
            settings["User"] = rest
        elif word == "EXPOSE":
            settings["ExposedPorts"][f"{rest}/tcp"] = {}
        elif word in ("ENTRYPOINT", "CMD"):
            settings[word.capitalize()] = json.loads(rest)
        elif word == "COPY":
            *sources, target = rest.split()
            context = folder
            if sources[0].startswith("--from="):
                context = stages[sources.pop(0).removeprefix("--from=")]
            for source in sources:
                path = context / source.lstrip("/")
                where = os.path.normpath(os.path.join(working, target))
                if path.is_file() and target.endswith("/"):
                    where += f"/{path.name}"
                files.update(files_of(path, where))
    return files, settings


# ---- Images --------------------------------------------------------------------------------------

# In place of the official image's entrypoint: what it does with the same variables.
POSTGRES_ENTRYPOINT = """#!/bin/sh
set -eu
if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA" /run/postgresql
  chown -R postgres:postgres /var/lib/postgresql /run/postgresql
  exec setpriv --reuid postgres --regid postgres --clear-groups "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf '%s\\n' "$POSTGRES_PASSWORD" >/tmp/password
  initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-local=trust \\
    --auth-host=scram-sha-256 --no-sync
  rm /tmp/password
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  pg_ctl --wait --options="-c listen_addresses=''" start
  createdb -U "$POSTGRES_USER" --maintenance-db=postgres "$POSTGRES_DB"
  for script in /docker-entrypoint-initdb.d/*.sh; do
    [ ! -x "$script" ] || "$script"
  done
  pg_ctl --wait stop
fi
exec "$@"
"""

# What the official image's own nginx.conf says, as far as the example stands on it.
NGINX_CONF = """user nginx;
worker_processes 1;
error_log /dev/stderr notice;
pid /run/nginx.pid;
events { worker_connections 1024; }
http {
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  access_log /dev/stdout;
  sendfile on;
  keepalive_timeout 65;
  include /etc/nginx/conf.d/*.conf;
}
"""


class ShopImages:
    """Pushes the four images to a registry, below one name there."""

    def __init__(self, registry, prefix):
        for part in (base_layer(), backend_packages(), frontend_tree()):
            if not part.exists():
                raise real.PartFailed(
                    f"{CACHE} lacks the shop's images; run tests/lib/shop_images.py")
        self.registry = registry
        self.prefix = prefix
        self.manifests = {}  # by digest
        self.newest = {}  # digests of frontend and backend
        self.base = self.push_layer(base_layer())
        self.packages = self.push_layer(backend_packages())

    def push_layer(self, file):
        """(content's digest, layer's digest, size) of a layer that images share."""
        packed = file.read_bytes()
        return (hashlib.sha256(gzip.decompress(packed)).hexdigest(),
                self.registry.push_blob(f"{self.prefix}/base", packed), len(packed))

    def publish(self, commit):
        """Tags the newest image of both with the commit, as scripts/build-and-push does."""
        for name, digest in self.newest.items():
            manifest, media_type = self.manifests[digest]
            self.registry.push_manifest(f"{self.prefix}/{name}", commit, manifest, media_type)

    def backend(self, version, changes=None):
        """Builds the example's backend; `changes` are {path below backend/: text}."""
        files, settings = last_stage(EXAMPLE / "backend", {"VERSION": version}, {})
        # RUN mkdir … && chown …
        files["/uploads"] = File(folder=True, owner=USERS["shop"])
        for path, text in (changes or {}).items():
            known = files.get(f"/srv/{path}", File())
            files[f"/srv/{path}"] = File(text.encode(), known.mode)
        self.newest["shop-backend"] = self.push("shop-backend", version, files, settings,
                                                self.packages)

    def frontend(self, version):
        """Builds the example's frontend, `version` being of twelve characters."""
        assert len(version) == len(BUILT_VERSION), version
        files, settings = last_stage(EXAMPLE / "frontend", {}, {"build": frontend_tree()})
        for file in files.values():
            file.data = file.data.replace(BUILT_VERSION.encode(), version.encode())
        self.newest["shop-frontend"] = self.push("shop-frontend", version, files, settings)

    def nginx(self, tag):
        return self.push("nginx", tag, {
            "/etc/nginx/nginx.conf": File(NGINX_CONF.encode()),
            "/etc/nginx/conf.d": File(folder=True),
            "/var/log/nginx/error.log": File(link="/dev/stderr"),
        }, {"Cmd": ["nginx", "-g", "daemon off;"], "StopSignal": "SIGQUIT", "Env": [],
            "ExposedPorts": {"80/tcp": {}}})

    def postgres(self, tag):
        programs = f"/usr/lib/postgresql/{POSTGRES}/bin"
        return self.push("postgres", tag, {
            "/entrypoint": File(POSTGRES_ENTRYPOINT.encode(), 0o755),
        }, {"Entrypoint": ["/entrypoint"], "Cmd": ["postgres", "-c", "listen_addresses=*"],
            "StopSignal": "SIGINT", "ExposedPorts": {"5432/tcp": {}},
            "Env": [f"PATH={programs}:/usr/sbin:/usr/bin:/sbin:/bin", f"PG_MAJOR={POSTGRES}",
                    f"PGDATA=/var/lib/postgresql/{POSTGRES}/docker", "LANG=C.UTF-8"]})

    def push(self, name, tag, files, settings, *shared):
        """Pushes the base layer and the shared ones, one on top, and returns the image's digest."""
        name = f"{self.prefix}/{name}"
        plain = tar_of(files)
        packed = gzip.compress(plain, 1, mtime=0)
        layers = [self.base, *shared]
        for _, digest, _ in layers:
            status, _, body = self.registry.request(
                "POST", f"/v2/{name}/blobs/uploads/?mount={digest}&from={self.prefix}/base")
            assert status == 201, (status, body)
        layers.append((hashlib.sha256(plain).hexdigest(), self.registry.push_blob(name, packed),
                       len(packed)))
        if not any(setting.startswith("PATH=") for setting in settings["Env"]):
            settings["Env"].append("PATH=/usr/sbin:/usr/bin:/sbin:/bin")
        config = json.dumps({
            "architecture": "amd64", "os": "linux", "created": "2026-01-01T00:00:00Z",
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer[0]}" for layer in layers]},
        }).encode()
        docker_type = "application/vnd.docker."
        layer_type = docker_type + "image.rootfs.diff.tar.gzip"
        manifest_type = docker_type + "distribution.manifest.v2+json"
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": manifest_type,
            "config": {"mediaType": docker_type + "container.image.v1+json", "size": len(config),
                       "digest": self.registry.push_blob(name, config)},
            "layers": [{"mediaType": layer_type, "size": size, "digest": digest}
                       for _, digest, size in layers],
        }).encode()
        digest = self.registry.push_manifest(name, tag, manifest, manifest_type)
        self.manifests[digest] = manifest, manifest_type
        return digest


if __name__ == "__main__":
    try:
        make()
    except (real.PartFailed, OSError) as e:
        sys.exit(f"shop_images: {e}")
