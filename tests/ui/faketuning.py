"""Fine-tuning without a model, for tests of the page: the real types and counts, made-up losses."""

import math
import re
import tempfile
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path

from lmlab.errors import InputError, ModelError
from lmlab.runs.store import RunInfo
from lmlab.text.sets import read_table
from lmlab.text.wordings import shipped_templates
from lmlab.training.counting import count
from lmlab.training.events import (
    Evaluated,
    Finished,
    Sampled,
    SampleToken,
    Saved,
    Started,
    TrainStep,
)
from lmlab.training.masks import MaskToken, MaskView
from lmlab.training.sets import TuningData, shipped_data, split_table
from lmlab.training.shapes import ModelShape, Parameter

WORD = re.compile(r"<\|\w+\|>| ?\w+|\n| ?[^\w\s]|\s")
WIDTH, LAYERS, WORDS = 64, 3, 500


def _shape(name: str) -> ModelShape:
    found = [Parameter("model.embed_tokens.weight", (WORDS, WIDTH), group="head")]
    for i in range(LAYERS):
        here = f"model.layers.{i}"
        found += [
            Parameter(f"{here}.self_attn.{n}_proj.weight", (WIDTH, WIDTH), True) for n in "qkvo"
        ]
        found += [
            Parameter(f"{here}.mlp.up_proj.weight", (4 * WIDTH, WIDTH), True),
            Parameter(f"{here}.mlp.down_proj.weight", (WIDTH, 4 * WIDTH), True),
            Parameter(f"{here}.input_layernorm.weight", (WIDTH,), group="norms"),
        ]
    return ModelShape(name, "llama", WIDTH, WORDS, 256, tuple(found), ("q_proj", "v_proj"), True)


@dataclass
class _Run:
    owner: str
    info: RunInfo
    steps: int
    events: list = field(default_factory=list)
    stop: bool = False


