"""Keep the experts of a model that comes packed (MXFP4) packed, in training and in inference: packed_experts.py."""

from pipeline.models.packed_experts import keep_packed

keep_packed()
