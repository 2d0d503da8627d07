"""Completions of several callers side by side, whatever their length: what each gets alone."""

import asyncio

import pytest

from lmlab.api import load
from lmlab.errors import InputError, ModelError
from lmlab.generation import answering, together
from lmlab.generation.complete import prompt_ids, sample
from lmlab.generation.config import GenerateConfig
from lmlab.generation.together import Asked, Queue, serve
from lmlab.hosting.desk import Desk
from lmlab.models.backends.transformers.past import Past
from lmlab.runs.model_store import ModelStore
from lmlab.settings import Settings
from tests import architectures, folders, loops

TEXTS = (
    "the little dog ran over the hill",
    "and the cat",
    "there was a king. ",
    "ing",
    "a big red",
)
CONFIGS = (
    GenerateConfig(9, temperature=0, alternatives=2),
    GenerateConfig(14, seed=3, alternatives=5),
    GenerateConfig(6, temperature=0.7, top_k=20, repetition_penalty=1.3, seed=8, alternatives=0),
    GenerateConfig(20, top_p=0.8, min_p=0.01, seed=4, stop=("e",), alternatives=1),
    GenerateConfig(11, temperature=1.3, seed=5, alternatives=3),
)


class Caller:
    """What one caller asked for and was told."""

    def __init__(self, lm, text, config, n=1, name="", on=lambda caller: None):
        self.steps, self.error, self.done, self.on = [[] for _ in range(n)], None, False, on
        self.text, self.config, self.n = text, config, n
        ids = text if isinstance(text, list) else prompt_ids(lm, text)
        self.asked = Asked(name or text, ids, config, n, self.tell)

    def tell(self, found):
        if isinstance(found, Exception):
            self.error = found
        elif found is None:
            self.done = True
        else:
            for which, step in found:
                self.steps[which].append(step)
        self.on(self)


def check(lm, caller):
    """What a caller got is what he gets alone."""
    assert caller.error is None
    assert caller.done
    alone = [[] for _ in range(caller.n)]
    for which, step in sample(lm, caller.text, caller.config, n=caller.n):
        alone[which].append(step)
    for mine, right in zip(caller.steps, alone, strict=True):
        assert [s.id for s in mine] == [s.id for s in right]
        assert [s.shown for s in mine] == [s.shown for s in right]
        assert [s.finish for s in mine] == [s.finish for s in right]
        assert [s.logprob for s in mine] == pytest.approx([s.logprob for s in right], abs=1e-4)
        assert [len(s.top) for s in mine] == [len(s.top) for s in right]
        both = zip(mine, right, strict=True)
        assert all(a.probability == pytest.approx(b.probability, abs=1e-4) for a, b in both)


def all_at_once(lm):
    """Callers of unequal prompts and controls; the last two come when the second has 3 tokens."""
    queue, callers = Queue(), []

    def later(caller):
        if len(caller.steps[0]) == 3:
            queue.add([one.asked for one in callers[3:]])

    for i, (text, config) in enumerate(zip(TEXTS, CONFIGS, strict=True)):
        callers.append(Caller(lm, text, config, 1 + i % 2, on=later if i == 1 else lambda _: None))
    assert queue.add([one.asked for one in callers[:3]])
    for _ in serve(lm, queue):
        pass
    return callers


@pytest.mark.parametrize("architecture", folders.ARCHITECTURES)
def test_each_gets_what_he_gets_alone(folder, architecture):
    lm = load(str(folder(architecture, "bytelevel-bos")))
    assert lm.together
    for caller in all_at_once(lm):
        check(lm, caller)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("openai-gpt", {}),
        ("mamba", {}),
        ("lfm2", {}),
        ("bloom", {}),
        ("mistral", {"sliding_window": 6}),
        ("gemma3_text", {"sliding_window": 6}),
    ],
)
def test_models_of_other_kinds_give_what_they_give_alone(tmp_path, kind, changes):
    architectures.make(kind, **changes).save_pretrained(tmp_path)
    folders.make_tokenizer("bytelevel-bos").save_pretrained(tmp_path)
    lm = load(str(tmp_path))
    if kind in ("mistral", "gemma3_text", "bloom"):
        assert lm.together
    for caller in all_at_once(lm):
        check(lm, caller)


def test_shipped_models_and_adapters_go_together(suite):
    store = ModelStore(Settings(offline=True), models=suite)
    for name in ("base", "base+german"):
        with store.borrow(name) as lm:
            assert lm.together
            for caller in all_at_once(lm):
                check(lm, caller)


def test_a_soft_prompt_goes_together(folder, prompt_folder):
    lm = load(f"{folder('llama', 'bytelevel-bos')}+{prompt_folder}")
    assert lm.together
    for caller in all_at_once(lm):
        check(lm, caller)


def test_what_is_no_equal_goes_one_by_one(folder, monkeypatch):
    plain = Past.join

    def lies(self, others):
        plain(self, others)
        self.pads = None

    monkeypatch.setattr(Past, "join", lies)
    lm = load(str(folder("qwen2", "bytelevel-bos")))
    assert not lm.together
    for caller in all_at_once(lm):
        check(lm, caller)


def test_rows_share_each_step(folder, monkeypatch):
    lm, fed = load(str(folder("llama", "bytelevel-bos"))), []
    kind = type(lm.decoder())
    plain = kind.feed
    assert lm.together
    monkeypatch.setattr(kind, "feed", lambda self, ids: fed.append(len(ids)) or plain(self, ids))
    callers = [Caller(lm, text, GenerateConfig(8, temperature=0)) for text in TEXTS]
    queue = Queue()
    queue.add([one.asked for one in callers])
    for _ in serve(lm, queue):
        pass
    assert fed[0] == len(TEXTS)
    assert len(fed) <= 8


