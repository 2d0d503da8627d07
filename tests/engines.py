"""Serving engines on loopback that answer over a small model, each to the letter of its format, and
wrongly where they are told to.
"""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from lmlab.generation.completions import Step
from lmlab.generation.config import GenerateConfig
from lmlab.generation.streams import Stream, rounds
from lmlab.models.model import LM, Read

KINDS = ("vllm", "sglang", "llama-cpp-python", "llamacpp", "ollama", "openai")


@contextmanager
def listening(app: Any) -> Iterator[str]:
    """The address at which an app answers."""
    with socket.create_server(("127.0.0.1", 0)) as place:
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
        thread.start()
        yield f"http://127.0.0.1:{place.getsockname()[1]}"
        server.should_exit = server.force_exit = True
        thread.join()


class Engine:
    """One engine over a model that is borrowed; ``fault`` changes what it answers."""

    def __init__(self, lm: LM, kind: str) -> None:
        self.lm, self.kind = lm, kind
        self.fault = ""
        self.asked: list[tuple[str, Any]] = []
        self.keys: list[str] = []
        self.gone = threading.Event()
        self._lock = asyncio.Lock()
        routes = [
            Route("/v1/models", self.models),
            Route("/{path:path}", self.answer, methods=["POST"]),
        ]
        self.app = Starlette(routes=routes)

    async def models(self, request: Request) -> Response:
        self.keys.append(request.headers.get("authorization", ""))
        more: dict[str, Any] = {}
        if self.kind in ("vllm", "sglang"):
            more = {"root": "tiny", "max_model_len": self.lm.context}
        if self.kind == "llamacpp":
            more = {"meta": {"n_vocab": 4096, "n_ctx_train": self.lm.context}}
        one = {"id": "tiny", "object": "model", "created": 0, "owned_by": self.kind, **more}
        return JSONResponse({"object": "list", "data": [one]})

    async def answer(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append((request.url.path, body))
        own = {"sglang": "/generate", "llamacpp": "/completion", "ollama": "/api/generate"}
        if request.url.path != own.get(self.kind, "/v1/completions"):
            return JSONResponse({"detail": "Not Found"}, 404)
        if refusal := self._refusal():
            return refusal
        if self.fault == "html":
            return HTMLResponse("<html>Log in</html>")
        write: Callable[[Any], Any] = getattr(self, f"_{self.kind.replace('-', '_')}")
        async with self._lock:
            made = await asyncio.to_thread(lambda: write(body))
        if isinstance(made, dict):
            text = json.dumps(self._spoilt(made))
            return Response(text[: len(text) // 2] if self.fault == "half" else text)
        return StreamingResponse(self._stream(made))

    def _refusal(self) -> Response | None:
        """What is answered in place of an answer; a busy engine is so twice."""
        if self.fault.startswith("busy"):
            self.fault = {"busy": "busy once more", "busy once more": ""}.get(
                self.fault, self.fault
            )
            return JSONResponse({"error": "slow down"}, 429, {"retry-after": "0"})
        said = {"error": {"message": "Incorrect key: secret-key-1", "code": 1}}
        codes = {"key": 401, "refused": 400, "broken down": 500}
        return JSONResponse(said, codes[self.fault]) if self.fault in codes else None

    async def _stream(self, chunks: list[dict[str, Any]]) -> Any:
        sse = self.kind != "ollama"
        for i, chunk in enumerate(chunks):
            if i == 2 and self.fault == "cut":
                return
            if i == 2 and self.fault == "dies":
                raise ConnectionError
            if i == 2 and self.fault == "hangs":
                try:
                    await asyncio.Event().wait()
                finally:
                    self.gone.set()
            text = json.dumps(self._spoilt(chunk))
            text = text[: len(text) // 2] if self.fault == "half" else text
            yield f"data: {text}\n\n" if sse else text + "\n"
        if sse and self.kind != "llamacpp":
            yield "data: [DONE]\n\n"

    def _spoilt(self, value: Any) -> Any:
        """An answer with the engine's fault in it."""
        text = json.dumps(value)
        if self.fault == "nan":
            return json.loads(text.replace('"logprob": -', '"logprob": NaN, "was": -'))
        if self.fault == "no ids":
            return json.loads(text.replace("token_id:", ""))
        if self.fault == "silent":
            return _without(value, ("logprobs", "completion_probabilities", "output_token_logprobs",
                                    "output_top_logprobs"))  # fmt: skip
        return value

    # what the model says

    def steps(self, ids: Sequence[int], length: int, seed: int, heat: float, k: int) -> list[Step]:
        config = GenerateConfig(length, heat, seed=seed % 2**31, alternatives=k)
        stream = Stream(self.lm, config, list(ids), 0, config.seed)
        return [step for row in rounds(self.lm.decoder(), [stream]) for _, step in row]

    def rows(self, ids: Sequence[int], low: int, k: int) -> list[tuple[int, float, int, Any]]:
        """(id, logprob, rank, likeliest) of the places from ``low`` on."""
        stats = self.lm.score([Read(ids, low)], k)
        tops = zip(stats.top_ids.tolist(), stats.top_logprobs.tolist(), strict=True)
        found = [list(zip(*top, strict=True)) for top in tops]
        ranks = stats.rank.tolist()  # type: ignore[union-attr]
        rows = list(zip(ids[low:], stats.logprob.tolist(), ranks, found, strict=True))
        if self.fault == "count":
            rows.pop()
        if self.fault == "other":
            rows[3] = (rows[3][0] ^ 1, *rows[3][1:3], [])
        return rows

    def text(self, token: int) -> str:
        return self.lm.vocabulary.data(token).decode(errors="ignore")

    def ends(self, step: Step) -> bool:
        """Whether a token is the end token, of which most engines say nothing."""
        return step.finish == "end"

    # the formats

    def _vllm(self, body: Any) -> Any:
        ids = body["prompt"]
        head = {"id": "cmpl-1", "object": "text_completion", "created": 0, "model": "tiny"}
        if "prompt_logprobs" in body and self.fault != "no echo":
            assert (body["echo"], body["max_tokens"]) == (True, 0)
            told: list[Any] = [None]
            for token, logprob, rank, top in self.rows(ids, 1, body["prompt_logprobs"]):
                row = {
                    str(i): {"logprob": value, "rank": at, "decoded_token": self.text(i)}
                    for at, (i, value) in enumerate(top, 1)
                }
                mine = {"logprob": logprob, "rank": rank, "decoded_token": self.text(token)}
                told.append(row | {str(token): mine})
            choice = {"index": 0, "text": "", "logprobs": None, "finish_reason": "length",
                      "stop_reason": None, "prompt_logprobs": told}  # fmt: skip
            return {**head, "choices": [choice], "usage": {"prompt_tokens": len(ids)}}
        if not body.get("stream"):
            return {**head, "choices": [{"index": 0, "text": " a", "finish_reason": "length"}]}
        assert body["return_tokens_as_token_ids"]
        return self._completion_chunks(ids, body, lambda i: f"token_id:{i}", head)

    def _completion_chunks(self, ids: Any, body: Any, name: Any, head: Any) -> Any:
        chunks = []
        steps = self.steps(
            ids, body["max_tokens"], body["seed"], body["temperature"], body["logprobs"]
        )
        for step in steps:
            if self.ends(step) and self.kind != "vllm":
                continue
            top = {name(c.id): c.logprob for c in step.top} | {name(step.id): step.logprob}
            logprobs = {"text_offset": [0], "token_logprobs": [step.logprob],
                        "tokens": [name(step.id)], "top_logprobs": [top]}  # fmt: skip
            chunks.append(
                {"index": 0, "text": step.shown, "logprobs": logprobs, "finish_reason": None}
            )
        last = "length" if steps[-1].finish == "length" else "stop"
        chunks.append({"index": 0, "text": "", "logprobs": None, "finish_reason": last})
        return [*({**head, "choices": [one]} for one in chunks), {**head, "choices": []}]

    def _sglang(self, body: Any) -> Any:
        ids, k, asked = body["input_ids"], body["top_logprobs_num"], body["sampling_params"]
        assert body["return_logprob"]
        if not body["stream"]:
            start = body["logprob_start_len"]
            rows = self.rows(ids, start + 1, k)
            scores: list[Any] = [[None, ids[start], None], *([r[1], r[0], None] for r in rows)]
            tops: list[Any] = [None, *([[v, i, None] for i, v in r[3]] for r in rows)]
            if self.fault == "null":
                scores[-1][0] = None
            meta = {"id": "1", "input_token_logprobs": scores, "input_top_logprobs": tops,
                    "output_token_logprobs": [], "output_top_logprobs": [], "completion_tokens": 0,
                    "finish_reason": {"type": "length", "length": 0}}  # fmt: skip
            return {"text": "", "output_ids": [], "meta_info": meta}
        length, seed = asked["max_new_tokens"], asked["sampling_seed"]
        steps, chunks = self.steps(ids, length, seed, asked["temperature"], k), []
        for n, step in enumerate(steps, 1):
            done = n == len(steps)
            kind = "length" if step.finish == "length" else "stop"
            tops = [[[c.logprob, c.id, None] for c in s.top] for s in steps[:n]]
            meta = {
                "id": "1",
                "completion_tokens": n,
                "finish_reason": {"type": kind} if done else None,
                "output_token_logprobs": [[s.logprob, s.id, None] for s in steps[:n]],
                "output_top_logprobs": tops,
            }
            chunks.append({"text": "".join(s.shown for s in steps[:n]), "meta_info": meta})
        return chunks

    def _llama_cpp_python(self, body: Any) -> Any:
        """Takes text, and puts the start before it by itself, of which it says nothing."""
        assert isinstance(body["prompt"], str)
        head = {"id": "cmpl-1", "object": "text_completion", "created": 0, "model": "tiny"}
        ids = [*self.lm.vocabulary.leading, *self.lm.vocabulary.ids(body["prompt"])]
        if not body.get("echo"):
            return self._completion_chunks(ids, body, self.text, head)
        rows = self.rows(ids, 1, body["logprobs"])
        more = self.steps(ids, body["max_tokens"], 0, 0, body["logprobs"])
        rows += [(s.id, s.logprob, s.rank, [(c.id, c.logprob) for c in s.top]) for s in more]
        if self.fault == "no echo":
            rows = rows[-1:]
        tops: list[Any] = [{self.text(i): v for i, v in [*r[3], (r[0], r[1])]} for r in rows]
        logprobs = {
            "tokens": [self.text(r[0]) for r in rows],
            "text_offset": [0 for _ in rows],
            "token_logprobs": [None, *(r[1] for r in rows[1:])],
            "top_logprobs": [None, *tops[1:]],
        }
        if self.fault == "null":
            logprobs["token_logprobs"][-2] = None
        choice = {"text": "", "index": 0, "logprobs": logprobs, "finish_reason": "length"}
        return {**head, "choices": [choice], "usage": {}}

    def _openai(self, body: Any) -> Any:
        assert body.keys() <= {"model", "prompt", "max_tokens", "temperature", "top_p", "seed",
                               "logprobs", "stream"}  # fmt: skip
        return self._llama_cpp_python(body)

    def _llamacpp(self, body: Any) -> Any:
        asked = (body["n_predict"], body["seed"], body["temperature"], body["n_probs"])
        steps, chunks = self.steps(body["prompt"], *asked), []
        for step in steps:
            told = [self._info(step.id, step.logprob, [(c.id, c.logprob) for c in step.top])]
            chunks.append({"index": 0, "content": step.shown, "tokens": [step.id], "stop": False,
                           "completion_probabilities": told})  # fmt: skip
        kind = {"length": "limit", "end": "eos"}[steps[-1].finish or ""]
        return [*chunks, {"index": 0, "content": "", "tokens": [], "stop": True, "stop_type": kind}]

    def _ollama(self, body: Any) -> Any:
        assert body["raw"]
        ids = [*self.lm.vocabulary.leading, *self.lm.vocabulary.ids(body["prompt"])]
        asked, chunks = body["options"], []
        k = body["top_logprobs"]
        steps = self.steps(ids, asked["num_predict"], asked["seed"], asked["temperature"], k)
        for step in steps:
            if self.ends(step):
                continue
            told = self._info(step.id, step.logprob, [(c.id, c.logprob) for c in step.top])
            for one in (told, *told["top_logprobs"]):
                del one["id"]
            chunks.append({"model": "tiny", "created_at": "", "response": step.shown, "done": False,
                           "logprobs": [told]})  # fmt: skip
        reason = "length" if steps[-1].finish == "length" else "stop"
        return [*chunks, {"model": "tiny", "response": "", "done": True, "done_reason": reason}]

    def _info(self, token: int, logprob: float, top: Any = ()) -> dict[str, Any]:
        data = list(self.lm.vocabulary.data(token))
        own = {"id": token, "token": self.text(token), "bytes": data, "logprob": logprob}
        return own | {"top_logprobs": [self._info(*one) for one in top]}


def _without(value: Any, names: Sequence[str]) -> Any:
    if isinstance(value, dict):
        return {k: _without(v, names) for k, v in value.items() if k not in names}
    return [_without(one, names) for one in value] if isinstance(value, list) else value
