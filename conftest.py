"""What pytest looks for examples in: not in modules whose extra is not installed."""

from importlib.util import find_spec

_GGUF = ("decoding", "engine", "model", "tokenizer")  # import llama_cpp
collect_ignore = (
    [] if find_spec("llama_cpp") else [f"lmlab/models/backends/gguf/{name}.py" for name in _GGUF]
)
