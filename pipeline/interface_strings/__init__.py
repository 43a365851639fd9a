"""Strings of interfaces and manuals, made by a grammar: what the tiny model learns to translate."""