class FakeTuning:
    """Answers what ``Tuning`` answers; one run at a time, ``pause`` seconds a step."""

    def __init__(self, pause: float = 0.02) -> None:
        self.pause = pause
        self._runs: dict[str, _Run] = {}
        self._queue: deque[str] = deque()
        self._lock = threading.Lock()
        self.pushed: list[tuple[str, str]] = []

    def clear(self) -> None:
        """Forget all runs."""
        for run in self._runs.values():
            run.stop = True
        self._runs.clear()

    # --- before a run ---

    def sets(self):
        return ["qa", "german"]

    def dataset(self, name):
        return shipped_data(name)

    def table(self, content, name, *, skip=False):
        return read_table(content, name, skip=skip)

    def split(self, table, fields=None, *, seed=0, held_out=0.1, **more):
        return split_table(table, fields, seed=seed, held_out=held_out, **more)

    def templates_for(self, name):
        known = shipped_templates()
        first = ["qa-tuned", "qa-question"] if name != "german" else ["german-lecture"]
        return [*(known[n] for n in first), None]

    def preview(self, model, data, template, config, row):
        self._check(model)
        row %= len(data.train)
        found = data.train[row]
        if template is None:
            if "text" not in found:
                raise InputError("Row 1 has no column ‘text’.", "Map one.")
            prompt, answer = "", found["text"]
        else:
            made = template.encode([], found)
            prompt, answer = made.text, made.target
        tokens = [MaskToken(0, "<s>", "start", False)]
        tokens += [MaskToken(1, w, "prompt", config.loss_on == "all") for w in WORD.findall(prompt)]
        tokens += [MaskToken(2, w, "answer", True) for w in WORD.findall(answer)]
        if config.end_token:
            tokens.append(MaskToken(3, "</s>", "end", True))
        warnings = () if config.end_token else ("No end token carries loss: it never stops.",)
        warnings += ("The row has the chat form.",) if config.form == "chat" else ()
        return MaskView(row, len(data.train), tuple(tokens), prompt, answer, warnings)

    def count(self, model, config, data: TuningData | None = None):
        self._check(model)
        return count(_shape(model), config, row_tokens=20 if data else 0, flops_per_second=1e9)

    def parameters(self, model):
        self._check(model)
        return _shape(model).total

    def linear_names(self, model):
        self._check(model)
        shape = _shape(model)
        return shape.linear_names, shape.auto_targets, shape.layers

    def warm(self):
        pass

    # --- runs ---

    def start(self, owner, model, data, template, config):
        self._check(model)
        if config.steps > 100_000:
            raise InputError("At most 100,000 steps are made.", "Make fewer.")
        counts = self.count(model, config)
        name = uuid.uuid4().hex[:12]
        info = RunInfo(
            id=name,
            title=f"{config.method} on {data.name}: {model}",
            model=model,
            data=data.name,
            template=template.name if template else "",
            config=config,
            state="queued",
            created=time.time(),
            trainable=counts.trainable,
            total=counts.total,
        )
        self._enqueue(name, _Run(owner, info, config.steps))
        return name

    def _enqueue(self, name, run):
        with self._lock:
            self._runs[name] = run
            self._queue.append(name)
            if len(self._queue) == 1:
                threading.Thread(target=self._work, daemon=True).start()

    def _work(self):
        while self._queue:
            run = self._runs.get(self._queue[0])
            if run:
                self._train(run)
            with self._lock:
                self._queue.popleft()
                if not self._queue:
                    return

    def _train(self, run):
        info = run.info
        config = info.config
        if run.stop:
            run.info = replace(info, state="stopped")
            return
        run.info = replace(info, state="running")
        run.events.append(
            Started(
                info.id, config.method, info.trainable, info.total, 100, 10, 900, config.steps,
                2.0, "cpu", "float32", first=info.step,
            )
        )  # fmt: skip
        if not info.step:
            self._look(run, 0)
        for step in range(info.step + 1, config.steps + 1):
            if run.stop:
                self._end(run, "stopped", step - 1)
                return
            time.sleep(self.pause)
            loss = 3 * math.exp(-step / 20) + 0.2 * math.sin(step) ** 2 + 0.3
            if config.learning_rate > 100:
                self._end(run, "nan", step - 1, "The loss is not a number at step 3.")
                return
            rate = config.learning_rate * (1 - step / config.steps)
            run.events.append(TrainStep(step, loss, rate, loss / 2, 160, self.pause or 0.01))
            run.info = replace(run.info, step=step, seconds=step * self.pause)
            if step % (config.evaluate_every or config.steps) == 0 or step == config.steps:
                self._look(run, step)
        self._end(run, "done", config.steps)

    def _look(self, run, step):
        valid = 2.8 * math.exp(-step / 25) + 0.6
        probe = 2.0 + step / 400 * math.log10(run.info.trainable)
        right = min(0.9, step / 60)
        run.events.append(Evaluated(step, valid, probe, right, 0.01))
        for i in range(min(2, run.info.config.samples)):
            said = " Once upon a time" if step < 20 else " the garden"
            words = WORD.findall(said)
            tokens = tuple(SampleToken(k, w, -0.1 - k) for k, w in enumerate(words))
            question = ("Where is Tim?", "<img src=x onerror=window.hacked=1>")[i]
            run.events.append(Sampled(step, i, question, " the garden", said, tokens))
        run.events.append(Saved(step, f"checkpoints/{step}"))
        run.info = replace(
            run.info, valid_loss=valid, probe_loss=probe, accuracy=right,
            valid_before=3.4, probe_before=2.0, accuracy_before=0.0,
            model_name=f"base+run:{run.info.id}" if step else run.info.model_name,
        )  # fmt: skip

    def _end(self, run, reason, step, message=""):
        state = {"done": "done", "nan": "failed"}.get(reason, "stopped")
        run.events.append(Finished(reason, step, message, seconds=step * self.pause))
        name = f"base+run:{run.info.id}" if step else ""
        run.info = replace(
            run.info, state=state, reason=reason, message=message, model_name=name, train_loss=0.4
        )

    def _mine(self, owner, name):
        run = self._runs.get(name)
        if run is None or run.owner != owner:
            raise InputError("You have no such run.", "It may have been deleted.")
        return run

    def read(self, owner, run_id, after=0):
        return list(self._mine(owner, run_id).events[after:])

    def run(self, owner, run_id):
        return self._placed(self._mine(owner, run_id).info)

    def runs(self, owner):
        found = [self._placed(r.info) for r in self._runs.values() if r.owner == owner]
        return sorted(found, key=lambda info: -info.created)

    def _placed(self, info):
        waiting = list(self._queue)[1:]
        return replace(info, place=waiting.index(info.id)) if info.id in waiting else info

    def stop(self, owner, run_id):
        run = self._mine(owner, run_id)
        run.stop = True
        if run.info.state == "queued":
            run.info = replace(run.info, state="stopped")

    def resume(self, owner, run_id):
        run = self._mine(owner, run_id)
        run.stop = False
        run.info = replace(run.info, state="queued", reason="", message="")
        self._enqueue(run_id, run)

    def delete(self, owner, run_id):
        self._mine(owner, run_id).stop = True
        del self._runs[run_id]

    def archive(self, owner, run_id):
        self._mine(owner, run_id)
        path = Path(tempfile.mkdtemp()) / "adapter.zip"
        path.write_bytes(b"PK\5\6" + bytes(18))
        return path

    def push(self, owner, run_id, repo, token, *, private=True):
        self._mine(owner, run_id)
        if token != "hf_right":
            raise InputError("The Hub refused the token.", "Make one that may write.")
        self.pushed.append((repo, token))
        return f"https://huggingface.co/{repo}"

    def _check(self, model):
        if model not in ("base", "base-early", "letters"):
            raise ModelError(f"There is no model named ‘{model}’.", "Here there are: base.")
