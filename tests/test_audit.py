"""The perplexity audit: every number is the one that its library gives, and is traced to tokens."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import lmlab
from lmlab.cli.main import main
from lmlab.errors import InputError, ModelError
from lmlab.features.audit import page, views
from lmlab.features.audit.auditing import iter_audit
from lmlab.features.audit.receipt import receipt
from lmlab.features.audit.results import Audit
from lmlab.lab import Lab
from lmlab.models.model import narrowed
from lmlab.settings import Settings

PARAGRAPHS = (
    "The little dog ran over the hill and saw a big red ball in the grass.",
    "Once upon a time,\tthere was a king.  He was here and there and singing in the garden, "
    "hello there world; the cat was in the garden. The dog ran to the king and the cat. " * 2,
    "Das Haus ist groß – 漢字 🙂.",
)
LONG = "\n\n".join(PARAGRAPHS)  # more than twice the context of ``folders``
SHORT = PARAGRAPHS[0]
KINDS = ("bytelevel", "bytelevel-bos")


def audit(lm, text: str) -> Audit:
    *_, found = iter_audit(lm, text, 10_000)
    return found


@pytest.fixture(scope="module", params=KINDS)
def case(request, folder):
    """A folder, its model, and audits of a text beyond its context and of one that fits."""
    path = folder("gpt2", request.param)
    lm = lmlab.load(str(path))
    return path, lm, *({row.key: row for row in audit(lm, text).rows} for text in (LONG, SHORT))


def theirs(model, ids) -> np.ndarray:
    """−ln p of each id but the first, by the library's own forward pass."""
    with torch.no_grad():
        table = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return -table[range(len(ids) - 1), ids[1:]].double().numpy()


