"""Task files of lm-evaluation-harness, as it ships them: its numbers are given; code is refused."""

import json
import os
from importlib import util
from pathlib import Path

import pytest
import yaml

from lmlab.api import load
from lmlab.cli.main import main
from lmlab.errors import InputError
from lmlab.features.prompt.evaluation import evaluate
from lmlab.settings import Settings
from lmlab.text import sets
from lmlab.text.harness import TaskTemplate, read_docs, read_task
from lmlab.text.protocols import Protocol
from lmlab.text.templates import PromptTemplate

TASKS = Path(util.find_spec("lm_eval").origin).parent / "tasks"
ANIMALS = ["cat", "dog", "bird", "fish", "house", "river"]
DOCS = {
    "sciq/sciq.yaml": [
        {"support": f" The {one} is old.", "question": f"What is old {k}?", "correct_answer": one,
         "distractor1": "a tree", "distractor2": "the big ball", "distractor3": "no"}
        for k, one in enumerate(ANIMALS)
    ],
    "arc/arc_easy.yaml": [
        {"question": f"Where is the {one}?", "answerKey": "BC"[k % 2],
         "choices": {"text": ["in the grass", f"over {one}", "at home"], "label": ["A", "B", "C"]}}
        for k, one in enumerate(ANIMALS)
    ],
    "super_glue/boolq/default.yaml": [
        {"passage": f"The {one} ran home.", "question": f"did the {one} run", "label": k % 2}
        for k, one in enumerate(ANIMALS)
    ],
    "lambada/lambada_openai.yaml": [
        {"text": f"The little {one} saw a big red ball"} for one in ANIMALS
    ],
}  # fmt: skip
MINE = """
task: mine
output_type: multiple_choice
doc_to_text: "{{q}}"
doc_to_choice: [yes, no]
doc_to_target: label
"""


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A machine that has much to do starts the child process late."""
    monkeypatch.setattr("lmlab.rendering.PATIENCE", 120.0)


@pytest.fixture(scope="module")
def base(folder):
    path = str(folder("llama", "bytelevel-bos"))
    return path, load(path, Settings(device="cpu", dtype="float32"))


@pytest.mark.parametrize("file", DOCS)
def test_a_task_file_gives_the_harness_s_numbers(base, file, tmp_path):
    from lm_eval import simple_evaluate
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.models.huggingface import HFLM

    os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(doc) + "\n" for doc in DOCS[file]))
    source, (path, lm) = (TASKS / file).read_text(), base
    template = read_task(source)
    data = sets.undivided(template.table("rows", read_docs(rows)), None, template.reads)
    mine = evaluate(lm, template, data, Protocol(shots=0, calibrate=False))
    config = yaml.safe_load(source)
    for key in ("tag", "training_split", "validation_split", "dataset_name", "metric_list"):
        config.pop(key, None)
    files = {"data_files": {"test": str(rows)}, "cache_dir": str(tmp_path / "c")}
    config |= {"dataset_path": "json", "dataset_kwargs": files, "test_split": "test"}
    harness = HFLM(path, device="cpu", dtype="float32", batch_size=4, add_bos_token=True)
    task = ConfigurableTask(config=config)
    found = simple_evaluate(
        model=harness, tasks=[task], bootstrap_iters=0, log_samples=True, verbosity="ERROR"
    )
    samples = sorted(found["samples"][config["task"]], key=lambda sample: sample["doc_id"])
    assert len(samples) == len(mine.predictions) == len(ANIMALS)
    for p, sample in zip(mine.predictions, samples, strict=True):
        theirs = [answer[0] for answer in sample["filtered_resps"]]
        if p.options:
            assert p.logprobs == pytest.approx(theirs, rel=1e-4)
            assert float(dict(p.choices)["sum"] == p.truth) == float(sample["acc"])
        else:
            assert -p.nll == pytest.approx(theirs[0], rel=1e-4)


def test_examples_stand_as_the_harness_writes_them():
    template = read_task(MINE + "fewshot_delimiter: '##'\ntarget_delimiter: ' -> '\n")
    table = template.table("t", [{"q": "one", "label": 0}, {"q": "two", "label": 1}])
    made = template.encode(table.rows[:1], table.rows[1])
    assert made.text + made.target == "one -> yes##two -> no"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("process_docs: !function utils.process", "‘!function’ is not read"),
        ("doc_to_text: twice", "stands there twice"),
        ("process_results: x\ninclude: b.yaml", "process_results, include"),
        ("unsafe_code: true", "not read here: unsafe_code"),
        ("description: 'About {{q}}'", "‘description’ is no plain text"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named_and_code_never_run(changed, said):
    with pytest.raises(InputError, match=said):
        read_task(f"{MINE}{changed}\n")


@pytest.mark.parametrize(
    ("old", "new", "doc", "said"),
    [
        ("multiple_choice", "loglikelihood_rolling", {}, "loglikelihood_rolling’ is not read"),
        ("task: mine", "", {}, "no ‘task’"),
        ("[yes, no]", "'{{q.__class__.mro()}}'", {"q": "a", "label": 0}, "may not use"),
        ("{{q}}", "{{ 'x' * 10**9 }}", {"q": "a", "label": 0}, "memory|long|characters"),
        ("[yes, no]", "'{{q}}'", {"q": "__import__('os')", "label": 0}, "no list of texts"),
        ("{{q}}", "{{nothing}}", {"q": "a", "label": 0}, "Document 1: .*field that the row does"),
        ("label", "other", {"q": "a", "other": 7}, "‘7’ is none of its choices"),
    ],
)
def test_what_a_task_may_not_is_a_sentence(old, new, doc, said):
    with pytest.raises(InputError, match=said):
        read_task(MINE.replace(old, new)).table("t", [doc])


def test_the_command_reads_a_task_file(tmp_path, capsys):
    task, rows = tmp_path / "task.yaml", tmp_path / "rows.jsonl"
    task.write_text(MINE)
    rows.write_text('{"q": "Is it?", "label": 0}\n{"q": "Was it?", "label": 1}\n')
    asked = ["evaluate", "--model", "tiny", "--template", str(task), "--data", str(rows), "--json"]
    assert main(asked) == 0
    assert json.loads(capsys.readouterr().out)["results"][0]["n"] == 2
    for more, said in (
        (["--data", "qa"], "documents of its own"),
        (["--template", "qa-question", "--study", "templates"], "measured alone"),
    ):
        assert main([*asked, *more]) == 2
        assert said in capsys.readouterr().err
    rows.write_text("{")
    assert main(asked) == 2
    assert "Line 1 of rows.jsonl is no valid JSON" in capsys.readouterr().err
    with pytest.raises(InputError, match="lmlab evaluate"):
        PromptTemplate.parse(MINE)
    assert isinstance(read_task(MINE), TaskTemplate)
