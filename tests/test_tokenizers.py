"""Tokenizers as they come: the file against its class, ids without a row, leads, unknown tokens,
and text as the tokenizer's own decoder spells it.
"""

import json

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer, WordPieceTrainer
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from lmlab.errors import InputError, ModelError
from lmlab.features.prompt.evaluation import evaluate
from lmlab.generation.complete import generate
from lmlab.generation.config import GenerateConfig
from lmlab.models.backends.transformers.loading import inspect, load
from lmlab.models.tokenizers import read_vocabulary
from lmlab.models.tokens import encode, encode_prompt
from lmlab.scoring.score import score
from lmlab.settings import Settings
from lmlab.text.sets import Dataset
from lmlab.text.templates import PromptTemplate
from lmlab.training.config import FinetuneConfig
from lmlab.training.examples import structured
from tests import folders

GREEDY = GenerateConfig(max_new_tokens=12, temperature=0)


def lm_of(path):
    return load(inspect(path, path.name), Settings(device="cpu")).lm(path.name)


def with_tokenizer(folder, path, tokenizer):
    """The small Llama with another tokenizer."""
    model = AutoModelForCausalLM.from_pretrained(folder("llama", "bytelevel"))
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def digits():
    """A byte-level tokenizer that knows long numbers, and cuts text so that it never sees one."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator([folders.SENTENCES, "In 2023, 650841 of them."] * 9, trainer)
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{N}{1,3}| ?\p{L}+|\s+|[^\s\p{L}\p{N}]+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|endoftext|>")


@pytest.fixture(scope="module")
def disguised(folder, tmp_path_factory):
    """A folder whose tokenizer_config names a class that ignores the file's pre-tokenizer."""
    path = with_tokenizer(folder, tmp_path_factory.mktemp("disguised") / "m", digits())
    file = path / "tokenizer_config.json"
    config = json.loads(file.read_text()) | {"tokenizer_class": "GPT2Tokenizer"}
    file.write_text(json.dumps(config))
    return path


TEXT = "In 2023, 650841 of them."


def test_the_tokenizer_file_wins_over_the_class(disguised):
    whole = Tokenizer.from_file(str(disguised / "tokenizer.json"))
    vocabulary = read_vocabulary(disguised, "m")
    assert vocabulary.ids(TEXT) != AutoTokenizer.from_pretrained(disguised)(TEXT)["input_ids"]
    assert vocabulary.ids(TEXT) == whole.encode(TEXT, add_special_tokens=False).ids
    assert vocabulary.tokenizer.eos_token == "<|endoftext|>"
    assert "GPT2Tokenizer" in vocabulary.notes[0]
    assert "tokenizer.json" in vocabulary.notes[0]
    assert score(lm_of(disguised), TEXT).to_dict()["notes"] == list(vocabulary.notes)


def test_a_tokenizer_that_agrees_with_its_file_is_left_alone(folder):
    for kind in folders.TOKENIZERS:
        assert read_vocabulary(folder("llama", kind), kind).notes == ()


def test_a_start_token_that_the_class_leaves_out_is_the_files(folder, tmp_path):
    path = with_tokenizer(folder, tmp_path / "m", folders.make_tokenizer("bytelevel-bos"))
    file = path / "tokenizer_config.json"
    config = json.loads(file.read_text()) | {"tokenizer_class": "GPTNeoXTokenizer"}
    file.write_text(json.dumps(config))
    ids = Tokenizer.from_file(str(path / "tokenizer.json")).encode("the dog").ids
    assert AutoTokenizer.from_pretrained(path)("the dog")["input_ids"] == ids[1:]
    vocabulary = read_vocabulary(path, "m")
    assert encode_prompt(vocabulary, "the dog") == ids
    assert "GPTNeoXTokenizer" in vocabulary.notes[0]


def test_a_class_that_nobody_knows_gives_way_to_the_file(folder, tmp_path):
    path = with_tokenizer(folder, tmp_path / "m", digits())
    (path / "tokenizer_config.json").write_text('{"tokenizer_class": "ByT5Tokenizer"}')
    vocabulary = read_vocabulary(path, "m")
    assert vocabulary.tokenizer.is_fast
    assert "the file is used" in vocabulary.notes[0]


def test_a_damaged_tokenizer_file_is_named(folder, tmp_path):
    path = with_tokenizer(folder, tmp_path / "m", digits())
    (path / "tokenizer.json").write_text('{"model": 3}')
    with pytest.raises(ModelError, match=r"tokenizer.json of ‘m’ is damaged"):
        read_vocabulary(path, "m")


