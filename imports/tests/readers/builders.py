"""Archives built by tests, from plain Python values."""

import gzip
import hashlib
import io
import json
import tarfile
import zipfile

import libipld

from imports.archives import open_archive
from imports.readers import ExcludedItem, SortedPosts, find_reader

PUBLIC = "https://www.w3.org/ns/activitystreams#Public"
ACTOR = "https://old.example/users/mara"
FOLLOWERS = f"{ACTOR}/followers"
DID = "did:plc:invented"


def zip_file(members, compression=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, as_bytes(content))
    return file


def tar_file(members, mode="w:gz", format=tarfile.PAX_FORMAT):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode, format=format) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(as_bytes(content))
            archive.addfile(info, io.BytesIO(as_bytes(content)))
    return file


def gzipped_tar(*headers):
    """Return a tar of headers that tarfile would not write, each with its data."""
    blocks = b"".join(
        info.tobuf(tarfile.GNU_FORMAT) + data + b"\0" * (-len(data) % 512) for info, data in headers
    )
    return io.BytesIO(gzip.compress(blocks + b"\0" * 1024))


def as_bytes(content):
    if isinstance(content, bytes):
        return content
    return (content if isinstance(content, str) else json.dumps(content)).encode()


def bare_file(content):
    return io.BytesIO(as_bytes(content))


def read(file, name=""):
    """Return the sorted posts and the counts of excluded items."""
    with SortedPosts(find_reader(open_archive(file, name)).posts()) as posts:
        return list(posts), dict(posts.excluded)


def bodies(file):
    return [post.body for post in read(file)[0]]


def reasons(file):
    return read(file)[1]


def summary(file, name=""):
    return find_reader(open_archive(file, name)).summary


def excluded_items(file):
    items = find_reader(open_archive(file)).posts()
    return [item for item in items if isinstance(item, ExcludedItem)]


# Mastodon


def activity(content="<p>Hello</p>", number=1, actor=ACTOR, **note):
    note = {
        "id": f"{ACTOR}/statuses/{number}",
        "type": "Note",
        "published": "2019-03-01T08:00:00Z",
        "attributedTo": actor,
        "to": [PUBLIC],
        "cc": [FOLLOWERS],
        "content": content,
        **note,
    }
    return {"type": "Create", "actor": actor, "object": note}


def outbox(*activities):
    return {
        "id": "outbox.json",
        "type": "OrderedCollection",
        "totalItems": 99,
        "orderedItems": list(activities),
    }


def mastodon_zip(*activities):
    actor = {"id": ACTOR, "preferredUsername": "mara"}
    return zip_file({"outbox.json": outbox(*activities), "actor.json": actor})


# X


def tweet(text="Hello", number=1, created_at="Tue May 04 09:08:07 +0000 2021", **more):
    return {"id_str": str(number), "full_text": text, "created_at": created_at, **more}


def javascript(variable, entries):
    return f"window.YTD.{variable}.part0 = {json.dumps(entries)}"


def tweets_js(*tweets):
    return javascript("tweets", [{"tweet": tweet} for tweet in tweets])


def x_zip(*tweets, **files):
    """`files` are further files by their name without ".js" and with "_" for "-"."""
    others = {f"data/{name.replace('_', '-')}.js": text for name, text in files.items()}
    return zip_file({"data/tweets.js": tweets_js(*tweets), **others})


# Bluesky


def block(value):
    data = value if isinstance(value, bytes) else libipld.encode_dag_cbor(value)
    return b"\x01\x71\x12\x20" + hashlib.sha256(data).digest(), data


def varint(number):
    encoded = b""
    while number > 127:
        encoded += bytes([number & 127 | 128])
        number >>= 7
    return encoded + bytes([number])


def car_file(records, *, version=3, leave_out=(), order=list, extra_blocks=(), did=DID):
    """Return a repository of one node; `leave_out` are keys whose blocks are missing."""
    blocks = []

    def put(value):
        blocks.append(block(value))
        return Link(blocks[-1][0])

    entries = []
    for key in sorted(records):
        link = put(records[key])
        if key in leave_out:
            blocks.pop()
        entries.append({"p": 0, "k": key.encode(), "v": link, "t": None})
    root = put(encode({"l": None, "e": entries}))
    commit = {"did": did, "version": version, "data": root, "rev": "3zzz", "prev": None, "sig": b""}
    return car_of_blocks(put(encode(commit)), [*order(blocks), *extra_blocks])


def car_of_blocks(root, blocks):
    header = encode({"roots": [root], "version": 1})
    parts = [varint(len(header)), header]
    for cid, data in blocks:
        parts += [varint(len(cid) + len(data)), cid, data]
    return io.BytesIO(b"".join(parts))


class Link(bytes):
    """A CID, which DAG-CBOR tags."""


def encode(value):
    """Encode DAG-CBOR with links, which libipld takes for plain bytes."""
    if isinstance(value, Link):
        return b"\xd8\x2a" + cbor_head(2, len(value) + 1) + b"\0" + bytes(value)
    if isinstance(value, list):
        return cbor_head(4, len(value)) + b"".join(map(encode, value))
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key), key))
        pairs = (libipld.encode_dag_cbor(key) + encode(value[key]) for key in keys)
        return cbor_head(5, len(value)) + b"".join(pairs)
    return libipld.encode_dag_cbor(value)


def cbor_head(major, number):
    if number < 24:
        return bytes([major << 5 | number])
    size = 1 if number < 1 << 8 else 2 if number < 1 << 16 else 4
    return bytes([major << 5 | {1: 24, 2: 25, 4: 26}[size]]) + number.to_bytes(size, "big")


def bluesky_post(text="Hello", created_at="2023-05-04T09:08:07.123Z", **more):
    return {"$type": "app.bsky.feed.post", "text": text, "createdAt": created_at, **more}


def bluesky_car(*posts, **options):
    records = {f"app.bsky.feed.post/3k{n:03}": post for n, post in enumerate(posts)}
    return car_file(records, **options)


# Microblog


def posts_json(*posts, **more):
    return {"version": 1, "username": "alice", "posts": list(posts), "count": len(posts), **more}


def own_post(body="Hello", timestamp="2026-11-23T10:00:00Z", **more):
    return {"body": body, "timestamp": timestamp, **more}


def account_zip(*posts, site="https://blog.example", **files):
    """`files` are lists of rows by the name of their file without ".json"."""
    files_listed = [{"name": "posts.json", "count": len(posts)}]
    manifest = {"version": 1, "username": "alice", "files": files_listed, "count": 0}
    if site:
        manifest["site"] = site
    documents = {
        f"{name}.json": {"version": 1, "username": "alice", name: rows, "count": 1}
        for name, rows in files.items()
    }
    return zip_file(
        {
            "README.txt": "Hello",
            "posts.json": posts_json(*posts),
            **documents,
            "manifest.json": manifest,
        }
    )
