"""The shop's API. An example: it has no logins, so whoever reaches it may write."""

import contextlib
import os
import pathlib
import secrets
import shutil

from fastapi import FastAPI, HTTPException, UploadFile
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool
from pydantic import BaseModel, Field

VERSION = os.environ.get("VERSION", "development")
UPLOADS = pathlib.Path(os.environ["UPLOADS"])
# What a browser shows and does not run; anything else is not taken.
PICTURES = {".gif", ".jpg", ".jpeg", ".png", ".webp"}
LARGEST = 10 * 1024 * 1024  # bytes; nginx.conf has the same bound

# libpq takes what it needs from PGHOST, PGUSER, PGPASSWORD and PGDATABASE. Connections are kept, since
# a new one costs PostgreSQL more than most queries, and looked at before use, since it may have been
# restarted. Twice as many are open while a new backend takes over.
database = ConnectionPool(kwargs={"connect_timeout": 5, "row_factory": dict_row}, min_size=2,
                          max_size=20, timeout=10, check=ConnectionPool.check_connection, open=False)


@contextlib.asynccontextmanager
async def lifespan(_):
    with database:
        yield


app = FastAPI(title="shop", version=VERSION, lifespan=lifespan)

# Only on a laptop the page comes from another address than the API.
if os.environ.get("ALLOWED_ORIGIN"):
    app.add_middleware(CORSMiddleware, allow_origins=[os.environ["ALLOWED_ORIGIN"]],
                       allow_methods=["*"], allow_headers=["*"])


class NewItem(BaseModel):
    name: str = Field(min_length=1, max_length=200)
    price_cents: int = Field(ge=0, le=2_000_000_000)
    picture: str = Field(default="", max_length=200)


@app.get("/api/healthz")
def healthz():
    """Healthy means able to work: with the database."""
    with database.connection() as connection:
        connection.execute("SELECT 1")
    return {"status": "ok", "version": VERSION}


@app.get("/api/items")
def list_items():
    with database.connection() as connection:
        return connection.execute(
            "SELECT id, name, price_cents, picture FROM items ORDER BY id LIMIT 1000").fetchall()


@app.post("/api/items", status_code=201)
def create_item(item: NewItem):
    with database.connection() as connection:
        return connection.execute(
            "INSERT INTO items (name, price_cents, picture) VALUES (%s, %s, nullif(%s, '')) "
            "RETURNING id, name, price_cents, picture",
            (item.name, item.price_cents, item.picture)).fetchone()


@app.post("/api/uploads", status_code=201)
def upload(file: UploadFile):
    ending = pathlib.PurePath(file.filename or "").suffix.lower()
    if ending not in PICTURES:
        raise HTTPException(415, f"a picture must end with one of {', '.join(sorted(PICTURES))}")
    if file.size > LARGEST:
        raise HTTPException(413, f"a picture may have {LARGEST} bytes")
    # A name of our own: the sender's could be anything, also one that is taken.
    name = secrets.token_hex(16) + ending
    part = UPLOADS / f"{name}.part"
    # In pieces: forty of these may run at once.
    with part.open("wb") as target:
        shutil.copyfileobj(file.file, target)
    part.rename(UPLOADS / name)
    return {"url": f"/uploads/{name}"}


@app.get("/uploads/{name}")
def download(name: str):
    file = UPLOADS / name
    if file.suffix not in PICTURES or file.parent != UPLOADS or not file.is_file():
        raise HTTPException(404, "no such picture")
    return FileResponse(file, headers={"X-Content-Type-Options": "nosniff"})
