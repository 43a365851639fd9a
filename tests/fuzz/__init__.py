"""Bytes that the conversion of preferences must account for."""
