"""A language model from nothing: tokenizer, shape, text and the lines it is measured against.

``config``, ``corpus`` and ``levels`` know no torch; the steps are those of ``lmlab.finetuning``.
"""
