#!/usr/bin/python3
"""A constant load on the example shop, which checks every answer.

    shop_load.py ADDRESS CA_FILE RATE JOURNAL

Asks the shop at the address RATE times a second over TLS, six of ten POSTs, until its standard input
ends; then prints how many requests those were. A POST has a connection of its own and is sent once. GETs share connections as browsers do: a
server may close one just as the next request is on its way, which is then sent once more (RFC 9112,
9.3.1). The journal has a JSON line for each request, in the order in which they ended:

    {"kind": "item", "at": 12.5, "took": 0.012, "key": "load-17", "version": "…", "problem": ""}

`at` is when it was due, in seconds of the machine's monotonic clock, and `took` counts from then, so
that a server that keeps everyone waiting cannot hide it. `problem` is "" where the answer was right.
Python 3.11, nothing but the standard library.
"""

import collections
import hashlib
import http.client
import json
import queue
import re
import socket
import ssl
import sys
import threading
import time

PATIENCE = 30  # seconds of silence
AT_ONCE = 100
NAME = "shop.example.com"
KINDS = ("item", "page", "item", "upload", "item", "health", "item", "page", "item", "picture")


def picture(number):
    """The bytes of an upload, the same each time."""
    return b"\x89PNG\r\n\x1a\n" + hashlib.sha256(str(number).encode()).digest() * 64


class Connection:
    """A customer's connection, made when it is needed."""

    def __init__(self, address, tls):
        self.address = address
        self.tls = tls
        self.http = None

    def ask(self, method, path, body=None, kind="application/json"):
        """(status, body) of one exchange."""
        reused = self.http is not None
        try:
            response = self._send(method, path, body, kind)
        except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError):
            self.close()
            if not reused:
                raise
            response = self._send(method, path, body, kind)
        text = response.read()
        if response.will_close:
            self.close()
        return response.status, text

    def _send(self, method, path, body, kind):
        """What has begun to be answered."""
        if self.http is None:
            self.http = http.client.HTTPConnection(NAME)
            plain = socket.create_connection((self.address, 443), PATIENCE)
            self.http.sock = self.tls.wrap_socket(plain, server_hostname=NAME)
        self.http.request(method, path, body, {"Content-Type": kind} if body else {})
        return self.http.getresponse()

    def close(self):
        if self.http is not None:
            self.http.close()
            self.http = None


class Load:
    def __init__(self, address, ca_file, journal):
        self.address = address
        self.tls = ssl.create_default_context(cafile=ca_file)
        self.journal = journal
        self.writing = threading.Lock()
        self.due = queue.Queue()
        self.pictures = collections.deque(maxlen=100)  # (number, url)
        self.customers = [threading.Thread(target=self._work) for _ in range(AT_ONCE)]

    def run(self, rate, ended):
        for customer in self.customers:
            customer.start()
        begun = time.monotonic()
        number = 0
        while not ended.wait(max(0, begun + number / rate - time.monotonic())):
            self.due.put((number, begun + number / rate))
            number += 1
        for _ in self.customers:
            self.due.put(None)
        for customer in self.customers:
            customer.join()
        return number

    def _work(self):
        kept = Connection(self.address, self.tls)
        while (turn := self.due.get()) is not None:
            number, due = turn
            kind = KINDS[number % len(KINDS)]
            if kind == "picture" and not self.pictures:
                kind = "page"
            entry = {"kind": kind, "at": due, "key": "", "version": "", "problem": ""}
            try:
                getattr(self, kind)(number, entry, kept)
            except Exception as e:  # whatever it is, it was not the right answer
                entry["problem"] = repr(e)
                kept.close()
            entry["took"] = time.monotonic() - due
            with self.writing:
                self.journal.write(json.dumps(entry) + "\n")

    def post(self, path, body, kind="application/json"):
        own = Connection(self.address, self.tls)
        try:
            return body_of(path, 201, *own.ask("POST", path, body, kind))
        finally:
            own.close()

    def item(self, number, entry, _):
        name = f"load-{number}"
        answer = json.loads(self.post("/api/items", json.dumps(
            {"name": name, "price_cents": number % 1000})))
        if answer["name"] != name:
            raise ValueError(f"another item: {answer}")
        entry["key"] = name

    def upload(self, number, entry, _):
        form = (b'--part\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n'
                b"Content-Type: image/png\r\n\r\n" + picture(number) + b"\r\n--part--\r\n")
        answer = json.loads(self.post("/api/uploads", form, "multipart/form-data; boundary=part"))
        entry["key"] = f"{number} {answer['url']}"
        self.pictures.append((number, answer["url"]))

    def picture(self, number, entry, kept):
        uploaded, url = self.pictures[number % len(self.pictures)]
        if get(kept, url) != picture(uploaded):
            raise ValueError(f"{url} is not what was uploaded")

    def health(self, number, entry, kept):
        entry["version"] = json.loads(get(kept, "/api/healthz"))["version"]

    def page(self, number, entry, kept):
        text = get(kept, "/").decode()
        entry["version"] = re.search(r"frontend-\w{3}", text).group()


def get(kept, path):
    return body_of(path, 200, *kept.ask("GET", path))


def body_of(path, wanted, status, text):
    if status != wanted:
        raise ValueError(f"{path}: {status} {text[:200]!r}")
    return text


def main(address, ca_file, rate, path):
    ended = threading.Event()

    def wait_for_end():
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    with open(path, "w", buffering=1) as journal:
        print(Load(address, ca_file, journal).run(float(rate), ended))


if __name__ == "__main__":
    main(*sys.argv[1:])