def test_who_leaves_frees_his_rows(folder, monkeypatch):
    lm, queue, fed = load(str(folder("llama", "bytelevel-bos"))), Queue(), []
    kind = type(lm.decoder())
    plain = kind.feed
    assert lm.together
    monkeypatch.setattr(kind, "feed", lambda self, ids: fed.append(len(ids)) or plain(self, ids))

    def leave(caller):
        caller.asked.left = len(caller.steps[0]) == 2

    stays = Caller(lm, TEXTS[0], GenerateConfig(12, seed=1, temperature=2.0))
    goes = Caller(lm, TEXTS[1], GenerateConfig(12, seed=2, temperature=2.0), 2, on=leave)
    queue.add([stays.asked, goes.asked])
    for _ in serve(lm, queue):
        pass
    assert fed[:3] == [3, 3, 1]
    assert len(goes.steps[0]) == 2
    monkeypatch.undo()
    check(lm, stays)


def test_what_one_caller_does_wrong_is_told_to_him_alone(folder, monkeypatch):
    lm, queue = load(str(folder("llama", "bytelevel-bos"))), Queue()
    wrong = Caller(lm, [5] * (lm.context + 1), GenerateConfig(3), name="wrong")
    sick = Caller(lm, TEXTS[1], GenerateConfig(12, temperature=0))
    well = Caller(lm, TEXTS[0], GenerateConfig(12, temperature=0))

    kind = type(lm.decoder())
    feed = kind.feed

    def fed(self, ids):
        logits = feed(self, ids).clone()
        for mine, row in zip(self._ids, logits, strict=True):
            if mine[: len(sick.asked.ids)] == sick.asked.ids and len(sick.steps[0]) == 4:
                row.fill_(float("nan"))
        return logits

    monkeypatch.setattr(kind, "feed", fed)
    queue.add([wrong.asked, sick.asked, well.asked])
    for _ in serve(lm, queue):
        pass
    monkeypatch.undo()
    assert isinstance(wrong.error, InputError)
    assert isinstance(sick.error, ModelError)
    assert len(sick.steps[0]) == 4
    check(lm, well)


def test_one_caller_does_not_take_all_rows(folder):
    lm, queue = load(str(folder("llama", "bytelevel-bos"))), Queue()
    config = GenerateConfig(2, temperature=0)
    many = [Caller(lm, text, config, name="many") for text in TEXTS * 8]
    one = Caller(lm, TEXTS[0], config, name="one")
    queue.add([caller.asked for caller in many])
    queue.add([one.asked])
    taken = queue.take(lm, [])
    assert [asked.caller for asked in taken].count("many") == together.SHARE
    assert one.asked in taken
    more = queue.take(lm, taken)
    assert more == []


def test_a_long_prompt_holds_nobody_up(folder, monkeypatch):
    from lmlab.models.backends.transformers import decoding

    monkeypatch.setattr(decoding, "LEAST", 5)
    monkeypatch.setattr(decoding, "WORK", 0)
    lm, queue, order = load(str(folder("llama", "bytelevel-bos"))), Queue(), []
    short = Caller(lm, "ing", GenerateConfig(4, temperature=0), on=lambda _: order.append("short"))
    long = Caller(lm, " ".join(TEXTS), CONFIGS[1], on=lambda _: order.append("long"))
    queue.add([long.asked, short.asked])
    for _ in serve(lm, queue):
        pass
    assert order[:2] == ["short", "short"]
    check(lm, short)
    check(lm, long)


def test_many_free_answers_are_those_of_each_alone(folder):
    lm = load(str(folder("llama", "bytelevel-bos")))
    texts = [f"{' '.join(TEXTS[: i % 5 + 1])} {'a b c d e f g'[: i % 7]}" for i in range(40)]
    prompts = [prompt_ids(lm, "the dog and the cat: " + text) for text in texts]
    config = GenerateConfig(8, temperature=0, alternatives=0)
    assert len(set(map(len, prompts))) > answering.FEW
    found = {}
    for part in answering.complete(lm, prompts, config, share=True):
        found |= part
    for i, ids in enumerate(prompts):
        (alone,) = list(answering.complete(lm, [ids], config, share=False))
        assert found[i] == alone[0]


def test_callers_are_completed_together_at_the_desk(suite):
    store = ModelStore(Settings(offline=True), models=suite)
    desk = Desk(store)

    async def ask(text, config):
        with store.borrow("base") as lm:
            ids = prompt_ids(lm, text)
        found = []
        async for rows in desk.complete(text, "base", [ids], config, 1):
            found += [step for _, step in rows]
        return found

    async def leave(text):
        with store.borrow("base") as lm:
            ids = prompt_ids(lm, text)
        events = desk.complete(text, "base", [ids], GenerateConfig(200, temperature=0), 1)
        async for _ in events:
            break
        await events.aclose()

    async def all_ask():
        asked = (ask(text, config) for text, config in zip(TEXTS, CONFIGS, strict=True))
        return await asyncio.gather(*asked, leave("a dog"))

    *found, _ = loops.run(all_ask())
    assert desk.waiting == 0
    with store.borrow("base") as lm:
        for text, config, steps in zip(TEXTS, CONFIGS, found, strict=True):
            right = [step.id for _, step in sample(lm, text, config, n=1)]
            assert [step.id for step in steps] == right


def test_a_model_that_is_not_there_is_told_to_all_who_ask(suite):
    desk = Desk(ModelStore(Settings(offline=True), models=suite))

    async def ask():
        async for _ in desk.complete("a", "no-such-model", [[5]], GenerateConfig(2), 1):
            pass

    for _ in range(2):
        with pytest.raises(ModelError):
            loops.run(ask())
