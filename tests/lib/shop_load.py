#!/usr/bin/python3
"""A constant load on the example shop, which checks every answer.

    shop_load.py ADDRESS NAME CA_FILE RATE JOURNAL

Asks https://NAME at the address RATE times a second, half of it POSTs, until its standard input
ends. Each request has a connection of its own and is sent once: what a browser would try again
counts as lost here. The journal has a JSON line for each request, in the order in which they ended:

    {"kind": "item", "at": 12.5, "took": 0.012, "key": "load-17", "version": "…", "problem": ""}

`at` is when it was due, in seconds of the machine's monotonic clock, and `took` counts from then, so
that a server that keeps everyone waiting cannot hide it. `problem` is "" where the answer was right.
Python 3.11, nothing but the standard library.
"""

import asyncio
import collections
import hashlib
import json
import re
import ssl
import sys
import time

PATIENCE = 30  # seconds, for a whole request
# nginx as it comes serves 512 requests at once that it passes on.
MOST_AT_ONCE = 300
KINDS = ("item", "page", "item", "upload", "item", "health", "item", "page", "item", "picture")


def picture(number):
    """The bytes of an upload, the same each time."""
    return b"\x89PNG\r\n\x1a\n" + hashlib.sha256(str(number).encode()).digest() * 64


class Load:
    def __init__(self, address, name, ca_file, journal):
        self.address = address
        self.name = name
        self.tls = ssl.create_default_context(cafile=ca_file)
        self.journal = journal
        self.slots = asyncio.Semaphore(MOST_AT_ONCE)
        self.pictures = collections.deque(maxlen=100)  # (number, url)

    async def run(self, rate, ended):
        begun = time.monotonic()
        tasks = set()
        number = 0
        while not ended.is_set():
            due = begun + number / rate
            await asyncio.sleep(max(0, due - time.monotonic()))
            await self.slots.acquire()
            task = asyncio.create_task(self.one(number, due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
        await asyncio.gather(*tasks)

    async def one(self, number, due):
        kind = KINDS[number % len(KINDS)]
        if kind == "picture" and not self.pictures:
            kind = "page"
        entry = {"kind": kind, "at": due, "key": "", "version": "", "problem": ""}
        try:
            async with asyncio.timeout(PATIENCE):
                await getattr(self, kind)(number, entry)
        except TimeoutError:
            entry["problem"] = f"no answer within {PATIENCE} s"
        except (OSError, EOFError, ValueError, KeyError, AttributeError) as e:
            entry["problem"] = repr(e)
        finally:
            self.slots.release()
        entry["took"] = time.monotonic() - due
        self.journal.write(json.dumps(entry) + "\n")

    async def ask(self, method, path, wanted, body=b"", kind="application/json"):
        reader, writer = await asyncio.open_connection(self.address, 443, ssl=self.tls,
                                                       server_hostname=self.name)
        try:
            head = f"{method} {path} HTTP/1.1\r\nHost: {self.name}\r\nConnection: close\r\n"
            if body:
                head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
            writer.write(head.encode() + b"\r\n" + body)
            answer = await reader.read(-1)
        finally:
            writer.transport.abort()
        head, end, text = answer.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        if not end or status.split(" ")[1] != str(wanted):
            raise ValueError(f"{method} {path}: {status!r} {text[:200]!r}")
        headers = {line.split(":", 1)[0].lower(): line.split(":", 1)[1].strip() for line in lines}
        if "chunked" in headers.get("transfer-encoding", ""):
            text = whole_of_chunks(text)
        elif len(text) != int(headers["content-length"]):
            raise ValueError(f"{method} {path}: cut off after {len(text)} bytes")
        return text

    async def item(self, number, entry):
        name = f"load-{number}"
        answer = json.loads(await self.ask("POST", "/api/items", 201, json.dumps(
            {"name": name, "price_cents": number % 1000}).encode()))
        if answer["name"] != name:
            raise ValueError(f"another item: {answer}")
        entry["key"] = name

    async def upload(self, number, entry):
        form = (b'--part\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n'
                b"Content-Type: image/png\r\n\r\n" + picture(number) + b"\r\n--part--\r\n")
        answer = json.loads(await self.ask("POST", "/api/uploads", 201, form,
                                           "multipart/form-data; boundary=part"))
        entry["key"] = f"{number} {answer['url']}"
        self.pictures.append((number, answer["url"]))

    async def picture(self, number, entry):
        uploaded, url = self.pictures[number % len(self.pictures)]
        if await self.ask("GET", url, 200) != picture(uploaded):
            raise ValueError(f"{url} is not what was uploaded")

    async def health(self, number, entry):
        entry["version"] = json.loads(await self.ask("GET", "/api/healthz", 200))["version"]

    async def page(self, number, entry):
        text = (await self.ask("GET", "/", 200)).decode()
        entry["version"] = re.search(r"frontend-\w{3}", text).group()


def whole_of_chunks(text):
    """The body that was sent in chunks; ValueError if it was cut off."""
    body = b""
    while True:
        size, end, text = text.partition(b"\r\n")
        size = int(size, 16)
        if not end or len(text) < size + 2:
            raise ValueError("cut off in the middle of a chunk")
        if size == 0:
            return body
        body += text[:size]
        text = text[size + 2:]


async def main(address, name, ca_file, rate, path):
    ended = asyncio.Event()
    stream = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), sys.stdin)

    async def wait_for_end():
        await stream.read(-1)
        ended.set()

    with open(path, "w", buffering=1) as journal:
        watcher = asyncio.create_task(wait_for_end())
        await Load(address, name, ca_file, journal).run(float(rate), ended)
        await watcher


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