@pytest.mark.parametrize("kind", ["PreTrainedTokenizerFast", "GPT2Tokenizer"])
def test_a_tokenizer_of_another_model_is_refused(folder, tmp_path, kind):
    big = Tokenizer(models.WordLevel({f"w{i}": i for i in range(700)} | {"[UNK]": 700}, "[UNK]"))
    big.pre_tokenizer = pre_tokenizers.Whitespace()
    path = with_tokenizer(folder, tmp_path / "m", PreTrainedTokenizerFast(tokenizer_object=big))
    config = json.loads((path / "tokenizer_config.json").read_text()) | {"tokenizer_class": kind}
    (path / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"tokenizer.json of ‘m’ is not this model's.*512 rows"):
        lm_of(path)


@pytest.fixture(scope="module")
def padded(folder, tmp_path_factory):
    """A model with 512 rows whose tokenizer has a 513th token."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder("llama", "bytelevel"))
    tokenizer.add_tokens([f"<{i}>" for i in range(512 - len(tokenizer))])
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    assert len(tokenizer) == 513
    return with_tokenizer(folder, tmp_path_factory.mktemp("padded") / "m", tokenizer)


UNKNOWN_ROW = r"does not know the token ‘<pad>’.*512.*512 rows"


def test_an_id_without_a_row_is_one_sentence(padded):
    lm = lm_of(padded)
    with pytest.raises(InputError, match=UNKNOWN_ROW):
        score(lm, "one <pad> two")
    with pytest.raises(InputError, match=UNKNOWN_ROW):
        next(generate(lm, "one <pad> two", GREEDY))
    data = Dataset("d", (), ({"q": "one <pad> two", "a": "x"}, {"q": "b", "a": "y"}))
    template = PromptTemplate.parse(
        "name: t\nquery: '{{ q }}'\nanswer: a\ntarget: ' {{ a }}'\nlabels: {x: x, y: y}\n"
    )
    with pytest.raises(InputError, match=UNKNOWN_ROW):
        evaluate(lm, template, data)
    with pytest.raises(InputError, match=f"Row 1: .*{UNKNOWN_ROW}"):
        list(structured(lm.vocabulary, None, [{"text": "a <pad>"}], FinetuneConfig(), lm.context))


def test_an_end_token_without_a_row_is_one_sentence(padded):
    lm = lm_of(padded)
    lm.tokenizer.eos_token = "<pad>"
    with pytest.raises(InputError, match="<pad>"):
        list(structured(lm.vocabulary, None, [{"text": "a"}], FinetuneConfig(), lm.context))


def lead_of_two(folder):
    """A tokenizer that begins every text with two tokens, as GLM's does."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder("llama", "bytelevel"))
    tokenizer.add_special_tokens({"additional_special_tokens": ["[gMASK]", "<sop>"]})
    pair = [(token, tokenizer.convert_tokens_to_ids(token)) for token in ("[gMASK]", "<sop>")]
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="[gMASK] <sop> $A", special_tokens=pair
    )
    return tokenizer


@pytest.mark.parametrize("brought", ["", "<sop>", "[gMASK]<sop>"])
def test_a_lead_of_several_tokens_stands_there_once(folder, tmp_path, brought):
    lead_of_two(folder).save_pretrained(tmp_path)
    vocabulary = read_vocabulary(tmp_path, "m")
    expected = vocabulary.tokenizer("the dog")["input_ids"]
    assert expected[:2] == list(vocabulary.leading)
    assert encode_prompt(vocabulary, f"{brought}the dog") == expected
    assert list(encode(vocabulary, "the dog", brought).ids) == expected


def wordpiece():
    core = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    core.normalizer = normalizers.BertNormalizer(lowercase=True)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.decoder = decoders.WordPiece(prefix="##")
    trainer = WordPieceTrainer(
        vocab_size=200, special_tokens=["[CLS]", "[UNK]", "[SEP]"], show_progress=False
    )
    core.train_from_iterator([folders.SENTENCES] * 4, trainer)
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A", special_tokens=[("[CLS]", 0)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="[CLS]", eos_token="[SEP]", unk_token="[UNK]"
    )