def test_the_first_row_is_the_score(case):
    _, lm, long, short = case
    for rows, text in ((long, LONG), (short, SHORT)):
        assert rows["definition"].value == pytest.approx(lmlab.score(lm, text).perplexity, rel=1e-5)
    alone = lmlab.score(lm, SHORT, bos="never")
    assert short["never"].value == pytest.approx(alone.perplexity, rel=1e-5)
    spaced = lmlab.score(lm, " ".join(LONG.split()))
    assert long["spaces"].value == pytest.approx(spaced.perplexity, rel=1e-5)
    narrow = lmlab.score(narrowed(lm, lm.context // 4), LONG)
    key = f"context-{lm.context // 4}"
    assert long[key].value == pytest.approx(narrow.perplexity, rel=1e-5)
    assert (
        short[key].value
        == pytest.approx(lmlab.score(narrowed(lm, lm.context // 4), SHORT).perplexity, rel=1e-5)
        or short[key].missing
    )
    scored = lmlab.score(lm, LONG)
    assert long["bits"].value == pytest.approx(scored.log_perplexity / math.log(2), rel=1e-5)
    assert 2 ** long["bits"].value == pytest.approx(long["definition"].value, rel=1e-9)


def test_every_difference_is_the_sum_of_its_tokens(case):
    for rows in case[2:]:
        base = rows["definition"]
        for row in rows.values():
            if row.missing:
                continue
            moved = sum(change.difference for change in row.changes) + row.hidden[1]
            assert moved == pytest.approx(row.total - base.total, abs=0.3)  # what is below 0.001
            if row.form == "perplexity":
                assert row.value == pytest.approx(math.exp(row.total / row.count), rel=1e-9)


def test_transformers_document(case):
    """Its algorithm by its description, with the library's own loss."""
    _, lm, long, short = case
    for rows, text in ((long, LONG), (short, SHORT)):
        ids = lm.tokenizer(text)["input_ids"]
        total, count, before = 0.0, 0, 0
        for begin in range(0, len(ids), lm.context // 2):
            end = min(begin + lm.context, len(ids))
            window = torch.tensor([ids[begin:end]])
            labels = window.clone()
            labels[:, : -(end - before)] = -100
            with torch.no_grad():
                loss = lm.model(window, labels=labels).loss
            n = int((labels != -100).sum()) - 1
            total, count, before = total + n * float(loss), count + n, end
            if end == len(ids):
                break
        assert rows["document"].value == pytest.approx(math.exp(total / count), rel=1e-4)


def test_lm_eval(case):
    lm_eval = pytest.importorskip("lm_eval.models.huggingface", reason="lm-eval is not installed")
    from lm_eval.api.instance import Instance
    from lm_eval.api.metrics import bits_per_byte, weighted_perplexity
    from lm_eval.api.task import PerplexityTask

    path, _, long, short = case
    harness = lm_eval.HFLM(str(path), device="cpu", dtype="float32", batch_size=1)
    for rows, text in ((long, LONG), (short, SHORT)):
        asked = [Instance("loglikelihood_rolling", {}, (text,), 0)]
        (logprob,) = harness.loglikelihood_rolling(asked, disable_tqdm=True)
        words, n_bytes = PerplexityTask.count_words(text), PerplexityTask.count_bytes(text)
        assert rows["rolling"].total == pytest.approx(-logprob, rel=1e-5)
        for key, ask, size in (
            ("word", weighted_perplexity, words), ("byte", weighted_perplexity, n_bytes),
            ("bits-byte", bits_per_byte, n_bytes),
        ):  # fmt: skip
            assert rows[key].value == pytest.approx(ask([(logprob, size)]), rel=1e-4)


def test_minicons(case):
    scorer = pytest.importorskip("minicons.scorer", reason="minicons is not installed")
    _, lm, _, short = case
    asked = scorer.IncrementalLMScorer(lm.model, "cpu", tokenizer=lm.tokenizer)
    (mean,) = asked.sequence_score([SHORT])
    assert short["own"].value == pytest.approx(math.exp(-mean), rel=1e-4)
    (bits,) = asked.sequence_score([SHORT], base_two=True)
    assert short["own"].total / short["own"].count / math.log(2) == pytest.approx(-bits, rel=1e-4)
    (tokens,) = asked.token_score([SHORT])
    mean = sum(score for _, score in tokens) / len(tokens)
    assert short["zero"].value == pytest.approx(math.exp(-mean), rel=1e-4)


def test_evaluate(case):
    """Its metric, from its own module where the metric's script is at hand; by its description."""
    _, lm, long, short = case
    start = lm.tokenizer.bos_token_id
    each = []
    for part in PARAGRAPHS:
        # The first and the last fit the context; the library has no windows for the one between.
        found = lmlab.score(lm, part)
        ids = [start, *lm.tokenizer(part, add_special_tokens=False)["input_ids"]]
        if len(ids) <= lm.context:
            assert found.perplexity == pytest.approx(np.exp(theirs(lm.model, ids).mean()), rel=1e-4)
        each.append(found)
    mean = np.mean([one.perplexity for one in each])
    assert long["mean"].value == pytest.approx(mean, rel=1e-4)
    pooled = -sum(one.logprob for one in each) / sum(one.n_tokens for one in each)
    assert long["pooled"].value == pytest.approx(math.exp(pooled), rel=1e-2)
    assert short["mean"].missing == "There is one paragraph alone."


def test_chunks_as_papers_on_quantisation_and_llama_cpp_count_them(case):
    _, lm, long, short = case
    ids, n = lm.tokenizer(LONG)["input_ids"], lm.context
    chunks = [ids[at : at + n] for at in range(0, len(ids) - n + 1, n)]
    losses = [theirs(lm.model, chunk).mean() for chunk in chunks]
    assert long["chunks"].value == pytest.approx(math.exp(np.mean(losses)), rel=1e-4)
    start = [lm.tokenizer.bos_token_id] if lm.vocabulary.leading else []
    halves = [theirs(lm.model, start + chunk[len(start) :])[n // 2 :] for chunk in chunks]
    assert long["halves"].value == pytest.approx(math.exp(np.mean(halves)), rel=1e-4)
    assert "tokens at least" in short["halves"].missing


def test_the_receipt_gives_every_row_again(numbers, folder):
    lm = lmlab.load(str(folder("llama", "bytelevel-bos")))
    found = audit(lm, LONG)
    values = [row.value for row in found.rows if not row.missing]
    assert numbers(receipt(found)) == pytest.approx(values, rel=1e-4)


def test_a_model_of_scores_alone_is_enough_and_hostile_text_is_text():
    found = audit(lmlab.load("mock:served"), "<b>The dog ran.</b>\n\nThe cat\x00 said {{hello}}.")
    assert all(row.missing or math.isfinite(row.value) for row in found.rows)
    drawn = views.table(found)
    assert "<b>The" not in drawn
    assert "\x00" not in drawn
    assert "mock:served" in drawn
    assert views.to_csv(found).count("\r\n") == len(found.rows) + 1
    shown = replace(found, model="<i>x")
    assert "<i>x" not in views.table(shown)


@pytest.mark.parametrize(
    ("text", "said"), [("", "no text"), ("a", "One token"), ("a\ud800", "half")]
)
def test_what_cannot_be_audited_is_said(text, said):
    with pytest.raises(InputError, match=said):
        audit(lmlab.load("mock:uniform"), text)
    with pytest.raises(InputError, match="at most 3"):
        list(iter_audit(lmlab.load("mock:uniform"), "abcdef", 3))


def test_not_a_number_is_refused(nan_folder):
    with pytest.raises(ModelError, match="not-a-number"):
        audit(lmlab.load(str(nan_folder)), "the dog ran")


def test_the_handler_keeps_to_the_limits():
    lab = Lab.open(Settings(offline=True, max_chars=50))
    *_, last = _run(page.auditor(lab)("mock:bigram", "The dog ran. The cat.", page.OWN))
    assert last["kept"].context == 1024
    for asked in (("mock:bigram", "x" * 51, page.OWN), ("mock:bigram", "The dog", "9999999"),
                  ("mock:bigram", "The dog", "<b>")):  # fmt: skip
        with pytest.raises(InputError):
            list(page.auditor(lab)(*asked))


def _run(work):
    while True:
        try:
            yield next(work)
        except StopIteration as end:
            yield end.value
            return


def test_the_command_prints_all_rows(capsys, folder):
    asked = ["audit", "--model", str(folder()), "--text", LONG, "--context", "32"]
    assert main(asked) == 0
    told = capsys.readouterr().out
    assert "mean of their perplexities" in told
    assert "lm-eval" in told
    assert main([*asked, "--json"]) == 0
    assert '"key": "definition"' in capsys.readouterr().out
    assert main([*asked, "--receipt"]) == 0
    assert "import torch" in capsys.readouterr().out
