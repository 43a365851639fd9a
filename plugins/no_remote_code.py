"""Refuse to run Python code that lies in a model folder, which ms-swift allows by default."""

from swift.model.register import ModelLoader

ModelLoader.default_trust_remote_code = False