def suffixed():
    """As GPT-1's: a word's last token ends in </w>."""
    core = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    core.normalizer = normalizers.BertNormalizer(lowercase=True)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.decoder = decoders.BPEDecoder(suffix="</w>")
    trainer = BpeTrainer(
        vocab_size=200,
        special_tokens=["<unk>"],
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    core.train_from_iterator([folders.SENTENCES] * 4, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>")


def metaspace():
    core = Tokenizer(models.BPE(unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.decoder = decoders.Metaspace()
    trainer = BpeTrainer(vocab_size=200, special_tokens=["<s>", "<unk>"], show_progress=False)
    core.train_from_iterator([folders.SENTENCES] * 4, trainer)
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", unk_token="<unk>")


def stripped():
    """As Llama 2's, whose decoder takes the first space away."""
    tokenizer = folders.make_tokenizer("sentencepiece")
    decoder = [
        decoders.Replace("▁", " "),
        decoders.ByteFallback(),
        decoders.Fuse(),
        decoders.Strip(" ", 1, 0),
    ]
    tokenizer.backend_tokenizer.decoder = decoders.Sequence(decoder)
    return tokenizer


@pytest.fixture(scope="module", params=[wordpiece, suffixed, metaspace, stripped])
def worded(request, folder, tmp_path_factory):
    """A model whose tokens are pieces of words."""
    path = tmp_path_factory.mktemp(request.param.__name__) / "m"
    return lm_of(with_tokenizer(folder, path, request.param()))


def decoded(lm, ids):
    """The text of ids as the tokenizer decodes the whole, its lead left out."""
    return lm.tokenizer.backend_tokenizer.decode(list(ids)[len(lm.vocabulary.leading) :])


@pytest.mark.parametrize("prompt", ["the little dog", "Once upon a t", ""])
def test_a_completion_reads_as_the_tokenizer_decodes_the_whole(worded, prompt):
    vocabulary = worded.vocabulary
    if not prompt and vocabulary.start_id is None:
        pytest.skip("nothing to start from")
    # What is drawn hardly is text: a real one is spelled, token by token.
    given = encode_prompt(vocabulary, prompt)
    ids = vocabulary.ids("singing in the garden , there was a king . the man is here")
    shown = b"".join(vocabulary.read([*given, *ids], len(given) + i) for i in range(len(ids)))
    words = [vocabulary.reader([*given, *ids], len(given) + i)(t) for i, t in enumerate(ids)]
    before = decoded(worded, given)
    assert before + shown.decode() == decoded(worded, [*given, *ids])
    assert "".join(words) == shown.decode()
    assert not any(mark in shown.decode() for mark in ("##", "</w>", "▁"))


def test_what_is_drawn_reads_as_the_tokenizer_decodes_it(worded):
    prompt = "the little dog"
    steps = list(generate(worded, prompt, GREEDY))
    special = set(worded.tokenizer.all_special_ids)
    if special.isdisjoint(step.id for step in steps):
        given = encode_prompt(worded.vocabulary, prompt)
        whole = decoded(worded, [*given, *(step.id for step in steps)])
        assert decoded(worded, given) + "".join(step.shown for step in steps) == whole
    marks = ("##", "</w>", "▁")
    assert not any(mark in c.text for step in steps[1:] for c in step.top for mark in marks)


def test_alternatives_at_the_start_of_a_text_have_no_space(worded):
    scored = score(worded, "the little dog", top_k=50)
    tops = [token.top for token in scored.tokens if token.top]
    first = scored.tokens[0]
    if first.top:
        assert not any(a.text.startswith(" ") and a.text.strip() for a in first.top)
    assert any(a.text.startswith(" ") for top in tops[1:] for a in top)


def test_unknown_tokens_are_counted_and_bits_per_byte_mean_nothing(folder, tmp_path):
    lm = lm_of(with_tokenizer(folder, tmp_path / "m", wordpiece()))
    scored = score(lm, "the 東京 dog Привет")
    assert scored.unknown == 3
    value = scored.to_dict()
    assert (value["n_unknown"], value["bits_per_byte"]) == (3, None)
    known = score(lm, "the dog [UNK] ran")
    assert known.unknown == 0
    assert known.to_dict()["bits_per_byte"] is not None


@pytest.mark.parametrize("fallback", [False, True])
def test_unknown_tokens_of_a_unigram_are_counted(folder, tmp_path, fallback):
    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁the", "▁dog", "▁"]
    core = Tokenizer(models.Unigram([(piece, -1.0) for piece in pieces], 0, fallback))
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>")
    lm = lm_of(with_tokenizer(folder, tmp_path / "m", tokenizer))
    assert score(lm, "the dog 東 dog").unknown == (0 if fallback else 1)


def test_byte_level_tokens_are_never_unknown(folder):
    assert score(lm_of(folder("llama", "bytelevel")), "東京 <|endoftext|> x").unknown == 0
