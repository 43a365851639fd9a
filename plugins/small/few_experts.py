"""Dequantise some packed experts at a time, in place of all experts of a layer: train.small.experts_at_once."""

from pipeline.launch.contract import Contract
from pipeline.models import packed_experts

packed_experts.at_once = Contract.read().experts_at_once
