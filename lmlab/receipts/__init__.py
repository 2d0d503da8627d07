"""Receipts: short scripts of plain torch and transformers that give a result's number again."""
