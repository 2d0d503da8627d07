"""Totals of visitors' files on the disk, and what is said where it is full."""

import errno
import json
from pathlib import Path

import pytest

from lmlab.hosting import storage
from lmlab.hosting.storage import Storage
from lmlab.parts.gradio_compat.handlers import alerts
from lmlab.settings import Settings
from tests import loops

MB = 1_000_000


def post(app, size: int | None, address: str = "1.2.3.4", path: str = "/gradio_api/upload"):
    """The status and the sentence of an upload."""
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b""}

    headers = [] if size is None else [(b"content-length", str(size).encode())]
    scope = {"type": "http", "method": "POST", "path": path, "root_path": ""}
    scope |= {"headers": headers, "client": (address, 1)}
    loops.run(app(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], json.loads(body)["detail"] if sent[0]["status"] != 200 else ""


def storing(folder: Path):
    """An app that keeps what it is sent."""

    async def app(scope, receive, send):
        size = int(dict(scope["headers"]).get(b"content-length", 0))
        (folder / f"{len(list(folder.iterdir()))}").write_bytes(b"x" * size)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


def test_uploads_have_a_total_and_one_by_address(tmp_path):
    clock = [0.0]
    settings = Settings(uploads_gb=0.005, own_uploads_gb=0.002, free_gb=0, file_minutes=10)
    app = Storage(storing(tmp_path), settings, lambda: tmp_path, lambda: clock[0])
    assert [post(app, MB)[0] for _ in range(2)] == [200, 200]
    status, said = post(app, MB)
    assert (status, len(list(tmp_path.iterdir()))) == (507, 2)
    assert "Files from your address may take 0.002 GB here within 10 minutes" in said
    for address in ("2.2.2.2", "2001:db8::1", "2001:db8::2"):  # the last two are one customer's
        assert post(app, MB, address)[0] == 200
    status, said = post(app, MB, "3.3.3.3")
    assert (status, "all visitors take the 0.005 GB" in said) == (507, True)
    assert post(app, None, "3.3.3.3")[0] == 507  # of unknown size: the largest
    clock[0] = 601
    next(tmp_path.iterdir()).unlink()
    assert post(app, MB)[0] == 200
    assert post(app, MB, "3.3.3.3", "/gradio_api/queue/join")[0] == 200


def test_the_last_of_the_disk_is_left_free(tmp_path, monkeypatch):
    settings = Settings(free_gb=1.0)
    app = Storage(storing(tmp_path), settings, lambda: tmp_path)
    monkeypatch.setattr(storage, "free_disk", lambda folder: 1_000_500_000)
    assert post(app, MB // 4)[0] == 200
    assert post(app, MB) == (507, "The disk is full. Try again later.")


def test_an_upload_that_fills_the_disk_is_a_sentence(tmp_path):
    error = OSError(errno.ENOSPC, "No space left on device")

    async def full(scope, receive, send):
        raise error

    app = Storage(full, Settings(free_gb=0), lambda: tmp_path)
    assert post(app, MB) == (507, "The disk is full. Make room and try again.")
    assert app._coming == 0
    error = OSError(errno.EIO, "Input/output error")
    with pytest.raises(OSError, match="Input/output"):
        post(app, MB)


def test_a_handler_on_a_full_disk_says_so():
    def score():
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(Exception, match=r"The disk is full\.<br>Make room and try again\."):
        alerts(score)()
